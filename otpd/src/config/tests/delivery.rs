//! `[budget]`, `[template]`, `[directory.local]`, and what methods and policies ask of providers.

use otp_core::contact::{MailAddress, PhoneNumber};
use otp_delivery::Recipient;

use super::*;
use crate::{
    directory::{composite::Kind, passwd::Gecos},
    text::Language,
};

const PREFIX: &str =
    "a list of at least one of beginnings of numbers like \"+49\", each '+' and 1 to 7 digits";
const KNOWN: &str = "{otp}, {user}, {service}, {host}, {source}, {minutes}";
/// Providers of SMS called `a` and `b`.
const TWO: &str = "[provider.sms]\na = { type = \"exec\", path = \"/bin/sh\" }\n\
                   b = { type = \"exec\", path = \"/bin/sh\" }\n";

#[test]
fn budget() {
    let number = |name, read, default, takes, refuses, allowed| Key {
        before: "[budget]",
        name,
        read,
        default,
        takes,
        refuses,
        allowed,
    };
    let keys = [
        number(
            "budget.resend",
            |config: &Config| show(config.budget.resend_ms),
            "30000",
            &[("\"10s\"", "10000"), ("\"5m\"", "300000")],
            &["0", "\"0s\"", "\"9999ms\"", "\"301s\"", "30", "\"30\""],
            "\"10s\" to \"5m\", UNIT",
        ),
        number(
            "budget.per_user",
            |config| show(config.budget.per_user),
            "10",
            &[("1", "1"), ("1000", "1000")],
            &["0", "1001", "-1", "\"10\""],
            "1 to 1000",
        ),
        number(
            "budget.per_recipient",
            |config| show(config.budget.per_recipient),
            "10",
            &[("1", "1"), ("1000", "1000")],
            &["0", "1001", "1.5"],
            "1 to 1000",
        ),
        number(
            "budget.total",
            |config| show(config.budget.total),
            "1000",
            &[("1", "1"), ("1000000", "1000000")],
            &["0", "1000001", "true"],
            "1 to 1000000",
        ),
        number(
            "budget.countries",
            |config| show(&config.budget.countries),
            "[]",
            &[("[\"+1\", \"+1234567\"]", "[\"+1\", \"+1234567\"]")],
            &["[]", "\"+49\"", "49"],
            PREFIX,
        ),
    ];
    keys.iter().for_each(check);
    for item in ["\"49\"", "\"+\"", "\"+12345678\"", "\"+0\"", "\"+4x\"", "\"+ 4\"", "49", "\"\""] {
        assert_eq!(
            refused(&format!("[budget]\ncountries = [\"+49\", {item}]")),
            format!("DIR/otpd.toml:2:21: budget.countries = {item}: allowed are {PREFIX}")
        );
    }
    // No other code is held back for longer than the first one lives.
    let short = "[[method]]\nname = \"sms\"\nvalidity = \"60s\"\n[budget]\nresend = ";
    assert_eq!(load(&format!("{short}\"60s\"")).unwrap().budget.resend_ms, 60_000);
    assert_eq!(
        refused(&format!("{short}\"61s\"")),
        format!(
            "DIR/otpd.toml:5:10: budget.resend = \"61s\": allowed are \"10s\" to \"1m\", {UNIT}"
        )
    );
}

#[test]
fn countries_bound_numbers_and_no_mailbox() {
    let mut budget = Budget::default();
    let phone = |text| Recipient::Phone(PhoneNumber::parse(text, None).unwrap());
    assert!(budget.reaches(&phone("+491701234581")));
    budget.countries = vec!["+49".to_owned(), "+4179".to_owned()];
    for (number, reached) in [
        ("+491701234581", true),
        ("+41791234567", true),
        ("+41441234567", false),
        ("+14915550143", false),
    ] {
        assert_eq!(budget.reaches(&phone(number)), reached, "{number}");
    }
    assert!(budget.reaches(&Recipient::Mailbox(MailAddress::parse("a@b").unwrap())));
}

#[test]
fn templates() {
    let config = load(
        "[template]\nsms = \"Prüf {otp} €\"\nsubject = \"{service}\"\nbody = \"{otp}\\n{user} {host} {source} {minutes}\"",
    )
    .unwrap();
    for (name, language) in Language::ALL {
        let template = config.template.of(language);
        assert_eq!(template.sms.as_str(), "Prüf {otp} €", "{name}");
        assert_eq!(template.subject.as_str(), "{service}", "{name}");
        assert_eq!(template.body.as_str(), "{otp}\n{user} {host} {source} {minutes}", "{name}");
    }
    let unknown = format!("{{code}} is not known: placeholders are {KNOWN}");
    let brace = format!("a brace has no partner: braces stand around {KNOWN} only");
    let control = "control characters are not allowed";
    for (key, value, why) in [
        ("sms", "\"{code}\"", unknown.as_str()),
        ("subject", "\"{code}\"", &unknown),
        ("body", "\"{code}\"", &unknown),
        ("sms", "\"{otp\"", &brace),
        ("subject", "\"otp}\"", &brace),
        ("body", "\"{{otp}}\"", &brace),
        ("sms", "\"code\"", "the code is missing: add {otp}"),
        ("body", "\"code\"", "the code is missing: add {otp}"),
        ("sms", "\"{otp}\\n\"", "one line is allowed"),
        ("subject", "\"a\\nb\"", "one line is allowed"),
        ("sms", "\"{otp}\\t\"", control),
        ("subject", "\"\\r\"", control),
        ("body", "\"{otp}\\r\\n\"", control),
        ("sms", "\"\"", "a text of 1 to 4096 bytes is allowed"),
        ("subject", "\"\"", "a text of 1 to 4096 bytes is allowed"),
        ("body", "\"\"", "a text of 1 to 4096 bytes is allowed"),
        ("sms", "1", "allowed are a text"),
        ("subject", "true", "allowed are a text"),
        ("body", "[]", "allowed are a text"),
    ] {
        let column = key.len() + 4;
        assert_eq!(
            refused(&format!("[template]\n{key} = {value}")),
            format!("DIR/otpd.toml:2:{column}: template.{key} = {value}: {why}")
        );
    }
}

#[test]
fn messages_are_in_the_language_of_the_session() {
    let of = |text: &str, language| {
        let template = load(text).unwrap().template;
        template.of(language).clone()
    };
    let (english, german) = (Language::English, Language::German);
    assert_eq!(of("", german).sms.as_str(), "{otp} ist Ihr Code für {service} auf {host}");
    assert_eq!(of("", Language::French).subject.as_str(), "Votre code pour {host}");
    assert!(of("", Language::Spanish).body.as_str().starts_with("{otp} es su clave"));
    let own = "[template]\nsms = \"ours {otp}\"\n[template.de]\nsms = \"unser {otp}\"\n";
    assert_eq!(of(own, english).sms.as_str(), "ours {otp}");
    assert_eq!(of(own, german).sms.as_str(), "unser {otp}");
    assert_eq!(
        of(own, Language::French).sms.as_str(),
        "ours {otp}",
        "rather than what is built in"
    );
    assert_eq!(of(own, german).subject.as_str(), "Ihr Code für {host}");
    let alone = "[template.de]\nbody = \"{otp}\"";
    assert_eq!(of(alone, german).body.as_str(), "{otp}");
    assert_eq!(of(alone, english), of("", english));
    for (text, why) in [
        (
            "[template.de]\nsms = \"x\"",
            "2:7: template.de.sms = \"x\": the code is missing: add {otp}",
        ),
        (
            "[template.it]\nsms = \"{otp}\"",
            "1:11: template.it is not a known key: allowed here are sms, subject, body, de, fr, es",
        ),
        (
            "[template.de]\ntext = \"{otp}\"",
            "2:1: template.de.text is not a known key: allowed here are sms, subject, body",
        ),
    ] {
        assert_eq!(refused(text), format!("DIR/otpd.toml:{why}"));
    }
    let long = format!("[template.fr]\nsms = \"{{otp}}{}\"", "x".repeat(160));
    let warnings = Folder::new(&long).load().unwrap().warnings;
    assert!(warnings[0].contains("2:7: template.fr.sms does not fit into one SMS"), "{warnings:?}");
}

/// With 8 digits, 8 characters of service, 32 of host, 39 of source and 16 of user.
#[test]
fn a_text_that_is_no_single_sms_is_warned_of() {
    let fixed = "{otp}{service}{host}{source}{user}";
    let rows = [
        (format!("{fixed}{}", "x".repeat(57)), false),
        (format!("{fixed}{}", "x".repeat(58)), true),
        // These take two septets each.
        (format!("{fixed}{}x", "€".repeat(28)), false),
        (format!("{fixed}{}", "€".repeat(29)), true),
        // Not in GSM 03.38: 70 units of UCS-2.
        (format!("{{otp}}ç{}", "x".repeat(61)), false),
        (format!("{{otp}}ç{}", "x".repeat(62)), true),
        (format!("{{otp}}{}", "😀".repeat(31)), false),
        (format!("{{otp}}{}", "😀".repeat(32)), true),
    ];
    for (text, warned) in rows {
        let text = format!("[template]\nsms = \"{text}\"");
        let expected: &[&str] = if warned {
            &[
                "DIR/otpd.toml:2:7: template.sms does not fit into one SMS where its values are long: it has room for 160 characters, or for 70 where one of them is not of GSM 03.38",
            ]
        } else {
            &[]
        };
        assert_eq!(Folder::new(&text).load().unwrap().warnings, expected, "{text}");
    }
}

fn gecos(config: &Config) -> Gecos {
    match config.directories.all.first().map(|one| &one.kind) {
        Some(Kind::Passwd(gecos)) => gecos.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn contacts_of_the_password_file() {
    const FIELDS: &str = "\"full-name\", \"room\", \"work-phone\", \"home-phone\", \"other\"";
    let keys = [
        Key {
            before: "[directory.local]",
            name: "directory.local.mobile",
            read: |config| show(gecos(config).mobile),
            default: "None",
            takes: &[("\"full-name\"", "Some(FullName)"), ("\"other\"", "Some(Other)")],
            refuses: &["\"\"", "\"mobile\"", "1"],
            allowed: FIELDS,
        },
        Key {
            before: "[directory.local]",
            name: "directory.local.mail",
            read: |config| show(gecos(config).mail),
            default: "None",
            takes: &[("\"room\"", "Some(Room)"), ("\"work-phone\"", "Some(WorkPhone)")],
            refuses: &["\"Room\"", "true"],
            allowed: FIELDS,
        },
        Key {
            before: "[directory.local]",
            name: "directory.local.country",
            read: |config| show(&gecos(config).country),
            default: "None",
            takes: &[("\"1\"", "Some(\"1\")"), ("\"423\"", "Some(\"423\")")],
            refuses: &["\"\"", "\"+49\"", "\"049\"", "\"1234\"", "\"DE\"", "49"],
            allowed: "a country's code in 1 to 3 digits like \"49\"",
        },
    ];
    keys.iter().for_each(check);
}

#[test]
fn delivered_methods() {
    let keys = [
        Key {
            before: "[[method]]\nname = \"email\"",
            name: "method.validity",
            read: |config| show(config.method("email").unwrap().delivery.validity_ms),
            default: "600000",
            takes: &[("\"1m\"", "60000"), ("\"1h\"", "3600000")],
            refuses: &["\"0s\"", "\"59s\"", "\"61m\"", "300"],
            allowed: "\"1m\" to \"1h\", UNIT",
        },
        Key {
            before: "[[method]]\nname = \"sms\"",
            name: "method.tries",
            read: |config| show(config.method("sms").unwrap().delivery.tries),
            default: "3",
            takes: &[("1", "1"), ("5", "5")],
            refuses: &["0", "6", "\"3\""],
            allowed: "1 to 5",
        },
    ];
    keys.iter().for_each(check);
    for (text, expected) in [
        (
            "[[method]]\nname = \"sms\"\nalgorithm = \"sha1\"",
            "3:1: method.algorithm is not a known key: allowed here are name, type, title, digits, validity, tries, providers, directories, enabled",
        ),
        (
            "[[method]]\nname = \"sms\"\nproviders = [\"a\"]",
            "3:14: method.providers = \"a\": allowed are a list of at least one of providers, of which there is no [provider.sms.NAME]",
        ),
        (
            "[[method]]\nname = \"email\"\nproviders = [\"a\"]\n[provider.sms]\na = { type = \"exec\", path = \"/bin/sh\" }",
            "3:14: method.providers = \"a\": allowed are a list of at least one of providers, of which there is no [provider.email.NAME]",
        ),
    ] {
        assert_eq!(refused(text), format!("DIR/otpd.toml:{expected}"), "{text}");
    }
    let warnings = Folder::new("[[method]]\nname = \"sms\"\ndigits = 5").load().unwrap().warnings;
    assert_eq!(
        warnings,
        [
            "DIR/otpd.toml:1:1: method \"sms\" allows 3 guesses at one of 100000 codes, so that one in 33333 gets in: add digits"
        ]
    );
}

#[test]
fn several_providers_have_an_order() {
    let method = |keys: &str| format!("{TWO}[[method]]\n{keys}");
    assert_eq!(
        refused(TWO),
        "DIR/otpd.toml:3:1: method \"sms\" has several providers and no order: add providers = [\"a\", \"b\"] to its [[method]], in the order in which they are to be tried"
    );
    assert_eq!(
        refused(&method("name = \"m\"\ntype = \"sms\"")),
        "DIR/otpd.toml:4:1: method \"m\" has several providers and no order: add providers = [\"a\", \"b\"] to its [[method]], in the order in which they are to be tried"
    );
    for (value, position, item) in
        [("[\"c\"]", "6:14", "\"c\""), ("[]", "6:13", "[]"), ("\"a\"", "6:13", "\"a\"")]
    {
        assert_eq!(
            refused(&method(&format!("name = \"sms\"\nproviders = {value}"))),
            format!(
                "DIR/otpd.toml:{position}: method.providers = {item}: allowed are a list of at least one of \"a\", \"b\""
            )
        );
    }
    let config = load(&method("name = \"sms\"\nproviders = [\"b\", \"a\"]")).unwrap();
    let order = |config: &Config| -> Vec<String> {
        let ids = config.providers_of(config.method("sms").unwrap());
        ids.iter().map(ToString::to_string).collect()
    };
    assert_eq!(order(&config), ["sms.b", "sms.a"]);
    assert!(config.providers_of(config.method("email").unwrap()).is_empty());
    assert!(config.providers_of(config.method("totp").unwrap()).is_empty());
    let one = load("[provider.sms]\na = { type = \"exec\", path = \"/bin/sh\" }").unwrap();
    assert_eq!(order(&one), ["sms.a"]);
}

#[test]
fn policies_that_nobody_can_deliver_for_are_warned_of() {
    let germany = "[budget]\ncountries = [\"+49\"]\n";
    let warnings = |text: &str| Folder::new(&format!("{text}\n{germany}")).load().unwrap().warnings;
    let policy = "[[policy]]\nname = \"p\"\nenrol = [\"sms\", \"totp\"]\nmethods = [\"sms\", \"email\", \"recovery\"]\n";
    let nobody = |line: usize, channel: &str| {
        format!(
            "DIR/otpd.toml:{line}:1: policy \"p\" names method \"{channel}\", which nobody delivers: add [provider.{channel}.NAME]"
        )
    };
    assert_eq!(warnings(policy), [nobody(1, "email"), nobody(1, "sms")]);
    let sms = "[provider.sms.a]\ntype = \"exec\"\npath = \"/bin/sh\"\n";
    assert_eq!(warnings(&format!("{sms}{policy}")), [nobody(4, "email")]);
    assert!(warnings("[[policy]]\nname = \"p\"\nenrol = [\"totp\"]").is_empty());
    let own = "[[method]]\nname = \"m\"\ntype = \"sms\"\ndirectories = [\"local\"]\n[[policy]]\nname = \"p\"\nmethods = [\"m\"]";
    assert_eq!(
        warnings(own),
        [
            "DIR/otpd.toml:5:1: policy \"p\" names method \"m\", which nobody delivers: add [provider.sms.NAME]"
        ]
    );
}

/// Once, however many providers there are.
#[test]
fn sms_to_any_country_is_warned_of() {
    let order = "[[method]]\nname = \"sms\"\nproviders = [\"a\", \"b\"]\n";
    let mail = "[provider.email.c]\ntype = \"exec\"\npath = \"/bin/sh\"\n";
    for (text, warned) in [
        (format!("{TWO}{order}"), true),
        (format!("{TWO}{order}[budget]\ntotal = 5"), true),
        (format!("{TWO}{order}[budget]\ncountries = [\"+49\"]"), false),
        (mail.to_owned(), false),
        (String::new(), false),
    ] {
        let expected: &[&str] = if warned {
            &[
                "DIR/otpd.toml:2:1: provider \"sms.a\" may send to any country, at your cost: name those that you need, [budget] countries = [\"+49\"]",
            ]
        } else {
            &[]
        };
        assert_eq!(Folder::new(&text).load().unwrap().warnings, expected, "{text}");
    }
}

#[test]
fn enrolment_at_the_login_needs_a_way_and_one_order() {
    let none = "policy \"p\": unenrolled = \"enrol\" needs a method in enrol, such as \"totp\", \"sms\" or \"email\"";
    for enrol in ["", "enrol = []"] {
        let text = format!("[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\n{enrol}");
        assert_eq!(refused(&text), format!("DIR/otpd.toml:1:1: {none}"), "{enrol}");
    }
    for enrol in ["\"totp\"", "\"hotp\"", "\"sms\", \"totp\""] {
        load(&format!("[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [{enrol}]"))
            .unwrap();
    }
    let pair = |one: (&str, &str), two: (&str, &str)| {
        let policy = |name, (matches, enrol): (&str, &str)| {
            format!(
                "[[policy]]\nname = \"{name}\"\nunenrolled = \"enrol\"\nmatch = {{ {matches} }}\nenrol = [{enrol}]\n"
            )
        };
        format!("{}{}", policy("one", one), policy("two", two))
    };
    let (sms, email, both) = ("\"sms\"", "\"email\"", "\"totp\", \"email\", \"sms\"");
    let overlap = "DIR/otpd.toml:6:1: policy \"two\" and policy \"one\" at DIR/otpd.toml:1:1 match the same logins and enrol over different channels: list both in one policy, in the order you want, or make them disjoint";
    for (one, two) in [
        (("", sms), ("", email)),
        (("", email), ("", sms)),
        (("service = [\"a\"]", sms), ("", email)),
        (("service = [\"a\"]", sms), ("user = [\"x\"]", email)),
        (("service = [\"a\", \"b\"]", sms), ("service = [\"b\", \"c\"]", email)),
        (("service = [\"a\"], user = [\"x\"]", sms), ("user = [\"x\", \"y\"]", email)),
    ] {
        assert_eq!(refused(&pair(one, two)), overlap, "{one:?} {two:?}");
    }
    for (one, two) in [
        (("", sms), ("", sms)),
        (("", both), ("", sms)),
        (("", email), ("", both)),
        (("service = [\"a\"]", sms), ("service = [\"b\"]", email)),
        (("user = [\"x\"]", sms), ("user = [\"y\"]", email)),
        (("", "\"totp\""), ("", sms)),
        (("", sms), ("", "\"hotp\"")),
        (("service = [\"a\"], user = [\"x\"]", sms), ("service = [\"a\"], user = [\"y\"]", email)),
    ] {
        load(&pair(one, two)).unwrap_or_else(|error| panic!("{error}"));
    }
    // Whoever does not enrol at the login is in nobody's way.
    load(&pair(("", sms), ("", email)).replacen("\"enrol\"", "\"deny\"", 1)).unwrap();
}

/// No URI tells apps of a T0 or of a step that is not whole seconds.
#[test]
fn what_no_app_can_follow_is_not_enrolled_at_the_login() {
    for (keys, refusal) in [
        ("t0 = \"5s\"", true),
        ("time_step = \"30500ms\"", true),
        ("time_step = \"60s\"\ndigits = 8\nalgorithm = \"sha512\"", false),
    ] {
        let text = format!(
            "[[method]]\nname = \"m\"\ndirectories = [\"local\"]\n{keys}\n[[policy]]\nname = \"p\"\nunenrolled = \"enrol\"\nenrol = [\"totp\", \"m\"]\n"
        );
        if refusal {
            let place = text.lines().position(|line| line == "[[policy]]").unwrap() + 1;
            let expected = format!(
                "DIR/otpd.toml:{place}:1: policy \"p\": method \"m\" cannot be enrolled at the login: authenticator apps cannot follow a T0 or a step that is not whole seconds; take it out of enrol, or change t0 or time_step of the method"
            );
            assert_eq!(refused(&text), expected);
            load(&text.replace("unenrolled = \"enrol\"", "")).unwrap();
        } else {
            load(&text).unwrap();
        }
    }
}
