//! What `otpctl import` tells otpd's program and what that answers. After the request come the
//! key, where it says that there is one, and for each file a [`Source`] and, unless that was
//! refused already, the file's bytes.

use serde::{Deserialize, Serialize};

/// The names of the formats, as people type them.
pub const FORMATS: [&str; 9] = [
    "google-authenticator",
    "oath",
    "pskc",
    "otpauth",
    "google-export",
    "aegis",
    "andotp",
    "freeipa",
    "csv",
];

/// What is to be done with the files that follow.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Request {
    /// One of [`FORMATS`]; `None`: each file's own is guessed.
    pub format: Option<String>,
    /// Whose all tokens are; else the files say.
    pub user: Option<String>,
    /// The method of all tokens; `None`: the built-in one of their kind.
    pub method: Option<String>,
    /// The zone of times that are written without one, as in `/usr/share/zoneinfo`; `None`: the
    /// machine's.
    pub zone: Option<String>,
    /// A frame with the files' password or pre-shared key follows.
    pub key: bool,
    /// Nothing is changed.
    pub dry_run: bool,
    /// What is accepted is taken even if something is rejected.
    pub accepted: bool,
}

/// A file.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Source {
    /// What it is called in messages.
    pub path: String,
    /// Whose it is, where its place says so.
    pub user: Option<String>,
    /// Its format, where its place says so.
    pub format: Option<String>,
    /// Why it was not read: no bytes follow.
    pub refused: Option<String>,
}

/// What came of it. The JSON document of `otpctl --json import`.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Report {
    /// Whether the store has changed, or would have without [`Request::dry_run`].
    pub applied: bool,
    /// As it was asked.
    pub dry_run: bool,
    /// Tokens that the users did not have.
    pub added: usize,
    /// Tokens that they had; among them those that were raised.
    pub known: usize,
    /// Tokens that they had and of which codes had been used elsewhere since.
    pub raised: usize,
    /// How many [`Rejected`] there are.
    pub rejected: usize,
    /// The users whose accounts these tokens are in.
    pub users: usize,
    /// Every token that is taken, file by file.
    pub tokens: Vec<Taken>,
    /// Everything that is not.
    pub rejects: Vec<Rejected>,
    /// How far a code may be off now, of each method that a token has.
    pub methods: Vec<Windows>,
}

/// A token that is taken.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Taken {
    /// Where it stands.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Whose it is.
    pub user: String,
    /// Its name in the account.
    pub label: String,
    /// The method that it has here.
    pub method: String,
    /// `added`, `known` or `raised`.
    pub result: String,
    /// Recovery codes that were taken with it.
    pub recovery: usize,
    /// What is not carried over, and what an administrator should know.
    pub warnings: Vec<String>,
}

/// What is not taken.
#[derive(Debug, Deserialize, Serialize)]
pub struct Rejected {
    /// Where it stands.
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// Whose it is, where that is known.
    pub user: Option<String>,
    /// Why, and what to do; never a secret.
    pub reason: String,
}

/// How far a code may be off.
#[derive(Debug, Deserialize, Serialize)]
pub struct Windows {
    /// The method.
    pub method: String,
    /// Of a time: steps before the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u8>,
    /// Of a time: steps after the present one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u8>,
    /// Of a counter: codes that may be passed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_ahead: Option<u16>,
}
