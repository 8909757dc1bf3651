use super::*;

#[test]
fn words_and_texts() {
    let keys = [
        Key {
            before: "[daemon]",
            name: "daemon.user",
            read: |config| config.user.clone(),
            default: "otpd",
            takes: &[("\"a\"", "a"), ("\"svc otp\"", "svc otp")],
            refuses: &["\"\"", "\" \"", "\"a/b\"", "\"a:b\"", "\"-x\"", "\"..\"", "7", "['a']"],
            allowed: "NAME",
        },
        Key {
            before: "[bus]",
            name: "bus.address",
            read: |config| config.bus.address.clone(),
            default: "unix:path=/run/dbus/system_bus_socket",
            takes: &[("\"unix:path=/tmp/bus\"", "unix:path=/tmp/bus")],
            refuses: &[
                "\"\"",
                "\"unix:path=bus\"",
                "\"unixexec:path=/bin/sh\"",
                "\"unix:path=/a;unixexec:path=/bin/sh\"",
                "\"unix:path=/a,guid=1\"",
                "\"unix:path=/a%20\"",
                "\"tcp:host=127.0.0.1\"",
                "1",
            ],
            allowed: "\"unix:path=/…\", a socket by its absolute path",
        },
        Key {
            before: "[enrolment]",
            name: "enrolment.issuer",
            read: |config| show(&config.enrolment.issuer),
            default: "None",
            takes: &[("\"Acme Inc\"", "Some(\"Acme Inc\")"), ("\"é\"", "Some(\"é\")")],
            refuses: &["\"\"", "\"a:b\"", "\" a\"", "\"a\\u0007\"", "true"],
            allowed: "1 to 64 bytes without ':' and control characters",
        },
        Key {
            before: "[enrolment]",
            name: "enrolment.qr",
            read: |config| show(config.enrolment.qr),
            default: "Dark",
            takes: &[("\"dark\"", "Dark"), ("\"light\"", "Light"), ("\"none\"", "None")],
            refuses: &["\"Dark\"", "\"\"", "true"],
            allowed: "\"dark\", \"light\", \"none\"",
        },
        Key {
            before: "[enrolment]",
            name: "enrolment.label",
            read: |config| show(&config.enrolment.label),
            default: "None",
            takes: &[("\"Acme login\"", "Some(\"Acme login\")")],
            refuses: &["\"\"", "\"  \"", "\"a\\nb\"", "1"],
            allowed: "a text of 1 to 128 bytes without control characters",
        },
        Key {
            before: "[enrolment]",
            name: "enrolment.registration_uri",
            read: |config| show(&config.enrolment.registration_uri),
            default: "None",
            takes: &[(
                "\"https://id.example.com/otp?a=b\"",
                "Some(\"https://id.example.com/otp?a=b\")",
            )],
            refuses: &[
                "\"\"",
                "\"https://\"",
                "\"http://id.example.com/\"",
                "\"https://id.example.com/a b\"",
                "\"https://id.example.com/\\u001b\"",
                "\"javascript:alert(1)\"",
                "1",
            ],
            allowed: "https:// and up to 192 characters of ASCII, without white space",
        },
        Key {
            before: "[lockout]",
            name: "lockout.preset",
            read: |config| {
                show((config.lockout.after, config.lockout.first_ms, config.lockout.longest_ms))
            },
            default: "(5, 60000, 900000)",
            takes: &[("\"standard\"", "(5, 60000, 900000)"), ("\"pci\"", "(10, 1800000, 1800000)")],
            refuses: &["\"PCI\"", "\"\"", "true"],
            allowed: "\"standard\", \"pci\"",
        },
        Key {
            before: "[directory.local]",
            name: "directory.local.type",
            read: |config| show(&config.methods[0].directories),
            default: "[\"local\"]",
            takes: &[("\"passwd\"", "[\"local\"]")],
            refuses: &["\"ldap\"", "1"],
            allowed: "\"passwd\"",
        },
        Key {
            before: METHOD,
            name: "method.title",
            read: |config| new_method(config).title.clone(),
            default: "Authenticator app",
            takes: &[("\"Acme Authenticator\"", "Acme Authenticator")],
            refuses: &["\"\"", "\"  \"", "\"a\\nb\"", "1"],
            allowed: "a text of 1 to 128 bytes without control characters",
        },
        Key {
            before: METHOD,
            name: "method.type",
            read: |config| show(new_method(config).factor),
            default: "Totp { t0_ms: 0, period_ms: 30000 }",
            takes: &[
                ("\"totp\"", "Totp { t0_ms: 0, period_ms: 30000 }"),
                ("\"hotp\"", "Hotp"),
                ("\"sms\"", "OutOfBand(Sms)"),
                ("\"email\"", "OutOfBand(Email)"),
            ],
            refuses: &["\"TOTP\"", "\"mail\"", "1"],
            allowed: "\"totp\", \"hotp\", \"sms\", \"email\"",
        },
        Key {
            before: METHOD,
            name: "method.algorithm",
            read: |config| show(new_method(config).algorithm),
            default: "Sha1",
            takes: &[("\"sha1\"", "Sha1"), ("\"sha256\"", "Sha256"), ("\"sha512\"", "Sha512")],
            refuses: &["\"SHA1\"", "\"md5\"", "1"],
            allowed: "\"sha1\", \"sha256\", \"sha512\"",
        },
        Key {
            before: POLICY,
            name: "policy.factor",
            read: |config| show(config.rules.first().map(|rule| rule.factor)),
            default: "None",
            takes: &[
                ("\"require\"", "Some(Require)"),
                ("\"skip\"", "Some(Skip)"),
                ("\"deny\"", "Some(Deny)"),
            ],
            refuses: &["\"\"", "\"Require\"", "false"],
            allowed: "\"require\", \"skip\", \"deny\"",
        },
        Key {
            before: POLICY,
            name: "policy.unenrolled",
            read: |config| show(config.rules.first().map(|rule| rule.unenrolled)),
            default: "None",
            takes: &[("\"deny\"", "Some(Deny)"), ("\"ignore\"", "Some(Ignore)")],
            refuses: &["\"enroll\"", "true"],
            allowed: "\"deny\", \"ignore\", \"enrol\"",
        },
        Key {
            before: POLICY,
            name: "policy.concatenate",
            read: |config| show(config.rules.first().map(|rule| rule.concatenate)),
            default: "None",
            takes: &[("false", "Some(false)"), ("true", "Some(true)")],
            refuses: &["\"true\"", "1", "0"],
            allowed: "true and false",
        },
        Key {
            before: POLICY,
            name: "policy.choice",
            read: |config| show(config.rules.first().map(|rule| rule.choice)),
            default: "None",
            takes: &[("false", "Some(false)"), ("true", "Some(true)")],
            refuses: &["\"sms\"", "1", "[\"sms\"]"],
            allowed: "true and false",
        },
    ];
    keys.iter().for_each(check);
}

#[test]
fn paths() {
    let key = |before, name, read, default| Key {
        before,
        name,
        read,
        default,
        takes: &[("\"/srv/otp/x\"", "/srv/otp/x")],
        refuses: &[
            "\"\"",
            "\"x\"",
            "\"./x\"",
            "\"/\"",
            "\"/a/../b\"",
            "\"/a\\u0000\"",
            "\"/a\\n\"",
            "1",
            "true",
        ],
        allowed: "an absolute path of a file, without \"..\"",
    };
    check(&key(
        "[bus]",
        "bus.login_socket",
        |c| c.bus.login_socket.display().to_string(),
        "/run/otpd/login.sock",
    ));
    check(&key(
        "[store]",
        "store.path",
        |c| c.store.path.display().to_string(),
        "/var/lib/otpd/otpd.db",
    ));
    check(&key("[keys]", "keys.file", |c| c.key_file.display().to_string(), "/etc/otpd/kek"));
}

/// Lists: what they are read as, and the item that is at fault with its own column.
#[test]
fn lists() {
    type Row = (&'static str, &'static str, fn(&Config) -> String, &'static str);
    let rows: [Row; 7] = [
        ("[bus]", "trusted_callers = []", |c| show(&c.bus.trusted_callers), "[]"),
        (
            "[bus]",
            "trusted_callers = [\"postgres\", 26, 4294967294]",
            |c| show(&c.bus.trusted_callers),
            "[Name(\"postgres\"), Uid(26), Uid(4294967294)]",
        ),
        (METHOD, "directories = [\"local\"]", |c| show(&new_method(c).directories), "[\"local\"]"),
        (METHOD, "directories = []", |c| show(&new_method(c).directories), "[]"),
        (
            POLICY,
            "enrol = [\"totp\", \"hotp\"]",
            |c| show(&c.rules[0].enrol),
            "[\"totp\", \"hotp\"]",
        ),
        (
            POLICY,
            "methods = [\"totp\", \"recovery\"]",
            |c| show(&c.rules[0].methods),
            "[\"totp\", \"recovery\"]",
        ),
        (
            MATCH,
            "service = [\"sshd\", \"polkit-1\"]",
            |c| show(&c.rules[0].criteria.services),
            "[\"sshd\", \"polkit-1\"]",
        ),
    ];
    for (before, line, read, expected) in rows {
        assert_eq!(read(&load(&format!("{before}\n{line}")).unwrap()), expected, "{line}");
    }
    let callers = format!("a list of user ids from 0 to 4294967294 and login names, each {NAME}");
    let services = "a list of at least one of PAM services, each 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'";
    let users = format!("a list of at least one of users, each {NAME}");
    let methods = "a list of at least one of \"totp\", \"hotp\", \"sms\", \"email\", \"recovery\", \"issued\"";
    let rows = [
        ("[bus]", "bus.trusted_callers", "[1, -1]", "2:23", "-1", callers.as_str()),
        ("[bus]", "bus.trusted_callers", "[4294967295]", "2:20", "4294967295", &callers),
        ("[bus]", "bus.trusted_callers", "[\"\"]", "2:20", "\"\"", &callers),
        ("[bus]", "bus.trusted_callers", "\"postgres\"", "2:19", "\"postgres\"", &callers),
        (
            METHOD,
            "method.directories",
            "[\"local\", \"ldap\"]",
            "3:25",
            "\"ldap\"",
            "a list of \"local\"",
        ),
        (
            POLICY,
            "policy.enrol",
            "[\"recovery\"]",
            "3:10",
            "\"recovery\"",
            "a list of \"totp\", \"hotp\", \"sms\", \"email\"",
        ),
        (POLICY, "policy.methods", "[\"totp\", \"acme\"]", "3:20", "\"acme\"", methods),
        (POLICY, "policy.methods", "[]", "3:11", "[]", methods),
        (MATCH, "policy.match.service", "[]", "4:11", "[]", services),
        (MATCH, "policy.match.service", "[\"sshd\", \"a/b\"]", "4:20", "\"a/b\"", services),
        (MATCH, "policy.match.service", "\"sshd\"", "4:11", "\"sshd\"", services),
        (MATCH, "policy.match.user", "[]", "4:8", "[]", &users),
        (MATCH, "policy.match.user", "[\" \"]", "4:9", "\" \"", &users),
    ];
    for (before, name, value, position, item, allowed) in rows {
        let short = name.rsplit('.').next().unwrap();
        let message = refused(&format!("{before}\n{short} = {value}"));
        assert_eq!(
            message,
            format!("DIR/otpd.toml:{position}: {name} = {item}: allowed are {allowed}")
        );
    }
}
