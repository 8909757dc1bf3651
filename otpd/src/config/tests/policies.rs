//! What `[[policy]]` matches, and what is said of policies that are hardly meant.

use otp_core::policy::Key;

use super::*;

fn values(key: Key, text: &str) -> Vec<String> {
    load(&format!("{MATCH}\n{text}")).unwrap().rules[0].criteria.values(key)
}

#[test]
fn l06_each_key_of_a_match_takes_its_values() {
    for (key, text, expected) in [
        (Key::Group, "group = [\"wheel\", \"domain users\"]", &["wheel", "domain users"][..]),
        (
            Key::Source,
            "source = [\"10.0.0.0/8\", \"::ffff:192.0.2.7\", \"2001:db8::/32\", \"local\"]",
            &["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "local"],
        ),
        (Key::Terminal, "terminal = [\"tty1\", \"/dev/pts/*\"]", &["tty1", "/dev/pts/*"]),
        (
            Key::Client,
            "client = [\"known\", \"SHA256:0123456789abcdefghijABCDEFGHIJ+/klmnopqrstu\"]",
            &["known", "SHA256:0123456789abcdefghijABCDEFGHIJ+/klmnopqrstu"],
        ),
        (Key::Time, "time = \"Mon..Fri 08:00-18:00\"", &["Mon..Fri 08:00-18:00"]),
        (Key::Time, "time = [\"Sat,Sun\", \"22:00-06:00\"]", &["Sat,Sun", "22:00-06:00"]),
    ] {
        assert_eq!(values(key, text), expected, "{text}");
    }
    assert!(Key::ALL.into_iter().all(|key| values(key, "").is_empty()));
}

#[test]
fn l06_each_refusal_names_its_place_and_what_is_meant() {
    let list = "allowed are a list of at least one text";
    let name = "allowed is a text of 1 to 128 bytes without control characters";
    let terminal =
        "allowed are a terminal, such as \"tty1\", and the beginning of one, such as \"pts/*\"";
    let networks = "allowed are \"local\", an address and a network, such as \"192.0.2.7\", \"10.0.0.0/8\" and \"2001:db8::/32\"";
    let times = "allowed are days, hours or both, such as \"Mon..Fri 08:00-18:00\", \"Sat,Sun\" and \"22:00-06:00\"";
    let fingerprint =
        "allowed after SHA256: are the 43 characters of base64 that ssh-keygen -l shows";
    for (text, column, item, why) in [
        ("group = \"wheel\"", 9, "\"wheel\"", list),
        ("group = []", 9, "[]", list),
        ("group = [\"a\", \"\"]", 15, "\"\"", name),
        ("group = [\"a\\nb\"]", 10, "\"a\\nb\"", name),
        ("group = [7]", 10, "7", "a text is allowed here"),
        ("source = [\"10.0.0.0/8\", \"Local\"]", 25, "\"Local\"", networks),
        ("source = [\"host.example\"]", 11, "\"host.example\"", networks),
        (
            "source = [\"10.1.2.3/8\"]",
            11,
            "\"10.1.2.3/8\"",
            "10.1.2.3 has bits behind /8: the network is 10.0.0.0/8, this host alone is 10.1.2.3",
        ),
        ("terminal = [\"p*s\"]", 13, "\"p*s\"", terminal),
        ("terminal = [\"\"]", 13, "\"\"", terminal),
        ("terminal = [\"/dev/\"]", 13, "\"/dev/\"", terminal),
        ("client = [\"\"]", 11, "\"\"", name),
        ("client = [\"SHA256:abc\"]", 11, "\"SHA256:abc\"", fingerprint),
        ("client = \"known\"", 10, "\"known\"", list),
        ("time = \"Monday\"", 8, "\"Monday\"", times),
        ("time = []", 8, "[]", "allowed are a text and a list of at least one"),
        ("time = 8", 8, "8", "allowed are a text and a list of at least one"),
        (
            "time = [\"Sat\", \"08:00-08:00\"]",
            16,
            "\"08:00-08:00\"",
            "08:00-08:00 is no time at all; the whole day is 00:00-24:00",
        ),
    ] {
        let key = text.split(' ').next().unwrap();
        let expected = format!("DIR/otpd.toml:4:{column}: policy.match.{key} = {item}: {why}");
        assert_eq!(refused(&format!("{MATCH}\n{text}")), expected);
    }
}

#[test]
fn how_long_a_client_is_remembered() {
    check(&super::Key {
        before: POLICY,
        name: "policy.remember",
        read: |config| show(config.rules.first().map(|rule| rule.remember_ms)),
        default: "None",
        takes: &[
            ("\"1m\"", "Some(Some(60000))"),
            ("\"30d\"", "Some(Some(2592000000))"),
            ("\"8h\"", "Some(Some(28800000))"),
        ],
        refuses: &["\"59s\"", "\"31d\"", "\"0s\"", "8", "\"8\"", "true"],
        allowed: "\"1m\" to \"30d\", UNIT",
    });
    assert_eq!(load(POLICY).unwrap().rules[0].remember_ms, None);
}

/// Policies in order, each with its keys, and the warnings about the last of them.
#[test]
fn l06_what_is_hardly_meant_is_warned_of() {
    let never = |names: &str| format!("is never reached: {names} matches all of its logins");
    let rows: [(&[&str], Vec<String>); 18] = [
        (&["match.group = [\"a\"]", "match.group = [\"a\", \"b\"]"], vec![]),
        (
            &["match.group = [\"a\", \"b\"]", "match.group = [\"b\"]"],
            vec![never("\"p0\" before it")],
        ),
        (
            &["match.source = [\"10.0.0.0/8\", \"local\"]", "match.source = [\"10.1.0.0/16\"]"],
            vec![never("\"p0\" before it")],
        ),
        (&["match.source = [\"10.1.0.0/16\"]", "match.source = [\"10.0.0.0/8\"]"], vec![]),
        (
            &["match.terminal = [\"pts/*\"]", "match.terminal = [\"pts/1\"]"],
            vec![never("\"p0\" before it")],
        ),
        (
            &["match.time = \"Mon..Fri\"", "match.time = \"Tue 08:00-09:00\""],
            vec![never("\"p0\" before it")],
        ),
        (&["match.time = \"22:00-06:00\"", "match.time = \"Fri 20:00-23:00\""], vec![]),
        (
            &["match.time = \"Mon..Fri\"", "match.time = \"Sat,Sun\"", "match.user = [\"x\"]"],
            vec![
                "is never reached: \"p0\", \"p1\" before it together match all of its logins"
                    .to_owned(),
            ],
        ),
        (
            &["match.user = [\"x\"]", "match.user = [\"y\"]", "match.user = [\"x\", \"y\"]"],
            vec![
                "is never reached: \"p0\", \"p1\" before it together match all of its logins"
                    .to_owned(),
            ],
        ),
        (
            &["match = { service = [\"otpctl\"], source = [\"10.0.0.0/8\"] }"],
            vec!["never matches: its source is never local, and its service is always".to_owned()],
        ),
        (
            &["match = { service = [\"otpctl\"], terminal = [\"pts/*\"] }"],
            vec!["never matches: its service has no terminal".to_owned()],
        ),
        (&["match = { service = [\"otpctl\"], source = [\"local\"] }"], vec![]),
        (
            &["match.client = [\"known\", \"unknown\"]"],
            vec!["names clients \"known\" and \"unknown\", which are all: leave it out".to_owned()],
        ),
        (&["factor = \"skip\""], vec!["asks nobody for a code on any service".to_owned()]),
        (&["match.time = \"Mon\"\nfactor = \"skip\""], vec![]),
        (
            &["match.time = \"Mon\"\nfactor = \"skip\"\nremember = \"1h\""],
            vec!["remembers nobody: factor = \"skip\" asks for no code".to_owned()],
        ),
        (&["remember = \"1h\""], vec![]),
        (
            &["methods = [\"totp\", \"issued\"]"],
            vec![
                "names method \"issued\", which is switched off: set [issued] enabled = true"
                    .to_owned(),
            ],
        ),
    ];
    for (policies, expected) in rows {
        let mut text = String::new();
        let mut line = 0;
        for (n, policy) in policies.iter().enumerate() {
            line = text.lines().count() + 1;
            text += &format!("[[policy]]\nname = \"p{n}\"\n{policy}\n");
        }
        let last = policies.len() - 1;
        let expected: Vec<_> = expected
            .iter()
            .map(|what| format!("DIR/otpd.toml:{line}:1: policy \"p{last}\" {what}"))
            .collect();
        assert_eq!(Folder::new(&text).load().unwrap().warnings, expected, "{text}");
    }
}

/// Two policies that enrol over different channels, and whether one login may be both.
#[test]
fn x03_l06_two_ways_to_enrol_must_be_apart() {
    let overlap = |one: &str, two: &str| {
        let policy = |name, matches: &str, enrol| {
            format!(
                "[[policy]]\nname = \"{name}\"\nunenrolled = \"enrol\"\nmatch = {{ {matches} }}\nenrol = [\"{enrol}\"]\n"
            )
        };
        let text = policy("one", one, "sms") + &policy("two", two, "email");
        match load(&text) {
            Ok(_) => false,
            Err(message) => {
                let start = "DIR/otpd.toml:6:1: policy \"two\" and policy \"one\" at DIR/otpd.toml:1:1 match the same logins and enrol over different channels";
                assert!(message.starts_with(start), "{message}");
                true
            }
        }
    };
    for (one, two, expected) in [
        ("", "", true),
        ("group = [\"a\"]", "group = [\"b\"]", true),
        ("source = [\"10.0.0.0/8\"]", "source = [\"10.1.0.0/16\"]", true),
        ("source = [\"10.0.0.0/8\"]", "source = [\"192.0.2.0/24\", \"local\"]", false),
        ("source = [\"0.0.0.0/0\"]", "source = [\"::/0\"]", false),
        ("terminal = [\"pts/*\"]", "terminal = [\"pts/1\"]", true),
        ("terminal = [\"pts/*\"]", "terminal = [\"tty*\"]", false),
        ("client = [\"known\"]", "client = [\"unknown\"]", false),
        ("client = [\"known\"]", "client = [\"a\"]", true),
        ("client = [\"a\"]", "client = [\"b\"]", false),
        ("time = \"08:00-18:00\"", "time = \"18:00-08:00\"", false),
        ("time = \"08:00-18:00\"", "time = \"Sat\"", true),
        ("time = \"Mon..Fri\"", "time = \"Fri 22:00-06:00\"", true),
        ("user = [\"x\"], source = [\"local\"]", "user = [\"y\"]", false),
    ] {
        assert_eq!(overlap(one, two), expected, "{one} {two}");
    }
}
