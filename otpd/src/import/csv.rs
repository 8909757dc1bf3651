//! The "OATH CSV" of LinOTP and privacyIDEA: a token a line, the seed in hexadecimal digits.
//!
//! `serial, seed, type, digits, time step or counter, hash function`; after a first line
//! `# version: 2` the user, the resolver and the realm come first; after a first line of names of
//! columns they are where these say. Neither program knows quotes in it.

use otp_core::{
    account::escaped,
    token::{Algorithm, Factor},
};

use super::{
    Circumstances, Contents, Reject, Row, key,
    value::{self, Refused, Seed, first_lines},
};

/// Where the values of a line are.
struct Columns {
    serial: usize,
    seed: usize,
    kind: Option<usize>,
    digits: Option<usize>,
    /// The time step of a time-based token, the counter of another one.
    moving: Option<usize>,
    step: Option<usize>,
    counter: Option<usize>,
    hash: Option<usize>,
    user: Option<usize>,
}

impl Columns {
    /// Those of both programs, `before` of them ahead of the serial number.
    fn usual(before: usize) -> Self {
        Self {
            serial: before,
            seed: before + 1,
            kind: Some(before + 2),
            digits: Some(before + 3),
            moving: Some(before + 4),
            step: None,
            counter: None,
            hash: Some(before + 5),
            user: (before > 0).then_some(0),
        }
    }

    /// Those that a first line names; `None` where it names none.
    fn named(line: &str) -> Option<Self> {
        let names: Vec<_> = fields(line).map(str::to_ascii_lowercase).collect();
        let place = |wanted: &[&str]| names.iter().position(|name| wanted.contains(&name.as_str()));
        Some(Self {
            serial: place(&["serial"])?,
            seed: place(&["seed", "key", "otpkey", "hmac_key", "secret"])?,
            kind: place(&["type", "tokentype"]),
            digits: place(&["otplen", "digits"]),
            moving: None,
            step: place(&["timestep", "period"]),
            counter: place(&["counter"]),
            hash: place(&["hashlib", "hash", "algorithm"]),
            user: place(&["user", "username", "owner"]),
        })
    }
}

pub(super) fn recognised(bytes: &[u8]) -> bool {
    let first = first_lines(bytes).next().and_then(|line| std::str::from_utf8(line).ok());
    first.is_some_and(|line| {
        let seed = |column: usize| {
            let seed = fields(line).nth(column).unwrap_or_default();
            seed.len() >= 20 && seed.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        Columns::named(line).is_some() || seed(1) || seed(4)
    })
}

/// Blank lines and those that begin with `#` are passed over. The file does not tell which codes
/// were used: of a time-based token all count as used that were shown until now, a counter begins
/// at 0 where none is given.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let mut contents = Contents::default();
    let text = value::text(bytes)?;
    let mut columns = Columns::usual(if version_2(text) { 3 } else { 0 });
    let mut first = true;
    for (line, values) in (1..).zip(text.lines()) {
        let values = values.trim();
        if values.is_empty() || values.starts_with('#') {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(named) = Columns::named(values)
        {
            columns = named;
            continue;
        }
        let values = Values { columns: &columns, line: values };
        let user = values.get(columns.user).and_then(value::name);
        match values.row(line, circumstances.now_ms) {
            Ok(row) => contents.rows.push(Row { user, ..row }),
            Err(reason) => contents.rejects.push(Reject { line, user, reason }),
        }
    }
    Ok(contents)
}

fn version_2(text: &str) -> bool {
    let first = text.lines().next().and_then(|line| line.strip_prefix('#'));
    let version = first.and_then(|comment| comment.trim().strip_prefix("version:"));
    version.is_some_and(|version| version.trim() == "2")
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(|field| field.trim().trim_matches('"').trim())
}

/// The values of a line.
struct Values<'a> {
    columns: &'a Columns,
    line: &'a str,
}

impl<'a> Values<'a> {
    /// The value in the column; `None` where it is empty or missing.
    fn get(&self, column: Option<usize>) -> Option<&'a str> {
        fields(self.line).nth(column?).filter(|value| !value.is_empty())
    }

    fn number(&self, column: Option<usize>, what: &str) -> Result<Option<u64>, Refused> {
        let Some(text) = self.get(column) else { return Ok(None) };
        let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        number.map(Some).ok_or_else(|| format!("the {what} is not a number"))
    }

    fn row(&self, line: usize, now_ms: i64) -> Result<Row, Refused> {
        let columns = self.columns;
        let serial = self.get(Some(columns.serial)).ok_or("the serial number is missing")?;
        let seed = self.get(Some(columns.seed)).ok_or("the seed is missing")?;
        let mut warnings = Vec::new();
        let secret = key(value::hex(seed.as_bytes())?, &mut warnings)?;
        let digits = self.number(columns.digits, "length of a code")?.unwrap_or(6);
        let digits = value::digits(digits)?;
        let algorithm = self.algorithm(secret.expose().len())?;
        let kind = self.get(columns.kind).unwrap_or("hotp");
        let (factor, counter) = match kind.to_ascii_lowercase().as_str() {
            "totp" => {
                let step = self.number(columns.step.or(columns.moving), "time step")?;
                (value::period(step.unwrap_or(30))?, None)
            }
            "hotp" | "hmac" => (Factor::Hotp, self.counter()?),
            kind => {
                let kind = escaped(kind);
                return Err(format!("tokens of the type \"{kind}\" are not known here"));
            }
        };
        if factor == Factor::Hotp && counter.is_none() {
            warnings.push("the file has no counter: 0 is taken, as of a new token".into());
        }
        let seed = Seed { secret, factor, algorithm, digits, warnings };
        let row = seed.row(line, counter.unwrap_or_default(), now_ms);
        Ok(Row { label: value::label(serial), ..row })
    }

    /// privacyIDEA has the counter where LinOTP has a time step, which alone names a hash function
    /// behind it.
    fn counter(&self) -> Result<Option<u64>, Refused> {
        let columns = self.columns;
        let column =
            columns.counter.or(columns.moving.filter(|_| self.get(columns.hash).is_none()));
        match self.number(column, "counter")? {
            Some(u64::MAX) => Err("the counter is at its end".into()),
            counter => Ok(counter),
        }
    }

    /// Where none is named both programs go by the length of the seed.
    fn algorithm(&self, length: usize) -> Result<Algorithm, Refused> {
        match (self.get(self.columns.hash), length) {
            (Some(name), _) => value::algorithm(name),
            (None, 64) => Ok(Algorithm::Sha512),
            (None, 32) => Ok(Algorithm::Sha256),
            (None, 28 | 48) => Err("a seed of 28 or 48 bytes means SHA224 or SHA384 there, which \
                                    are not known here; name the hash function if it is another"
                .into()),
            (None, _) => Ok(Algorithm::Sha1),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::import::format_tests::{HEX, reason, rows};

    const COUNTER: &str = "[the file has no counter: 0 is taken, as of a new token]";

    #[test]
    fn lines_of_both_programs_are_read() {
        let (long, longer) = ("0123456789abcdef".repeat(4), "0123456789ABCDEF".repeat(8));
        let file = format!(
            "# serial, seed, type, digits, step, hash\n\n#\n\
             OATH1, {HEX}\n\
             OATH2,{HEX},hotp,8,17\n\
             LIN1, {HEX}, HOTP, 6, 30, sha1\n\
             TOTP1,{HEX},totp,8,60\r\n\
             TOTP2,{long},totp,6\n\
             TOTP3,{longer},totp\n\
             \"TOTP4\",\"{HEX}\",TOTP,,,sha256,\n"
        );
        assert_eq!(
            rows("csv", file),
            [
                format!("4: - (OATH1) H Sha1 6 0 {COUNTER}"),
                "5: - (OATH2) H Sha1 8 17".into(),
                format!("6: - (LIN1) H Sha1 6 0 {COUNTER}"),
                "7: - (TOTP1) T60 Sha1 8 29922027".into(),
                "8: - (TOTP2) T30 Sha256 6 59844054 other secret".into(),
                "9: - (TOTP3) T30 Sha512 6 59844054 other secret".into(),
                "10: - (TOTP4) T30 Sha256 6 59844054".into(),
            ]
        );
    }

    #[test]
    fn users_come_first_in_version_2_and_where_a_first_line_says() {
        let file = format!(
            "# version: 2\nalice, resolver, realm, OATH1, {HEX}, totp, 6, 30\n,,,OATH2,{HEX},hotp,6,5\n"
        );
        let told = ["2: alice (OATH1) T30 Sha1 6 59844054", "3: - (OATH2) H Sha1 6 5"];
        assert_eq!(rows("csv", file), told);
        let file = format!(
            "user,OTPkey,serial,counter,timestep,type,hashlib,otplen\n\
             alice,{HEX},T1,,60,totp,SHA512,8\nbob,{HEX},H1,41,,hotp,,\n"
        );
        let told = ["2: alice (T1) T60 Sha512 8 29922027", "3: bob (H1) H Sha1 6 41"];
        assert_eq!(rows("csv", file), told);
    }

    #[test]
    fn what_is_no_token_is_rejected_with_its_line() {
        let zeros = "0".repeat(40);
        for (line, refusal) in [
            ("OATH1".to_owned(), "the seed is missing"),
            (format!(",{HEX}"), "the serial number is missing"),
            (format!("OATH1,{HEX}0,totp"), "hexadecimal"),
            (format!("OATH1,{HEX}zz,totp"), "hexadecimal"),
            ("OATH1,3132,totp".into(), "the key has"),
            (format!("OATH1,{zeros},totp"), "the key is all zeros"),
            (format!("OATH1,{HEX},ocra,OCRA-1:HOTP-SHA1-6:QN08"), "the length of a code"),
            (format!("OATH1,{HEX},motp,6"), "\"motp\""),
            (format!("OATH1,{HEX},totp,six"), "the length of a code is not a number"),
            (format!("OATH1,{HEX},totp,+6"), "the length of a code is not a number"),
            (format!("OATH1,{HEX},totp,9"), "9 digits"),
            (format!("OATH1,{HEX},totp,6,0"), "time step is 0 s"),
            (format!("OATH1,{HEX},totp,6,99999999999999999999"), "the time step is not a number"),
            (format!("OATH1,{HEX},hotp,6,-1"), "the counter is not a number"),
            (format!("OATH1,{HEX},hotp,6,18446744073709551615"), "at its end"),
            (format!("OATH1,{HEX},totp,6,30,md5"), "\"md5\""),
            (format!("OATH1,{},totp", "ab".repeat(48)), "SHA384"),
        ] {
            let reason = reason("csv", format!("# one\n{line}\n"));
            assert!(reason.starts_with("line 2: ") && reason.contains(refusal), "{reason}");
        }
    }
}
