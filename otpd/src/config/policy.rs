//! `[[policy]]`: what is asked of which login.

use std::collections::{BTreeMap, BTreeSet};

use otp_core::{
    contact::Channel,
    policy::{FactorRule, Rule, Unenrolled},
    token::Factor,
};

use super::{
    duration::{self, DAY, MINUTE},
    error::{ConfigError, Place},
    method::Method,
    provider::Provided,
    section::{Section, quoted, text},
    settings::{LOGIN_NAME, PLAIN_NAME, TITLE, login_name, plain_name, title},
};

/// What `remember` takes.
const REMEMBER: &str = "\"1m\" to \"30d\", a whole number with its unit ms, s, m, h or d";

/// The rules in order, without the built-in last one.
pub(super) fn read(
    sections: Vec<(Place, Section)>,
    methods: &[Method],
    provided: &[Provided],
    warnings: &mut Vec<String>,
) -> Result<Vec<Rule>, ConfigError> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    let mut seen = Vec::new();
    let allowed = format!("{TITLE}, and not \"{}\"", Rule::last().name);
    let free = |value: &_| title(value).filter(|name| *name != Rule::last().name);
    for (place, mut section) in sections {
        let name = section.name(&place, &allowed, free, &mut seen)?;
        let rule = rule(section, name, methods)?;
        check_enrolment(&rule, &place, rules.iter().zip(&places), methods)?;
        let mut warn =
            |what: &str| warnings.push(format!("{place}: policy \"{}\" {what}", rule.name));
        if let Some(earlier) = rules.iter().find(|earlier| covers(earlier, &rule)) {
            warn(&format!(
                "is never reached: \"{}\" before it matches all of its logins",
                earlier.name
            ));
        }
        if rule.factor == FactorRule::Skip && rule.services.is_empty() && rule.users.is_empty() {
            warn("asks nobody for a code on any service");
        }
        for (name, channel) in undelivered(&rule, methods, provided) {
            let channel = channel.name();
            warn(&format!(
                "names method \"{name}\", which nobody delivers: add [provider.{channel}.NAME]"
            ));
        }
        rules.push(rule);
        places.push(place);
    }
    Ok(rules)
}

fn rule(mut section: Section, name: String, methods: &[Method]) -> Result<Rule, ConfigError> {
    // An empty list would match every login, which nobody means who writes one.
    let mut matches = section.table("match")?;
    let services =
        matches.list("service", 1, format!("PAM services, each {PLAIN_NAME}"), plain_name)?;
    let users = matches.list("user", 1, format!("users, each {LOGIN_NAME}"), login_name)?;
    matches.end()?;

    let factors =
        [("require", FactorRule::Require), ("skip", FactorRule::Skip), ("deny", FactorRule::Deny)];
    let last = Rule::last();
    let factor = section.choice("factor", &factors, last.factor)?;
    let treatments =
        [("deny", Unenrolled::Deny), ("ignore", Unenrolled::Ignore), ("enrol", Unenrolled::Enrol)];
    let unenrolled = section.choice("unenrolled", &treatments, last.unenrolled)?;
    let tokens: Vec<&str> = methods.iter().map(|method| method.name.as_str()).collect();
    let mut accepted = tokens.clone();
    accepted.extend(["recovery", "issued"]);
    let enrol = section
        .list("enrol", 0, quoted(tokens.iter().copied()), |value| one_of(text(value), &tokens))?;
    let accepts = section.list("methods", 1, quoted(accepted.iter().copied()), |value| {
        one_of(text(value), &accepted)
    })?;
    let concatenate = section.flag("concatenate", last.concatenate)?;
    let remember = section.value("remember", REMEMBER, |value| {
        duration::parse(text(value)?).filter(|time| (MINUTE..=30 * DAY).contains(time))
    })?;
    section.end()?;
    Ok(Rule {
        name,
        services: services.unwrap_or_default(),
        users: users.unwrap_or_default(),
        factor,
        unenrolled,
        enrol: enrol.unwrap_or_default(),
        methods: accepts.unwrap_or_default(),
        concatenate,
        remember_ms: remember.map(|(remember_ms, _)| remember_ms),
    })
}

fn one_of(given: Option<&str>, names: &[&str]) -> Option<String> {
    given.filter(|name| names.contains(name)).map(str::to_owned)
}

/// The channel by which codes of that method are delivered.
fn channel(name: &str, methods: &[Method]) -> Option<Channel> {
    match methods.iter().find(|method| method.name == name)?.factor {
        Factor::OutOfBand(channel) => Some(channel),
        Factor::Totp { .. } | Factor::Hotp => None,
    }
}

/// The methods that a rule names and that no provider delivers, each once.
fn undelivered<'a>(
    rule: &'a Rule,
    methods: &[Method],
    provided: &[Provided],
) -> BTreeMap<&'a str, Channel> {
    let named = rule.enrol.iter().chain(&rule.methods);
    named
        .filter_map(|name| Some((name.as_str(), channel(name, methods)?)))
        .filter(|(_, channel)| !provided.iter().any(|one| one.id.medium == *channel))
        .collect()
}

/// A rule that enrols at the login needs a way to deliver, and no login may be one of two such
/// rules that leave open which channel comes first.
fn check_enrolment<'a>(
    rule: &Rule,
    place: &Place,
    earlier: impl Iterator<Item = (&'a Rule, &'a Place)>,
    methods: &[Method],
) -> Result<(), ConfigError> {
    if rule.unenrolled != Unenrolled::Enrol {
        return Ok(());
    }
    let channels = |rule: &Rule| -> BTreeSet<Channel> {
        rule.enrol.iter().filter_map(|name| channel(name, methods)).collect()
    };
    let own = channels(rule);
    let name = &rule.name;
    if own.is_empty() {
        return Err(place.error(format!(
            "policy \"{name}\": unenrolled = \"enrol\" needs a method in enrol whose codes are \
             delivered, such as \"sms\" or \"email\""
        )));
    }
    for (other, at) in earlier {
        let theirs = channels(other);
        let differ = own.is_disjoint(&theirs) && !theirs.is_empty();
        if other.unenrolled == Unenrolled::Enrol && differ && meet(other, rule) {
            let other = &other.name;
            return Err(place.error(format!(
                "policy \"{name}\" and policy \"{other}\" at {at} match the same logins and enrol \
                 over different channels: list both in one policy, in the order you want, or make \
                 them disjoint"
            )));
        }
    }
    Ok(())
}

/// Whether some login matches both.
fn meet(one: &Rule, other: &Rule) -> bool {
    let any = |one: &[String], other: &[String]| {
        one.is_empty() || other.is_empty() || one.iter().any(|value| other.contains(value))
    };
    any(&one.services, &other.services) && any(&one.users, &other.users)
}

/// Whether every login that `later` matches is one that `earlier` has taken already.
fn covers(earlier: &Rule, later: &Rule) -> bool {
    let all = |earlier: &[String], later: &[String]| {
        earlier.is_empty()
            || (!later.is_empty() && later.iter().all(|value| earlier.contains(value)))
    };
    all(&earlier.services, &later.services) && all(&earlier.users, &later.users)
}
