//! `users.oath`, the file of pam_oath (UsersFile of liboath): a token a line, in order of the users.
//!
//! The last used code comes with each token: pam_oath refuses it and, of a time-based token, all
//! that came before it.

use data_encoding::HEXLOWER;
use jiff::{Timestamp, tz::TimeZone};
use otp_core::{
    hotp,
    token::{Algorithm, Factor, Token},
};
use zeroize::Zeroizing;

use super::{LeftOut, Writer, joined, line};

/// Longest key that pam_oath reads, in bytes: a longer one makes it refuse the user.
const LONGEST: usize = 32;
/// How many steps a device's clock may be off: pam_oath looks so far where its line in the stack
/// names no other `window`, and knows no offset.
const WINDOW: u64 = 5;

pub(super) struct Lines {
    zone: TimeZone,
    lines: Vec<Zeroizing<String>>,
}

impl Lines {
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, lines: Vec::new() }
    }
}

impl Writer for Lines {
    fn add(&mut self, user: &str, token: &Token) -> Result<(), LeftOut> {
        let kind = kind(token)?;
        // It splits at white space.
        if user.contains(char::is_whitespace) {
            return Err("pam_oath knows no user with a space in the name".into());
        }
        let secret = token.secret.expose();
        if secret.len() > LONGEST {
            return Err(format!("pam_oath reads no key of more than {LONGEST} bytes"));
        }
        let key = Zeroizing::new(HEXLOWER.encode(secret));
        let digits = token.digits.to_string();
        let used = self.used(token)?;
        let pieces = [kind, "/", &digits, "\t", user, "\t-\t", &key, &used, "\n"];
        self.lines.push(line(&pieces));
        Ok(())
    }

    fn finish(self: Box<Self>) -> Zeroizing<Vec<u8>> {
        joined(&self.lines)
    }
}

impl Lines {
    /// The moving factor, the last used code and its time; empty for a token that was never used.
    fn used(&self, token: &Token) -> Result<Zeroizing<String>, LeftOut> {
        let Some(last) = token.next.checked_sub(1) else { return Ok(Zeroizing::default()) };
        let (moving, moment) = match token.factor {
            Factor::Totp { t0_ms, period_ms } => {
                let since_ms = last.checked_mul(period_ms).and_then(|ms| i64::try_from(ms).ok());
                let ours_ms = since_ms
                    .and_then(|since_ms| since_ms.checked_add(t0_ms))
                    .and_then(|device_ms| device_ms.checked_sub(token.offset_ms));
                (0, ours_ms)
            }
            _ => (last, Some(token.last_used_ms.unwrap_or(token.created_ms))),
        };
        let moment = moment.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let moment = moment.ok_or("its last used code lies out of all time")?;
        let local = self.zone.to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%SL").to_string();
        let code = hotp::value(&token.secret, token.algorithm, last, token.digits);
        let code = std::str::from_utf8(code.expose()).unwrap_or_default();
        Ok(line(&["\t", &moving.to_string(), "\t", code, "\t", &local]))
    }
}

/// The type without the length of a code.
fn kind(token: &Token) -> Result<&'static str, LeftOut> {
    if token.algorithm != Algorithm::Sha1 {
        return Err("pam_oath knows SHA1 only".into());
    }
    if !(6..=8).contains(&token.digits) {
        return Err("pam_oath knows codes of 6, 7 and 8 digits".into());
    }
    match token.factor {
        Factor::Hotp => Ok("HOTP/E"),
        Factor::Totp { period_ms, .. }
            if token.offset_ms.unsigned_abs() > WINDOW.saturating_mul(period_ms) =>
        {
            let seconds = token.offset_ms / 1000;
            Err(format!("its device's clock is {seconds} s ahead, which pam_oath cannot know"))
        }
        Factor::Totp { t0_ms: 0, period_ms: 30_000 } => Ok("HOTP/T30"),
        Factor::Totp { t0_ms: 0, period_ms: 60_000 } => Ok("HOTP/T60"),
        _ => Err("pam_oath knows time steps of 30 and 60 s since 1970".into()),
    }
}
