use otp_core::{contact::Channel, policy::FactorRule, token::Factor};

use super::*;

#[test]
fn an_empty_file_is_a_working_system() {
    for text in ["", "\n# nothing\n", "[store]\n[lockout]\n[directory.local]\n"] {
        assert_eq!(load(text).unwrap(), default(), "{text:?}");
    }
    let config = default();
    assert!(config.rules.is_empty());
    assert_eq!(config.windows("totp"), Some(Windows { before: 1, after: 0, look_ahead: 10 }));
    assert_eq!(config.windows("hotp"), Some(Windows { before: 1, after: 0, look_ahead: 10 }));
    assert_eq!(config.windows("recovery"), None);
    assert_eq!(config.method("hotp").unwrap().factor, Factor::Hotp);
    let delivered = |name| config.method(name).unwrap();
    assert_eq!(delivered("sms").factor, Factor::OutOfBand(Channel::Sms));
    assert_eq!(delivered("email").factor, Factor::OutOfBand(Channel::Email));
    assert_eq!(config.methods.len(), 4);
}

#[test]
fn messages() {
    let rows = [
        (
            "[lockout]\nlockuot_after = 5",
            "2:1: lockout.lockuot_after is not a known key: allowed here are preset, after, first, longest, disable_after",
        ),
        (
            "[lockuot]\nafter = 5",
            "1:2: lockuot is not a known key: allowed here are daemon, bus, store, keys, lockout, enrolment, sharing, limits, directory, provider, template, prompt, method, budget, policy, issued, clients",
        ),
        (
            "after = 5",
            "1:1: after is not a known key: allowed here are daemon, bus, store, keys, lockout, enrolment, sharing, limits, directory, provider, template, prompt, method, budget, policy, issued, clients",
        ),
        (
            "[provider.fax.main]",
            "1:11: provider.fax is not a known key: allowed here are sms, email",
        ),
        ("lockout = 5", "1:11: lockout = 5: allowed are a table"),
        ("[lockout]\nafter.x = 5", "2:1: lockout.after = {…}: allowed are 1 to 100"),
        ("method = 5", "1:10: method = 5: allowed are tables [[method]]"),
        ("[method]\nname = \"x\"", "1:1: method = {…}: allowed are tables [[method]]"),
        ("method = [1]", "1:11: method = 1: allowed are a table"),
        ("directory = 1", "1:13: directory = 1: allowed are a table"),
        ("[directory]\nlocal = 1", "2:9: directory.local = 1: allowed are a table"),
        (
            "[directory.x]\nurl = 1",
            "2:1: directory.x.url is not a known key: allowed here are type",
        ),
        (
            "\n  [[method]]\ndigits = 6",
            "2:3: method.name is missing: allowed is 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.', and not recovery, issued",
        ),
        (
            "[[method]]\nname = \"recovery\"",
            "2:8: method.name = \"recovery\": allowed are 1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.', and not recovery, issued",
        ),
        (
            "[[method]]\nname = \"a\"\n[[method]]\nname = \"a\"",
            "4:8: method.name = \"a\" is taken: the first one is at DIR/otpd.toml:2:8",
        ),
        (
            "[[method]]\nname = \"a\"\nlook_ahead = 1",
            "3:1: method.look_ahead is not a known key: allowed here are name, type, title, digits, algorithm, key_size, t0, time_step, window_before, window_after, directories, enabled",
        ),
        (
            "[[method]]\nname = \"hotp\"\nt0 = \"1s\"",
            "3:1: method.t0 is not a known key: allowed here are name, type, title, digits, algorithm, key_size, look_ahead, directories, enabled",
        ),
        (
            "[[policy]]",
            "1:1: policy.name is missing: allowed is a text of 1 to 128 bytes without control characters, and not \"built-in\"",
        ),
        (
            "[[policy]]\nname = \"built-in\"",
            "2:8: policy.name = \"built-in\": allowed are a text of 1 to 128 bytes without control characters, and not \"built-in\"",
        ),
        (
            "[[policy]]\nname = \"a\"\n[[policy]]\nname = \"a\"",
            "4:8: policy.name = \"a\" is taken: the first one is at DIR/otpd.toml:2:8",
        ),
        (
            "[[policy]]\nname = \"a\"\nmatch = { realm = [\"example\"] }",
            "3:11: policy.match.realm is not a known key: allowed here are service, user, group, source, terminal, client, time",
        ),
        (
            "[[policy]]\nname = \"a\"\nrealm = \"example\"",
            "3:1: policy.realm is not a known key: allowed here are name, match, factor, unenrolled, enrol, methods, concatenate, choice, remember",
        ),
        (
            "[store]\npath = \"/var/lib/otpd/x/otpd.db\"\n[keys]\nfile = \"/var/lib/otpd/x/kek\"",
            "4:8: keys.file /var/lib/otpd/x/kek lies in the store's folder /var/lib/otpd/x: allowed is any other folder, so that no copy of one holds both",
        ),
        (
            "[store]\npath = \"/etc/otpd/otpd.db\"",
            "2:8: keys.file /etc/otpd/kek lies in the store's folder /etc/otpd: allowed is any other folder, so that no copy of one holds both",
        ),
        (
            "[bus]\naddress = \"é\" # é\n\ttrusted_callers = [\"é:\"]",
            "2:11: bus.address = \"é\": allowed are \"unix:path=/…\", a socket by its absolute path",
        ),
    ];
    for (text, expected) in rows {
        assert_eq!(refused(text), format!("DIR/otpd.toml:{expected}"), "{text}");
    }
}

#[test]
fn what_is_not_toml() {
    for (text, position) in [
        ("[lockout", "1:9"),
        ("a = ", "1:5"),
        ("\n[lockout]\nafter = 5\nafter = 6", "4:1"),
        ("[lockout]\nafter = 5\n[lockout]\n", "3:2"),
        ("[lockout]\nafter = 05", "2:9"),
        ("x = \"é\" é", "1:9"),
        ("[enrolment]\nissuer = \"abc", "2:14"),
        ("\0", "1:2"),
    ] {
        let message = refused(text);
        assert!(
            message.starts_with(&format!("DIR/otpd.toml:{position}: not TOML: ")),
            "{text:?}: {message}"
        );
        assert!(!message.contains(char::is_control), "{message:?}");
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(refused(&deep).contains("not TOML"));
}

#[test]
fn excerpts_are_short_and_printable() {
    let value = format!("\"{}\"", "x".repeat(200));
    let message = refused(&format!("[bus]\naddress = {value}"));
    assert!(
        message.contains(&format!("bus.address = \"{}…: allowed", "x".repeat(59))),
        "{message}"
    );
    let message = refused("[bus]\naddress = \"\u{202e}x\"");
    assert!(message.contains(r#"= "\u{202e}x": allowed"#), "{message}");
    let message = refused("[bus]\naddress = [\n1,\n2]");
    assert!(message.contains("= [: allowed"), "{message}");
}

#[test]
fn longest_texts() {
    for (before, key, most) in [
        ("[daemon]", "user", 256),
        ("[enrolment]", "issuer", 64),
        ("[[method]]", "name", 64),
        ("[[method]]\nname = \"m\"", "title", 128),
        ("[[policy]]", "name", 128),
    ] {
        let text = |length| format!("{before}\n{key} = \"{}\"", "x".repeat(length));
        load(&text(most)).unwrap();
        assert!(refused(&text(most + 1)).contains("allowed are"), "{key}");
    }
}

#[test]
fn methods() {
    let config = load(
        "[[method]]\nname = \"acme.totp.1\"\ntitle = \"Acme Authenticator\"\nalgorithm = \"sha256\"\ndigits = 8\n\
         t0 = \"5ms\"\ntime_step = \"60000ms\"\nwindow_before = 2\nwindow_after = 1\nkey_size = 32\ndirectories = [\"local\"]\n\
         [[method]]\nname = \"acme.hotp\"\ntype = \"hotp\"\nlook_ahead = 20\n\
         [[method]]\nname = \"totp\"\ndigits = 8\n",
    )
    .unwrap();
    let names: Vec<_> = config.methods.iter().map(|method| method.name.as_str()).collect();
    assert_eq!(names, ["totp", "hotp", "sms", "email", "acme.totp.1", "acme.hotp"]);
    let acme = config.method("acme.totp.1").unwrap();
    assert_eq!(acme.factor, Factor::Totp { t0_ms: 5, period_ms: 60_000 });
    assert_eq!((acme.digits, acme.key_size), (8, 32));
    assert_eq!(
        config.windows("acme.totp.1"),
        Some(Windows { before: 2, after: 1, look_ahead: 10 })
    );
    assert_eq!(config.method("acme.hotp").unwrap().windows.look_ahead, 20);
    assert_eq!(config.windows("acme.hotp"), None, "linked nowhere, so usable by nobody");
    let changed = config.method("totp").unwrap();
    assert_eq!((changed.digits, changed.key_size), (8, 20));
    assert!(config.windows("totp").is_some(), "a changed built-in method stays linked");
}

#[test]
fn policies_keep_their_order_and_their_words() {
    let config = load(
        "[[policy]]\nname = \"admins\"\nmatch = { service = [\"sshd\"], user = [\"alice\"] }\nfactor = \"skip\"\n\
         [[policy]]\nname = \"all\"\nunenrolled = \"ignore\"\nmethods = [\"recovery\"]\nconcatenate = true\n",
    )
    .unwrap();
    let [admins, all] = config.rules.as_slice() else { panic!("{:?}", config.rules) };
    let matches = &admins.criteria;
    assert_eq!((matches.services[0].as_str(), matches.users[0].as_str()), ("sshd", "alice"));
    assert_eq!(admins.factor, FactorRule::Skip);
    let mut plain = Rule { name: "admins".to_owned(), ..Rule::last() };
    plain.criteria.services.clone_from(&admins.criteria.services);
    plain.criteria.users.clone_from(&admins.criteria.users);
    plain.factor = FactorRule::Skip;
    assert_eq!(*admins, plain, "what is not said is as in the built-in last rule");
    assert!(all.concatenate && all.methods == ["recovery"]);
}

#[test]
fn warnings() {
    let linked = "directories = [\"local\"]";
    let method = |keys: &str| format!("[[method]]\nname = \"m\"\n{linked}\n{keys}");
    let policy = |first: &str, second: &str| {
        format!("[[policy]]\nname = \"a\"\n{first}\n[[policy]]\nname = \"b\"\n{second}")
    };
    let rows: [(String, &[&str]); 18] = [
        (method(""), &[]),
        (method("digits = 8\nwindow_before = 2\nwindow_after = 2"), &[]),
        (
            "[[method]]\nname = \"m\"".to_owned(),
            &[
                "method \"m\" is linked to no directory, so nobody can use it: add directories = [\"local\"]",
            ],
        ),
        (
            method("key_size = 15"),
            &[
                "method \"m\" makes keys below the 128 bits that RFC 4226 requires: key_size = 20 is usual",
            ],
        ),
        (method("key_size = 16"), &[]),
        (
            method("t0 = \"1s\""),
            &["method \"m\" cannot be told by a QR code, which has no t0 and whole seconds only"],
        ),
        (
            method("time_step = \"30500ms\""),
            &[
                "method \"m\" cannot be told by a QR code, which has no t0 and whole seconds only",
                "method \"m\" differs from 6 or 8 digits, sha1 and 30 s: some apps ignore that and show wrong codes",
            ],
        ),
        (
            method("time_step = \"121s\""),
            &[
                "method \"m\" has steps above the 2 minutes of NIST SP 800-63B",
                "method \"m\" differs from 6 or 8 digits, sha1 and 30 s: some apps ignore that and show wrong codes",
            ],
        ),
        (
            method("digits = 4\nwindow_before = 9\nwindow_after = 9"),
            &[
                "method \"m\" differs from 6 or 8 digits, sha1 and 30 s: some apps ignore that and show wrong codes",
                "method \"m\" accepts 19 of 10000 codes at a time, so that one guess in 526 is right: narrow the windows or add digits",
            ],
        ),
        (
            method("digits = 8\nwindow_after = 3"),
            &[
                "method \"m\" accepts 5 of 100000000 codes at a time, so that one guess in 20000000 is right: narrow the windows or add digits",
            ],
        ),
        (
            method("type = \"hotp\"\nlook_ahead = 20"),
            &[
                "method \"m\" accepts 21 of 1000000 codes at a time, so that one guess in 47619 is right: narrow the windows or add digits",
            ],
        ),
        (method("type = \"hotp\"\nlook_ahead = 19"), &[]),
        (policy("match.user = [\"x\"]", ""), &[]),
        (policy("match.user = [\"x\"]", "match.user = [\"x\", \"y\"]"), &[]),
        (policy("match.service = [\"x\"]", "match.user = [\"x\"]"), &[]),
        (
            policy("", "match.user = [\"x\"]"),
            &["policy \"b\" is never reached: \"a\" before it matches all of its logins"],
        ),
        (
            policy("match.user = [\"x\", \"y\"]", "match = { user = [\"y\"], service = [\"s\"] }"),
            &["policy \"b\" is never reached: \"a\" before it matches all of its logins"],
        ),
        (
            policy("match.user = [\"x\"]", "factor = \"skip\""),
            &["policy \"b\" asks nobody for a code on any service"],
        ),
    ];
    for (text, expected) in rows {
        let line = if text.contains("policy") { 4 } else { 1 };
        let expected: Vec<_> =
            expected.iter().map(|what| format!("DIR/otpd.toml:{line}:1: {what}")).collect();
        assert_eq!(Folder::new(&text).load().unwrap().warnings, expected, "{text}");
    }
}
