//! Values as other programs write them, and what is the same for all formats.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use jiff::{Timestamp, civil, tz::TimeZone};
use otp_core::{
    account::escaped,
    code::{FEWEST, MOST},
    secret::Secret,
    token::{Algorithm, Factor},
    totp,
};
use zeroize::Zeroizing;

use super::{Reject, Row};

/// Longest period in seconds: one day.
const LONGEST_PERIOD: u64 = 86_400;
/// Longest label in bytes.
const LONGEST_LABEL: usize = 128;

/// Why a value is not taken; the line and the user are added by whoever knows them.
pub(super) type Refused = String;

/// What the codes of a token are made from.
#[derive(Debug)]
pub(super) struct Seed {
    pub(super) secret: Secret,
    pub(super) factor: Factor,
    pub(super) algorithm: Algorithm,
    pub(super) digits: u8,
    pub(super) warnings: Vec<String>,
}

impl Seed {
    /// The row of a token of which nothing more is known: `counter` is the next one (HOTP), every
    /// step up to the present counts as used (TOTP).
    pub(super) fn row(self, line: usize, counter: u64, now_ms: i64) -> Row {
        let Self { secret, factor, algorithm, digits, warnings } = self;
        Row {
            line,
            user: None,
            label: None,
            factor,
            algorithm,
            digits,
            secret,
            next: untouched(factor, now_ms).unwrap_or(counter),
            offset_ms: 0,
            from_ms: None,
            expires_ms: None,
            disabled: false,
            recovery: Vec::new(),
            pace: None,
            warnings,
        }
    }
}

/// The first step after the one that a device's clock is in at `device_ms`: no code that was shown
/// until then is accepted. `None` for a counter.
pub(super) fn untouched(factor: Factor, device_ms: i64) -> Option<u64> {
    match factor {
        Factor::Totp { t0_ms, period_ms } => {
            Some(totp::step(device_ms, t0_ms, period_ms).map_or(0, |step| step.saturating_add(1)))
        }
        Factor::Hotp | Factor::OutOfBand(_) => None,
    }
}

/// The file as a whole is refused.
pub(super) fn refused(reason: impl Into<String>) -> Reject {
    Reject { line: 0, user: None, reason: reason.into() }
}

/// The bytes as text, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Reject> {
    let text = std::str::from_utf8(bytes).map_err(|_| refused("it is no text in UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The first lines of the file that say something, for guesses: at most 64 KiB of it, without
/// blank ones and comments.
pub(super) fn first_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let head = bytes.get(..64 * 1024).unwrap_or(bytes);
    let lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"))
}

/// Whether `bytes` begin with `start`, of any case.
pub(super) fn begins(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
}

/// Whether the lower-case `needle` is in `bytes`, of any case.
pub(super) fn mentions(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

/// Hexadecimal digits of any case.
pub(super) fn hex(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let fault = || "the secret is not written in hexadecimal digits".to_owned();
    let length = HEXLOWER_PERMISSIVE.decode_len(text.len()).map_err(|_| fault())?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    HEXLOWER_PERMISSIVE.decode_mut(text, &mut bytes).map_err(|_| fault())?;
    Ok(bytes)
}

/// Base64 with padding; white space in it does not count.
pub(super) fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(text.len()));
    symbols.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let length = BASE64.decode_len(symbols.len()).ok()?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    let length = BASE64.decode_mut(&symbols, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// The length of a code.
pub(super) fn digits(number: u64) -> Result<u8, Refused> {
    let digits = u8::try_from(number).ok().filter(|digits| (FEWEST..=MOST).contains(digits));
    digits.ok_or_else(|| format!("its codes have {number} digits; here a code has 4 to 8"))
}

/// Time in steps of so many seconds.
pub(super) fn period(seconds: u64) -> Result<Factor, Refused> {
    match seconds {
        1..=LONGEST_PERIOD => Ok(Factor::Totp { t0_ms: 0, period_ms: seconds * 1000 }),
        _ => Err(format!("its time step is {seconds} s; here it is 1 to 86400 s")),
    }
}

/// A hash function by any of its names: `sha1`, `SHA-256`, `HMAC-SHA512`, `HmacSHA1`.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, Refused> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    match plain.strip_prefix("hmac").unwrap_or(&plain) {
        "sha1" => Ok(Algorithm::Sha1),
        "sha256" => Ok(Algorithm::Sha256),
        "sha512" => Ok(Algorithm::Sha512),
        _ => Err(format!(
            "the hash function \"{}\" is not known; here it is SHA1, SHA256 or SHA512",
            escaped(name)
        )),
    }
}

/// A text as a label: without control characters, at most 128 bytes. `None` for an empty one.
pub(super) fn label(text: &str) -> Option<String> {
    let mut label: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    let mut end = label.len().min(LONGEST_LABEL);
    while !label.is_char_boundary(end) {
        end -= 1;
    }
    label.truncate(end);
    Some(label).filter(|label| !label.is_empty())
}

/// A name as it stands; `None` for an empty one.
pub(super) fn name(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The user of a distinguished name (RFC 4514), such as `uid=alice,cn=users,dc=example`: the value
/// of its first part, where that is a `uid`, `userid` or `cn`. A text that is no distinguished name
/// is the user.
pub(super) fn owner(dn: &str) -> Option<String> {
    let Some((attribute, rest)) = dn.split_once('=') else { return name(dn) };
    let attribute = attribute.trim().to_ascii_lowercase();
    if !matches!(attribute.as_str(), "uid" | "userid" | "cn") {
        return None;
    }
    let mut value = Vec::new();
    let mut rest = rest.as_bytes();
    loop {
        rest = match rest {
            [] | [b',' | b';' | b'+', ..] => break,
            [b'\\', first, second, rest @ ..]
                if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() =>
            {
                value.extend(HEXLOWER_PERMISSIVE.decode(&[*first, *second]).ok()?);
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                value.push(*byte);
                rest
            }
        };
    }
    name(&String::from_utf8(value).ok()?)
}

/// An ISO 8601 time in Unix milliseconds; one without a zone is of `zone`.
pub(super) fn moment(text: &str, zone: &TimeZone) -> Result<i64, Refused> {
    let text = text.trim();
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment.as_millisecond());
    }
    let moment = text.parse::<civil::DateTime>().and_then(|local| local.to_zoned(zone.clone()));
    let moment = moment.map_err(|_| format!("\"{}\" is no date and time", escaped(text)))?;
    Ok(moment.timestamp().as_millisecond())
}
