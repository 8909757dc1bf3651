//! `users.oath`: the file of pam_oath, all users', seven fields a line; and that of mod_authn_otp,
//! which has nine. Every line stands for itself: one that cannot be read moves nothing to another.

use std::collections::HashMap;

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use otp_core::{
    code::{Digits, FEWEST, MOST},
    hotp,
    resync::REACH,
    secret::{LONGEST, Secret},
    token::{Algorithm, Factor},
    totp,
};
use zeroize::Zeroizing;

use super::{Circumstances, Contents, Reject, Row, key};

/// Longest key that pam_oath takes, in bytes.
const LONGEST_KEY: usize = 32;
/// Steps beside its time within which a code is looked for first: more than most windows have.
const NEAR: u64 = 10;
/// The window of pam_oath where its line in the stack names none, in steps.
const WINDOW: u64 = 5;
/// How far the other program's clock may have been ahead, in milliseconds.
const AHEAD_MS: i64 = 60_000;
/// Lines that are looked at for a guess.
const GUESS: usize = 100;

/// A token's type on one of the first lines.
pub(super) fn recognised(bytes: &[u8]) -> bool {
    let mut first = lines(bytes).filter_map(|(_, line)| fields(line).next()).take(GUESS);
    let known = |field: &[u8]| matches!(field.split(|byte| *byte == b'/').next(), Some(b"HOTP"));
    !bytes.contains(&0) && first.any(known)
}

pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    if bytes.contains(&0) {
        let reason = "the file has NUL bytes; it is no text and no users file".to_owned();
        return Err(Reject { line: 0, user: None, reason });
    }
    let nine = lines(bytes).any(|(_, line)| Line::of(line, false).is_some_and(|line| line.nine));
    let mut contents = Contents::default();
    let mut tokens: HashMap<String, usize> = HashMap::new();
    for (number, line) in lines(bytes) {
        let Some(line) = Line::of(line, nine) else { continue };
        match line.token(circumstances) {
            Ok(mut row) => {
                let own = tokens.entry(row.user.clone().unwrap_or_default()).or_default();
                *own += 1;
                row.label = Some(format!("oath-{own}"));
                contents.rows.push(Row { line: number, ..row });
            }
            Err(reason) => {
                let user = line.user().ok();
                contents.rejects.push(Reject { line: number, user, reason });
            }
        }
    }
    Ok(contents)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..).zip(bytes.split(|byte| *byte == b'\n'))
}

fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')).filter(|field| !field.is_empty())
}

/// A line that is neither empty nor a comment.
struct Line<'a> {
    fields: Vec<&'a [u8]>,
    /// Whether it is one of mod_authn_otp.
    nine: bool,
}

impl<'a> Line<'a> {
    /// `nine` is what it is where the line itself does not tell.
    fn of(line: &'a [u8], nine: bool) -> Option<Self> {
        let fields: Vec<_> = fields(line).collect();
        if fields.first()?.starts_with(b"#") {
            return None;
        }
        let timed = |place: usize| fields.get(place).is_some_and(|field| time(field).is_some());
        let nine = !timed(6) && (nine || timed(7));
        Some(Self { fields, nine })
    }

    /// Whose the line says it is, where its type says that it is a token's at all.
    fn user(&self) -> Result<String, String> {
        self.factor()?;
        let name = self.fields.get(1).ok_or("the line has no user")?;
        let name = std::str::from_utf8(name).map_err(|_| "the user's name is not UTF-8")?;
        Ok(name.to_owned())
    }

    fn token(&self, circumstances: &Circumstances) -> Result<Row, String> {
        let (factor, digits) = self.factor()?;
        let user = self.user()?;
        match self.fields.get(2) {
            Some(&b"-" | &b"+") => {}
            Some(_) => return Err(PIN.into()),
            None => return Err("the line has no key".into()),
        }
        let mut warnings = Vec::new();
        let secret = self.key(&mut warnings)?;
        let state = self.state()?;
        let (next, offset_ms) = match factor {
            Factor::Totp { period_ms, .. } => {
                let clock = Device { period_ms, ahead: state.ahead };
                let next = state.next_step(&secret, digits, clock, circumstances, &mut warnings)?;
                (next, state.ahead.saturating_mul(period_ms.cast_signed()))
            }
            _ => (state.next_counter(&secret, digits, &mut warnings)?, 0),
        };
        Ok(Row {
            line: 0,
            user: Some(user),
            label: None,
            factor,
            algorithm: Algorithm::Sha1,
            digits,
            secret,
            next,
            offset_ms,
            from_ms: None,
            expires_ms: None,
            disabled: false,
            recovery: Vec::new(),
            pace: None,
            warnings,
        })
    }

    /// The first field. It is not repeated in the message: on a line of junk it may be anything.
    fn factor(&self) -> Result<(Factor, u8), String> {
        let text = self.fields.first().and_then(|text| std::str::from_utf8(text).ok());
        let mut parts = text.unwrap_or_default().split('/');
        let (name, kind, digits) = (parts.next(), parts.next(), parts.next());
        if name == Some("MOTP") && self.nine {
            return Err("Mobile-OTP is not supported; enrol the user anew".into());
        }
        let known = if self.nine { nine_field_type } else { seven_field_type };
        let known = known(kind.unwrap_or("E"), digits);
        let whole = name == Some("HOTP") && parts.next().is_none();
        known.filter(|_| whole).ok_or_else(|| {
            let types = if self.nine {
                "HOTP, HOTP/E and HOTP/T with seconds, each with /4 to /8"
            } else {
                "HOTP, HOTP/E, HOTP/T30 and HOTP/T60, the last three with /6, /7 or /8"
            };
            format!("this is no token: lines begin with {types}; put # before others")
        })
    }

    fn key(&self, warnings: &mut Vec<String>) -> Result<Secret, String> {
        let text = *self.fields.get(3).ok_or("the line has no key")?;
        let length = HEXLOWER_PERMISSIVE.decode_len(text.len());
        let length = length.map_err(|_| "the key has an odd number of digits")?;
        let most = if self.nine { LONGEST } else { LONGEST_KEY };
        if length > most {
            return Err(format!("the key has more than {most} bytes; enrol the user anew"));
        }
        let mut bytes = Zeroizing::new(vec![0; length]);
        let decoded = HEXLOWER_PERMISSIVE.decode_mut(text, &mut bytes);
        decoded.map_err(|_| "the key is not hexadecimal")?;
        key(bytes, warnings)
    }

    fn state(&self) -> Result<State, String> {
        let field = |place: usize| {
            let field = self.fields.get(place).copied();
            field.filter(|field| *field != b"-")
        };
        let moving = self.fields.get(4).map_or(Some(0), |text| integer(text));
        let moving = moving.ok_or("the moving factor, field 5, is no number")?;
        let (last, at) = if self.nine { (6, 7) } else { (5, 6) };
        let used_at = match field(at) {
            None => None,
            Some(text) => {
                let read = time(text).ok_or_else(|| {
                    format!("the time, field {}, is not like 2026-11-22T04:19:34L", at + 1)
                });
                Some(read?)
            }
        };
        let ahead = if self.nine { i64::try_from(moving).ok() } else { Some(0) };
        Ok(State {
            moving,
            ahead: ahead.ok_or("the offset, field 5, is too large")?,
            next: self.nine,
            used: field(last).is_some(),
            last: field(last).and_then(Digits::from_ascii),
            used_at,
        })
    }
}

const PIN: &str = "field 3 is a PIN, which is not asked for here; put - or + there to import the \
                   token without it";

/// The types of pam_oath, which takes no other line for a token's.
fn seven_field_type(kind: &str, digits: Option<&str>) -> Option<(Factor, u8)> {
    let digits = match digits {
        None | Some("6") => 6,
        Some("7") => 7,
        Some("8") => 8,
        Some(_) => return None,
    };
    let factor = match kind {
        "E" => Factor::Hotp,
        "T30" => Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        "T60" => Factor::Totp { t0_ms: 0, period_ms: 60_000 },
        _ => return None,
    };
    Some((factor, digits))
}

/// Those of mod_authn_otp that are OATH's.
fn nine_field_type(kind: &str, digits: Option<&str>) -> Option<(Factor, u8)> {
    let digits = digits.map_or(Some(6), |digits| digits.parse().ok())?;
    let factor = match kind.strip_prefix('T') {
        None if kind == "E" => Factor::Hotp,
        None => return None,
        Some("") => Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        Some(seconds) => {
            let seconds: u32 = seconds.parse().ok().filter(|seconds| *seconds > 0)?;
            Factor::Totp { t0_ms: 0, period_ms: u64::from(seconds) * 1000 }
        }
    };
    (FEWEST..=MOST).contains(&digits).then_some((factor, digits))
}

/// A device's clock.
#[derive(Clone, Copy)]
struct Device {
    period_ms: u64,
    /// Steps that it is ahead.
    ahead: i64,
}

impl Device {
    /// The step that it shows at a time of ours.
    fn step(self, time_ms: i64) -> u64 {
        let step = totp::step(time_ms, 0, self.period_ms).unwrap_or_default();
        step.saturating_add_signed(self.ahead)
    }
}

/// What the line tells of the token's use.
struct State {
    /// The counter: of the last code, or of the next where `next`.
    moving: i128,
    /// Steps that the device's clock is ahead.
    ahead: i64,
    next: bool,
    /// A code was used.
    used: bool,
    /// It, where it can be one.
    last: Option<Digits>,
    /// When it was, on the clock on the wall.
    used_at: Option<Wall>,
}

impl State {
    /// The first counter that may be accepted.
    fn next_counter(
        &self,
        secret: &Secret,
        digits: u8,
        warnings: &mut Vec<String>,
    ) -> Result<u64, String> {
        let beyond = "the counter, field 5, is beyond any device's; enrol the user anew";
        let moving = u64::try_from(self.moving).ok().filter(|moving| *moving <= MOST_COUNTER);
        let moving = moving.ok_or(beyond)?;
        let found = self.search(secret, digits, moving, moving.saturating_add(REACH));
        if !self.next && self.used && found != Some(moving) {
            warnings
                .push("the last code is not the counter's; the counter after it is next".into());
        }
        let past = u64::from(!self.next && self.used);
        Ok(found.map_or(0, |found| found + 1).max(moving + past))
    }

    /// The first step that may be accepted, by the device's clock.
    fn next_step(
        &self,
        secret: &Secret,
        digits: u8,
        device: Device,
        circumstances: &Circumstances,
        warnings: &mut Vec<String>,
    ) -> Result<u64, String> {
        let now_ms = circumstances.now_ms;
        let unknown = device.step(now_ms).saturating_add(1);
        if !self.used {
            return Ok(unknown);
        }
        let (earliest_ms, latest_ms) = match &self.used_at {
            None => (now_ms, now_ms),
            Some(wall) => wall.instants(&circumstances.zone).ok_or("the time is none")?,
        };
        if earliest_ms > now_ms.saturating_add(AHEAD_MS) {
            return Err("the time lies ahead: name the zone it is written in, with --tz".into());
        }
        let (first, last) = (device.step(earliest_ms), device.step(latest_ms));
        let around = |reach: u64| {
            self.search(secret, digits, first.saturating_sub(reach), last.saturating_add(reach))
        };
        match around(NEAR).or_else(|| around(REACH)) {
            Some(found) if self.used_at.is_some() => Ok(found.saturating_add(1)),
            Some(found) => Ok(found.saturating_add(1).max(unknown)),
            None => {
                warnings
                    .push("the last code is not one of its time; is the time zone right?".into());
                Ok(unknown.max(first.saturating_add(WINDOW + 1)))
            }
        }
    }

    /// The highest place from `first` to `last` that the last code belongs to.
    fn search(&self, secret: &Secret, digits: u8, first: u64, last: u64) -> Option<u64> {
        let code = self.last.as_ref()?;
        (first..=last)
            .rev()
            .find(|place| hotp::value(secret, Algorithm::Sha1, *place, digits) == *code)
    }
}

/// Highest counter that is believed.
const MOST_COUNTER: u64 = 1 << 40;

/// A time as it is written, and whether it is UTC.
struct Wall {
    civil: DateTime,
    utc: bool,
}

impl Wall {
    /// When that was, Unix milliseconds: twice in the hour that comes again in autumn.
    fn instants(&self, zone: &TimeZone) -> Option<(i64, i64)> {
        let zone = if self.utc { &TimeZone::UTC } else { zone };
        let either =
            |instant: Result<Timestamp, jiff::Error>| instant.ok().map(Timestamp::as_millisecond);
        let earlier = either(zone.to_ambiguous_timestamp(self.civil).earlier())?;
        let later = either(zone.to_ambiguous_timestamp(self.civil).later())?;
        Some((earlier.min(later), earlier.max(later)))
    }
}

/// `2026-11-22T04:19:34L`; old versions of mod_authn_otp wrote `Z` at the end, for UTC.
fn time(text: &[u8]) -> Option<Wall> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 20)?;
    let (civil, utc) = match text.strip_suffix('L') {
        Some(civil) => (civil, false),
        None => (text.strip_suffix('Z')?, true),
    };
    let digits_at = |place: usize, byte: u8| match place {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        _ => byte.is_ascii_digit(),
    };
    let written = (0..).zip(civil.bytes()).all(|(place, byte)| digits_at(place, byte));
    let civil = civil.parse().ok().filter(|_| written)?;
    Some(Wall { civil, utc })
}

/// As strtoull(3), of a whole field, before it wraps.
fn integer(text: &[u8]) -> Option<i128> {
    let (sign, digits) = match text.split_first()? {
        (b'-', rest) => (-1, rest),
        (b'+', rest) => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i128, |value, digit| {
        value.saturating_mul(10).saturating_add(i128::from(digit - b'0'))
    });
    Some(sign * value)
}

#[cfg(test)]
mod tests;
