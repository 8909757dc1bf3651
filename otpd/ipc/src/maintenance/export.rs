//! What `otpctl export` tells otpd's program and what that answers: after the request comes the
//! key, where it says that there is one; the answer is a frame with the [`Report`] as JSON and, where
//! anything is exported, one with the file.

use serde::{Deserialize, Serialize};

/// The names of the formats, as people type them.
pub const FORMATS: [&str; 3] = ["otpauth", "pskc", "oath"];
/// Longest passphrase or key, in bytes.
pub const KEY: u64 = 4096;

/// What is to be exported.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Request {
    /// One of [`FORMATS`].
    pub format: String,
    /// Whose tokens.
    pub users: Vec<String>,
    /// Everybody's.
    pub all: bool,
    /// A frame with the passphrase or key that the keys are encrypted with follows.
    pub key: bool,
}

/// What came of it. The JSON document of `otpctl --json export`.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// As it was asked.
    pub format: String,
    /// The tokens in the file, in its order.
    pub tokens: Vec<Exported>,
    /// What is not in it.
    pub left_out: Vec<LeftOut>,
    /// Users that otpd does not know; then nothing is exported.
    pub unknown: Vec<String>,
}

/// A token in the file.
#[derive(Debug, Deserialize, Serialize)]
pub struct Exported {
    /// Whose it is.
    pub user: String,
    /// Its id.
    pub id: String,
    /// The user's name for it.
    pub label: String,
}

/// Something that is not in the file.
#[derive(Debug, Deserialize, Serialize)]
pub struct LeftOut {
    /// Whose it is.
    pub user: String,
    /// The id, of a token.
    pub id: Option<String>,
    /// What it is called.
    pub label: String,
    /// Why.
    pub reason: String,
}
