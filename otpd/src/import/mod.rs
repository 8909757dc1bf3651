//! Files of other programs. Each format is read by one function that is given bytes and returns
//! what the file tells: no file is opened here, nothing is looked up, nothing is decided.

use std::fmt;

use jiff::tz::TimeZone;
use otp_core::{
    code::Digits,
    secret::Secret,
    token::{Algorithm, Factor},
};
use zeroize::Zeroizing;

/// What a reader is told besides the bytes.
pub struct Circumstances {
    /// The present, Unix milliseconds.
    pub now_ms: i64,
    /// The zone of times that are written without one.
    pub zone: TimeZone,
    /// The password or pre-shared key that keys in the file are encrypted with.
    pub key: Option<Zeroizing<Vec<u8>>>,
}

/// Why a line or a whole file is not taken; names what and what to do, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// From 1; 0: the file as a whole.
    pub line: usize,
    /// The user it is about, as it stands in the file.
    pub user: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

/// A token as a file tells of it.
#[derive(Debug)]
pub struct Row {
    /// Where it stands, from 1.
    pub line: usize,
    /// Whose it is; `None` where the file does not say.
    pub user: Option<String>,
    /// What the file calls it.
    pub label: Option<String>,
    /// Time or counter.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code, 4–8.
    pub digits: u8,
    /// The shared secret.
    pub secret: Secret,
    /// The lowest step (by the device's own clock) or counter that was not used there.
    pub next: u64,
    /// How far the device's clock is ahead in milliseconds.
    pub offset_ms: i64,
    /// Accepted from this time on, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Not accepted from this time on, Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Disabled there.
    pub disabled: bool,
    /// Codes for the day the device is lost that are left.
    pub recovery: Vec<Digits>,
    /// A limit of this user's own there: attempts in so many milliseconds.
    pub pace: Option<(u32, u64)>,
    /// What is not carried over, and what the administrator should know.
    pub warnings: Vec<String>,
}

/// What a file tells, in its order.
#[derive(Debug, Default)]
pub struct Contents {
    /// The tokens.
    pub rows: Vec<Row>,
    /// What is not taken.
    pub rejects: Vec<Reject>,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}: {}", self.reason),
        }
    }
}
