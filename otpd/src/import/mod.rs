//! Files of other programs. Each format is read by one function that is given bytes and returns
//! what the file tells: no file is opened here, nothing is looked up, nothing is decided.

mod aegis;
mod andotp;
mod csv;
#[cfg(test)]
mod format_tests;
mod freeipa;
mod google_authenticator;
mod google_export;
mod json;
mod oath_usersfile;
mod otpauth;
mod pskc;
mod value;

use std::fmt;

use jiff::tz::TimeZone;
use otp_core::{
    code::Digits,
    secret::{self, Secret},
    token::{Algorithm, Factor},
};
use zeroize::Zeroizing;

/// A kind of file.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line, one of [`otp_ipc::maintenance::import::FORMATS`].
    pub name: &'static str,
    /// Whether the bytes look like one: cheap, and wrong at times.
    recognised: fn(&[u8]) -> bool,
    read: fn(&[u8], &Circumstances) -> Result<Contents, Reject>,
}

/// Every kind, in the order in which they are guessed: those with an unmistakable mark first.
pub const FORMATS: &[Format] = &[
    Format { name: "otpauth", recognised: otpauth::recognised, read: otpauth::read },
    Format {
        name: "google-export",
        recognised: google_export::recognised,
        read: google_export::read,
    },
    Format { name: "pskc", recognised: pskc::recognised, read: pskc::read },
    Format { name: "aegis", recognised: aegis::recognised, read: aegis::read },
    Format { name: "andotp", recognised: andotp::recognised, read: andotp::read },
    Format { name: "freeipa", recognised: freeipa::recognised, read: freeipa::read },
    Format { name: "csv", recognised: csv::recognised, read: csv::read },
    Format { name: "oath", recognised: oath_usersfile::recognised, read: oath_usersfile::read },
    Format {
        name: "google-authenticator",
        recognised: google_authenticator::recognised,
        read: google_authenticator::read,
    },
];

impl Format {
    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The kind that the bytes look like.
    #[must_use]
    pub fn guessed(bytes: &[u8]) -> Option<&'static Self> {
        FORMATS.iter().find(|format| (format.recognised)(bytes))
    }

    /// Whether its users are accounts of a system, not what people called themselves elsewhere.
    #[must_use]
    pub fn names_accounts(&self) -> bool {
        matches!(self.name, "oath" | "freeipa")
    }

    /// Whether it is what somebody's app exports, whose accounts are anywhere.
    #[must_use]
    pub fn is_of_an_app(&self) -> bool {
        matches!(self.name, "google-export" | "aegis" | "andotp")
    }

    /// What a file of this kind tells.
    ///
    /// # Errors
    /// Why the file as a whole is not taken.
    pub fn read(&self, bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
        (self.read)(bytes, circumstances)
    }
}

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

/// Shortest key in bytes that nobody is warned of (RFC 4226 R6).
const AMPLE: usize = 16;

/// A key that may be taken; a short one adds a warning.
///
/// # Errors
/// Why it may not: too short, too long, or one that examples use and no device has.
fn key(bytes: Zeroizing<Vec<u8>>, warnings: &mut Vec<String>) -> Result<Secret, String> {
    let length = bytes.len();
    if length > 0 && bytes.iter().all(|byte| *byte == 0) {
        return Err("the key is all zeros, as in examples; enrol the user anew".into());
    }
    if length < secret::SHORTEST {
        let bits = 8 * length;
        return Err(format!("the key has {bits} bits, 80 are the least; enrol the user anew"));
    }
    let key = Secret::new(bytes).map_err(|_| {
        format!("the key has {length} bytes, {} are the most; enrol the user anew", secret::LONGEST)
    })?;
    if length < AMPLE {
        let bits = 8 * length;
        warnings.push(format!("the key has {bits} bits, fewer than the 128 that are advised"));
    }
    Ok(key)
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.reason),
            line => write!(f, "line {line}: {}", self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_a_name_of_its_own_that_otpctl_offers() {
        let names: std::collections::BTreeSet<_> =
            FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        for name in names {
            assert!(otp_ipc::maintenance::import::FORMATS.contains(&name), "{name}");
            assert_eq!(Format::named(name).unwrap().name, name);
        }
        assert!(Format::named("no-such-format").is_none());
        assert!(Format::guessed(b"").is_none());
    }
}
