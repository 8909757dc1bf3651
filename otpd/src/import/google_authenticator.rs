//! `~/.google_authenticator`: the file of pam_google_authenticator, one user's. What that module
//! makes of each line is what counts here, however odd; a file with which it lets nobody in is
//! refused.

use otp_core::{
    code::Digits,
    resync::REACH,
    token::{Algorithm, Factor},
    totp,
};
use zeroize::Zeroizing;

use super::{Circumstances, Contents, Reject, Row, key};

/// Longest file that the module reads, in bytes.
const LONGEST: usize = 64 * 1024;
/// What the module looks for anywhere in the file.
const TOTP_AUTH: &[u8] = b"\" TOTP_AUTH";
/// The module's window where the file has none.
const WINDOW: i64 = 3;
/// The module's own options, which all have their meaning here or need none.
const OPTIONS: [&str; 8] = [
    "TOTP_AUTH",
    "HOTP_COUNTER",
    "STEP_SIZE",
    "WINDOW_SIZE",
    "TIME_SKEW",
    "RESETTING_TIME_SKEW",
    "DISALLOW_REUSE",
    "RATE_LIMIT",
];

/// Why the file is refused, and the line.
type Refused = (usize, String);

/// A key in base32 on the first line, and at least one option.
pub(super) fn recognised(bytes: &[u8]) -> bool {
    let text = bytes.len() <= LONGEST && !bytes.contains(&0);
    text && base32(first_line(bytes)).is_ok_and(|(key, _)| !key.is_empty())
        && bytes.windows(3).any(|start| start == b"\n\" ")
}

pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let row = token(bytes, circumstances);
    let row = row.map_err(|(line, reason)| Reject { line, user: None, reason })?;
    Ok(Contents { rows: vec![row], rejects: Vec::new() })
}

fn token(bytes: &[u8], circumstances: &Circumstances) -> Result<Row, Refused> {
    if bytes.is_empty() || bytes.len() > LONGEST {
        return Err((0, format!("the file is not 1 to {LONGEST} bytes long")));
    }
    if bytes.contains(&0) {
        return Err((0, "the file has NUL bytes; it is damaged or none of this module's".into()));
    }
    let mut warnings = Vec::new();
    let (key_bytes, padded) = base32(first_line(bytes)).map_err(|why| (1, why.to_owned()))?;
    if padded {
        warnings.push("the key ends with =, which the module refuses".into());
    }
    let secret = key(key_bytes, &mut warnings).map_err(|why| (1, why))?;
    let options = Options::of(bytes);
    let pace = options.rate_limit()?;
    let window = options.within("WINDOW_SIZE", WINDOW, 100)?;
    if window != WINDOW {
        warnings
            .push(format!("WINDOW_SIZE {window} is not taken over: the method's window counts"));
    }
    options.remarks(&mut warnings);
    let counter = options.leading("HOTP_COUNTER");
    let (factor, next, offset_ms) = if let Some(counter) = counter.filter(|counter| *counter >= 1) {
        (Factor::Hotp, counter.unsigned_abs(), 0)
    } else if bytes.windows(TOTP_AUTH.len()).any(|part| part == TOTP_AUTH) {
        let period_ms = options.within("STEP_SIZE", 30, 60)?.unsigned_abs() * 1000;
        let skew = options.leading("TIME_SKEW").unwrap_or(0);
        let next = options.next(circumstances.now_ms, period_ms, skew)?;
        let offset_ms = skew.saturating_mul(period_ms.cast_signed());
        (Factor::Totp { t0_ms: 0, period_ms }, next, offset_ms)
    } else {
        let text = "the file has neither TOTP_AUTH nor HOTP_COUNTER, so the module accepts no code";
        return Err((0, text.into()));
    };
    let recovery = scratch_codes(bytes, &mut warnings);
    Ok(Row {
        line: 1,
        user: None,
        label: None,
        factor,
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret,
        next,
        offset_ms,
        from_ms: None,
        expires_ms: None,
        disabled: false,
        recovery,
        pace,
        warnings,
    })
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

/// The key, and whether it was padded. 0, 1 and 8 stand for the letters they look like; bits that
/// make no byte are dropped.
fn base32(text: &[u8]) -> Result<(Zeroizing<Vec<u8>>, bool), &'static str> {
    const WRONG: &str = "the first line is no key in base32";
    let mut key = Zeroizing::new(Vec::with_capacity(text.len() * 5 / 8));
    let (mut bits, mut waiting, mut padded) = (Zeroizing::new(0_u32), 0, false);
    for byte in text.iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'-')) {
        let value = match byte.to_ascii_uppercase() {
            b'=' => {
                padded = true;
                continue;
            }
            _ if padded => return Err(WRONG),
            b'0' => b'O' - b'A',
            b'1' => b'L' - b'A',
            b'8' => b'B' - b'A',
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return Err(WRONG),
        };
        *bits = *bits << 5 & 0xfff | u32::from(value);
        waiting += 5;
        if waiting >= 8 {
            waiting -= 8;
            key.push((*bits >> waiting & 0xff) as u8);
        }
    }
    Ok((key, padded))
}

/// The options in the file's order: their lines, names and values.
struct Options<'a>(Vec<(usize, &'a [u8], &'a [u8])>);

impl<'a> Options<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
        let parts = lines.flat_map(|(number, line)| {
            line.split(|byte| *byte == b'\r').map(move |part| (number, part))
        });
        let options = parts.filter_map(|(number, part)| {
            let option = part.strip_prefix(b"\" ")?;
            let end = option.iter().position(|byte| blank(*byte)).unwrap_or(option.len());
            let (name, value) = option.split_at(end);
            let start = value.iter().position(|byte| !blank(*byte)).unwrap_or(value.len());
            Some((number, name, value.get(start..).unwrap_or_default()))
        });
        Self(options.collect())
    }

    /// The first one of that name counts.
    fn find(&self, name: &str) -> Option<(usize, &'a [u8])> {
        let found = self.0.iter().find(|(_, own, _)| *own == name.as_bytes());
        found.map(|(line, _, value)| (*line, *value))
    }

    /// The number that the option begins with; 0 where it begins otherwise.
    fn leading(&self, name: &str) -> Option<i64> {
        let (_, value) = self.find(name)?;
        Some(number(value).map_or(0, |(number, _)| number))
    }

    /// An option of one number from 1 to `most`.
    fn within(&self, name: &str, default: i64, most: i64) -> Result<i64, Refused> {
        let Some((line, value)) = self.find(name) else { return Ok(default) };
        let read = number(value).filter(|(_, rest)| rest.first().is_none_or(|byte| blank(*byte)));
        let read = read.map(|(number, _)| number).filter(|number| (1..=most).contains(number));
        read.ok_or_else(|| (line, format!("{name} is not 1 to {most}: {NOBODY}")))
    }

    /// Attempts in milliseconds.
    fn rate_limit(&self) -> Result<Option<(u32, u64)>, Refused> {
        let Some((line, value)) = self.find("RATE_LIMIT") else { return Ok(None) };
        let read = rate_limit(value);
        let refused = || (line, format!("RATE_LIMIT cannot be read: {NOBODY}"));
        read.map(Some).ok_or_else(refused)
    }

    /// The first step that may be accepted, by the device's clock.
    fn next(&self, now_ms: i64, period_ms: u64, skew: i64) -> Result<u64, Refused> {
        let present = totp::step(now_ms, 0, period_ms).unwrap_or_default();
        let present = present.saturating_add_signed(skew);
        let recorded = match self.find("DISALLOW_REUSE") {
            None => present.saturating_add(1),
            Some((line, value)) => {
                let used = steps(value)
                    .ok_or_else(|| (line, format!("DISALLOW_REUSE cannot be read: {NOBODY}")))?;
                let last = used.into_iter().max();
                if last.is_some_and(|last| last > present.saturating_add(REACH)) {
                    let text = "DISALLOW_REUSE names a code of the future: the clock was wrong \
                                once; remove that number when it is right";
                    return Err((line, text.into()));
                }
                last.map_or(0, |last| last.saturating_add(1))
            }
        };
        // The login that taught the module the skew is not in its list, and the skew is the mean
        // of three that may differ by one.
        let learned = self.find("TIME_SKEW").map_or(0, |_| present.saturating_add(2));
        Ok(recorded.max(learned))
    }

    /// What has no counterpart here.
    fn remarks(&self, warnings: &mut Vec<String>) {
        let grace = |name: &[u8]| matches!(name, [b'L', b'A', b'S', b'T', b'0'..=b'9']);
        if self.0.iter().any(|(_, name, _)| grace(name)) {
            warnings.push("LAST0 to LAST9 are not taken over: no client is remembered".into());
        }
        for (line, name, _) in &self.0 {
            if !grace(name) && !OPTIONS.iter().any(|own| own.as_bytes() == *name) {
                warnings.push(format!("line {line} is no option that the module knows"));
            }
        }
    }
}

const NOBODY: &str = "the module lets nobody in with it; correct the line";

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The number at the beginning, as strtol(3) reads it, and what follows.
fn number(text: &[u8]) -> Option<(i64, &[u8])> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !space(byte))?;
    let text = text.get(start..)?;
    let (sign, digits) = match text.split_first()? {
        (b'-', rest) => (-1, rest),
        (b'+', rest) => (1, rest),
        _ => (1, text),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    let value = digits.iter().fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    (!digits.is_empty()).then_some((sign * value, rest))
}

/// Steps between blanks; `None` for anything else.
fn steps(mut text: &[u8]) -> Option<Vec<u64>> {
    let mut steps = Vec::new();
    while text.iter().any(|byte| !blank(*byte)) {
        let (step, rest) = number(text)?;
        steps.push(u64::try_from(step).ok()?);
        text = rest;
        if text.first().is_some_and(|byte| !blank(*byte)) {
            return None;
        }
    }
    Some(steps)
}

/// Attempts, seconds and when there were attempts.
fn rate_limit(text: &[u8]) -> Option<(u32, u64)> {
    let (attempts, rest) = number(text)?;
    rest.first().filter(|byte| blank(**byte))?;
    let (seconds, mut rest) = number(rest)?;
    while let Some(byte) = rest.first() {
        if !blank(*byte) {
            return None;
        }
        (_, rest) = number(rest)?;
    }
    let attempts = u32::try_from(attempts).ok().filter(|attempts| (1..=100).contains(attempts))?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| (1..=3600).contains(seconds))?;
    Some((attempts, seconds * 1000))
}

/// The codes that the module would accept: it reads them line by line, passes options over, and
/// stops at the first line that is neither.
fn scratch_codes(bytes: &[u8], warnings: &mut Vec<String>) -> Vec<Digits> {
    let (mut codes, mut end, mut lost) = (Vec::new(), None, 0);
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')).skip(1) {
        let text = text.trim_ascii_start();
        if text.is_empty() || text.starts_with(b"\"") {
            continue;
        }
        match scratch_code(text) {
            Some(code) if end.is_none() => codes.push(code),
            Some(_) => lost += 1,
            None => end = end.or(Some(line)),
        }
    }
    if let Some(line) = end {
        warnings
            .push(format!("line {line} is no scratch code; {lost} codes after it never counted"));
    }
    if !codes.is_empty() {
        let left = codes.len();
        warnings.push(format!(
            "{left} scratch codes of 8 digits; replace them: otpctl recovery new USER"
        ));
    }
    codes
}

fn scratch_code(text: &[u8]) -> Option<Digits> {
    let (code, rest) = number(text)?;
    let whole = rest.iter().all(|byte| *byte == b'\r');
    if !whole || !(10_000_000..100_000_000).contains(&code) {
        return None;
    }
    let digits = Zeroizing::new(code.to_string());
    Digits::from_ascii(digits.as_bytes())
}

#[cfg(test)]
mod tests;
