//! The vault that Aegis exports as plain JSON.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Circumstances, Contents, Reject,
    json::{self, Entry, Hidden},
    value::{self, first_lines, refused},
};

const WHAT: &str = "a plain export of Aegis; make one in Settings > Import & Export > Export";
const ENCRYPTED: &str = "this vault of Aegis is encrypted; export it again in Settings > Import & \
                         Export > Export with \"Encrypt the vault\" off, and delete that file \
                         once it is imported";

pub(super) fn recognised(bytes: &[u8]) -> bool {
    let mut lines = first_lines(bytes);
    lines.next().is_some_and(|line| line.starts_with(b"{"))
        && bytes.get(..64 * 1024).unwrap_or(bytes).windows(8).any(|word| word == b"\"header\"")
}

#[derive(Deserialize)]
struct Vault<'a> {
    #[serde(borrow)]
    db: &'a RawValue,
}

#[derive(Deserialize)]
struct Database<'a> {
    version: u32,
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    issuer: String,
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    secret: Hidden,
    algo: Option<String>,
    digits: Option<u64>,
    period: Option<u64>,
    counter: Option<u64>,
}

/// An export does not tell which codes were used: of a time-based token all count as used that were
/// shown until now.
pub(super) fn read(bytes: &[u8], circumstances: &Circumstances) -> Result<Contents, Reject> {
    let text = value::text(bytes)?;
    let vault: Vault = json::document(text, WHAT)?;
    if vault.db.get().starts_with('"') {
        return Err(refused(ENCRYPTED));
    }
    let database: Database = json::document(vault.db.get(), WHAT)?;
    if !(1..=3).contains(&database.version) {
        let version = database.version;
        return Err(refused(format!(
            "version {version} of Aegis's vaults is not known; known: 1-3"
        )));
    }
    let entry = |token: Token| Entry {
        kind: token.kind,
        secret: token.info.secret,
        algorithm: token.info.algo,
        digits: token.info.digits,
        period: token.info.period,
        counter: token.info.counter,
        user: value::name(&token.name),
        label: value::label(&token.issuer),
    };
    Ok(json::contents(text, &database.entries, circumstances.now_ms, entry))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::import::format_tests::{BASE32, reason, rows};

    /// A vault with alice's token and what follows it.
    pub(in crate::import) fn vault(more: &str) -> String {
        format!(
            r#"{{
    "version": 1,
    "header": {{ "slots": null, "params": null }},
    "db": {{
        "version": 3,
        "entries": [
            {{
                "type": "totp",
                "uuid": "01234567-89ab-cdef-0123-456789abcdef",
                "name": "alice",
                "issuer": "ACME",
                "note": "",
                "favorite": false,
                "icon": null,
                "info": {{ "secret": "{BASE32}", "algo": "SHA1", "digits": 6, "period": 30 }},
                "groups": []
            }}{more}
        ],
        "groups": [],
        "icons_optimized": true
    }}
}}
"#
        )
    }

    fn entry(kind: &str, info: &str) -> String {
        format!(
            ",\n{{\"type\":\"{kind}\",\"name\":\"bob\",\"info\":{{\"secret\":\"{BASE32}\"{info}}}}}"
        )
    }

    #[test]
    fn a_plain_vault_is_read() {
        let more = entry("hotp", r#","algo":"SHA256","digits":8,"counter":12"#)
            + &entry("TOTP", r#","algo":"SHA512","digits":7,"period":20"#);
        assert_eq!(
            rows("aegis", vault(&more)),
            [
                "7: alice (ACME) T30 Sha1 6 59844054",
                "18: bob (-) H Sha256 8 12",
                "19: bob (-) T20 Sha512 7 89766080",
            ]
        );
    }

    #[test]
    fn other_kinds_and_damage_are_rejected() {
        for (more, refusal) in [
            (entry("steam", r#","digits":5"#), "Steam"),
            (entry("yandex", r#","pin":"1234""#), "\"yandex\""),
            (entry("motp", ""), "\"motp\""),
            (entry("hotp", ""), "counter is missing"),
            (entry("hotp", r#","counter":-1"#), "not as the app writes it"),
            (entry("totp", r#","algo":"MD5""#), "\"MD5\""),
            (entry("totp", r#","period":0"#), "time step"),
            (entry("totp", r#","digits":10"#), "10 digits"),
            (entry("totp", r#","digits":"6""#), "not as the app writes it"),
            (",\n{\"type\":\"totp\",\"name\":\"bob\"}".into(), "not as the app writes it"),
            (",\n7".into(), "not as the app writes it"),
        ] {
            let contents = crate::import::format_tests::read("aegis", vault(&more)).unwrap();
            let [reject] = contents.rejects.as_slice() else { panic!("{contents:?}") };
            assert_eq!((contents.rows.len(), reject.line), (1, 18), "{more}");
            assert!(reject.reason.contains(refusal), "{reject}");
        }
    }

    #[test]
    fn what_is_no_plain_vault_is_refused_as_a_whole() {
        let encrypted = r#"{"version":1,"header":{"slots":[],"params":{}},"db":"x7s=="}"#;
        for (file, refusal) in [
            (encrypted.to_owned(), "encrypted"),
            (vault("").replace("\"version\": 3", "\"version\": 4"), "version 4"),
            (vault("").replace("\"version\": 3,", ""), "not a plain export of Aegis"),
            (vault("").replace("]", ""), "(line 17, column 13)"),
            (String::new(), "not a plain export of Aegis"),
            ("[".repeat(100_000), "not a plain export of Aegis"),
        ] {
            let reason = reason("aegis", file);
            assert!(reason.contains(refusal) && !reason.starts_with("line"), "{reason}");
        }
    }
}
