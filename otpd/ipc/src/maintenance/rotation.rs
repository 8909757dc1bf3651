//! `otpctl key rotate` and `otpd rotate-key`.

use serde::{Deserialize, Serialize};

/// What is asked for. Where the key is a credential its text follows as a frame.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Where the present key is.
    pub source: Source,
    /// How far to go.
    pub step: Step,
}

/// Where the present key is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// In the key file of the configuration.
    File,
    /// In a credential of the service manager, which otpctl has read.
    Credential,
}

/// How far to go.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Give the store a new key, and the key file as well where that is the source.
    Replace,
    /// Remove the new key's file, because the credential is that key by now.
    Withdraw,
}

/// What was done.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// A rotation that was begun before was finished; else it was a whole one.
    pub resumed: bool,
    /// Users whose records were sealed anew; absent where that was done before.
    pub users: Option<u64>,
    /// Version of the key that the store has now.
    pub key_version: u32,
    /// Where that key is.
    pub key: String,
    /// Where the key before is kept; absent where there is nothing to keep.
    pub kept: Option<String>,
}

/// Longest text of a key in bytes.
pub const KEY: u64 = 4096;
