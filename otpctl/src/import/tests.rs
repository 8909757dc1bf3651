use std::path::{Path, PathBuf};

use super::*;

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|ending| ending == "json")).collect()
}

/// A failure's message; the key with it, not the value.
fn refused(json: &str) -> String {
    translate(json, None, "main").unwrap_err()
}

/// The daemon's own tests read the same tables.
#[test]
fn each_sample_becomes_the_table_beside_it() {
    assert_eq!(samples().len(), 14);
    for path in samples() {
        let json = std::fs::read_to_string(&path).unwrap();
        let made = translate(&json, None, "main").unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let written = path.with_extension("toml");
        let expected = std::fs::read_to_string(&written).unwrap_or_default();
        assert_eq!(*made, expected, "{}", written.display());
        toml::from_str::<toml::Table>(&made).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    }
}

#[test]
fn a_class_is_known_by_all_its_names_and_by_its_keys() {
    for (name, class) in [
        ("smsprovider.HttpSMSProvider.HttpSMSProvider", Class::Http),
        ("linotp.provider.smsprovider.HttpSMSProvider", Class::Http),
        ("HttpSMSProvider", Class::Http),
        ("smsprovider.SmtpSMSProvider.SmtpSMSProvider", Class::Smtp),
        ("smsprovider.SMPPSMSProvider.SMPPSMSProvider", Class::Smpp),
        ("smsprovider.DeviceSMSProvider.DeviceSMSProvider", Class::Device),
        ("RestSMSProvider", Class::Rest),
        ("linotp.lib.emailprovider.SMTPEmailProvider", Class::Email),
        ("linotp.provider.emailprovider.SMTPEmailProvider", Class::Email),
    ] {
        assert_eq!(name.parse(), Ok(class), "{name}");
    }
    for name in ["", "FileSMSProvider", "HttpSMSProvider.", "httpsmsprovider"] {
        let refused: Result<Class, _> = name.parse();
        assert!(refused.unwrap_err().contains("SMTPEmailProvider"), "{name}");
    }
    for path in samples() {
        let object = json::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let kind = path.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap();
        let class = match kind {
            "rest" => Class::Rest,
            "smtp" => Class::Smtp,
            "smpp" => Class::Smpp,
            "device" => Class::Device,
            "email" => Class::Email,
            _ => Class::Http,
        };
        assert_eq!(Class::of(&object), Some(class), "{}", path.display());
    }
    assert!(refused("{\"FILENAME\": \"x\"}").contains("URL (HttpSMSProvider)"));
}

#[test]
fn what_is_wrong_is_named_and_never_repeated() {
    for (json, told) in [
        (
            r#"{"URL": "x", "RETURN_FAIL": "s3cret", "RETURN_SUCCESS": "y"}"#,
            "RETURN_SUCCESS and RETURN_FAIL do not go together",
        ),
        (r#"{"URL": "x", "Url": "s3cret", "colour": 1}"#, "HttpSMSProvider has no key Url, colour"),
        (
            r#"{"URL": "x", "PARAMETER": {"sms": "s3cret"}}"#,
            "PARAMETER has sms, too, which carries the text",
        ),
        (
            r#"{"URL": "x", "PARAMETER": {"to": ""}, "SMS_PHONENUMBER_KEY": "to"}"#,
            "carries the number",
        ),
        (r#"{"URL": "x", "PARAMETER": "s3cret"}"#, "PARAMETER is an object"),
        (r#"{"URL": "x", "PARAMETER": {"a": ["s3cret"]}}"#, "PARAMETER: a is a text"),
        (r#"{"URL": "x", "HTTP_Method": "s3cret"}"#, "HTTP_Method is GET or POST"),
        (r#"{"URL": "x", "USERNAME": "s3cret"}"#, "USERNAME and PASSWORD go together"),
        (r#"{"URL": "x", "AUTH_TYPE": "s3cret"}"#, "AUTH_TYPE is basic or digest"),
        (r#"{"URL": "x", "PROXY": 5}"#, "PROXY is a URL"),
        (r#"{"URL": "x", "SERVER_CERTIFICATE": true}"#, "SERVER_CERTIFICATE is a file or false"),
        (r#"{"URL": "x", "timeout": "s3cret"}"#, "timeout is in seconds"),
        (r#"{"URL": "x", "timeout": "-1"}"#, "timeout is in seconds"),
        (r#"{"URL": "x", "MSISDN": "s3cret"}"#, "MSISDN is true or false"),
        (r#"{"URL": ""}"#, "URL is missing"),
        (r#"{"URL": ["s3cret"]}"#, "URL is a text"),
        (
            r#"{"URL": "x", "PAYLOAD": {}, "SMS_TEXT_KEY": "a[0].b", "SMS_PHONENUMBER_KEY": "c"}"#,
            "SMS_TEXT_KEY: PAYLOAD has no place a[0].b",
        ),
        (r#"{"URL": "x", "PAYLOAD": []}"#, "PAYLOAD is the object"),
        (r#"{"mailserver": "x:s3cret"}"#, "mailserver: what follows the colon is no port"),
        (r#"{"mailserver": "x"}"#, "mailsender is missing"),
        (r#"{"mailserver": "x", "mailuser": "s3cret"}"#, "mailuser needs mailpassword"),
        (r#"{"system_id": "x"}"#, "server is missing"),
        (
            r#"{"system_id": "x", "server": "y", "port": "s3cret"}"#,
            "port is a number from 1 to 65535",
        ),
        (
            r#"{"system_id": "x", "server": "y", "source_addr_ton": "7"}"#,
            "source_addr_ton is a number from 0 to 6",
        ),
        (r#"{"SMTP_SERVER": "x", "START_TLS": "s3cret"}"#, "START_TLS is true or false"),
    ] {
        let error = refused(json);
        assert!(error.contains(told) && !error.contains("s3cret"), "{json}: {error}");
    }
}

#[test]
fn a_class_that_is_named_counts_more_than_the_keys() {
    let error = translate("{\"CONFIGFILE\": \"x\"}", Some(Class::Http), "main").unwrap_err();
    assert!(error.contains("URL is missing"), "{error}");
}

#[test]
fn nothing_in_the_json_leaves_its_place_in_the_table() {
    let json = r#"{"URL": "http://a/\"\n[store]\npath = \"/x", "HEADERS": {"a\"]\n[x": "\u007f\u0000'''\"\"\""},
        "SUPPRESS_PREFIX": "7\n[store]"}"#;
    let made = translate(json, None, "a.b").unwrap();
    let table: toml::Table = toml::from_str(&made).unwrap();
    assert_eq!(table.keys().collect::<Vec<_>>(), ["provider"]);
    let provider = &table["provider"]["sms"]["a.b"];
    assert_eq!(provider["url"].as_str(), Some("http://a/\"\n[store]\npath = \"/x"));
    assert_eq!(provider["headers"]["a\"]\n[x"].as_str(), Some("\u{7f}\0'''\"\"\""));
}
