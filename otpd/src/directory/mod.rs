//! The port to the directories: where user ids, contacts, groups and account states come from.
//!
//! The name service switch is the root of identity: it says what an account is called and its user
//! id ([`passwd`]). Other directories ([`file`], [`sssd`], [`ldap`], [`sql`]) add to that what they
//! know of the same name. [`composite`] asks them, each through [`cache`].

pub mod cache;
pub mod composite;
pub mod file;
pub mod ldap;
pub mod passwd;
pub mod record;
pub mod sql;
pub mod sssd;

use std::collections::BTreeSet;

use otp_core::contact::{Channel, Contacts};

pub use record::{Record, Standing};

use crate::store::Pending;

/// A user as the root of identity knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The canonical login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// Where codes can be delivered, as far as the directory knows and is configured to tell.
    pub contacts: Contacts,
}

/// What somebody wants to know of a name besides its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where codes can be delivered by these channels.
    pub contacts: BTreeSet<Channel>,
    /// Whether the account may be used, of every directory that tells.
    pub state: bool,
    /// Whether these directories know the name.
    pub members: BTreeSet<String>,
}

/// What the directories told of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Of the first directory, in the configuration's order, that has each.
    pub contacts: Contacts,
    /// The directory and the state, where one says that the account may not be used.
    pub refused: Option<(String, Standing)>,
    /// Those of [`Wanted::members`] that know the name.
    pub members: BTreeSet<String>,
}

/// A directory, as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name in the configuration.
    pub name: String,
    /// Its `type` there.
    pub kind: &'static str,
    /// What it failed with last and when, Unix milliseconds; `None` where its last answer was one.
    pub failure: Option<(String, i64)>,
}

/// What a test of a directory found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tested {
    /// What keeps it from being used as it is configured; empty where nothing does.
    pub problems: Vec<String>,
    /// What is known of the user who was asked for, if somebody was; `None` inside: nobody of that
    /// name.
    pub found: Option<Option<Record>>,
}

/// The sources of users. An error is never "no such user".
pub trait Directory: Send + Sync {
    /// The user with this name; `None` where the directory says that there is none.
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>>;

    /// The groups of the user with this name, the primary one among them; `None` where the
    /// directory says that there is no such user.
    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>>;

    /// What the directories know of a name besides its identity. Asks those alone that have what
    /// is wanted, and all of them at once.
    ///
    /// # Errors
    /// Where one of them does not answer and nothing that it has told before may be used instead.
    fn told<'a>(
        &'a self,
        name: &'a str,
        wanted: &'a Wanted,
    ) -> Pending<'a, Result<Told, DirectoryError>> {
        Box::pin(async move {
            let asked = !wanted.contacts.is_empty();
            let entry = if asked { self.by_name(name).await? } else { None };
            let own = entry.filter(|entry| entry.name == name);
            Ok(Told {
                contacts: own.map(|entry| entry.contacts).unwrap_or_default(),
                ..Told::default()
            })
        })
    }

    /// Changes to other settings; those that stay as they are keep their connections.
    ///
    /// # Errors
    /// What cannot be used; nothing has changed then.
    fn configure(&self, settings: &composite::Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Every directory, in the configuration's order.
    fn list(&self) -> Vec<Listed> {
        Vec::new()
    }

    /// Connects to a directory, looks whether it fits its settings, and asks for a user; uses no
    /// cache. `None` where there is no directory of that name.
    fn test<'a>(
        &'a self,
        directory: &'a str,
        user: Option<&'a str>,
    ) -> Pending<'a, Option<Tested>> {
        let _ = (directory, user);
        Box::pin(async { None })
    }
}

/// One directory beside the root of identity.
pub trait Source: Send + Sync {
    /// What it knows of exactly this name; `None` where it says that there is nobody of that name.
    /// Ends within the source's own time limit.
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>>;

    /// Connects, and finds what is wrong with its settings; an empty list where nothing is.
    fn check<'a>(&'a self) -> Pending<'a, Vec<String>>;
}

/// Why a directory gave no answer: what failed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user database does not answer: {0}")]
pub struct DirectoryError(pub String);
