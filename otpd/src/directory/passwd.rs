//! The system's own user database, through the name service switch.

use std::ffi::CString;

use nix::{
    errno::Errno,
    unistd::{Group, User, getgrouplist},
};
use otp_core::{
    account::escaped,
    contact::{Contacts, MailAddress, PhoneNumber},
};

use tokio::sync::Semaphore;

use super::{Directory, DirectoryError, Entry};
use crate::store::Pending;

/// A part of the GECOS text, between its commas. On many systems users may change some of them
/// themselves (`CHFN_RESTRICT` in login.defs(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The first.
    FullName,
    /// The second.
    Room,
    /// The third.
    WorkPhone,
    /// The fourth.
    HomePhone,
    /// All after the fourth comma; only root can change it.
    Other,
}

/// Where the GECOS text holds contacts; nowhere by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gecos {
    /// The telephone of SMS codes.
    pub mobile: Option<Field>,
    /// The mailbox of e-mail codes.
    pub mail: Option<Field>,
    /// The country of numbers that are written without one, in digits.
    pub country: Option<String>,
}

impl Field {
    /// Every field by its name in the configuration, in the order of the text.
    pub const ALL: [(&str, Self); 5] = [
        ("full-name", Self::FullName),
        ("room", Self::Room),
        ("work-phone", Self::WorkPhone),
        ("home-phone", Self::HomePhone),
        ("other", Self::Other),
    ];

    /// Its name in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }

    fn of(self, gecos: &str) -> &str {
        let place = Self::ALL.iter().position(|(_, field)| *field == self);
        place.and_then(|at| gecos.splitn(Self::ALL.len(), ',').nth(at)).unwrap_or_default().trim()
    }
}

impl Gecos {
    /// What the GECOS text of a user tells. What is no number or address is no contact.
    fn contacts(&self, user: &str, gecos: &str) -> Contacts {
        fn read<T, E>(
            user: &str,
            field: Option<(Field, &str)>,
            parse: impl FnOnce(&str) -> Result<T, E>,
        ) -> Option<T> {
            let (field, text) = field.filter(|(_, text)| !text.is_empty())?;
            let contact = parse(text).ok();
            if contact.is_none() {
                let (field, user) = (field.name(), escaped(user));
                log::debug!("directory: GECOS {field} of {user} holds no contact that can be used");
            }
            contact
        }
        let text = |field: Option<Field>| field.map(|field| (field, field.of(gecos)));
        let country = self.country.as_deref();
        Contacts {
            mobile: read(user, text(self.mobile), |text| PhoneNumber::parse(text, country)),
            mail: read(user, text(self.mail), MailAddress::parse),
        }
    }
}

/// Look-ups that are under way at once, each on a thread; the others wait. A source that is silent
/// keeps its threads, and must not keep all that there are.
const AT_ONCE: usize = 256;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Whoever is asked for at the console when all else is silent; waits for no place.
const ROOT: &str = "root";

/// Asks the name service switch about `name` on a thread.
async fn apart<T: Send + 'static>(
    name: &str,
    ask: impl FnOnce(&str) -> nix::Result<T> + Send + 'static,
) -> Result<T, DirectoryError> {
    let failed = |text: String| DirectoryError(text);
    let place = match name {
        ROOT => None,
        _ => Some(PLACES.acquire().await.map_err(|error| failed(error.to_string()))?),
    };
    let name = name.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let _place = place;
        ask(&name)
    });
    let answer = asked.await.map_err(|error| failed(error.to_string()))?;
    answer.map_err(|error| failed(error.desc().to_owned()))
}

/// `getpwnam_r`; asked on a thread of its own, since a network source behind NSS may block.
#[derive(Debug, Default)]
pub struct Passwd {
    gecos: Gecos,
}

impl Passwd {
    /// With contacts from the GECOS text.
    #[must_use]
    pub fn new(gecos: Gecos) -> Self {
        Self { gecos }
    }
}

impl Directory for Passwd {
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>> {
        Box::pin(async move {
            let user = apart(name, User::from_name).await?;
            Ok(user.map(|user| Entry {
                contacts: self.gecos.contacts(&user.name, &user.gecos.to_string_lossy()),
                name: user.name,
                uid: user.uid.as_raw(),
            }))
        })
    }

    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>> {
        Box::pin(apart(name, groups))
    }
}

/// The names of the user's groups; a group without a name is its number. getgrouplist(3) does not
/// tell when one of several sources behind the name service switch fails: their groups are missing
/// then.
fn groups(name: &str) -> nix::Result<Option<Vec<String>>> {
    let Some(user) = User::from_name(name)? else { return Ok(None) };
    let own = CString::new(user.name).map_err(|_| Errno::EINVAL)?;
    let named = |gid| {
        let group = Group::from_gid(gid)?;
        Ok(group.map_or_else(|| gid.to_string(), |group| group.name))
    };
    getgrouplist(&own, user.gid)?.into_iter().map(named).collect::<nix::Result<_>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mobile: Field, mail: Field, country: Option<&str>, gecos: &str) -> [Option<String>; 2] {
        let country = country.map(str::to_owned);
        let source = Gecos { mobile: Some(mobile), mail: Some(mail), country };
        let contacts = source.contacts("alice", gecos);
        [
            contacts.mobile.map(|number| number.as_str().to_owned()),
            contacts.mail.map(|address| address.as_str().to_owned()),
        ]
    }

    #[test]
    fn contacts_come_from_the_fields_that_are_named() {
        const LINE: &str = "alice@example.com,+49 170 1,+49 170 1234581, 0170/1234582 ,a@b,c";
        let (mobile, mail) = ("+491701234581".to_owned(), "alice@example.com".to_owned());
        for (from, country, gecos, expected) in [
            ((Field::WorkPhone, Field::FullName), None, LINE, [Some(mobile.clone()), Some(mail)]),
            ((Field::Room, Field::WorkPhone), None, LINE, [None, None]),
            ((Field::HomePhone, Field::Room), None, LINE, [None, None]),
            (
                (Field::HomePhone, Field::Room),
                Some("49"),
                LINE,
                [Some("+491701234582".to_owned()), None],
            ),
            // The fifth field is all that is left, so that a comma in it is seen.
            ((Field::WorkPhone, Field::Other), None, LINE, [Some(mobile.clone()), None]),
            (
                (Field::FullName, Field::Other),
                None,
                "+491701234581,,,,a@b",
                [Some(mobile), Some("a@b".to_owned())],
            ),
            ((Field::Other, Field::Other), None, "", [None, None]),
            ((Field::Other, Field::Other), None, "a,b", [None, None]),
        ] {
            assert_eq!(told(from.0, from.1, country, gecos), expected, "{from:?} {gecos}");
        }
    }

    #[test]
    fn nothing_is_told_unless_it_is_configured() {
        let gecos = "a@b.example,+491701234581,+491701234581,+491701234581,+491701234581";
        assert_eq!(Gecos::default().contacts("alice", gecos), Contacts::default());
    }

    #[tokio::test]
    async fn the_system_is_asked() {
        let directory = Passwd::new(Gecos { mail: Some(Field::FullName), ..Gecos::default() });
        let root = directory.by_name("root").await.unwrap().unwrap();
        assert_eq!((root.name.as_str(), root.uid, root.contacts.mail), ("root", 0, None));
        assert_eq!(directory.by_name("no.such.user").await.unwrap(), None);
        let groups = directory.groups("root").await.unwrap().unwrap();
        assert!(groups.iter().any(|group| group == "root"), "{groups:?}");
        assert_eq!(directory.groups("no.such.user").await.unwrap(), None);
    }

    #[tokio::test]
    async fn root_is_found_while_a_silent_source_holds_every_other_place() {
        let directory = Passwd::default();
        let held = PLACES.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let soon = std::time::Duration::from_millis(50);
        let waits = tokio::time::timeout(soon, directory.by_name("no.such.user")).await;
        assert!(waits.is_err());
        let late = std::time::Duration::from_secs(5);
        let found = tokio::time::timeout(late, directory.by_name("root")).await.unwrap();
        assert_eq!(found.unwrap().unwrap().uid, 0);
        drop(held);
        assert_eq!(directory.by_name("no.such.user").await.unwrap(), None);
    }
}
