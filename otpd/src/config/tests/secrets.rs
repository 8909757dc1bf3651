//! Secrets: where they may be, and that nothing repeats them.

use std::os::unix::fs::{chown, symlink};

use otp_delivery::Provider;

use super::*;

const BEARER: &str = "[provider.sms.p]\ntype = \"http\"\nurl = \"http://127.0.0.1/\"\n\
                      text_key = \"text\"\nphone_key = \"to\"\nauth = \"bearer\"\n";
const ALLOWED: &str = "a text, { file = \"/…\" } and { credential = \"…\" }";

fn token(folder: &Folder) -> Result<String, String> {
    let config = folder.load()?.config;
    let Provider::Http(settings) = &config.providers[0].1 else { panic!("{config}") };
    let otp_delivery::http::Auth::Bearer(token) = &settings.auth else { panic!("{config}") };
    Ok(token.expose().to_owned())
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_in_the_file_itself_is_not_for_others() {
    let folder = Folder::new(&format!("{BEARER}token = \"geheim\""));
    for mode in [0o640, 0o600, 0o400] {
        set_mode(&folder.path("otpd.toml"), mode);
        assert_eq!(token(&folder).unwrap(), "geheim");
    }
    for mode in [0o644, 0o604, 0o444] {
        set_mode(&folder.path("otpd.toml"), mode);
        assert_eq!(
            token(&folder).unwrap_err(),
            format!(
                "DIR/otpd.toml:7:9: provider.sms.p.token is a secret, and others can read this file (mode {mode:04o}): chmod 0640 DIR/otpd.toml and chgrp otpd DIR/otpd.toml, or use {{ file = \"/…\" }} or {{ credential = \"…\" }}"
            )
        );
    }
    // What holds no secret may be read by everybody.
    let folder = Folder::new(&BEARER.replace("auth = \"bearer\"", ""));
    set_mode(&folder.path("otpd.toml"), 0o644);
    folder.load().unwrap();
    for (from, to, key) in [
        ("127.0.0.1/", "127.0.0.1/?key=geheim", "3:7: provider.sms.p.url"),
        ("\nauth = \"bearer\"", "\nproxy = \"http://u:geheim@h:1\"", "6:9: provider.sms.p.proxy"),
        (
            "\nauth = \"bearer\"",
            "\nparameters.a = \"geheim\"",
            "6:16: provider.sms.p.parameters.\"a\"",
        ),
        (
            "\nauth = \"bearer\"",
            "\nheaders = { X-A = \"geheim\" }",
            "6:19: provider.sms.p.headers.\"X-A\"",
        ),
        (
            "\nauth = \"bearer\"",
            "\nbody = \"json\"\njson = '[\"geheim\"]'",
            "7:8: provider.sms.p.json",
        ),
    ] {
        folder.write(
            "otpd.toml",
            BEARER.replace(from, to).replace("auth = \"bearer\"", "").as_bytes(),
        );
        folder.load().unwrap();
        set_mode(&folder.path("otpd.toml"), 0o644);
        let message = folder.load().unwrap_err();
        assert!(message.starts_with(&format!("DIR/otpd.toml:{key} is a secret")), "{message}");
        assert!(!message.contains("geheim"), "{message}");
    }
}

#[test]
fn a_secret_may_have_a_file_of_its_own() {
    let folder = Folder::new("");
    let path = folder.path("token");
    let text = format!("{BEARER}token = {{ file = {path:?} }}");
    folder.write("otpd.toml", text.as_bytes());
    set_mode(&folder.path("otpd.toml"), 0o644);
    let column = "7:18: provider.sms.p.token: DIR/token";
    let refused = |why: &str| {
        assert_eq!(token(&folder).unwrap_err(), format!("DIR/otpd.toml:{column} {why}"));
    };
    refused("cannot be read: No such file or directory (os error 2)");
    for (bytes, value) in
        [("geheim\n", "geheim"), ("geheim", "geheim"), ("geheim a", "geheim a"), ("é", "é")]
    {
        folder.write("token", bytes.as_bytes());
        assert_eq!(token(&folder).as_deref(), Ok(value));
    }
    folder.write("token", b"geheim\n\n");
    let message = token(&folder).unwrap_err();
    assert!(
        message.contains("line break") && !message.contains("geheim"),
        "one newline: {message}"
    );
    folder.write("token", &[b'x'; 4096]);
    assert_eq!(token(&folder).unwrap().len(), 4096);
    folder.write("token", &[b'x'; 4097]);
    refused("is larger than the 4096 bytes that are allowed");
    folder.write("token", b"\xff");
    refused("is not UTF-8");
    folder.write("token", b"geheim");
    for mode in [0o600, 0o400, 0o440] {
        set_mode(&path, mode);
        assert_eq!(token(&folder).as_deref(), Ok("geheim"));
    }
    for mode in [0o644, 0o604, 0o660, 0o602, 0o641] {
        set_mode(&path, mode);
        refused(&format!(
            "has mode {mode:04o}: allowed are at most 0640 (chmod 0640, and chgrp to otpd's group)"
        ));
    }
    set_mode(&path, 0o640);
    if rustix::process::geteuid().is_root() {
        chown(&path, Some(65_533), None).unwrap();
        refused("belongs to user id 65533: allowed are root and otpd");
    }
    std::fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    refused("is not a regular file");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused("is not a regular file");
}

/// The daemon's own account may own its secrets, whoever reads them first.
#[test]
fn a_file_of_the_daemon_s_account_is_trusted() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let Some(other) = nix::unistd::User::from_name("daemon").unwrap() else { return };
    let folder = Folder::new("");
    let path = folder.write("token", b"geheim");
    chown(&path, Some(other.uid.as_raw()), None).unwrap();
    folder.write("otpd.toml", format!("{BEARER}token = {{ file = {path:?} }}").as_bytes());
    assert!(token(&folder).unwrap_err().contains("allowed are root and otpd"));
    let text = format!("[daemon]\nuser = \"daemon\"\n{BEARER}token = {{ file = {path:?} }}");
    folder.write("otpd.toml", text.as_bytes());
    assert_eq!(token(&folder).as_deref(), Ok("geheim"));
}

#[test]
fn a_secret_may_be_a_credential() {
    let folder = Folder::new(&format!("{BEARER}token = {{ credential = \"sms.token\" }}"));
    assert_eq!(
        token(&folder).unwrap_err(),
        "DIR/otpd.toml:7:24: provider.sms.p.token: the service manager has passed no credentials: add LoadCredential=sms.token:/… to otpd.service (only the service itself can read it)"
    );
    // Beside the daemon it is not needed.
    let file = folder.path("otpd.toml");
    let beside = Config::load_beside(&file, None).unwrap();
    assert!(beside.config.to_string().contains("sms.token"), "{}", beside.config);
    folder.write("credentials/sms.token", b"geheim\n");
    assert_eq!(token(&folder).as_deref(), Ok("geheim"));
    folder.write("otpd.toml", format!("{BEARER}token = {{ credential = \"other\" }}").as_bytes());
    assert_eq!(
        token(&folder).unwrap_err(),
        "DIR/otpd.toml:7:24: provider.sms.p.token: DIR/credentials/other cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn what_is_no_secret_is_refused_without_being_repeated() {
    for value in [
        "4711",
        "true",
        "[\"geheim\"]",
        "{ value = \"geheim\" }",
        "{ file = \"/a\", credential = \"b\" }",
        "{}",
    ] {
        assert_eq!(
            refused(&format!("{BEARER}token = {value}")),
            format!("DIR/otpd.toml:7:9: provider.sms.p.token = ••••: allowed are {ALLOWED}"),
            "{value}"
        );
    }
    for (value, expected) in [
        (
            "{ file = \"x\" }",
            "7:18: provider.sms.p.token.file = \"x\": allowed are an absolute path of a file, without \"..\"",
        ),
        (
            "{ credential = \"../x\" }",
            "7:24: provider.sms.p.token.credential = \"../x\": allowed are 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'",
        ),
    ] {
        assert_eq!(
            refused(&format!("{BEARER}token = {value}")),
            format!("DIR/otpd.toml:{expected}")
        );
    }
    let http = BEARER.replace("auth = \"bearer\"\n", "");
    for (more, expected) in [
        (
            "parameters = \"geheim\"",
            "6:14: provider.sms.p.parameters = ••••: allowed are a table of names and texts"
                .to_owned(),
        ),
        (
            "parameters = { \"a b\" = 4711 }",
            format!("6:24: provider.sms.p.parameters.\"a b\" = ••••: allowed are {ALLOWED}"),
        ),
        (
            "unicode_parameters.x = 4711",
            format!("6:24: provider.sms.p.unicode_parameters.\"x\" = ••••: allowed are {ALLOWED}"),
        ),
        (
            "headers.X = [\"geheim\"]",
            format!("6:13: provider.sms.p.headers.\"X\" = ••••: allowed are {ALLOWED}"),
        ),
        ("proxy = 4711", format!("6:9: provider.sms.p.proxy = ••••: allowed are {ALLOWED}")),
        (
            "body = \"json\"\njson = 4711",
            format!("7:8: provider.sms.p.json = ••••: allowed are {ALLOWED}"),
        ),
        (
            "body = \"raw\"\nraw = 4711",
            format!("7:7: provider.sms.p.raw = ••••: allowed are {ALLOWED}"),
        ),
        (
            "auth = \"basic\"\nuser = \"u\"\npassword = 4711",
            format!("8:12: provider.sms.p.password = ••••: allowed are {ALLOWED}"),
        ),
        (
            "auth = \"header\"\nauth_name = \"u\"\nauth_value = 4711",
            format!("8:14: provider.sms.p.auth_value = ••••: allowed are {ALLOWED}"),
        ),
        (
            "auth = \"aws_sigv4\"\nregion = \"r\"\naccess_key = \"a\"\nsecret_key = 4711",
            format!("9:14: provider.sms.p.secret_key = ••••: allowed are {ALLOWED}"),
        ),
        (
            "auth = \"aws_sigv4\"\nregion = \"r\"\naccess_key = \"a\"\nsecret_key = \"k\"\nsession_token = 4711",
            format!("10:17: provider.sms.p.session_token = ••••: allowed are {ALLOWED}"),
        ),
    ] {
        assert_eq!(refused(&format!("{http}{more}")), format!("DIR/otpd.toml:{expected}"));
    }
}

/// Everything that can hold a secret.
const SECRETS: &str = r#"
[provider.sms.a]
type = "http"
url = "https://gateway.example/send?key=SECRET"
parameters = { user = "SECRET" }
unicode_parameters = { type = "SECRET" }
headers = { X-A = "SECRET" }
text_key = "text"
phone_key = "to"
proxy = "http://u:SECRET@proxy.example:8080"
user = "u"
password = "SECRET"
[provider.sms.b]
type = "http"
url = "https://gateway.example/"
body = "json"
json = '{"key": "SECRET", "to": "{phone}", "text": "{text}"}'
auth = "aws_sigv4"
region = "eu-central-1"
access_key = "AK"
secret_key = "SECRET"
session_token = "SECRET"
[provider.sms.c]
type = "http"
url = "https://gateway.example/"
body = "raw"
raw = "SECRET {phone} {text}"
auth = "header"
auth_name = "X-Key"
auth_value = "SECRET"
[provider.sms.d]
type = "smpp"
server = "smsc.example"
system_id = "otpd"
password = "SECRET"
[provider.sms.j]
type = "smtp"
server = "mail.example"
from = "gateway@example.com"
to = "{phone}@sms.example"
subject = "SECRET"
body = "password: SECRET\nto: {phone}\ntext: {text}"
[provider.email.e]
type = "smtp"
server = "mail.example"
from = "otp@example.com"
user = "u"
password = "SECRET"
[[method]]
name = "sms"
providers = ["a", "b", "c", "d", "j"]
"#;

#[test]
fn nothing_shows_a_secret() {
    let config = load(&SECRETS.replace("SECRET", "geheim")).unwrap();
    for text in [config.to_string(), format!("{config:?}")] {
        assert!(!text.contains("geheim"), "{text}");
    }
    let text = config.to_string();
    for line in [
        "url = \"••••\"",
        "parameters = { \"user\" = \"••••\" }",
        "headers = { \"X-A\" = \"••••\" }",
        "proxy = \"••••\"",
        "password = \"••••\"",
        "json = \"••••\"",
        "subject = \"••••\"",
        "body = \"••••\"",
        "secret_key = \"••••\"",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    // Whatever is wrong beside them.
    for (from, to) in [
        ("text_key = \"text\"", "text_key = \"user\""),
        ("https://gateway.example/send", "nowhere"),
        ("X-A", "Host"),
        ("http://u:", "ftp://u:"),
        ("\"key\"", "key"),
        ("{phone}", "x"),
        ("X-Key", "X Key"),
        ("\"otpd\"", "\"otpd otpd otpd otpd\""),
        ("otp@example.com", "x"),
        ("gateway@example.com", "x"),
        ("text: {text}", "no code"),
        ("to: {phone}", "to: {SECRET}"),
        ("subject = \"SECRET", "subject = \"SECRET\\n"),
        ("body = \"password: SECRET", "body = \"password: SECRET\\r"),
        ("[[method]]", "[[method]"),
        ("type = \"smpp\"", "type = \"smpp\"\nsystem_ids = 1"),
    ] {
        let text = SECRETS.replace(from, to).replace("SECRET", "geheim");
        let message = refused(&text);
        assert!(!message.contains("geheim"), "{message}");
    }
}

/// With masks for secrets, or with secrets elsewhere, what is shown reads as the same.
#[test]
fn what_is_shown_of_providers_reads_as_the_same() {
    let folder = Folder::new("");
    let file = |name: &str, text: &str| folder.write(name, text.as_bytes());
    let url = file("url", "https://gateway.example/send?key=geheim");
    let proxy = file("proxy", "http://u:geheim@proxy.example:8080");
    let json = file("json", "{\"key\": \"geheim\", \"to\": \"{phone}\", \"text\": \"{text}\"}");
    let password = file("password", "geheim");
    let raw = file("raw", "geheim {phone} {text}");
    let body = file("body", "password: geheim\nto: {phone}\ntext: {text}");
    let text = SECRETS
        .replace("\"https://gateway.example/send?key=SECRET\"", &format!("{{ file = {url:?} }}"))
        .replace("\"http://u:SECRET@proxy.example:8080\"", &format!("{{ file = {proxy:?} }}"))
        .replace("'{\"key\": \"SECRET\", \"to\": \"{phone}\", \"text\": \"{text}\"}'", &format!("{{ file = {json:?} }}"))
        .replace("\"SECRET {phone} {text}\"", &format!("{{ file = {raw:?} }}"))
        .replace("\"password: SECRET\\nto: {phone}\\ntext: {text}\"", &format!("{{ file = {body:?} }}"))
        .replace("type = \"smpp\"\n", "type = \"smpp\"\nsource_addr_ton = 5\ntls = true\nwindow = 3\n")
        .replace("\"otpd\"\npassword = \"SECRET\"", &format!("\"otpd\"\npassword = {{ file = {password:?} }}"))
        .replace("[provider.sms.b]", "retries = 0\ntimeout = \"4s\"\nsuccess_status = [202, \"200-201\"]\nfail_json = { pointer = \"/a\", values = [\"x\"] }\nno_proxy = [\"a\", \"b\"]\n[provider.sms.b]")
        + "[provider.email.f]\ntype = \"sendmail\"\npath = \"/bin/sh\"\nfrom = \"Acme <a@b>\"\n\
           [provider.sms.g]\ntype = \"exec\"\npath = \"/bin/sh\"\narguments = [\"\\\"\"]\n\
           [provider.sms.h]\ntype = \"gnokii\"\npath = \"/bin/sh\"\nconfig = \"/etc/rc\"\n\
           [provider.sms.i]\ntype = \"modemmanager\"\n\
           [provider.sms.\"j.k\"]\ntype = \"smtp\"\nserver = \"m\"\nfrom = \"a@b\"\nto = \"{phone}@b\"\nsubject = \"••••\"\n\
           [[method]]\nname = \"email\"\nproviders = [\"f\", \"e\"]\n";
    let config = load(&text.replace("SECRET", "••••")).unwrap();
    assert_eq!(config.providers.len(), 11);
    let shown = config.to_string();
    let again = load(&shown).unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(again, config, "{shown}");
    assert_eq!(again.to_string(), shown);
}
