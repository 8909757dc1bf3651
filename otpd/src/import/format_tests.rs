//! What is the same for all formats.

use jiff::tz::{TimeZone, offset};
use otp_core::token::Factor;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{Circumstances, Contents, FORMATS, Format, Reject, Row};

/// 22 November 2026, in step 59844053 of 30 s.
pub(super) const NOW_MS: i64 = 1_795_321_594_000;
/// The key of RFC 4226's table in hexadecimal digits, base32 and base64.
pub(super) const HEX: &str = "3132333435363738393031323334353637383930";
pub(super) const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
pub(super) const BASE64: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";

pub(super) fn circumstances(key: Option<&[u8]>) -> Circumstances {
    Circumstances {
        now_ms: NOW_MS,
        zone: TimeZone::fixed(offset(2)),
        key: key.map(|key| Zeroizing::new(key.to_vec())),
    }
}

/// What is read from a file of the format, without a key.
pub(super) fn read(format: &str, bytes: impl AsRef<[u8]>) -> Result<Contents, Reject> {
    Format::named(format).unwrap().read(bytes.as_ref(), &circumstances(None))
}

/// A row in a line of text, with all that differs from a fresh token's.
pub(super) fn told(row: &Row) -> String {
    let kind = match row.factor {
        Factor::Totp { t0_ms: 0, period_ms } => format!("T{}", period_ms / 1000),
        Factor::Hotp => "H".to_owned(),
        other => format!("{other:?}"),
    };
    let fresh = row.secret.expose() == b"12345678901234567890";
    let mut told = format!("{}: {} ", row.line, row.user.as_deref().unwrap_or("-"));
    told += &format!("({}) ", row.label.as_deref().unwrap_or("-"));
    told += &format!("{kind} {:?} {} {}", row.algorithm, row.digits, row.next);
    told += if fresh { "" } else { " other secret" };
    if row.offset_ms != 0 {
        told += &format!(" offset {}", row.offset_ms);
    }
    for (what, moment) in [("from", row.from_ms), ("until", row.expires_ms)] {
        if let Some(moment) = moment {
            told += &format!(" {what} {}", moment / 1000);
        }
    }
    told += if row.disabled { " disabled" } else { "" };
    for warning in &row.warnings {
        told += &format!(" [{warning}]");
    }
    told
}

/// The rows of a file in the format that has no rejects.
pub(super) fn rows(format: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
    let contents = read(format, bytes).unwrap();
    assert_eq!(contents.rejects, [], "{format}");
    contents.rows.iter().map(told).collect()
}

/// The only reject of a file in the format, or why the whole of it is refused.
pub(super) fn reason(format: &str, bytes: impl AsRef<[u8]>) -> String {
    match read(format, bytes) {
        Err(reject) => reject.to_string(),
        Ok(contents) => match contents.rejects.as_slice() {
            [reject] if contents.rows.is_empty() => reject.to_string(),
            _ => panic!("{format}: {contents:?}"),
        },
    }
}

/// A file of each format, with the secret of RFC 4226's table.
fn samples() -> Vec<(&'static str, String)> {
    vec![
        ("otpauth", format!("# mine\n\notpauth://totp/a:alice?secret={BASE32}\n")),
        ("google-export", super::google_export::tests::SAMPLE.to_owned()),
        ("pskc", super::pskc::tests::plain("")),
        ("aegis", super::aegis::tests::vault("")),
        ("andotp", super::andotp::tests::backup("")),
        ("freeipa", super::freeipa::tests::entry("")),
        ("csv", format!("# serial, seed\nOATH1,{HEX},totp,6,30\n")),
    ]
}

#[test]
fn each_format_is_recognised_and_no_other_is_mistaken_for_it() {
    for (name, file) in samples() {
        assert_eq!(Format::guessed(file.as_bytes()).unwrap().name, name);
        let contents = read(name, &file).unwrap();
        assert_eq!((contents.rows.len(), contents.rejects.len()), (1, 0), "{name}");
        let with_mark = format!("\u{feff}{}", file.replace('\n', "\r\n"));
        assert_eq!(Format::guessed(with_mark.as_bytes()).unwrap().name, name);
        let contents = read(name, &with_mark).unwrap();
        assert_eq!((contents.rows.len(), contents.rejects.len()), (1, 0), "{name}");
    }
    for junk in ["", "\n", "#", "{}", "[]", "<html/>", "hello, world", "\0", "dn: cn=x"] {
        assert!(Format::guessed(junk.as_bytes()).is_none(), "{junk:?}");
    }
    assert!(Format::guessed(&[0xff; 70_000]).is_none());
}

#[test]
fn there_is_a_reader_for_each_name() {
    for name in otp_ipc::maintenance::import::FORMATS {
        assert!(Format::named(name).is_some(), "{name}");
    }
    assert_eq!(FORMATS.len(), otp_ipc::maintenance::import::FORMATS.len());
}

/// Everything that is shown of what was read.
fn shown(result: &Result<Contents, Reject>) -> String {
    let display = match result {
        Ok(contents) => contents.rejects.iter().map(Reject::to_string).collect(),
        Err(reject) => reject.to_string(),
    };
    let warnings = match result {
        Ok(contents) => contents.rows.iter().flat_map(|row| row.warnings.clone()).collect(),
        Err(_) => String::new(),
    };
    format!("{result:?} {display} {warnings}")
}

#[test]
fn a_secret_in_a_wrong_place_is_not_shown() {
    let uri = format!("totp/x?secret={BASE32}");
    for (name, file) in [
        ("aegis", super::aegis::tests::vault("").replace("3,", &format!("\"{BASE32}\","))),
        ("aegis", format!("{{\"db\":{{\"version\":2,\"entries\":\"{BASE32}\"}}}}")),
        ("andotp", format!("\"{BASE32}\"")),
        ("andotp", format!("[\"{BASE32}\"]")),
        ("pskc", super::pskc::tests::plain(&format!("<{BASE32}>"))),
        ("pskc", super::pskc::tests::plain(&format!("&{BASE32};"))),
        ("freeipa", format!("dn: x\n{BASE32}\n")),
        ("freeipa", super::freeipa::tests::entry(&format!("ipatokenOTPdigits: {BASE32}\n"))),
        ("csv", format!("OATH1,{BASE32},totp\n")),
        ("csv", format!("OATH1,{HEX},totp,{BASE32}\n")),
        ("otpauth", format!("{uri}\n")),
        ("otpauth", format!("otpauth://{uri}&secret={BASE32}\n")),
        ("google-export", format!("otpauth-migration://{uri}\n")),
    ] {
        let read = read(name, &file);
        let taken = read.as_ref().is_ok_and(|contents| !contents.rows.is_empty());
        let shown = shown(&read);
        assert!(!taken && !shown.contains(BASE32) && !shown.contains(HEX), "{name}: {shown}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for format in FORMATS {
            let _ = format.read(&bytes, &circumstances(Some(b"qwerty")));
            let _ = (format.recognised)(&bytes);
        }
    }

    #[test]
    fn a_damaged_file_panics_nowhere_and_its_secret_is_never_shown(
        format in 0..7_usize,
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0..24_usize, ".{0,6}"), 1..4),
    ) {
        let (name, mut file) = samples().swap_remove(format);
        for (at, length, put) in cuts {
            let mut start = at.index(file.len() + 1);
            while !file.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + length).min(file.len());
            while !file.is_char_boundary(end) {
                end += 1;
            }
            file.replace_range(start..end, &put);
        }
        for reader in FORMATS {
            let read = reader.read(file.as_bytes(), &circumstances(None));
            // A name may be anything; where a line is another format's, so may be the secret.
            if reader.name == name {
                let shown = shown(&read).to_ascii_lowercase();
                for secret in [HEX, BASE32, BASE64, "1234567890"] {
                    prop_assert!(!shown.contains(&secret.to_ascii_lowercase()), "{shown}");
                }
            }
        }
    }
}
