//! The plain-text backup of andOTP: a JSON array.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Circumstances, Contents, Reject,
    json::{self, Entry, Hidden},
    value::{self, first_lines, mentions},
};

const WHAT: &str = "a plain-text backup of andOTP; an encrypted one (.json.aes or .gpg) is made \
                    anew in Backups > Backup (plain-text)";

pub(super) fn recognised(bytes: &[u8]) -> bool {
    first_lines(bytes).next().is_some_and(|line| line.starts_with(b"["))
        && mentions(bytes.get(..4096).unwrap_or(bytes), b"\"secret\"")
}

#[derive(Deserialize)]
struct Token {
    secret: Hidden,
    #[serde(default)]
    label: String,
    #[serde(default)]
    issuer: String,
    /// Backups of the first versions have time-based tokens only.
    #[serde(rename = "type", default = "time_based")]
    kind: String,
    algorithm: Option<String>,
    digits: Option<u64>,
    period: Option<u64>,
    counter: Option<u64>,
}

fn time_based() -> String {
    "TOTP".into()
}

/// A backup does not tell which codes were used: of a time-based token all count as used that were
/// shown until now.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let entries: Vec<&RawValue> = json::document(text, WHAT)?;
    let entry = |token: Token| Entry {
        kind: token.kind,
        secret: token.secret,
        algorithm: token.algorithm,
        digits: token.digits,
        period: token.period,
        counter: token.counter,
        user: value::name(&token.label),
        label: value::label(&token.issuer),
    };
    Ok(json::contents(text, &entries, circumstances.now_ms, entry))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::import::format_tests::{BASE32, reason, rows};

    /// A backup with alice's token and what follows it.
    pub(in crate::import) fn backup(more: &str) -> String {
        format!(
            r#"[{{"secret":"{BASE32}","issuer":"ACME","label":"alice","digits":6,"type":"TOTP","algorithm":"SHA1","thumbnail":"Default","last_used":1795321594000,"used_frequency":0,"period":30,"tags":[]}}{more}]"#
        )
    }

    fn entry(values: &str) -> String {
        format!(",\n{{\"secret\":\"{BASE32}\",\"label\":\"bob\"{values}}}")
    }

    #[test]
    fn a_plain_backup_is_read() {
        let more = entry(r#","type":"HOTP","algorithm":"SHA256","digits":8,"counter":3"#)
            + &entry(r#","period":60"#);
        assert_eq!(
            rows("andotp", backup(&more)),
            [
                "1: alice (ACME) T30 Sha1 6 59844054",
                "2: bob (-) H Sha256 8 3",
                "3: bob (-) T60 Sha1 6 29922027",
            ]
        );
    }

    #[test]
    fn other_kinds_and_files_are_rejected() {
        for (more, refusal) in [
            (r#","type":"STEAM""#, "Steam"),
            (r#","type":"MOTP""#, "\"motp\""),
            (r#","type":"HOTP""#, "counter is missing"),
            (r#","type":"HOTP","counter":18446744073709551615"#, "counter is missing"),
            (r#","type":3"#, "not as the app writes it"),
        ] {
            let contents =
                crate::import::format_tests::read("andotp", backup(&entry(more))).unwrap();
            let [reject] = contents.rejects.as_slice() else { panic!("{contents:?}") };
            assert_eq!((contents.rows.len(), reject.line), (1, 2), "{more}");
            assert!(reject.reason.contains(refusal), "{reject}");
        }
        for file in [&b"\x12\xff\0 encrypted"[..], b"", b"{}", b"[", b"-----BEGIN PGP MESSAGE-----"]
        {
            assert!(reason("andotp", file).contains("plain-text"), "{file:?}");
        }
    }
}
