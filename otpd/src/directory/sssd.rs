//! SSSD, over its InfoPipe on the system bus (sssd-ifp(5)): it must name otpd's account in
//! `allowed_uids` and the attributes in `user_attributes`.

use std::{collections::HashMap, time::Duration};

use tokio::sync::{Mutex, Semaphore};
use zbus::{Connection, OwnedVariant, Variant, connection, fdo};

use super::{DirectoryError, Record, Source, record::contacts};
use crate::store::Pending;

const NAME: &str = "org.freedesktop.sssd.infopipe";
const PATH: &str = "/org/freedesktop/sssd/infopipe";
/// Look-ups that are under way at once; the others wait.
const AT_ONCE: usize = 16;
/// What SSSD answers where there is no such user.
const NOT_FOUND: &str = "sbus.Error.NotFound";
/// A user whom `check` asks for: it matters whether there is an answer, not which.
const NOBODY: &str = "root";

/// `type = "sssd"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The attribute of the telephone.
    pub mobile: Option<String>,
    /// The attribute of the mailbox.
    pub mail: Option<String>,
    /// Whether it is asked for groups.
    pub groups: bool,
    /// The country of numbers that are written without one.
    pub country: Option<String>,
    /// How long one look-up may take in all.
    pub timeout: Duration,
}

/// SSSD.
pub struct Sssd {
    directory: String,
    settings: Settings,
    bus: String,
    connection: Mutex<Option<Connection>>,
    places: Semaphore,
}

type Attributes = HashMap<String, OwnedVariant>;

impl Sssd {
    /// Connects to nobody yet.
    #[must_use]
    pub fn new(directory: &str, settings: Settings, bus: &str) -> Self {
        let (directory, bus) = (directory.to_owned(), bus.to_owned());
        let (connection, places) = (Mutex::new(None), Semaphore::new(AT_ONCE));
        Self { directory, settings, bus, connection, places }
    }

    async fn find(&self, user: &str) -> Result<Option<Record>, zbus::Error> {
        let settings = &self.settings;
        let mut wanted = vec!["name"];
        wanted.extend([&settings.mobile, &settings.mail].into_iter().flatten().map(String::as_str));
        let answer = self.call("GetUserAttr", &(user, wanted)).await;
        let Some(message) = known(answer)? else { return Ok(None) };
        let attributes: Attributes = message.body().deserialize()?;
        let values = |name: &Option<String>| -> Vec<String> {
            name.iter().flat_map(|name| texts(attributes.get(name))).collect()
        };
        let (mobile, mail) = (values(&settings.mobile), values(&settings.mail));
        let contacts = contacts(
            &self.directory,
            user,
            mobile.iter().map(String::as_str),
            mail.iter().map(String::as_str),
            settings.country.as_deref(),
        );
        let mut groups = Vec::new();
        if settings.groups
            && let Some(message) = known(self.call("GetUserGroups", &(user,)).await)?
        {
            groups = message.body().deserialize()?;
        }
        Ok(Some(Record { contacts, groups, ..Record::default() }))
    }

    async fn call<B>(&self, method: &str, body: &B) -> Result<zbus::Message, zbus::Error>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let connection = self.connected().await?;
        connection.call_method(Some(NAME), PATH, Some(NAME), method, body).await
    }

    /// The connection to the bus; it is made anew after a failure.
    async fn connected(&self) -> Result<Connection, zbus::Error> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = &*current {
            return Ok(connection.clone());
        }
        let made = connection::Builder::address(self.bus.as_str())
            .method_timeout(self.settings.timeout)
            .build()
            .await?;
        *current = Some(made.clone());
        Ok(made)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, zbus::Error>>,
    ) -> Result<T, DirectoryError> {
        let limit = self.settings.timeout;
        let work = async {
            let closed = |_| zbus::Error::Failure("it is no longer used".to_owned());
            let _place = self.places.acquire().await.map_err(closed)?;
            work.await
        };
        let why = match tokio::time::timeout(limit, work).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => {
                // The bus itself may have been restarted.
                if !matches!(error, zbus::Error::MethodError(..) | zbus::Error::FDO(_))
                    && let Ok(mut current) = self.connection.try_lock()
                {
                    *current = None;
                }
                explained(&error)
            }
            Err(_) => format!("no answer within {limit:?}"),
        };
        Err(DirectoryError(format!("sssd: {why}")))
    }
}

/// The answer; `None` where SSSD says that there is no such user.
fn known(answer: Result<zbus::Message, zbus::Error>) -> Result<Option<zbus::Message>, zbus::Error> {
    match answer {
        Ok(message) => Ok(Some(message)),
        Err(zbus::Error::MethodError(name, ..)) if name.as_str() == NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

fn explained(error: &zbus::Error) -> String {
    let zbus::Error::FDO(standard) = error else { return error.to_string() };
    let hint = match **standard {
        fdo::Error::AccessDenied(_) => "; add otpd to allowed_uids of [ifp] in sssd.conf",
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
            "; is its InfoPipe on: services = …, ifp in sssd.conf, or the package sssd-dbus?"
        }
        _ => "",
    };
    format!("{standard}{hint}")
}

/// The values of an attribute: an array of texts.
fn texts(value: Option<&OwnedVariant>) -> Vec<String> {
    match value.map(|value| &**value) {
        Some(Variant::Array(items)) => {
            let text = |item: &Variant<'_>| <&str>::try_from(item).map(str::to_owned).ok();
            items.iter().filter_map(text).collect()
        }
        Some(Variant::Str(text)) => vec![text.to_string()],
        _ => Vec::new(),
    }
}

impl Source for Sssd {
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        Box::pin(self.in_time(self.find(name)))
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async {
            let asked = self.in_time(self.find(NOBODY)).await;
            asked.err().map(|error| error.0).into_iter().collect()
        })
    }
}
