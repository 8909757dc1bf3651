//! What Google Authenticator exports: `otpauth-migration://` URIs, as its QR codes hold them, one a
//! line. Their data is a protocol buffer in base64.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use prost::{Message, bytes::Bytes};
use zeroize::Zeroizing;

use otp_core::token::{Algorithm, Factor};

use super::{
    Circumstances, Contents, Reject, Row, key,
    value::{self, Refused, Seed, begins, first_lines},
};

const SCHEME: &str = "otpauth-migration://";
/// Longest URI that is read, in bytes: no QR code holds more than 4296 characters.
const LONGEST: usize = 16 * 1024;
/// The app knows no other period.
const PERIOD: u64 = 30;

pub(super) fn recognised(bytes: &[u8]) -> bool {
    first_lines(bytes).next().is_some_and(|line| begins(line, SCHEME.as_bytes()))
}

/// Blank lines and those that begin with `#` are passed over. An export does not tell which codes
/// were used: of a time-based token all count as used that were shown until now.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let mut contents = Contents::default();
    let mut parts: BTreeMap<i32, Parts> = BTreeMap::new();
    for (line, uri) in (1..).zip(value::text(bytes)?.lines()) {
        let uri = uri.trim();
        if uri.is_empty() || uri.starts_with('#') {
            continue;
        }
        match payload(uri) {
            Ok(payload) => {
                let first = contents.rows.len();
                parts.entry(payload.batch_id).or_default().add(&payload, first);
                take(line, payload, circumstances.now_ms, &mut contents);
            }
            Err(reason) => contents.rejects.push(Reject { line, user: None, reason }),
        }
    }
    for parts in parts.into_values() {
        if let Some(row) = contents.rows.get_mut(parts.row) {
            row.warnings.extend(parts.missing());
        }
    }
    Ok(contents)
}

/// Which QR codes of one export are there.
#[derive(Default)]
struct Parts {
    size: i32,
    seen: Vec<i32>,
    /// The index of the first row of one of them.
    row: usize,
}

impl Parts {
    fn add(&mut self, payload: &Payload, row: usize) {
        if self.seen.is_empty() {
            self.row = row;
        }
        self.size = self.size.max(payload.batch_size);
        self.seen.push(payload.batch_index);
    }

    fn missing(&self) -> Option<String> {
        let there = (0..self.size.clamp(0, 1000)).filter(|part| self.seen.contains(part)).count();
        let size = usize::try_from(self.size).unwrap_or_default();
        (there < size)
            .then(|| format!("this export has {size} QR codes, and the file has {there} of them"))
    }
}

/// What one URI holds.
#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(message, repeated, tag = "1")]
    tokens: Vec<Parameters>,
    #[prost(int32, tag = "3")]
    batch_size: i32,
    #[prost(int32, tag = "4")]
    batch_index: i32,
    #[prost(int32, tag = "5")]
    batch_id: i32,
}

/// One token of it. The secret is a part of the bytes that the message was read from.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Parameters {
    #[prost(bytes = "bytes", tag = "1")]
    secret: Bytes,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    issuer: String,
    #[prost(int32, tag = "4")]
    algorithm: i32,
    #[prost(int32, tag = "5")]
    digits: i32,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(int64, tag = "7")]
    counter: i64,
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parameters(…)")
    }
}

fn payload(uri: &str) -> Result<Payload, Refused> {
    let fault = |what: &str| format!("not an export of Google Authenticator: {what}");
    if uri.len() > LONGEST || !begins(uri.as_bytes(), SCHEME.as_bytes()) {
        return Err(fault("a line begins with otpauth-migration:// and has at most 16384 bytes"));
    }
    let (_, query) = uri.split_once('?').ok_or_else(|| fault("there is no \"data\""))?;
    let mut data = query.split('&').filter_map(|pair| pair.strip_prefix("data="));
    let (Some(data), None) = (data.next(), data.next()) else {
        return Err(fault("there is not one \"data\""));
    };
    let mut symbols = Zeroizing::new(Vec::with_capacity(data.len() + 2));
    // Some programs write '+' where it is not encoded, and leave the padding out.
    symbols.extend(percent_decode_str(data).map(|byte| if byte == b' ' { b'+' } else { byte }));
    while symbols.last() == Some(&b'=') {
        symbols.pop();
    }
    while symbols.len() % 4 != 0 {
        symbols.push(b'=');
    }
    let bytes = value::base64(&symbols).ok_or_else(|| fault("its data is no base64"))?;
    // The secrets stay where they are, and are wiped with what they are a part of.
    Payload::decode(Bytes::from_owner(bytes)).map_err(|_| fault("its data is damaged"))
}

fn take(line: usize, payload: Payload, now_ms: i64, contents: &mut Contents) {
    for token in payload.tokens {
        let user = user(&token);
        match row(line, &token, now_ms) {
            Ok(row) => contents.rows.push(Row { user, ..row }),
            Err(reason) => contents.rejects.push(Reject { line, user, reason }),
        }
    }
}

/// The account's name, which may repeat the issuer.
fn user(token: &Parameters) -> Option<String> {
    let account = token.name.split_once(':').map_or(token.name.as_str(), |(_, account)| account);
    value::name(account)
}

fn row(line: usize, token: &Parameters, now_ms: i64) -> Result<Row, Refused> {
    let factor = match token.kind {
        1 => Factor::Hotp,
        2 => value::period(PERIOD)?,
        _ => return Err("it does not say whether its codes go by time or by counter".into()),
    };
    let mut warnings = Vec::new();
    let algorithm = match token.algorithm {
        1 => Algorithm::Sha1,
        2 => Algorithm::Sha256,
        3 => Algorithm::Sha512,
        0 => {
            warnings.push("the hash function is not named: SHA1 is taken, as the app does".into());
            Algorithm::Sha1
        }
        4 => return Err("its hash function is MD5, which is not accepted".into()),
        _ => return Err("its hash function is not known".into()),
    };
    let digits = match token.digits {
        0 | 1 => 6,
        2 => 8,
        3 => 7,
        _ => return Err("the length of its codes is not known".into()),
    };
    let counter = u64::try_from(token.counter).map_err(|_| "its counter is below 0")?;
    let secret = key(Zeroizing::new(token.secret.to_vec()), &mut warnings)?;
    let row = Seed { secret, factor, algorithm, digits, warnings }.row(line, counter, now_ms);
    Ok(Row { label: value::label(&token.issuer), ..row })
}

#[cfg(test)]
pub(super) mod tests {
    use data_encoding::BASE64;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;
    use crate::import::format_tests::{reason, rows};

    /// One token of alice's at ACME.
    pub(in crate::import) const SAMPLE: &str = "otpauth-migration://offline?data=\
        Ci4KFDEyMzQ1Njc4OTAxMjM0NTY3ODkwEgpBQ01FOmFsaWNlGgRBQ01FIAEoATACEAEYASAAKE0%3D";

    /// A token like that of [`SAMPLE`].
    fn token() -> Parameters {
        Parameters {
            secret: Bytes::from_static(b"12345678901234567890"),
            name: "ACME:alice".into(),
            issuer: "ACME".into(),
            algorithm: 1,
            digits: 1,
            kind: 2,
            counter: 0,
        }
    }

    fn uri(tokens: &[Parameters], part: i32, of: i32) -> String {
        let payload =
            Payload { tokens: tokens.to_vec(), batch_size: of, batch_index: part, batch_id: -77 };
        let data = BASE64.encode(&payload.encode_to_vec());
        format!("{SCHEME}offline?data={}", utf8_percent_encode(&data, NON_ALPHANUMERIC))
    }

    #[test]
    fn codes_of_the_app_and_of_its_friends_are_read() {
        assert_eq!(rows("google-export", SAMPLE), ["1: alice (ACME) T30 Sha1 6 59844054"]);
        // Another program's, whose secret is "Hello!" and four bytes.
        let other = "otpauth-migration://offline?data=CikKCkhlbGxvId6tvu8SCHRlc3R1c2VyGgtleGFtcGxl\
                     LmNvbSABKAEwAhACGAEgAA%3D%3D";
        let told = "1: testuser (example.com) T30 Sha1 6 59844054 other secret [the key has 80 \
                    bits, fewer than the 128 that are advised]";
        assert_eq!(rows("google-export", other), [told]);
        let bare = SAMPLE.replace("%3D", "").replace("otpauth", "OTPAUTH");
        assert_eq!(rows("google-export", bare).len(), 1);
    }

    #[test]
    fn several_tokens_and_several_parts() {
        let hotp = Parameters { kind: 1, counter: 9, digits: 2, algorithm: 3, ..token() };
        let seven = Parameters { digits: 3, algorithm: 2, name: "bob".into(), ..token() };
        let vague = Parameters { digits: 0, algorithm: 0, issuer: String::new(), ..token() };
        let both = format!("# two\n{}\n{}\n", uri(&[hotp, seven], 0, 2), uri(&[vague], 1, 2));
        assert_eq!(
            rows("google-export", both),
            [
                "2: alice (ACME) H Sha512 8 9",
                "2: bob (ACME) T30 Sha256 7 59844054",
                "3: alice (-) T30 Sha1 6 59844054 [the hash function is not named: SHA1 is \
                 taken, as the app does]",
            ]
        );
        let second = rows("google-export", uri(&[token()], 1, 3));
        assert_eq!(
            second,
            [
                "1: alice (ACME) T30 Sha1 6 59844054 [this export has 3 QR codes, and the file has 1 \
              of them]"
            ]
        );
    }

    #[test]
    fn what_cannot_be_taken_over_is_rejected() {
        for (token, refusal) in [
            (Parameters { algorithm: 4, ..token() }, "MD5"),
            (Parameters { algorithm: 9, ..token() }, "not known"),
            (Parameters { digits: 9, ..token() }, "length of its codes"),
            (Parameters { kind: 0, ..token() }, "by time or by counter"),
            (Parameters { kind: 1, counter: -1, ..token() }, "below 0"),
            (Parameters { secret: Bytes::new(), ..token() }, "0 bits"),
            (Parameters { secret: Bytes::from_static(&[1; 9]), ..token() }, "the key has"),
            (Parameters { secret: Bytes::from_static(&[1; 129]), ..token() }, "the key has"),
        ] {
            let reason = reason("google-export", uri(&[token], 0, 1));
            assert!(reason.starts_with("line 1: ") && reason.contains(refusal), "{reason}");
        }
        for (line, refusal) in [
            ("otpauth-migration://offline".to_owned(), "no \"data\""),
            ("otpauth-migration://offline?date=AAAA".to_owned(), "not one \"data\""),
            (format!("{SAMPLE}&data=AAAA"), "not one \"data\""),
            ("otpauth-migration://offline?data=%%%".to_owned(), "no base64"),
            ("otpauth-migration://offline?data=AAAA".to_owned(), "damaged"),
            (SAMPLE.replace("Ci4K", "Cv8K"), "damaged"),
            ("otpauth://totp/x".to_owned(), "begins with otpauth-migration://"),
            (format!("{SCHEME}?data={}", "A".repeat(LONGEST)), "at most 16384 bytes"),
        ] {
            let reason = reason("google-export", line);
            assert!(reason.starts_with("line 1: ") && reason.contains(refusal), "{reason}");
        }
    }
}
