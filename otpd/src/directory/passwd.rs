//! The system's own user database, through the name service switch.

use otp_core::{
    account::escaped,
    contact::{Contacts, MailAddress, PhoneNumber},
};

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
        let name = name.to_owned();
        Box::pin(async move {
            let looked_up =
                tokio::task::spawn_blocking(move || nix::unistd::User::from_name(&name))
                    .await
                    .map_err(|error| DirectoryError(error.to_string()))?;
            let user = looked_up.map_err(|error| DirectoryError(error.desc().to_owned()))?;
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
        let name = name.to_owned();
        Box::pin(async move {
            let looked_up = tokio::task::spawn_blocking(move || groups(&name))
                .await
                .map_err(|error| DirectoryError(error.to_string()))?;
            looked_up.map_err(|error| DirectoryError(error.desc().to_owned()))
        })
    }
}

/// The names of the user's groups, the primary one among them; a group without a name is left out,
/// because no rule can mean it.
fn groups(name: &str) -> nix::Result<Option<Vec<String>>> {
    let Some(user) = nix::unistd::User::from_name(name)? else { return Ok(None) };
    let name = std::ffi::CString::new(user.name).map_err(|_| nix::errno::Errno::EINVAL)?;
    let mut names = Vec::new();
    for gid in nix::unistd::getgrouplist(&name, user.gid)? {
        names.extend(nix::unistd::Group::from_gid(gid)?.map(|group| group.name));
    }
    Ok(Some(names))
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
    }
}
