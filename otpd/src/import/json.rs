//! What the backups of apps in JSON have in common. Their parser's own words may repeat what it
//! read, so they are never shown.

use std::fmt;

use otp_core::{account::escaped, base32, token::Algorithm};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    Contents, Reject, Row, key,
    value::{self, Refused, Seed, refused},
};

/// A text that is wiped when dropped and never printed.
pub(super) struct Hidden(Zeroizing<String>);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden(Zeroizing::new(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// The values of an entry, which two apps name differently and mean alike.
pub(super) struct Entry {
    /// Of any case.
    pub(super) kind: String,
    pub(super) secret: Hidden,
    pub(super) algorithm: Option<String>,
    pub(super) digits: Option<u64>,
    pub(super) period: Option<u64>,
    pub(super) counter: Option<u64>,
    pub(super) user: Option<String>,
    pub(super) label: Option<String>,
}

/// The whole file as a `T`; `what` says what it should be and how to make one.
pub(super) fn document<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<T, Reject> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        refused(format!("it is not {what} (line {line}, column {column})"))
    })
}

/// Every one of the entries, which stand in `text`, as a row or a reject.
pub(super) fn contents<'a, T: Deserialize<'a>>(
    text: &'a str,
    entries: &[&'a RawValue],
    now_ms: i64,
    entry: impl Fn(T) -> Entry,
) -> Contents {
    let mut contents = Contents::default();
    let (mut line, mut seen) = (1, 0);
    for raw in entries {
        let start = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let passed = text.as_bytes().get(seen..start).unwrap_or_default();
        line += passed.iter().filter(|byte| **byte == b'\n').count();
        seen = start;
        match serde_json::from_str::<T>(raw.get()) {
            Ok(read) => {
                let entry = entry(read);
                let (user, label) = (entry.user.clone(), entry.label.clone());
                match seed(entry) {
                    Ok((seed, counter)) => {
                        let row = seed.row(line, counter, now_ms);
                        contents.rows.push(Row { user, label, ..row });
                    }
                    Err(reason) => contents.rejects.push(Reject { line, user, reason }),
                }
            }
            Err(_) => {
                let reason = "this entry is not as the app writes it".into();
                contents.rejects.push(Reject { line, user: None, reason });
            }
        }
    }
    contents
}

fn seed(entry: Entry) -> Result<(Seed, u64), Refused> {
    let algorithm = entry.algorithm.as_deref().map(value::algorithm).transpose()?;
    let digits = value::digits(entry.digits.unwrap_or(6))?;
    let (factor, counter) = match entry.kind.to_ascii_lowercase().as_str() {
        "totp" => (value::period(entry.period.unwrap_or(30))?, 0),
        "hotp" => {
            let counter = entry.counter.filter(|counter| *counter < u64::MAX);
            (otp_core::token::Factor::Hotp, counter.ok_or("its counter is missing")?)
        }
        "steam" => return Err("Steam's codes are no digits: they stay with Steam".into()),
        kind => return Err(format!("codes of the type \"{}\" are not known here", escaped(kind))),
    };
    let secret = base32::decode(&entry.secret.0).map_err(|error| error.to_string())?;
    let mut warnings = Vec::new();
    let secret = key(secret, &mut warnings)?;
    let algorithm = algorithm.unwrap_or(Algorithm::Sha1);
    Ok((Seed { secret, factor, algorithm, digits, warnings }, counter))
}
