//! What holds for all policies and all logins.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

fn some<T: Clone + std::fmt::Debug + 'static>(
    values: Vec<T>,
) -> impl Strategy<Value = Vec<T>> + Clone {
    prop_oneof![3 => Just(Vec::new()), 2 => vec(select(values), 1..3)]
}

fn criteria() -> impl Strategy<Value = Criteria> {
    let texts = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "::/0", "2001:db8::1", "local"];
    let hours = ["Mon..Fri", "Sat,Sun", "08:00-18:00", "18:00-08:00", "Fri 22:00-06:00"];
    (
        some(owned(&["sshd", "sudo"])),
        some(owned(&["alice", "bob"])),
        some(owned(&["wheel", "staff"])),
        some(texts.map(origin).to_vec()),
        some(["tty1", "tty*", "pts/*", "*"].map(terminal).to_vec()),
        some(["known", "unknown", "a", "b"].map(client).to_vec()),
        some(hours.map(|text| text.parse::<Schedule>().unwrap()).to_vec()),
    )
        .prop_map(|(services, users, groups, sources, terminals, clients, times)| Criteria {
            services,
            users,
            groups,
            sources,
            terminals,
            clients,
            times,
        })
}

fn rules(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Rule>> {
    let factors = select(vec![FactorRule::Require, FactorRule::Skip, FactorRule::Deny]);
    let treatments = select(vec![Unenrolled::Deny, Unenrolled::Ignore, Unenrolled::Enrol]);
    vec((criteria(), factors, treatments), count).prop_map(|parts| {
        let named = |(n, (criteria, factor, unenrolled)): (usize, (_, _, _))| Rule {
            name: format!("rule {n}"),
            criteria,
            factor,
            unenrolled,
            ..Rule::last()
        };
        parts.into_iter().enumerate().map(named).collect()
    })
}

/// A login of which all is known.
#[derive(Clone, Debug)]
struct Facts {
    user: &'static str,
    service: &'static str,
    groups: Vec<String>,
    source: Source,
    terminal: Option<&'static str>,
    client: Option<&'static str>,
    known: bool,
    time: WeekMinute,
}

impl Facts {
    fn login(&self) -> Login<'_> {
        Login {
            user: self.user,
            service: self.service,
            groups: Groups::Known(&self.groups),
            source: self.source,
            terminal: self.terminal,
            client: self.client,
            known_client: Some(self.known),
            time: Some(self.time),
        }
    }
}

fn sources() -> [Source; 6] {
    let texts = ["10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"];
    let [a, b, c, d, e] = texts.map(Source::named);
    [a, b, c, d, e, Source::Local]
}

fn facts() -> impl Strategy<Value = Facts> {
    (
        select(vec!["alice", "bob", "carol"]),
        select(vec!["sshd", "sudo", "login"]),
        some(owned(&["wheel", "staff", "others"])),
        select(sources().to_vec()),
        select(vec![None, Some("tty1"), Some("/dev/tty2"), Some("pts/3")]),
        select(vec![(None, false), (Some("a"), true), (Some("a"), false), (Some("c"), true)]),
        (0_u8..7, 0_u16..1440),
    )
        .prop_map(
            |(user, service, groups, source, terminal, (client, known), (day, minute))| {
                let time = WeekMinute::new(day, minute).unwrap();
                Facts { user, service, groups, source, terminal, client, known, time }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The first rule that matches decides, and of those before it each has a key that does not.
    #[test]
    fn an_earlier_rule_that_matches_decides(rules in rules(0..6), facts in facts()) {
        let login = facts.login();
        let decision = decide(&rules, &login);
        let passed = decision.index.unwrap_or(rules.len());
        for rule in &rules[..passed] {
            prop_assert!(mismatches(rule, &login).iter().any(|mismatch| mismatch.certain));
        }
        prop_assert_eq!(decision.cause, Cause::Matches);
        if let Some(rule) = rules.get(passed) {
            prop_assert!(mismatches(rule, &login).is_empty());
            let name = rule.name.clone();
            let mut more = vec![Rule { name: "first".to_owned(), ..rule.clone() }];
            more.extend(rules.iter().cloned());
            prop_assert_eq!(decide(&more, &login).effect().name, "first");
            prop_assert_eq!(decision.effect().name, name);
        }
    }

    /// What is found to be covered is never reached, and what is reached by both is found to meet.
    #[test]
    fn a_covered_rule_is_never_reached(rules in rules(2..6), facts in facts()) {
        let (later, earlier) = rules.split_last().unwrap();
        let login = facts.login();
        if covered(earlier, later).is_some() {
            prop_assert_ne!(decide(&rules, &login).index, Some(earlier.len()));
        }
        if later.fit(&login) == Fit::Yes {
            for rule in earlier.iter().filter(|rule| rule.fit(&login) == Fit::Yes) {
                prop_assert!(meet(rule, later) && meet(later, rule));
            }
        }
    }

    /// Whatever the source turns out to be, it would not have been asked for more.
    #[test]
    fn an_unknown_source_is_at_least_as_strict_as_each(rules in rules(0..6), facts in facts()) {
        let login = facts.login();
        let unknown = decide(&rules, &Login { source: Source::Unknown, ..login }).strictness();
        // A login with a remote side that has no number is not local.
        for source in sources().into_iter().filter(|source| *source != Source::Local) {
            let known = decide(&rules, &Login { source, ..login }).strictness();
            prop_assert!(known <= unknown, "{}", source);
        }
    }

    /// The groups are looked up where they make a difference.
    #[test]
    fn groups_that_nobody_needs_change_nothing(rules in rules(0..6), facts in facts()) {
        let login = facts.login();
        let unknown = Login { groups: Groups::Unknown, ..login };
        prop_assert_eq!(needs_groups(&rules, &login), needs_groups(&rules, &unknown));
        if !needs_groups(&rules, &login) {
            prop_assert_eq!(decide(&rules, &login), decide(&rules, &unknown));
        }
        let factor = decide(&rules, &unknown).effect().factor;
        let passes = factor == FactorRule::Skip;
        prop_assert!(!passes || !needs_groups(&rules, &login));
    }
}
