use super::*;

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
                |c| show(gateway(c).subject.expose()),
                "\"[otpd]\"",
                &[("\"{phone}\"", "\"{phone}\"")],
                &[],
                "",
            ),
            (
                "provider.sms.p.body",
                |c| show(gateway(c).body.expose()),
                "\"{text}\"",
                &[("\"a\\n{otp}\"", "\"a\\n{otp}\"")],
                &[],
                "",
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
    for (key, control, but) in [("subject", "\\n", ""), ("body", "\\r", " but \\n")] {
        assert_eq!(
            refused(&format!("{GATEWAY}\n{key} = \"{{text}}{control}\"")),
            format!("DIR/otpd.toml:1:15: provider.sms.p.{key}: allowed is {TEXT}{but}")
        );
        let at = format!("DIR/otpd.toml:6:{}: provider.sms.p.{key}", key.len() + 4);
        assert_eq!(
            refused(&format!("{GATEWAY}\n{key} = 4711")),
            format!(
                "{at} = ••••: allowed are a text, {{ file = \"/…\" }} and {{ credential = \"…\" }}"
            )
        );
        let folder = Folder::new(&format!("{GATEWAY}\n{key} = \"geheim {{text}}\""));
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(folder.path("otpd.toml"), open).unwrap();
        let message = folder.load().unwrap_err();
        assert!(message.starts_with(&format!("{at} is a secret, and others")), "{message}");
        assert!(!message.contains("geheim"), "{message}");
    }
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
