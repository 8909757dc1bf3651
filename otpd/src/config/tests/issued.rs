use super::*;

const ISSUED: &str = "[issued]";
const CLIENTS: &str = "[clients]";

#[test]
fn t01_issued_codes_are_off_unless_they_are_switched_on() {
    check(&Key {
        before: ISSUED,
        name: "issued.enabled",
        read: |config| show(config.issued.enabled),
        default: "false",
        takes: &[("true", "true"), ("false", "false")],
        refuses: &["1", "\"true\"", "\"Enabled\""],
        allowed: "true and false",
    });
}

#[test]
fn t05_the_validity_is_two_hours_where_nothing_else_is_said() {
    check(&Key {
        before: ISSUED,
        name: "issued.validity",
        read: |config| show(config.issued.validity_ms),
        default: "7200000",
        takes: &[("\"1m\"", "60000"), ("\"7d\"", "604800000"), ("\"7200s\"", "7200000")],
        refuses: &["\"0s\"", "\"59s\"", "\"8d\"", "7200", "\"2\""],
        allowed: "\"1m\" to \"7d\", UNIT",
    });
}

#[test]
fn t04_a_code_has_eight_digits_where_nothing_else_is_said() {
    check(&Key {
        before: ISSUED,
        name: "issued.digits",
        read: |config| show(config.issued.digits),
        default: "8",
        takes: &[("6", "6"), ("12", "12")],
        refuses: &["0", "5", "13", "\"8\""],
        allowed: "6 to 12",
    });
}

#[test]
fn what_else_is_said_of_issued_codes() {
    for key in [
        Key {
            before: ISSUED,
            name: "issued.uses",
            read: |config| show(config.issued.uses),
            default: "1",
            takes: &[("1", "1"), ("100", "100")],
            refuses: &["0", "101", "-1"],
            allowed: "1 to 100",
        },
        Key {
            before: ISSUED,
            name: "issued.reveal",
            read: |config| show(config.issued.readable),
            default: "true",
            takes: &[("\"while-valid\"", "true"), ("\"once\"", "false")],
            refuses: &["\"never\"", "true"],
            allowed: "\"while-valid\", \"once\"",
        },
        Key {
            before: ISSUED,
            name: "issued.scope",
            read: |config| show(config.issued.reach),
            default: "Both",
            takes: &[("\"local\"", "Local"), ("\"remote\"", "Remote"), ("\"both\"", "Both")],
            refuses: &["\"cloud\"", "true"],
            allowed: "\"both\", \"local\", \"remote\"",
        },
        Key {
            before: ISSUED,
            name: "issued.guesses_per_hour",
            read: |config| show(config.issued.guesses_per_hour),
            default: "1000",
            takes: &[("10", "10"), ("100000", "100000")],
            refuses: &["0", "9", "100001"],
            allowed: "10 to 100000",
        },
    ] {
        check(&key);
    }
}

#[test]
fn t12_nine_hundred_and_ninety_nine_clients_may_be_registered() {
    check(&Key {
        before: CLIENTS,
        name: "clients.most",
        read: |config| show(config.clients.most),
        default: "999",
        takes: &[("1", "1"), ("999999", "999999")],
        refuses: &["0", "1000000", "\"999\""],
        allowed: "1 to 999999",
    });
}

#[test]
fn t10_clients_are_enforced_where_that_is_said() {
    let enforced = |text: &str, service: &str| {
        load(&format!("[clients]\nenforce = {text}")).unwrap().clients.enforced(service)
    };
    assert!(!default().clients.enforced("sshd"));
    for (text, sshd, sudo) in
        [("true", true, true), ("false", false, false), ("[\"sshd\"]", true, false)]
    {
        assert_eq!([enforced(text, "sshd"), enforced(text, "sudo")], [sshd, sudo], "{text}");
    }
    for wrong in ["[]", "\"sshd\"", "1", "[1]", "[\"a b\"]"] {
        let message = refused(&format!("[clients]\nenforce = {wrong}"));
        let place = "DIR/otpd.toml:2:11: clients.enforce = ";
        assert!(message.starts_with(place), "{message}");
        assert!(message.contains("allowed are true, false and a list of PAM services"));
    }
}

#[test]
fn a_policy_says_how_long_clients_are_remembered() {
    let key = Key {
        before: POLICY,
        name: "policy.remember",
        read: |config| show(config.rules.first().and_then(|rule| rule.remember_ms)),
        default: "None",
        takes: &[("\"1m\"", "Some(60000)"), ("\"30d\"", "Some(2592000000)")],
        refuses: &["\"59s\"", "\"31d\"", "8", "true"],
        allowed: "\"1m\" to \"30d\", UNIT",
    };
    check_below(&key);
    let rule = |services: &str| {
        let text = format!("[[policy]]\nname = \"p\"\nremember = \"8h\"\n{services}");
        load(&text).unwrap().rules.remove(0)
    };
    let eight = Some(8 * 3_600_000);
    for (services, sshd, sudo) in [
        ("", eight, None),
        ("match = { service = [\"sshd\"] }", eight, None),
        ("match = { service = [\"sshd\", \"sudo\"] }", eight, eight),
    ] {
        let rule = rule(services);
        assert_eq!([rule.remember_ms_for("sshd"), rule.remember_ms_for("sudo")], [sshd, sudo]);
    }
}

#[test]
fn a_policy_may_accept_issued_codes() {
    let text = "[[policy]]\nname = \"p\"\nmethods = [\"totp\", \"issued\"]";
    assert_eq!(load(text).unwrap().rules[0].methods, ["totp", "issued"]);
}
