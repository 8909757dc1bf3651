//! What `otpctl backup` tells otpd's program and what that answers. After the request comes the
//! passphrase, where there is no recipient; the answer is a frame with [`Made`], then the file.

use serde::{Deserialize, Serialize};

/// Longest backup in bytes, which is held in memory as a whole.
pub const LONGEST: u64 = 512 * 1024 * 1024;
/// Longest passphrase, and longest file with secret keys, in bytes.
pub const SECRET: u64 = 16 * 1024;
/// Fewest characters of a passphrase.
pub const SHORTEST_PASSPHRASE: usize = 12;

/// What is to be written, and for whom.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Request {
    /// Public keys of age's, as it writes them; none: a passphrase follows.
    pub recipients: Vec<String>,
    /// The store's key goes into the file as well.
    pub with_key: bool,
}

/// What was written.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Made {
    /// When, Unix milliseconds.
    pub made_ms: i64,
    /// Users in it.
    pub users: u64,
    /// Tokens in it, of any state.
    pub tokens: u64,
    /// Why the store has no audit record of it; the journal has one.
    pub unrecorded: Option<String>,
}
