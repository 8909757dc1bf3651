use super::*;
use crate::import::format_tests::{BASE64, circumstances, reason, rows, told};

const NAMESPACES: &str = "xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\" \
    xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
    xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\"";
/// The pre-shared key of RFC 6030's figure 6.
const KEY: &str = "12345678901234567890123456789012";

fn container(inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KeyContainer Version=\"1.0\" {NAMESPACES}>\n{inner}</KeyContainer>\n"
    )
}

/// One key, for `hotp` or `totp`; what else is in its data, and what else it has.
fn key(algorithm: &str, data: &str, more: &str) -> String {
    format!(
        "<KeyPackage><DeviceInfo><SerialNo>987</SerialNo></DeviceInfo>\n\
         <Key Id=\"1\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:{algorithm}\">\
         <AlgorithmParameters><ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/>\
         </AlgorithmParameters><Data><Secret><PlainValue>{BASE64}</PlainValue></Secret>{data}\
         </Data><UserId>alice</UserId>{more}</Key></KeyPackage>\n"
    )
}

/// A plain container with one time-based key, and what else that has.
pub(in crate::import) fn plain(more: &str) -> String {
    container(&key("totp", "", more))
}

fn rows_with(key: &[u8], file: &str) -> Vec<String> {
    let contents = read(file.as_bytes(), &circumstances(Some(key))).unwrap();
    assert_eq!(contents.rejects, []);
    contents.rows.iter().map(told).collect()
}

fn refusal_with(key: &[u8], file: &str) -> String {
    match read(file.as_bytes(), &circumstances(Some(key))) {
        Err(reject) => reject.to_string(),
        Ok(contents) => match contents.rejects.as_slice() {
            [reject] if contents.rows.is_empty() => reject.to_string(),
            _ => panic!("{contents:?}"),
        },
    }
}

#[test]
fn rfc_6030_figures_3_5_and_10() {
    let figure_3 = include_str!("figures/3.xml");
    let told = "16: jsmith (987654321) H Sha1 8 0";
    assert_eq!(rows("pskc", figure_3), [told]);
    // The PIN of the first key is the second one, which is no token.
    let figure_5 = include_str!("figures/5.xml");
    let told = "15: - (987654321) H Sha1 8 0 [the device asks for a PIN of its own]";
    assert_eq!(rows("pskc", figure_5), [told]);
    let figure_10 = include_str!("figures/10.xml");
    let rows = rows("pskc", figure_10);
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0], "11: - (654321) H Sha1 8 0 from 1146441600 until 1149033600");
}

#[test]
fn rfc_6030_figure_6_a_pre_shared_key() {
    let figure = include_str!("figures/6.xml");
    let told = "30: - (987654321) H Sha1 8 0";
    let raw = value::hex(KEY.as_bytes()).unwrap();
    let with_end = format!("{}\r\n", KEY.to_uppercase());
    for key in [KEY.as_bytes(), with_end.as_bytes(), &raw] {
        assert_eq!(rows_with(key, figure), [told]);
    }
    for (key, refusal) in [
        (&b"12345678901234567890123456789013"[..], "does not fit"),
        (b"qwerty", "no key of 16 bytes, neither as they are nor as 32 hexadecimal"),
        (b"", "no key of 16 bytes"),
    ] {
        let reason = refusal_with(key, figure);
        assert!(reason.contains(refusal), "{reason}");
    }
    assert!(reason("pskc", figure).contains("--key-file"));
}

#[test]
fn rfc_6030_figure_7_a_password() {
    let figure = include_str!("figures/7.xml");
    let told = "48: - (987654321) H Sha1 8 0 [the file has no counter: 0 is taken, as of a new \
                token]";
    for password in [&b"qwerty"[..], b"qwerty\n", b"qwerty\r\n"] {
        assert_eq!(rows_with(password, figure), [told]);
    }
    assert!(refusal_with(b"Qwerty", figure).contains("does not fit"));
    for (was, is, refusal) in [
        (">1000<", ">0<", "<IterationCount>"),
        (">1000<", ">2000001<", "<IterationCount>"),
        (">1000<", ">99999999999<", "<IterationCount>"),
        (">16<", ">32<", "<KeyLength>"),
        ("<PRF/>", "<PRF Algorithm=\"urn:md5\"/>", "PRF \"urn:md5\" is not known"),
        ("#pbkdf2\"", "#scrypt\"", "derivation of a key \"http://www.rsasecurity"),
        (">Ej7/PEpyEpw=<", ">*<", "salt"),
    ] {
        let reason = refusal_with(b"qwerty", &figure.replacen(was, is, 1));
        assert!(reason.contains(refusal), "{reason}");
    }
}

#[test]
fn rfc_6030_figures_4_and_8_have_keys_that_cannot_be_had() {
    let figure_4 = include_str!("figures/4.xml");
    assert!(
        reason("pskc", figure_4).contains("<Data> is missing")
            || reason("pskc", figure_4).contains("<KeyReference>")
    );
    let figure_8 = include_str!("figures/8.xml");
    assert!(refusal_with(KEY.as_bytes(), figure_8).contains("<MACMethod>"));
}

#[test]
fn what_was_changed_is_refused() {
    let figure = include_str!("figures/6.xml");
    let secret = "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv";
    let mac = "<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=\n                    </ValueMAC>";
    assert!(figure.contains(secret) && figure.contains(mac));
    for (was, is, refusal) in [
        (
            secret,
            "BAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv",
            "does not fit",
        ),
        (secret, "", "does not fit"),
        ("Su+N", "Sv+N", "does not fit"),
        (mac, "", "<ValueMAC>"),
        (mac, "<ValueMAC/>", "<ValueMAC>"),
        // A MAC is all of it or none.
        ("Su+NvtQfmvfJzF6bmQiJqoLRExc=", "Su+NvtQfmvfJzF6bmQ==", "does not fit"),
        ("MACMethod", "MACMethods", "<MACMethod>"),
        ("#hmac-sha1", "#hmac-md5", "its MAC \"http://www.w3.org/2000/09/xmldsig#hmac-md5\""),
        ("#aes128-cbc", "#tripledes-cbc", "its cipher"),
        ("#aes128-cbc", "#aes128-gcm", "its cipher"),
    ] {
        let changed = figure.replace(was, is);
        assert_ne!(changed, figure);
        let reason = refusal_with(KEY.as_bytes(), &changed);
        assert!(reason.contains(refusal), "{was}: {reason}");
    }
    // A plain key among encrypted ones is somebody else's.
    let begin = figure.find("<EncryptedValue>").unwrap();
    let end = figure.find("</EncryptedValue>").unwrap() + "</EncryptedValue>".len();
    let swapped =
        format!("{}<PlainValue>{BASE64}</PlainValue>{}", &figure[..begin], &figure[end..]);
    assert!(refusal_with(KEY.as_bytes(), &swapped).contains("not encrypted"));
}

#[test]
fn keys_are_read_with_their_data() {
    for (file, told) in [
        (key("totp", "", ""), "T30 Sha1 6 59844054"),
        (
            key("TOTP", "<TimeInterval><PlainValue>60</PlainValue></TimeInterval>", ""),
            "T60 Sha1 6 29922027",
        ),
        (
            key(
                "totp",
                "<Time><PlainValue>0</PlainValue></Time><Counter><PlainValue>0</PlainValue></Counter>",
                "",
            ),
            "T30 Sha1 6 59844054",
        ),
        (
            key("totp", "<Counter><PlainValue>59844060</PlainValue></Counter>", ""),
            "T30 Sha1 6 59844060",
        ),
        (
            key("totp", "<TimeDrift><PlainValue>-2</PlainValue></TimeDrift>", ""),
            "T30 Sha1 6 59844052 offset -60000 [the device's clock is -2 time steps ahead, says the file]",
        ),
        (key("hotp", "<Counter><PlainValue>831791</PlainValue></Counter>", ""), "H Sha1 6 831791"),
        (
            key("hotp", "<Counter><PlainValue>NzA5Nzkx</PlainValue></Counter>", ""),
            "H Sha1 6 709791",
        ),
        (
            key("hotp", "<Counter><PlainValue>AAYxSg==</PlainValue></Counter>", ""),
            "H Sha1 6 405834",
        ),
        (
            key(
                "totp",
                "",
                "<Policy><StartDate>2026-01-01T00:00:00</StartDate><ExpiryDate>2027-01-01T00:00:00+01:00</ExpiryDate><KeyUsage>OTP</KeyUsage></Policy>",
            ),
            "T30 Sha1 6 59844054 from 1767218400 until 1798758000",
        ),
        (
            key("totp", "", "<Policy><PINPolicy PINUsageMode=\"Prepend\"/></Policy>"),
            "T30 Sha1 6 59844054 [its PIN is not taken over: the code alone is enough here]",
        ),
    ] {
        assert_eq!(rows("pskc", container(&file)), [format!("4: alice (987) {told}")], "{file}");
    }
    let plain = plain("");
    for (was, is, told) in [
        (
            "</AlgorithmParameters>",
            "<Suite>HMAC-SHA256</Suite></AlgorithmParameters>",
            "4: alice (987) T30 Sha256 6 59844054",
        ),
        (
            "</AlgorithmParameters>",
            "<Suite hashalgo=\"sha512\"/></AlgorithmParameters>",
            "4: alice (987) T30 Sha512 6 59844054",
        ),
        ("<SerialNo>987</SerialNo>", "", "4: alice (1) T30 Sha1 6 59844054"),
        (">alice<", ">UID=bob,DC=example<", "4: bob (987) T30 Sha1 6 59844054"),
        ("pskc:totp", "pskc#totp", "4: alice (987) T30 Sha1 6 59844054"),
    ] {
        assert_eq!(rows("pskc", plain.replace(was, is)), [told]);
    }
    // As privacyIDEA writes it.
    let lower = plain
        .replace("KeyContainer", "keycontainer")
        .replace("<Key ", "<key ")
        .replace("</Key>", "</key>")
        .replace("PlainValue", "plainvalue")
        .replace("Length", "length");
    assert_eq!(rows("pskc", lower), ["4: alice (987) T30 Sha1 6 59844054"]);
}

#[test]
fn keys_that_cannot_be_taken_over_are_rejected() {
    for (file, refusal) in [
        (key("ocra", "", ""), "keys for \"urn:ietf:params:xml:ns:keyprov:pskc:ocra\""),
        (key("pin", "", ""), "keys for"),
        (key("totp", "<Time><PlainValue>8</PlainValue></Time>", ""), "<Time>"),
        (key("totp", "<TimeInterval><PlainValue>0</PlainValue></TimeInterval>", ""), "time step"),
        (
            key("totp", "<TimeInterval><PlainValue>abc</PlainValue></TimeInterval>", ""),
            "<TimeInterval> is not a number",
        ),
        (
            key("totp", "<TimeDrift><PlainValue>9223372036854775807</PlainValue></TimeDrift>", ""),
            "<TimeDrift> is out of range",
        ),
        (
            key("hotp", "<Counter><PlainValue>-1</PlainValue></Counter>", ""),
            "<Counter> is out of range",
        ),
        (key("hotp", "<Counter/><Counter/>", ""), "<Counter> is there twice"),
        (
            key("hotp", "<Secret><PlainValue>AAAA</PlainValue></Secret>", ""),
            "<Secret> is there twice",
        ),
        (
            key("totp", "", "<Policy><KeyUsage>Encrypt</KeyUsage></Policy>"),
            "does not let it be used",
        ),
        (
            key("totp", "", "<Policy><NumberOfTransactions>3</NumberOfTransactions></Policy>"),
            "how often",
        ),
        (key("totp", "", "<Policy><x:Moon xmlns:x=\"urn:x\"/></Policy>"), "<Moon>"),
        (key("totp", "", "<Policy><ExpiryDate>soon</ExpiryDate></Policy>"), "\"soon\" is no date"),
        (key("totp", "", "").replace("Length=\"6\"", "Length=\"9\""), "9 digits"),
        (key("totp", "", "").replace("DECIMAL", "ALPHANUMERIC"), "ALPHANUMERIC"),
        (key("totp", "", "").replace("Encoding=", "CheckDigits=\"true\" Encoding="), "check digit"),
        (key("totp", "", "").replace(BASE64, "MTIzNA=="), "the key has"),
        (key("totp", "", "").replace(BASE64, "AAAAAAAAAAAAAAAAAAAAAA=="), "the key is all zeros"),
        (key("totp", "", "").replace(BASE64, "MTIz*"), "no base64"),
        (key("totp", "", "").replace(BASE64, "MTIz<!-- x -->NDU2"), "is not one text"),
        (key("totp", "", "").replace(BASE64, ""), "<KeyReference>"),
    ] {
        let reason = reason("pskc", container(&file));
        assert!(reason.starts_with("line 4: ") && reason.contains(refusal), "{reason}");
    }
}

#[test]
fn hostile_xml_is_refused_as_a_whole() {
    let entity = "<!DOCTYPE x [<!ENTITY secret SYSTEM \"file:///etc/shadow\">]>";
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
    let attributes: String = (0..70).map(|number| format!(" a{number}=\"\"")).collect();
    let namespaces: String = (0..40).map(|number| format!(" xmlns:n{number}=\"u\"")).collect();
    for (file, refusal) in [
        (plain("").replacen('\n', &format!("\n{entity}"), 1), "DTD"),
        (plain("").replacen('\n', &format!("\n{bomb}"), 1), "DTD"),
        (plain("&secret;"), "it is no XML (line 4, column"),
        (plain("<open>"), "it is no XML (line 4, column"),
        (container(""), "it has no key"),
        ("<Other/>".into(), "not <KeyContainer>"),
        (plain("").replace("Version=\"1.0\" x", "Version=\"2.0\" x"), "version of PSKC"),
        (String::new(), "it is no XML (line 1"),
        ("<".repeat(100_000), "it is no XML"),
        ("<a>".repeat(100_000), "it is no XML"),
        (plain(&format!("<x{attributes}/>")), "too many attributes"),
        (plain(&format!("<x{namespaces}/>")), "too many namespaces"),
    ] {
        let reason = reason("pskc", file);
        assert!(reason.contains(refusal) && !reason.starts_with("line"), "{reason}");
    }
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    assert_eq!(rows("pskc", plain(&deep)).len(), 1);
}

#[test]
fn many_keys_are_read() {
    let keys: String = (0..5_000).map(|_| key("totp", "", "")).collect();
    let contents = crate::import::format_tests::read("pskc", container(&keys)).unwrap();
    assert_eq!(contents.rows.len(), 5_000);
    assert_eq!(contents.rows.last().unwrap().line, 2 * 5_000 + 2);
}
