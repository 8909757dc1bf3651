//! LDAP (RFC 4511): one entry for each user, found by a filter, over TLS.

mod attributes;
mod check;
mod connection;
pub mod schema;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, sync::Arc, time::Duration};

use ldap3::{Scope, ldap_escape};
use otp_delivery::Hidden;

use self::{
    attributes::Found,
    connection::{Connection, Trouble},
    schema::Schema,
};
use super::{DirectoryError, Record, Source, record::contacts};
use crate::{contained::Contained, store::Pending};

/// Placeholder of the name in a filter.
pub const USER: &str = "{user}";
/// Placeholder of the entry's distinguished name in a filter of groups.
pub const DN: &str = "{dn}";
/// Most groups that one user may be in.
const MOST_GROUPS: i32 = 1000;

/// `type = "ldap"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`.
    pub url: String,
    /// Whether everything is encrypted: StartTLS for `ldap://`.
    pub tls: bool,
    /// Certificates in PEM that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// Who asks; `None`: nobody in particular.
    pub bind: Option<(String, Hidden)>,
    /// Where users are.
    pub base: String,
    /// How far below it.
    pub depth: Depth,
    /// Finds a user: [`USER`] stands for the name.
    pub filter: String,
    /// What the server's entries look like.
    pub schema: Schema,
    /// The attribute that holds the login name, which has to be the one that was asked for.
    pub name: Option<String>,
    /// The attribute of the telephone.
    pub mobile: Option<String>,
    /// The attribute of the mailbox.
    pub mail: Option<String>,
    /// Where groups come from.
    pub groups: Option<Groups>,
    /// The country of numbers that are written without one.
    pub country: Option<String>,
    /// How long one look-up may take in all.
    pub timeout: Duration,
}

/// How far below the base users are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Anywhere.
    Subtree,
    /// Immediately.
    One,
}

/// Where the groups of a user come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// An attribute of the user's entry: names, or distinguished names that begin with one.
    Attribute(String),
    /// Entries of their own.
    Search {
        /// Where they are.
        base: String,
        /// Finds those of a user: [`USER`] stands for the name, [`DN`] for the entry's.
        filter: String,
        /// The attribute that holds a group's name.
        name: String,
    },
}

/// An LDAP directory. All that speaks with the server runs apart: the library panics at messages that
/// no server sends, and whoever is between us and the server may send some before TLS begins.
pub struct Ldap {
    asker: Arc<Asker>,
    apart: Contained,
}

/// Who asks the server.
struct Asker {
    directory: String,
    settings: Settings,
    connection: Connection,
}

impl Ldap {
    /// Connects to nobody yet.
    ///
    /// # Errors
    /// A file of certificates that cannot be used.
    pub fn new(directory: &str, settings: Settings) -> Result<Self, String> {
        let (connection, directory) = (Connection::new(&settings)?, directory.to_owned());
        let asker = Arc::new(Asker { directory, settings, connection });
        Ok(Self { asker, apart: Contained::default() })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let asker = Arc::clone(&self.asker);
        let done = self.apart.run(async move { asker.in_time(work).await }).await;
        done.unwrap_or_else(|why| Err(self.asker.failed(&Trouble::Link(why))))
    }
}

impl Asker {
    /// Everything that is read of a user's entry.
    fn attributes(&self) -> Vec<&str> {
        let of_groups = match &self.settings.groups {
            Some(Groups::Attribute(attribute)) => Some(attribute),
            _ => None,
        };
        let Settings { name, mobile, mail, .. } = &self.settings;
        let mapped = [name.as_ref(), mobile.as_ref(), mail.as_ref(), of_groups];
        let mut attributes: Vec<_> = mapped.into_iter().flatten().map(String::as_str).collect();
        attributes.extend(self.settings.schema.state_attributes());
        if attributes.is_empty() {
            // No attribute at all (RFC 4511 section 4.5.1.8), for an empty list means every one.
            attributes.push("1.1");
        }
        attributes
    }

    /// Looks a user up, within no time limit.
    async fn find(&self, user: &str) -> Result<Option<Record>, Trouble> {
        let settings = &self.settings;
        let scope = match settings.depth {
            Depth::Subtree => Scope::Subtree,
            Depth::One => Scope::OneLevel,
        };
        let filter = filled(&settings.filter, user, "");
        let attributes = self.attributes();
        let found = self.connection.search(&settings.base, scope, &filter, &attributes, 2).await?;
        let entry = match found.as_slice() {
            [] => return Ok(None),
            [entry] => entry,
            _ => {
                let text = format!("more than one entry matches {}", settings.filter);
                return Err(Trouble::Answer(text));
            }
        };
        self.check_name(entry, user)?;
        let mut record = self.record(entry, user)?;
        if let Some(Groups::Search { base, filter, name }) = &settings.groups {
            let filter = filled(filter, user, &entry.dn);
            let (scope, wanted) = (Scope::Subtree, [name.as_str()]);
            let search = self.connection.search(base, scope, &filter, &wanted, MOST_GROUPS);
            let groups = search.await?;
            let names = groups.iter().filter_map(|group| group.values(name).next());
            record.groups = names.map(str::to_owned).collect();
        }
        Ok(Some(record))
    }

    /// Servers compare more loosely than we do: without regard to case, white space or accents. An
    /// entry that is somebody else's is nobody's.
    fn check_name(&self, entry: &Found, user: &str) -> Result<(), Trouble> {
        let Some(attribute) = &self.settings.name else { return Ok(()) };
        let same = |value: &str| value.to_lowercase() == user.to_lowercase();
        if entry.values(attribute).any(same) {
            return Ok(());
        }
        let text = format!(
            "the entry that {} finds does not have the name in its {attribute}; see `name`",
            self.settings.filter
        );
        Err(Trouble::Answer(text))
    }

    fn record(&self, entry: &Found, user: &str) -> Result<Record, Trouble> {
        let settings = &self.settings;
        let values = |attribute: &Option<String>| -> Vec<&str> {
            attribute.iter().flat_map(|attribute| entry.values(attribute)).collect()
        };
        let (mobile, mail) = (values(&settings.mobile), values(&settings.mail));
        let country = settings.country.as_deref();
        let mut record = Record {
            contacts: contacts(&self.directory, user, mobile, mail, country),
            ..Record::default()
        };
        if let Some(Groups::Attribute(attribute)) = &settings.groups {
            record.groups = entry.values(attribute).map(attributes::common_name).collect();
        }
        settings.schema.state(entry, &mut record).map_err(Trouble::Answer)?;
        Ok(record)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, DirectoryError> {
        let limit = self.settings.timeout;
        let outcome = match tokio::time::timeout(limit, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Trouble::Link(format!("no answer within {limit:?}"))),
        };
        outcome.map_err(|trouble| self.failed(&trouble))
    }

    /// A connection that is of no more use is let go of.
    fn failed(&self, trouble: &Trouble) -> DirectoryError {
        if matches!(trouble, Trouble::Link(_)) {
            self.connection.forget();
        }
        DirectoryError(format!("{}: {}", self.settings.url, trouble.text()))
    }
}

/// The filter with what its placeholders stand for, escaped (RFC 4515 section 3).
fn filled(template: &str, user: &str, dn: &str) -> String {
    let mut filled = String::with_capacity(template.len() + user.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let (value, placeholder) = if from.starts_with(USER) {
            (ldap_escape(user), USER)
        } else if from.starts_with(DN) {
            (ldap_escape(dn), DN)
        } else {
            ("{".into(), "{")
        };
        filled.push_str(&value);
        rest = from.strip_prefix(placeholder).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

impl Source for Ldap {
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        let (asker, name) = (Arc::clone(&self.asker), name.to_owned());
        Box::pin(self.run(async move { asker.find(&name).await }))
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async {
            let asker = Arc::clone(&self.asker);
            match self.run(async move { asker.problems().await }).await {
                Ok(problems) => problems,
                Err(error) => vec![error.0],
            }
        })
    }
}
