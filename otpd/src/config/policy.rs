//! `[[policy]]`: what is asked of which login.

use std::collections::{BTreeMap, BTreeSet};

use otp_core::{
    contact::Channel,
    policy::{self, FactorRule, Rule, Unenrolled},
    token::Factor,
    uri,
};
use otp_ipc::names::SELF_SERVICE;

use super::{
    criteria,
    duration::{DAY, MINUTE},
    error::{ConfigError, Place},
    method::Method,
    provider::Provided,
    section::{Section, quoted, text},
    settings::{TITLE, title},
};

/// What the rest of the configuration has that policies name.
pub(super) struct Surroundings<'a> {
    pub(super) methods: &'a [Method],
    pub(super) provided: &'a [Provided],
    /// Whether issued codes are accepted.
    pub(super) issued: bool,
}

/// The rules in order, without the built-in last one.
pub(super) fn read(
    sections: Vec<(Place, Section)>,
    surroundings: &Surroundings,
    warnings: &mut Vec<String>,
) -> Result<Vec<Rule>, ConfigError> {
    let &Surroundings { methods, provided, issued } = surroundings;
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
        doubts(&rule, &rules).iter().for_each(|what| warn(what));
        for (name, channel) in undelivered(&rule, methods, provided) {
            let channel = channel.name();
            warn(&format!(
                "names method \"{name}\", which nobody delivers: add [provider.{channel}.NAME]"
            ));
        }
        if !issued && rule.methods.iter().any(|name| name == "issued") {
            warn("names method \"issued\", which is switched off: set [issued] enabled = true");
        }
        rules.push(rule);
        places.push(place);
    }
    Ok(rules)
}

fn rule(mut section: Section, name: String, methods: &[Method]) -> Result<Rule, ConfigError> {
    let criteria = criteria::read(section.table("match")?)?;
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
    let choice = section.flag("choice", last.choice)?;
    let remember_ms = section.optional_duration("remember", MINUTE..=30 * DAY)?;
    section.end()?;
    Ok(Rule {
        name,
        criteria,
        factor,
        unenrolled,
        enrol: enrol.unwrap_or_default(),
        methods: accepts.unwrap_or_default(),
        concatenate,
        choice,
        remember_ms,
    })
}

/// What is allowed and yet hardly meant.
fn doubts(rule: &Rule, earlier: &[Rule]) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(rules) = policy::covered(earlier, rule) {
        let names = quoted(rules.iter().map(|rule| rule.name.as_str()));
        let (together, verb) =
            if rules.len() > 1 { (" together", "match") } else { ("", "matches") };
        doubts.push(format!(
            "is never reached: {names} before it{together} {verb} all of its logins"
        ));
    }
    if let Some(why) = policy::contradiction(&rule.criteria, SELF_SERVICE) {
        doubts.push(format!("never matches: {why}"));
    }
    if !rule.criteria.clients.is_empty() && policy::any_client(&rule.criteria.clients) {
        doubts.push(
            "names clients \"known\" and \"unknown\", which are all: leave it out".to_owned(),
        );
    }
    if rule.factor == FactorRule::Skip && rule.criteria.is_empty() {
        doubts.push("asks nobody for a code on any service".to_owned());
    }
    if rule.remember_ms.is_some() && rule.factor != FactorRule::Require {
        let factor = rule.factor.name();
        doubts.push(format!("remembers nobody: factor = \"{factor}\" asks for no code"));
    }
    doubts
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

/// Whether an app makes the codes of that method and no URI tells it how.
fn untellable(name: &str, methods: &[Method]) -> bool {
    let method = methods.iter().find(|method| method.name == name);
    method.is_some_and(|method| match method.factor {
        Factor::OutOfBand(_) => false,
        Factor::Totp { .. } | Factor::Hotp => uri::check(method.factor).is_err(),
    })
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

/// A rule that enrols at the login needs a method to do that with, which apps can follow, and no
/// login may be one of two such rules that leave open which channel comes first.
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
    if rule.enrol.is_empty() {
        return Err(place.error(format!(
            "policy \"{name}\": unenrolled = \"enrol\" needs a method in enrol, such as \"totp\", \
             \"sms\" or \"email\""
        )));
    }
    if let Some(method) = rule.enrol.iter().find(|name| untellable(name, methods)) {
        return Err(place.error(format!(
            "policy \"{name}\": method \"{method}\" cannot be enrolled at the login: authenticator \
             apps cannot follow a T0 or a step that is not whole seconds; take it out of enrol, or \
             change t0 or time_step of the method"
        )));
    }
    for (other, at) in earlier {
        let theirs = channels(other);
        let differ = own.is_disjoint(&theirs) && !own.is_empty() && !theirs.is_empty();
        if other.unenrolled == Unenrolled::Enrol && differ && policy::meet(other, rule) {
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
