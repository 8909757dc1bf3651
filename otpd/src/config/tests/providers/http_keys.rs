use super::*;

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
