//! `[provider.sms.NAME]` and `[provider.email.NAME]`: every key of every kind.

mod http_keys;
mod other_keys;

use otp_delivery::{Provider, exec, gnokii, http, modemmanager, sendmail, smpp, smtp};

use super::*;

const HTTP: &str = "[provider.sms.p]\ntype = \"http\"\nurl = \"http://127.0.0.1/\"\n\
                    text_key = \"text\"\nphone_key = \"to\"";
const GATEWAY: &str = "[provider.sms.p]\ntype = \"smtp\"\nserver = \"mail.example\"\n\
                       from = \"otp@example.com\"\nto = \"{phone}@sms.example\"";
const SMPP: &str =
    "[provider.sms.p]\ntype = \"smpp\"\nserver = \"smsc.example\"\nsystem_id = \"otpd\"";
const GNOKII: &str =
    "[provider.sms.p]\ntype = \"gnokii\"\npath = \"/bin/sh\"\nconfig = \"/etc/rc\"";
const EXEC: &str = "[provider.sms.p]\ntype = \"exec\"\npath = \"/bin/sh\"";
const MAIL: &str = "[provider.email.p]\ntype = \"smtp\"\nserver = \"mail.example\"\n\
                    from = \"otp@example.com\"\nhello = \"otp.example\"";
const SENDMAIL: &str = "[provider.email.p]\ntype = \"sendmail\"\npath = \"/bin/sh\"\n\
                        from = \"otp@example.com\"\nhello = \"otp.example\"";
const MODEM: &str = "[provider.sms.p]\ntype = \"modemmanager\"";

const TEXT: &str = "a text without control characters";
const PATH: &str = "an absolute path of a file, without \"..\"";
const NO_TEXT: &[&str] = &["1", "true", "[]", "\"a\\nb\""];
const NO_PATH: &[&str] = &["\"\"", "\"x\"", "\"/\"", "\"/a/../b\"", "\"/a\\n\"", "1"];

type Row = (
    &'static str,
    fn(&Config) -> String,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static str,
);

#[track_caller]
fn check_rows(before: &'static str, rows: &[Row]) {
    for (name, read, default, takes, refuses, allowed) in rows.iter().copied() {
        check_below(&Key { before, name, read, default, takes, refuses, allowed });
    }
}

fn provider(config: &Config) -> &Provider {
    &config.providers[0].1
}

fn http(config: &Config) -> &http::Settings {
    let Provider::Http(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn smpp(config: &Config) -> &smpp::Settings {
    let Provider::Smpp(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn gateway(config: &Config) -> &smtp::GatewaySettings {
    let Provider::SmtpGateway(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn mail(config: &Config) -> &smtp::Settings {
    let Provider::Smtp(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn gnokii(config: &Config) -> &gnokii::Settings {
    let Provider::Gnokii(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn sendmail(config: &Config) -> &sendmail::Settings {
    let Provider::Sendmail(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn exec(config: &Config) -> &exec::Settings {
    let Provider::Exec(settings) = provider(config) else { panic!("{config}") };
    settings
}

fn modem(config: &Config) -> &modemmanager::Settings {
    let Provider::ModemManager(settings) = provider(config) else { panic!("{config}") };
    settings
}

#[test]
fn names_and_types() {
    for (text, expected) in [
        ("[provider]\nsms = 1", "2:7: provider.sms = 1: allowed are a table"),
        ("[provider.sms]\na = 1", "2:5: provider.sms.a = 1: allowed are a table"),
        (
            "[provider.sms.\"a b\"]\ntype = \"exec\"",
            "1:15: provider.sms.\"a b\": allowed are names of 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'",
        ),
        (
            "[provider.sms.a]",
            "1:15: provider.sms.a.type is missing: allowed are \"http\", \"smtp\", \"smpp\", \"gnokii\", \"modemmanager\", \"exec\"",
        ),
        (
            "[provider.email.a]",
            "1:17: provider.email.a.type is missing: allowed are \"smtp\", \"sendmail\", \"exec\"",
        ),
        (
            "[provider.sms.a]\ntype = \"sendmail\"",
            "2:8: provider.sms.a.type = \"sendmail\": allowed are \"http\", \"smtp\", \"smpp\", \"gnokii\", \"modemmanager\", \"exec\"",
        ),
        (
            "[provider.email.a]\ntype = \"http\"",
            "2:8: provider.email.a.type = \"http\": allowed are \"smtp\", \"sendmail\", \"exec\"",
        ),
        (
            "[provider.sms.a]\ntype = \"http\"",
            "1:15: provider.sms.a.url is missing: allowed is \"https://…\"",
        ),
        (
            "[provider.sms.a]\ntype = \"exec\"",
            "1:15: provider.sms.a.path is missing: allowed is an absolute path of a file, without \"..\"",
        ),
        (
            "[provider.email.a]\ntype = \"smtp\"",
            "1:17: provider.email.a.server is missing: allowed is a text without control characters",
        ),
        (
            "[provider.sms.a]\ntype = \"exec\"\npath = \"/bin/sh\"\nurl = \"x\"",
            "4:1: provider.sms.a.url is not a known key: allowed here are type, path, arguments, timeout, number",
        ),
    ] {
        assert_eq!(refused(text), format!("DIR/otpd.toml:{expected}"), "{text}");
    }
    let config = load(&format!("{EXEC}\n[provider.sms.\"a.b\"]\ntype = \"modemmanager\"\n{MAIL}\n[[method]]\nname = \"sms\"\nproviders = [\"p\"]")).unwrap();
    let names: Vec<_> =
        config.providers.iter().map(|(id, one)| (id.to_string(), one.kind())).collect();
    let expected = [("sms.a.b", "modemmanager"), ("sms.p", "exec"), ("email.p", "smtp")];
    assert_eq!(names, expected.map(|(id, kind)| (id.to_owned(), kind)));
}

/// What a kind's own checks say stands at the provider's place.
#[test]
fn settings_that_do_not_go_together() {
    for (text, expected) in [
        (format!("{HTTP}\nsuccess_regex = \"(\""), "1:15: provider.sms.p: success_regex"),
        (format!("{HTTP}\nsuccess_regex = \".*\""), "1:15: provider.sms.p: success_regex"),
        (format!("{HTTP}\nsuccess_prefix = \"a\"\nfail_prefix = \"b\""), "1:15: provider.sms.p: "),
        (format!("{HTTP}\nconnect_timeout = \"8s\""), "1:15: provider.sms.p: connect_timeout"),
        (format!("{HTTP}\nca = \"/nowhere/ca.pem\""), "1:15: provider.sms.p: tls: /nowhere/ca.pem"),
        (
            HTTP.replace("\nphone_key = \"to\"", ""),
            "1:15: provider.sms.p: nothing carries the number",
        ),
        (HTTP.replace("http://", "ftp://"), "1:15: provider.sms.p: url"),
        (format!("{GATEWAY}\nuser = \"u\""), "1:15: provider.sms.p: "),
        (format!("{GATEWAY}\nbody = \"none\""), "1:15: provider.sms.p: "),
        (
            format!("{MAIL}\ntls = \"none\"\nuser = \"u\"\npassword = \"p\""),
            "1:17: provider.email.p: ",
        ),
        (MAIL.replace("otp@example.com", "nobody"), "1:17: provider.email.p: from"),
        (
            SENDMAIL.replace("/bin/sh", "/nowhere/sendmail"),
            "1:17: provider.email.p: /nowhere/sendmail",
        ),
        (EXEC.replace("/bin/sh", "/nowhere/send"), "1:15: provider.sms.p: /nowhere/send"),
        (GNOKII.replace("/bin/sh", "/nowhere/gnokii"), "1:15: provider.sms.p: /nowhere/gnokii"),
        (
            format!("{SMPP}\nsource_addr = \"Example\"\nsource_addr_ton = 1"),
            "1:15: provider.sms.p: source_addr is a text",
        ),
        (
            format!("{SMPP}\npassword = \"too long for smpp\""),
            "1:15: provider.sms.p: password takes at most 8",
        ),
        (format!("{MODEM}\nbus = \"nothing\""), "1:15: provider.sms.p: bus"),
    ] {
        let message = refused(&text);
        assert!(message.starts_with(&format!("DIR/otpd.toml:{expected}")), "{text}: {message}");
        assert!(!message.contains("too long"), "{message}");
    }
}

/// Codes may go without TLS within the machine alone.
#[test]
fn what_goes_in_the_clear_is_warned_of() {
    let local = ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LocalHost"];
    let remote = ["gateway.example", "10.0.0.1", "128.0.0.1", "::2", "localhost.example"];
    let url = |scheme: &str, host: &str| {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        HTTP.replace("http://127.0.0.1/", &format!("{scheme}://{host}:8080/"))
    };
    let smpp = |host: &str| SMPP.replace("smsc.example", host);
    let gateway = |host: &str| GATEWAY.replace("mail.example", host);
    let mail = |host: &str| MAIL.replace("mail.example", host);
    for (hosts, far) in [(local, false), (remote, true)] {
        for host in hosts {
            for (text, at, remedy) in [
                (url("http", host), "1:15: provider \"sms.p\"", "url = \"https://…\""),
                (smpp(host), "1:15: provider \"sms.p\"", "tls = true"),
                (
                    format!("{}\ntls = \"none\"", gateway(host)),
                    "1:15: provider \"sms.p\"",
                    "tls = \"starttls\"",
                ),
                (
                    format!("{}\ntls = \"none\"", mail(host)),
                    "1:17: provider \"email.p\"",
                    "tls = \"starttls\"",
                ),
                (url("https", host), "", ""),
                (format!("{}\ntls = true", smpp(host)), "", ""),
                (gateway(host), "", ""),
                (format!("{}\ntls = \"implicit\"", mail(host)), "", ""),
            ] {
                let text = format!("{text}\n[budget]\ncountries = [\"+49\"]");
                let warnings = Folder::new(&text).load().unwrap().warnings;
                let host = host.to_ascii_lowercase();
                let expected = format!(
                    "DIR/otpd.toml:{at} sends codes and passwords in the clear to {host}, where everybody on the way can read them: set {remedy}"
                );
                let expected = if far && !at.is_empty() { vec![expected] } else { Vec::new() };
                assert_eq!(warnings, expected, "{text}");
            }
        }
    }
}

/// The files of TLS are read with the configuration.
#[test]
fn tls_keys() {
    let folder = Folder::new("");
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["gateway.example".to_owned()]).unwrap();
    folder.write("ca.pem", params.self_signed(&key).unwrap().pem().as_bytes());
    folder.write("key.pem", key.serialize_pem().as_bytes());
    let (ca, key) = (folder.path("ca.pem"), folder.path("key.pem"));
    let pin = data_encoding::BASE64.encode(&[7; 32]);
    let keys = format!("ca = {ca:?}\ncertificate = {ca:?}\nkey = {key:?}\npin = \"{pin}\"");
    let expected = otp_delivery::tls::Settings {
        ca: Some(ca.clone()),
        identity: Some((ca.clone(), key)),
        pin: Some([7; 32]),
    };
    let config = load(&format!("{HTTP}\n{keys}")).unwrap();
    assert_eq!(http(&config).tls, expected);
    let config = load(&format!("{SMPP}\ntls = true\n{keys}")).unwrap();
    assert_eq!(smpp(&config).tls, Some(expected));
    let config = load(&format!("{MAIL}\nca = {ca:?}")).unwrap();
    assert_eq!(mail(&config).ca, Some(ca));
    for (more, expected) in [
        ("key = \"/x\"", "6:1: provider.sms.p.key is not a known key"),
        (
            "certificate = \"/x\"",
            "1:15: provider.sms.p.key is missing: allowed is an absolute path",
        ),
        (
            "pin = \"00\"",
            "6:7: provider.sms.p.pin = \"00\": allowed are the SHA-256 of the server's public key in base64 (RFC 7469)",
        ),
        ("ca = \"ca.pem\"", "6:6: provider.sms.p.ca = \"ca.pem\": allowed are an absolute path"),
    ] {
        let message = refused(&format!("{HTTP}\n{more}"));
        assert!(message.starts_with(&format!("DIR/otpd.toml:{expected}")), "{message}");
    }
}
