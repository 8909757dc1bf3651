//! otpauth URIs, one a line (the Key URI format of Google Authenticator).

use otp_core::uri;
use zeroize::Zeroizing;

use super::{
    Circumstances, Contents, Reject, Row, key,
    value::{Refused, Seed, begins, first_lines, label, mentions, name, text},
};

const SCHEME: &[u8] = b"otpauth://";

pub(super) fn recognised(bytes: &[u8]) -> bool {
    first_lines(bytes).next().is_some_and(|line| begins(line, SCHEME))
}

/// Blank lines and those that begin with `#` are passed over. A URI does not tell which codes were
/// used: of a time-based one all count as used that were shown until now.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let mut contents = Contents::default();
    for (line, uri) in (1..).zip(text(bytes)?.lines()) {
        let uri = uri.trim();
        if uri.is_empty() || uri.starts_with('#') {
            continue;
        }
        match row(line, uri, circumstances.now_ms) {
            Ok(row) => contents.rows.push(row),
            Err(reason) => contents.rejects.push(Reject { line, user: None, reason }),
        }
    }
    Ok(contents)
}

fn row(line: usize, uri: &str, now_ms: i64) -> Result<Row, Refused> {
    let read = uri::parse(uri).map_err(|error| error.to_string())?;
    if mentions(uri.as_bytes(), b"encoder=") {
        return Err("its codes are not digits (\"encoder\"); enrol the user anew".into());
    }
    let uri::Parsed { issuer, account, factor, algorithm, digits, secret, counter } = read;
    let mut warnings = Vec::new();
    let secret = key(Zeroizing::new(secret.expose().to_vec()), &mut warnings)?;
    let seed = Seed { secret, factor, algorithm, digits, warnings };
    let row = seed.row(line, counter, now_ms);
    let label = issuer.as_deref().and_then(label);
    Ok(Row { user: name(&account), label, ..row })
}

#[cfg(test)]
mod tests {
    use crate::import::format_tests::{BASE32, reason, rows};

    #[test]
    fn a_uri_a_line() {
        let file = format!(
            "# phones\r\n\r\n  otpauth://totp/ACME:alice?secret={BASE32}&issuer=ACME  \r\n\
             otpauth://hotp/bob?secret={BASE32}&counter=7&digits=8&algorithm=SHA512\n\
             OTPAUTH://TOTP/carol%40example.com?secret={BASE32}&period=60&image=x"
        );
        assert_eq!(
            rows("otpauth", file),
            [
                "3: alice (ACME) T30 Sha1 6 59844054",
                "4: bob (-) H Sha512 8 7",
                "5: carol@example.com (-) T60 Sha1 6 29922027",
            ]
        );
        assert_eq!(rows("otpauth", "# nothing\n"), [""; 0]);
    }

    #[test]
    fn what_is_no_token_of_ours_is_rejected_with_its_line() {
        let uri = |rest: &str| format!("# one\notpauth://{rest}");
        for (file, refusal) in [
            (uri(&format!("steam/x?secret={BASE32}")), "the type is totp or hotp"),
            (uri(&format!("totp/Steam:x?secret={BASE32}&encoder=steam")), "not digits"),
            (uri(&format!("hotp/x?secret={BASE32}")), "hotp needs the counter"),
            (uri("totp/x?secret=AAAAAAAAAAAAAAAA"), "the key is all zeros"),
            (uri("totp/x?secret=GEZDGNBV"), "10 to 128 bytes"),
            (uri("totp/x?secret=1111"), "A-Z and 2-7"),
            ("\nalice".into(), "begins with otpauth://"),
            (format!("\notpauth-migration://offline?data={BASE32}"), "begins with otpauth://"),
        ] {
            let reason = reason("otpauth", file);
            assert!(reason.starts_with("line 2: ") && reason.contains(refusal), "{reason}");
        }
        assert_eq!(reason("otpauth", b"\xff\xfe"), "it is no text in UTF-8");
    }
}
