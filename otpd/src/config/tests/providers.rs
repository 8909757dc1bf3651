//! `[provider.sms.NAME]` and `[provider.email.NAME]`: every key of every kind.

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

#[test]
fn http_request() {
    check_rows(
        HTTP,
        &[
            (
                "provider.sms.p.method",
                |c| show(http(c).method),
                "Post",
                &[("\"GET\"", "Get"), ("\"post\"", "Post"), ("\"PUT\"", "Put")],
                &["\"DELETE\"", "\"\"", "1"],
                "\"GET\", \"POST\", \"PUT\"",
            ),
            (
                "provider.sms.p.body",
                |c| show(&http(c).body),
                "None",
                &[("\"query\"", "Some(Query)"), ("\"form\"", "Some(Form)")],
                &["\"xml\"", "1"],
                "\"query\", \"form\", \"json\", \"raw\"",
            ),
            (
                "provider.sms.p.no_proxy",
                |c| show(&http(c).no_proxy),
                "[]",
                &[],
                &["[]", "\"x\"", "1"],
                "a list of at least one of host names, addresses, networks and \"*\"",
            ),
            (
                "provider.sms.p.number",
                |c| show(&http(c).number),
                "E164",
                &[("\"e164\"", "E164"), ("\"digits\"", "Digits"), ("\"00\"", "DoubleZero")],
                &["\"+\"", "49"],
                "\"e164\", \"digits\", \"00\", \"national\", \"regex\"",
            ),
            (
                "provider.sms.p.timeout",
                |c| show((http(c).timeout, http(c).connect_timeout)),
                "(8s, 5s)",
                &[("\"9s\"", "(9s, 5s)"), ("\"5s\"", "(5s, 2.5s)"), ("\"100ms\"", "(100ms, 50ms)")],
                &["\"0s\"", "0", "\"9001ms\"", "8"],
                "\"1ms\" to \"9s\", UNIT",
            ),
            (
                "provider.sms.p.connect_timeout",
                |c| show(http(c).connect_timeout),
                "5s",
                &[("\"1ms\"", "1ms"), ("\"7999ms\"", "7.999s")],
                &["\"0s\"", "\"9s\"", "5"],
                "\"1ms\" to \"8999ms\", UNIT",
            ),
            (
                "provider.sms.p.retries",
                |c| show(http(c).retries),
                "1",
                &[("0", "0"), ("5", "5")],
                &["-1", "6", "\"1\""],
                "0 to 5",
            ),
            (
                "provider.sms.p.idempotency_header",
                |c| show(&http(c).idempotency_header),
                "None",
                &[("\"Idempotency-Key\"", "Some(\"Idempotency-Key\")")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.proxy",
                |c| show(http(c).proxy.as_ref().map(otp_delivery::Hidden::expose)),
                "None",
                &[("\"http://user:pw@10.0.0.1:8080\"", "Some(\"http://user:pw@10.0.0.1:8080\")")],
                &[],
                "",
            ),
        ],
    );
    let no_proxy =
        format!("{HTTP}\nproxy = \"socks5h://10.0.0.1:1080\"\nno_proxy = [\"10.0.0.0/8\"]");
    assert_eq!(http(&load(&no_proxy).unwrap()).no_proxy, ["10.0.0.0/8"]);
}

#[test]
fn http_parameters_and_bodies() {
    let with =
        |more: &str| load(&format!("{HTTP}\n{more}")).unwrap_or_else(|error| panic!("{error}"));
    let exposed = |map: &std::collections::BTreeMap<String, otp_delivery::Hidden>| {
        show(map.iter().map(|(name, value)| (name.as_str(), value.expose())).collect::<Vec<_>>())
    };
    let config = with(
        "parameters = { user = \"u\", \"api id\" = \"1&2\" }\nunicode_parameters = { type = \"unicode\" }\n\
         [provider.sms.p.headers]\nX-Key = \"k\"",
    );
    assert_eq!(exposed(&http(&config).parameters), "[(\"api id\", \"1&2\"), (\"user\", \"u\")]");
    assert_eq!(exposed(&http(&config).unicode_parameters), "[(\"type\", \"unicode\")]");
    assert_eq!(exposed(&http(&config).headers), "[(\"X-Key\", \"k\")]");
    assert_eq!(http(&config).text_key.as_deref(), Some("text"));
    assert_eq!(http(&config).phone_key.as_deref(), Some("to"));

    let config = with("body = \"json\"\njson = '{\"to\": \"{phone}\"}'");
    let Some(http::Body::Json(json)) = &http(&config).body else { panic!("{config}") };
    assert_eq!(json.expose(), "{\"to\": \"{phone}\"}");
    for (line, expected) in [
        ("", "text/plain; charset=utf-8"),
        ("content_type = \"application/xml\"\n", "application/xml"),
    ] {
        let config = with(&format!("body = \"raw\"\n{line}raw = \"<t>{{text}}</t>\""));
        let Some(http::Body::Raw { content_type, template }) = &http(&config).body else {
            panic!("{config}")
        };
        assert_eq!((content_type.as_str(), template.expose()), (expected, "<t>{text}</t>"));
    }
    let form = with("number = \"national\"\ncountry = \"49\"");
    assert_eq!(show(&http(&form).number), "National { country: \"49\" }");
    let form = with("number = \"regex\"\nnumber_search = '^\\+49'\nnumber_replace = \"0\"");
    assert_eq!(show(&http(&form).number), "Pattern { search: \"^\\\\+49\", replace: \"0\" }");
    let form = with("number = \"regex\"\nnumber_search = '\\D'");
    assert_eq!(show(&http(&form).number), "Pattern { search: \"\\\\D\", replace: \"\" }");
}

#[test]
fn http_authentication() {
    use http::Auth;
    let auth = |more: &str| {
        let config = load(&format!("{HTTP}\n{more}")).unwrap_or_else(|error| panic!("{error}"));
        http(&config).auth.clone()
    };
    let (username, password) = ("u".to_owned(), otp_delivery::Hidden::from("p"));
    let basic = Auth::Basic { username: username.clone(), password: password.clone() };
    let program = |cache| Auth::Program {
        path: "/bin/sh".into(),
        cache: std::time::Duration::from_secs(cache),
    };
    let aws = |service: &str, session_token: Option<&str>| Auth::AwsSigV4 {
        region: "eu-central-1".to_owned(),
        service: service.to_owned(),
        access_key: "AK".to_owned(),
        secret_key: "p".into(),
        session_token: session_token.map(Into::into),
    };
    let keys = "region = \"eu-central-1\"\naccess_key = \"AK\"\nsecret_key = \"p\"";
    for (more, expected) in [
        ("", Auth::None),
        ("auth = \"none\"", Auth::None),
        ("user = \"u\"\npassword = \"p\"", basic.clone()),
        ("auth = \"basic\"\nuser = \"u\"\npassword = \"p\"", basic),
        ("auth = \"digest\"\nuser = \"u\"\npassword = \"p\"", Auth::Digest { username, password }),
        ("auth = \"bearer\"\ntoken = \"p\"", Auth::Bearer("p".into())),
        (
            "auth = \"header\"\nauth_name = \"X-Key\"\nauth_value = \"p\"",
            Auth::Header { name: "X-Key".to_owned(), value: "p".into() },
        ),
        (
            "auth = \"query\"\nauth_name = \"key\"\nauth_value = \"p\"",
            Auth::Query { name: "key".to_owned(), value: "p".into() },
        ),
        (&format!("auth = \"aws_sigv4\"\n{keys}"), aws("sns", None)),
        (
            &format!("auth = \"aws_sigv4\"\n{keys}\nservice = \"sms\"\nsession_token = \"t\""),
            aws("sms", Some("t")),
        ),
        ("auth = \"program\"\nprogram = \"/bin/sh\"", program(0)),
        ("auth = \"program\"\nprogram = \"/bin/sh\"\ntoken_cache = \"50m\"", program(3000)),
    ] {
        assert_eq!(auth(more), expected, "{more}");
    }
    let secret = "allowed is a text, { file = \"/…\" } and { credential = \"…\" }";
    for (more, expected) in [
        ("auth = \"basic\"", format!("1:15: provider.sms.p.user is missing: allowed is {TEXT}")),
        ("user = \"u\"", format!("1:15: provider.sms.p.password is missing: {secret}")),
        ("auth = \"bearer\"", format!("1:15: provider.sms.p.token is missing: {secret}")),
        (
            "auth = \"bearer\"\ntoken = \"t\"\nuser = \"u\"",
            "1:15: provider.sms.p.user goes with auth = \"basic\" and \"digest\" alone".to_owned(),
        ),
        (
            "auth = \"header\"\nauth_value = \"v\"",
            format!("1:15: provider.sms.p.auth_name is missing: allowed is {TEXT}"),
        ),
        (
            "auth = \"query\"\nauth_name = \"n\"",
            format!("1:15: provider.sms.p.auth_value is missing: {secret}"),
        ),
        (
            "auth = \"program\"",
            format!("1:15: provider.sms.p.program is missing: allowed is {PATH}"),
        ),
        (
            "auth = \"program\"\nprogram = \"/bin/sh\"\ntoken_cache = \"25h\"",
            format!("8:15: provider.sms.p.token_cache = \"25h\": allowed are \"0ms\" to \"1d\", {UNIT}"),
        ),
        (
            "auth = \"oauth\"",
            "6:8: provider.sms.p.auth = \"oauth\": allowed are \"none\", \"basic\", \"digest\", \"bearer\", \"header\", \"query\", \"aws_sigv4\", \"program\"".to_owned(),
        ),
    ] {
        assert_eq!(refused(&format!("{HTTP}\n{more}")), format!("DIR/otpd.toml:{expected}"));
    }
}

#[test]
fn http_replies() {
    const RULE: &str = "{ pointer = \"/…\", values = [\"…\"] } (RFC 6901)";
    const RULES: &[(&str, &str)] = &[(
        "{ pointer = \"/a\", values = [\"0\", \"ok\"] }",
        "Some(JsonRule { pointer: \"/a\", values: [\"0\", \"ok\"] })",
    )];
    const NO_RULE: &[&str] = &["1", "\"/a\""];
    const STATUS: &str = "a list of at least one of statuses and ranges of them like 200 and \"200-204\", within 200 to 299";
    check_rows(
        HTTP,
        &[
            (
                "provider.sms.p.success_status",
                |c| show(&http(c).success_status),
                "[200..=299]",
                &[("[202, \"200-201\", \"204-299\"]", "[202..=202, 200..=201, 204..=299]")],
                &["[]", "200", "\"200\""],
                STATUS,
            ),
            (
                "provider.sms.p.success_regex",
                |c| show(&http(c).success_regex),
                "None",
                &[("\"(result:0|success)\"", "Some(\"(result:0|success)\")")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.fail_regex",
                |c| show(&http(c).fail_regex),
                "None",
                &[("\"^ERR\"", "Some(\"^ERR\")")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.success_prefix",
                |c| show(&http(c).success_prefix),
                "None",
                &[("\"ID\"", "Some(\"ID\")")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.fail_prefix",
                |c| show(&http(c).fail_prefix),
                "None",
                &[("\"ERR\"", "Some(\"ERR\")")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.success_json",
                |c| show(&http(c).success_json),
                "None",
                RULES,
                NO_RULE,
                RULE,
            ),
            (
                "provider.sms.p.fail_json",
                |c| show(&http(c).fail_json),
                "None",
                RULES,
                NO_RULE,
                RULE,
            ),
            (
                "provider.sms.p.id_json",
                |c| show(&http(c).id),
                "None",
                &[("\"/id\"", "Some(Json(\"/id\"))")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.id_regex",
                |c| show(&http(c).id),
                "None",
                &[("\"^ID: ([0-9a-f]+)\"", "Some(Regex(\"^ID: ([0-9a-f]+)\"))")],
                NO_TEXT,
                TEXT,
            ),
        ],
    );
    for item in ["199", "300", "\"200-300\"", "\"204-200\"", "\"2xx\"", "true"] {
        assert_eq!(
            refused(&format!("{HTTP}\nsuccess_status = [{item}]")),
            format!(
                "DIR/otpd.toml:6:19: provider.sms.p.success_status = {item}: allowed are {STATUS}"
            )
        );
    }
    for rule in [
        "{ pointer = \"/a\" }",
        "{ values = [\"0\"] }",
        "{ pointer = \"/a\", values = [] }",
        "{ pointer = \"/a\", values = [0] }",
        "{ pointer = \"/a\", values = [\"0\"], more = 1 }",
    ] {
        assert_eq!(
            refused(&format!("{HTTP}\nfail_json = {rule}")),
            format!("DIR/otpd.toml:6:13: provider.sms.p.fail_json = {{…}}: allowed are {RULE}")
        );
    }
    assert_eq!(
        refused(&format!("{HTTP}\nid_json = \"/a\"\nid_regex = \"a\"")),
        "DIR/otpd.toml:1:15: provider.sms.p.id_json and id_regex: remove one"
    );
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

#[test]
fn smpp_keys() {
    check_rows(
        SMPP,
        &[
            (
                "provider.sms.p.port",
                |c| show(smpp(c).port),
                "5100",
                &[("1", "1"), ("65535", "65535")],
                &["0", "65536", "\"5100\""],
                "1 to 65535",
            ),
            (
                "provider.sms.p.tls",
                |c| show(&smpp(c).tls),
                "None",
                &[
                    ("false", "None"),
                    ("true", "Some(Settings { ca: None, identity: None, pin: None })"),
                ],
                &["\"yes\"", "1"],
                "true and false",
            ),
            (
                "provider.sms.p.password",
                |c| show(smpp(c).password.expose()),
                "\"\"",
                &[("\"secret08\"", "\"secret08\"")],
                &[],
                "",
            ),
            (
                "provider.sms.p.system_type",
                |c| show(&smpp(c).system_type),
                "\"\"",
                &[("\"VMA\"", "\"VMA\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.service_type",
                |c| show(&smpp(c).service_type),
                "\"\"",
                &[("\"CMT\"", "\"CMT\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.bind",
                |c| show(smpp(c).bind),
                "Transmitter",
                &[("\"transmitter\"", "Transmitter"), ("\"transceiver\"", "Transceiver")],
                &["\"receiver\"", "1"],
                "\"transmitter\", \"transceiver\"",
            ),
            (
                "provider.sms.p.source_addr",
                |c| show(&smpp(c).source_addr),
                "\"\"",
                &[("\"Example\"", "\"Example\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.source_addr_ton",
                |c| show(smpp(c).source_addr_ton),
                "None",
                &[("0", "Some(0)"), ("6", "Some(6)")],
                &["-1", "7", "\"5\""],
                "0 to 6",
            ),
            (
                "provider.sms.p.source_addr_npi",
                |c| show(smpp(c).source_addr_npi),
                "None",
                &[("0", "Some(0)"), ("18", "Some(18)")],
                &["-1", "19", "\"0\""],
                "0 to 18",
            ),
            (
                "provider.sms.p.dest_addr_ton",
                |c| show(smpp(c).dest_addr_ton),
                "1",
                &[("0", "0"), ("6", "6")],
                &["-1", "7"],
                "0 to 6",
            ),
            (
                "provider.sms.p.dest_addr_npi",
                |c| show(smpp(c).dest_addr_npi),
                "1",
                &[("0", "0"), ("18", "18")],
                &["-1", "19"],
                "0 to 18",
            ),
            (
                "provider.sms.p.default_alphabet",
                |c| show(smpp(c).default_alphabet),
                "Gsm7",
                &[
                    ("\"gsm7\"", "Gsm7"),
                    ("\"latin1\"", "Latin1"),
                    ("\"ascii\"", "Ascii"),
                    ("\"utf8\"", "Utf8"),
                ],
                &["\"ucs2\"", "8"],
                "\"gsm7\", \"latin1\", \"ascii\", \"utf8\"",
            ),
            (
                "provider.sms.p.registered_delivery",
                |c| show(smpp(c).registered_delivery),
                "false",
                &[("true", "true")],
                &["1", "\"yes\""],
                "true and false",
            ),
            (
                "provider.sms.p.window",
                |c| show(smpp(c).window),
                "10",
                &[("1", "1"), ("10", "10")],
                &["0", "11"],
                "1 to 10",
            ),
            (
                "provider.sms.p.response_timeout",
                |c| show(smpp(c).response_timeout),
                "5s",
                &[("\"1s\"", "1s"), ("\"6s\"", "6s")],
                &["\"0s\"", "\"999ms\"", "\"6001ms\"", "5"],
                "\"1s\" to \"6s\", UNIT",
            ),
            (
                "provider.sms.p.enquire_link_interval",
                |c| show(smpp(c).enquire_link_interval),
                "30s",
                &[("\"5s\"", "5s"), ("\"10m\"", "600s")],
                &["\"0s\"", "\"4s\"", "\"601s\"", "30"],
                "\"5s\" to \"10m\", UNIT",
            ),
        ],
    );
    let config = load(SMPP).unwrap();
    assert_eq!(
        (smpp(&config).server.as_str(), smpp(&config).system_id.as_str()),
        ("smsc.example", "otpd")
    );
    assert_eq!(
        refused("[provider.sms.p]\ntype = \"smpp\"\nserver = \"x\""),
        format!("DIR/otpd.toml:1:15: provider.sms.p.system_id is missing: allowed is {TEXT}")
    );
    assert!(
        refused(&format!("{SMPP}\nca = \"/x\"")).contains("provider.sms.p.ca is not a known key")
    );
}

#[test]
fn mail_keys() {
    check_rows(
        MAIL,
        &[
            (
                "provider.email.p.port",
                |c| show(mail(c).port),
                "None",
                &[("1", "Some(1)"), ("65535", "Some(65535)")],
                &["0", "65536", "\"25\""],
                "1 to 65535",
            ),
            (
                "provider.email.p.tls",
                |c| show(mail(c).tls),
                "StartTls",
                &[("\"starttls\"", "StartTls"), ("\"implicit\"", "Implicit"), ("\"none\"", "None")],
                &["true", "\"tls\""],
                "\"starttls\", \"implicit\", \"none\"",
            ),
            ("provider.email.p.ca", |c| show(&mail(c).ca), "None", &[], NO_PATH, PATH),
            ("provider.email.p.user", |c| show(&mail(c).user), "None", &[], NO_TEXT, TEXT),
            (
                "provider.email.p.mechanism",
                |c| show(mail(c).mechanism),
                "Any",
                &[("\"any\"", "Any")],
                &["\"cram-md5\"", "1"],
                "\"any\", \"plain\", \"login\", \"xoauth2\"",
            ),
            (
                "provider.email.p.token_program",
                |c| show(&mail(c).token_program),
                "[]",
                &[],
                &["[]", "\"/bin/sh\""],
                "a list of at least one of a program's absolute path and its arguments",
            ),
            (
                "provider.email.p.envelope_from",
                |c| show(mail(c).envelope_from.as_ref().map(|a| a.as_str().to_owned())),
                "None",
                &[("\"bounce@example.com\"", "Some(\"bounce@example.com\")")],
                &["\"\"", "\"x\"", "\"A <a@b>\"", "1"],
                "a mail address",
            ),
            (
                "provider.email.p.timeout",
                |c| show(mail(c).timeout),
                "8s",
                &[("\"1s\"", "1s"), ("\"9s\"", "9s")],
                &["\"0s\"", "\"999ms\"", "\"9001ms\"", "8"],
                "\"1s\" to \"9s\", UNIT",
            ),
        ],
    );
    let login = |more: &str| load(&format!("{MAIL}\nuser = \"u\"\n{more}")).unwrap();
    for (word, mechanism) in [("plain", "Plain"), ("login", "Login"), ("xoauth2", "XOAuth2")] {
        let config = login(&format!("password = \"p\"\nmechanism = \"{word}\""));
        let mail = mail(&config);
        assert_eq!(show(mail.mechanism), mechanism);
        let password = mail.password.as_ref().unwrap().expose();
        assert_eq!((mail.user.as_deref(), password), (Some("u"), "p"));
    }
    let program = login("mechanism = \"xoauth2\"\ntoken_program = [\"/bin/sh\", \"-c\"]");
    assert_eq!(mail(&program).token_program, ["/bin/sh", "-c"]);
    assert_eq!(mail(&program).hello, "otp.example");
    let unnamed = load(&MAIL.replace("\nhello = \"otp.example\"", "")).unwrap();
    let host = nix::unistd::gethostname().unwrap();
    assert_eq!(mail(&unnamed).hello, host.to_str().unwrap(), "the machine's own name");
}

#[test]
fn gateway_keys() {
    check_rows(
        GATEWAY,
        &[
            (
                "provider.sms.p.subject",
                |c| show(&gateway(c).subject),
                "\"[otpd]\"",
                &[("\"{phone}\"", "\"{phone}\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.body",
                |c| show(&gateway(c).body),
                "\"{text}\"",
                &[("\"a\\n{otp}\"", "\"a\\n{otp}\"")],
                &["1", "true"],
                "a text",
            ),
            (
                "provider.sms.p.number",
                |c| show(gateway(c).number),
                "E164",
                &[("\"e164\"", "E164"), ("\"digits\"", "Digits")],
                &["\"00\"", "1"],
                "\"e164\", \"digits\"",
            ),
            (
                "provider.sms.p.port",
                |c| show(gateway(c).mail.port),
                "None",
                &[("25", "Some(25)")],
                &["0"],
                "1 to 65535",
            ),
        ],
    );
    let config = load(GATEWAY).unwrap();
    assert_eq!(gateway(&config).to, "{phone}@sms.example");
    assert_eq!(
        refused(&format!("{GATEWAY}\nbody = \"{{text}}\\r\"")),
        "DIR/otpd.toml:6:8: provider.sms.p.body = \"{text}\\r\": allowed is a text without control characters but \\n"
    );
    assert_eq!(
        refused(&GATEWAY.replace("\nto = \"{phone}@sms.example\"", "")),
        format!("DIR/otpd.toml:1:15: provider.sms.p.to is missing: allowed is {TEXT}")
    );
}

#[test]
fn keys_of_programs_and_modems() {
    const TIMES: &[(&str, &str)] = &[("\"1s\"", "1s"), ("\"60s\"", "60s")];
    const NO_TIME: &[&str] = &["\"0s\"", "\"999ms\"", "\"61s\"", "9"];
    const RANGE: &str = "\"1s\" to \"1m\", UNIT";
    check_rows(
        SENDMAIL,
        &[
            (
                "provider.email.p.envelope_from",
                |c| show(sendmail(c).envelope_from.is_some()),
                "false",
                &[("\"a@b\"", "true")],
                &["\"x\""],
                "a mail address",
            ),
            (
                "provider.email.p.timeout",
                |c| show(sendmail(c).timeout),
                "9s",
                TIMES,
                NO_TIME,
                RANGE,
            ),
        ],
    );
    check_rows(
        EXEC,
        &[
            (
                "provider.sms.p.arguments",
                |c| show(&exec(c).arguments),
                "[]",
                &[("[]", "[]"), ("[\"-c\", \"x y\"]", "[\"-c\", \"x y\"]")],
                &["\"-c\"", "1"],
                "a list of a text without control characters",
            ),
            (
                "provider.sms.p.number",
                |c| show(exec(c).number),
                "E164",
                &[("\"digits\"", "Digits")],
                &["\"00\""],
                "\"e164\", \"digits\"",
            ),
            ("provider.sms.p.timeout", |c| show(exec(c).timeout), "9s", TIMES, NO_TIME, RANGE),
        ],
    );
    check_rows(
        GNOKII,
        &[
            (
                "provider.sms.p.state",
                |c| show(&gnokii(c).state),
                "\"/var/lib/otpd\"",
                &[("\"/srv/gnokii\"", "\"/srv/gnokii\"")],
                NO_PATH,
                PATH,
            ),
            (
                "provider.sms.p.smsc",
                |c| show(gnokii(c).smsc.as_ref().map(|n| n.as_str().to_owned())),
                "None",
                &[("\"+491710760000\"", "Some(\"+491710760000\")")],
                &["\"0171\"", "49", "\"x\""],
                "a number like \"+491710760000\"",
            ),
            ("provider.sms.p.timeout", |c| show(gnokii(c).timeout), "20s", TIMES, NO_TIME, RANGE),
        ],
    );
    check_rows(
        MODEM,
        &[
            (
                "provider.sms.p.modem",
                |c| show(modem(c).modem.as_str()),
                "\"any\"",
                &[("\"490154203237518\"", "\"490154203237518\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.bus",
                |c| show(modem(c).bus.as_str()),
                "\"unix:path=/run/dbus/system_bus_socket\"",
                &[("\"unix:path=/run/other\"", "\"unix:path=/run/other\"")],
                NO_TEXT,
                TEXT,
            ),
            (
                "provider.sms.p.timeout",
                |c| show(modem(c).timeout),
                "8s",
                &[("\"1s\"", "1s"), ("\"9s\"", "9s")],
                &["\"0s\"", "\"999ms\"", "\"9001ms\"", "8"],
                "\"1s\" to \"9s\", UNIT",
            ),
        ],
    );
    assert_eq!(gnokii(&load(GNOKII).unwrap()).config, PathBuf::from("/etc/rc"));
    assert_eq!(exec(&load(EXEC).unwrap()).path, PathBuf::from("/bin/sh"));
    let email = EXEC.replace(".sms.", ".email.");
    exec(&load(&email).unwrap());
    assert!(
        refused(&format!("{email}\nnumber = \"digits\"")).contains("number is not a known key")
    );
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
