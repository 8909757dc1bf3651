//! The port to the directories: where user ids, contacts and groups come from.

pub mod passwd;

use otp_core::contact::Contacts;

use crate::store::Pending;

/// A user as a directory knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The canonical login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// Where codes can be delivered, as far as the directory knows and is configured to tell.
    pub contacts: Contacts,
}

/// A source of users. An error is never "no such user".
pub trait Directory: Send + Sync {
    /// The user with this name; `None` where the directory says that there is none.
    fn by_name<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Entry>, DirectoryError>>;

    /// The groups of the user with this name, the primary one among them; `None` where the
    /// directory says that there is no such user.
    fn groups<'a>(
        &'a self,
        name: &'a str,
    ) -> Pending<'a, Result<Option<Vec<String>>, DirectoryError>>;
}

/// Why a directory gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the user database does not answer: {0}")]
pub struct DirectoryError(pub String);
