mod properties;

use super::*;
use crate::schedule::{Schedule, WeekMinute};

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|item| (*item).to_owned()).collect()
}

fn rule(name: &str, services: &[&str], users: &[&str]) -> Rule {
    let criteria =
        Criteria { services: owned(services), users: owned(users), ..Criteria::default() };
    Rule { name: name.to_owned(), criteria, ..Rule::last() }
}

/// In no group, at the console, by no client, as Monday begins.
fn login<'a>(user: &'a str, service: &'a str) -> Login<'a> {
    Login {
        user,
        service,
        groups: Groups::Known(&[]),
        source: Source::Local,
        terminal: None,
        client: None,
        known_client: Some(false),
        time: WeekMinute::new(0, 0),
    }
}

fn origin(text: &str) -> Origin {
    if text == "local" { Origin::Local } else { Origin::Network(text.parse().unwrap()) }
}

fn client(text: &str) -> Client {
    match text {
        "known" => Client::Known,
        "unknown" => Client::Unknown,
        identity => Client::Identity(identity.to_owned()),
    }
}

fn terminal(text: &str) -> Terminal {
    Terminal::parse(text).unwrap()
}

fn decided(rules: &[Rule], login: &Login<'_>) -> (String, Cause) {
    let decision = decide(rules, login);
    (decision.effect().name, decision.cause)
}

#[test]
fn the_first_rule_that_matches_wins() {
    let rules = [
        rule("alice by ssh", &["sshd"], &["alice"]),
        rule("console", &["login", "gdm"], &[]),
        rule("bob", &[], &["bob", "robert"]),
        rule("ssh", &["sshd"], &[]),
        rule("ssh again", &["sshd"], &["alice"]),
    ];
    for (user, service, expected) in [
        ("alice", "sshd", "alice by ssh"),
        ("alice", "login", "console"),
        ("alice", "sudo", "built-in"),
        ("bob", "login", "console"),
        ("bob", "sshd", "bob"),
        ("robert", "sudo", "bob"),
        ("carol", "sshd", "ssh"),
        ("Alice", "sshd", "ssh"),
        ("alice ", "sshd", "ssh"),
        ("carol", "sshd2", "built-in"),
        ("carol", "SSHD", "built-in"),
        ("", "", "built-in"),
    ] {
        let (name, cause) = decided(&rules, &login(user, service));
        assert_eq!((name.as_str(), cause), (expected, Cause::Matches), "{user:?} {service:?}");
    }
    let everyone = [rule("all", &[], &[]), rule("bob", &[], &["bob"])];
    assert_eq!(decided(&everyone, &login("bob", "")).0, "all");
}

#[test]
fn x03_without_rules_a_code_is_required_and_the_unenrolled_are_denied() {
    let decision = decide(&[], &login("root", "login"));
    assert_eq!((decision.index, decision.effect()), (None, Rule::last()));
    let last = Rule::last();
    assert_eq!((last.factor, last.unenrolled), (FactorRule::Require, Unenrolled::Deny));
    assert!(last.enrol.is_empty() && last.methods.is_empty() && !last.concatenate);
    assert!(last.criteria.is_empty() && last.remember_ms.is_none());
}

/// One key with its values, a login, and whether it matches; `None`: that cannot be told.
#[test]
fn l06_what_each_key_matches() {
    let groups = owned(&["staff", "wheel"]);
    let plain = login("alice", "sshd");
    let from = |text: &str| Login { source: Source::named(text), ..plain };
    let at = |name| Login { terminal: Some(name), ..plain };
    let of = |client, known| Login { client, known_client: known, ..plain };
    let then = |day, minute| Login { time: WeekMinute::new(day, minute), ..plain };
    let all = Criteria::default();
    let sources = |texts: &[&str]| Criteria {
        sources: texts.iter().map(|text| origin(text)).collect(),
        ..all.clone()
    };
    let clients = |texts: &[&str]| Criteria {
        clients: texts.iter().map(|text| client(text)).collect(),
        ..all.clone()
    };
    let terminals = |texts: &[&str]| Criteria {
        terminals: texts.iter().map(|text| terminal(text)).collect(),
        ..all.clone()
    };
    let groups_of = |names: &[&str]| Criteria { groups: owned(names), ..all.clone() };
    let times = |texts: &[&str]| Criteria {
        times: texts.iter().map(|text| text.parse().unwrap()).collect(),
        ..all.clone()
    };
    let member = Login { groups: Groups::Known(&groups), ..plain };
    let (yes, no, unsure) = (Some(true), Some(false), None);
    let office = ["10.0.0.0/8", "2001:db8::/32", "local"];
    let table = [
        (groups_of(&["wheel"]), member, yes),
        (groups_of(&["admins", "staff"]), member, yes),
        (groups_of(&["Wheel", "whee"]), member, no),
        (groups_of(&["wheel"]), plain, no),
        (groups_of(&["wheel"]), Login { groups: Groups::Unknown, ..plain }, unsure),
        (sources(&office), from("10.1.2.3"), yes),
        (sources(&office), from("::ffff:10.1.2.3"), yes),
        (sources(&office), from("2001:db8::1"), yes),
        (sources(&office), from("192.0.2.1"), no),
        (sources(&office), plain, yes),
        (sources(&office), from("host.example"), unsure),
        (sources(&office[..2]), plain, no),
        (sources(&["local"]), from("127.0.0.1"), no),
        (sources(&["local"]), from("localhost"), no),
        (terminals(&["tty1", "pts/*"]), at("pts/7"), yes),
        (terminals(&["tty1", "pts/*"]), at("/dev/pts/7"), yes),
        (terminals(&["/dev/tty1"]), at("tty1"), yes),
        (terminals(&["tty1"]), at("tty10"), no),
        (terminals(&["pts/*"]), at("xpts/7"), no),
        (terminals(&["*"]), at("ssh"), yes),
        (terminals(&["*"]), plain, no),
        (clients(&["known"]), of(Some("a"), Some(true)), yes),
        (clients(&["known"]), of(Some("a"), Some(false)), no),
        (clients(&["unknown"]), of(None, Some(false)), yes),
        (clients(&["unknown"]), of(Some("a"), Some(true)), no),
        (clients(&["known"]), of(Some("a"), None), unsure),
        (clients(&["unknown"]), of(Some("a"), None), unsure),
        (clients(&["a", "known"]), of(Some("a"), None), yes),
        (clients(&["SHA256:x"]), of(Some("SHA256:x"), Some(false)), yes),
        (clients(&["SHA256:x"]), of(Some("SHA256:X"), Some(true)), no),
        (clients(&["SHA256:x"]), of(None, Some(false)), no),
        (times(&["Mon..Fri 08:00-18:00", "Sun"]), then(0, 480), yes),
        (times(&["Mon..Fri 08:00-18:00", "Sun"]), then(6, 0), yes),
        (times(&["Mon..Fri 08:00-18:00", "Sun"]), then(5, 480), no),
        (times(&["Sun"]), Login { time: None, ..plain }, unsure),
        // Every key that is given must match.
        (Criteria { users: owned(&["bob"]), ..sources(&office) }, plain, no),
        (Criteria { users: owned(&["bob"]), ..sources(&office) }, from("host.example"), no),
        (Criteria { users: owned(&["alice"]), ..sources(&office) }, plain, yes),
    ];
    for (criteria, login, expected) in table {
        let rule = Rule { criteria, ..Rule::last() };
        let fit = match rule.fit(&login) {
            Fit::Yes => Some(true),
            Fit::No => Some(false),
            Fit::Unsure => None,
        };
        assert_eq!(fit, expected, "{:?}\n{login:?}", rule.criteria);
        assert_eq!(mismatches(&rule, &login).is_empty(), fit == Some(true), "{login:?}");
        let certain = mismatches(&rule, &login).iter().any(|mismatch| mismatch.certain);
        assert_eq!(certain, fit == Some(false), "{login:?}");
    }
}

#[test]
fn l06_groups_that_cannot_be_looked_up_require_the_code() {
    let staff = Criteria { groups: owned(&["staff"]), ..Criteria::default() };
    let base = Rule {
        name: "staff".to_owned(),
        criteria: staff,
        enrol: owned(&["sms"]),
        methods: owned(&["totp"]),
        concatenate: true,
        remember_ms: Some(60_000),
        ..Rule::last()
    };
    let unknown = Login { groups: Groups::Unknown, ..login("alice", "sshd") };
    for factor in [FactorRule::Skip, FactorRule::Require, FactorRule::Deny] {
        for unenrolled in [Unenrolled::Deny, Unenrolled::Ignore, Unenrolled::Enrol] {
            let rules = [
                rule("others", &["sudo"], &[]),
                Rule { factor, unenrolled, ..base.clone() },
                Rule { factor: FactorRule::Skip, ..rule("all", &[], &[]) },
            ];
            let decision = decide(&rules, &unknown);
            assert_eq!((decision.index, decision.cause), (Some(1), Cause::GroupsUnknown));
            let expected = Rule {
                factor: FactorRule::Require,
                unenrolled: Unenrolled::Deny,
                enrol: Vec::new(),
                remember_ms: None,
                ..base.clone()
            };
            assert_eq!(decision.effect(), expected);
            assert!(needs_groups(&rules, &login("alice", "sshd")));
            assert!(needs_groups(&rules, &unknown));
        }
    }
    // Another key that does not match, or an earlier rule that does: nobody asks for the groups.
    let mut rules = [rule("ssh", &["sshd"], &[]), base];
    assert!(!needs_groups(&rules, &unknown) && needs_groups(&rules, &login("alice", "su")));
    assert_eq!(decided(&rules, &unknown), ("ssh".to_owned(), Cause::Matches));
    rules.swap(0, 1);
    rules[0].criteria.users = owned(&["bob"]);
    assert!(!needs_groups(&rules, &unknown));
    assert_eq!(decided(&rules, &unknown), ("ssh".to_owned(), Cause::Matches));
}

/// A rule for 10.0.0.0/8, what follows it, and which of them counts for a source without a number.
#[test]
fn l06_an_unknown_source_never_makes_a_login_easier() {
    use FactorRule::{Deny, Require, Skip};
    use Unenrolled::{Deny as Refuse, Enrol, Ignore};
    let unknown = Login { source: Source::Unknown, ..login("alice", "sshd") };
    for (office, rest, expected) in [
        ((Skip, Refuse), (Require, Refuse), "rest"),
        ((Skip, Refuse), (Skip, Refuse), "rest"),
        ((Require, Ignore), (Require, Refuse), "rest"),
        ((Require, Ignore), (Require, Enrol), "rest"),
        ((Require, Ignore), (Skip, Refuse), "office"),
        ((Require, Refuse), (Skip, Refuse), "office"),
        ((Require, Refuse), (Require, Refuse), "rest"),
        ((Require, Refuse), (Deny, Refuse), "rest"),
        ((Deny, Refuse), (Require, Refuse), "office"),
        ((Deny, Refuse), (Skip, Refuse), "office"),
    ] {
        let with =
            |name: &str, (factor, unenrolled)| Rule { factor, unenrolled, ..rule(name, &[], &[]) };
        let mut rules = [with("office", office), with("rest", rest)];
        rules[0].criteria.sources = vec![origin("10.0.0.0/8")];
        let cause = if expected == "rest" { Cause::Matches } else { Cause::Stricter };
        assert_eq!(decided(&rules, &unknown), (expected.to_owned(), cause), "{office:?} {rest:?}");
    }
}

#[test]
fn sudo_is_remembered_only_where_it_is_named() {
    let with = |services| Rule { remember_ms: Some(7), ..rule("r", services, &[]) };
    for (services, service, expected) in [
        (&[][..], "sshd", Some(7)),
        (&[], "sudo", None),
        (&[], "su-l", None),
        (&["sudo"], "sudo", Some(7)),
        (&["sudo"], "sudo-i", None),
        (&["sshd", "polkit-1"], "polkit-1", Some(7)),
    ] {
        assert_eq!(with(services).remember_ms_for(service), expected, "{services:?} {service}");
    }
    assert_eq!(rule("r", &[], &[]).remember_ms_for("sshd"), None);
}

#[test]
fn rules_that_no_login_can_match() {
    let own = |change: fn(&mut Criteria)| {
        let mut criteria = rule("r", &["otpctl"], &[]).criteria;
        change(&mut criteria);
        contradiction(&criteria, "otpctl").is_some()
    };
    assert!(own(|criteria| criteria.sources = vec![origin("10.0.0.0/8")]));
    assert!(own(|criteria| criteria.terminals = vec![terminal("*")]));
    assert!(own(|criteria| criteria.clients = vec![Client::Known]));
    assert!(!own(|criteria| criteria.clients = vec![Client::Unknown]));
    assert!(!own(|criteria| criteria.sources = vec![origin("10.0.0.0/8"), Origin::Local]));
    assert!(!own(|_| ()));
    assert!(!own(|criteria| {
        criteria.services.push("sshd".to_owned());
        criteria.sources = vec![origin("10.0.0.0/8")];
    }));
}

#[test]
fn rules_are_covered_by_one_or_by_several_together() {
    let named =
        |name: &str, criteria: Criteria| Rule { name: name.to_owned(), criteria, ..Rule::last() };
    let times = |text: &str| Criteria { times: vec![text.parse().unwrap()], ..Criteria::default() };
    let sources = |texts: &[&str]| Criteria {
        sources: texts.iter().map(|text| origin(text)).collect(),
        ..Criteria::default()
    };
    let on = |texts: &[&str]| Criteria {
        terminals: texts.iter().map(|text| terminal(text)).collect(),
        ..Criteria::default()
    };
    for (earlier, later, expected) in [
        (vec![rule("a", &[], &["x"]), rule("b", &[], &["y"])], rule("c", &[], &["x", "y"]), "a b"),
        (vec![rule("a", &[], &["x"])], rule("c", &[], &["x", "y"]), ""),
        (vec![named("a", times("Mon..Fri")), named("b", times("Sat..Sun"))], Rule::last(), "a b"),
        (vec![named("a", times("Mon..Fri")), named("b", times("Sat"))], Rule::last(), ""),
        (
            vec![named("a", sources(&["10.0.0.0/8", "local"]))],
            named("c", sources(&["10.1.0.0/16"])),
            "a",
        ),
        (vec![named("a", sources(&["10.1.0.0/16"]))], named("c", sources(&["10.0.0.0/8"])), ""),
        (vec![named("a", sources(&["10.0.0.0/16"]))], named("c", sources(&["10.0.0.0/8"])), ""),
        (vec![named("a", sources(&["0.0.0.0/0", "::/0", "local"]))], Rule::last(), ""),
        (vec![named("a", on(&["tty*", "pts/*"]))], named("c", on(&["tty1", "pts/1*"])), "a"),
        (vec![named("a", on(&["tty*"]))], named("c", on(&["pts/1"])), ""),
        (vec![named("a", on(&["tty1"]))], named("c", on(&["tty1*"])), ""),
        (
            vec![named(
                "a",
                Criteria { clients: vec![Client::Known, Client::Unknown], ..times("Mon..Sun") },
            )],
            rule("c", &["sshd"], &[]),
            "a",
        ),
        (
            vec![named("a", Criteria { groups: owned(&["g"]), ..Criteria::default() })],
            rule("c", &[], &[]),
            "",
        ),
    ] {
        let found = covered(&earlier, &later);
        let names: Vec<_> =
            found.unwrap_or_default().iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{earlier:?} {later:?}");
    }
}
