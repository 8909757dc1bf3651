//! What `otpctl restore` tells otpd's program and what that answers. After the request come the
//! passphrase or the secret keys, and the file. It answers with an [`Offer`] in a frame, while the
//! daemon may run; at the next frame, which is empty, it restores, and answers with [`Restored`] in
//! a frame. Without that frame nothing is changed.

use serde::{Deserialize, Serialize};

pub use super::backup::{LONGEST, SECRET};

/// How the file is opened, and what becomes of what it holds.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Request {
    /// Secret keys of age's follow, not a passphrase.
    pub identity: bool,
    /// Recovery codes stay good, those as well that were used after the backup was made.
    pub keep_recovery_codes: bool,
    /// The store may take the place of another one that has users.
    pub replace: bool,
    /// Where the machine has neither key nor store, it is given a key.
    pub make_key: bool,
}

/// What is in the file, and what it would replace.
#[derive(Debug, Deserialize, Serialize)]
pub struct Offer {
    /// When the backup was made, Unix milliseconds.
    pub made_ms: i64,
    /// Users in it.
    pub users: u64,
    /// Tokens in it, of any state.
    pub tokens: u64,
    /// What its key is, for people, where it is not this machine's present one: who has that key
    /// may have written it.
    pub sealed_with: Option<String>,
    /// What is in the store's place.
    pub present: Present,
    /// The machine has no key: it is to be asked again with [`Request::make_key`].
    pub needs_key: bool,
}

/// What is in the place of the store.
#[derive(Debug, Deserialize, Serialize)]
pub enum Present {
    /// Nothing.
    Missing,
    /// Something that is no store, or cannot be read.
    Unreadable,
    /// A store.
    Store {
        /// Users in it.
        users: u64,
        /// It is another one than that of the backup.
        other: bool,
    },
}

/// What was restored.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Restored {
    /// When the backup was made, Unix milliseconds.
    pub made_ms: i64,
    /// Users.
    pub users: u64,
    /// Tokens of any state.
    pub tokens: u64,
    /// Tokens whose next login needs two codes, one after the other.
    pub counters: u64,
    /// Users whose recovery codes are void, by name.
    pub recovery: Vec<String>,
    /// Issued codes that are void.
    pub issued: u64,
    /// The store is sealed with another key than the backup was.
    pub resealed: bool,
    /// Where the store is that was there before.
    pub replaced: Option<String>,
}
