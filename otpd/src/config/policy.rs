//! `[[policy]]`: what is asked of which login.

use otp_core::policy::{FactorRule, Rule, Unenrolled};

use super::{
    error::{ConfigError, Place},
    method::Method,
    section::{Section, quoted, text},
    settings::{LOGIN_NAME, PLAIN_NAME, TITLE, login_name, plain_name, title},
};

/// The rules in order, without the built-in last one.
pub(super) fn read(
    sections: Vec<(Place, Section)>,
    methods: &[Method],
    warnings: &mut Vec<String>,
) -> Result<Vec<Rule>, ConfigError> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut seen = Vec::new();
    let allowed = format!("{TITLE}, and not \"{}\"", Rule::last().name);
    let free = |value: &_| title(value).filter(|name| *name != Rule::last().name);
    for (place, mut section) in sections {
        let name = section.name(&place, &allowed, free, &mut seen)?;
        let rule = rule(section, name, methods)?;
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
        rules.push(rule);
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
    accepted.push("recovery");
    let enrol = section
        .list("enrol", 0, quoted(tokens.iter().copied()), |value| one_of(text(value), &tokens))?;
    let accepts = section.list("methods", 1, quoted(accepted.iter().copied()), |value| {
        one_of(text(value), &accepted)
    })?;
    let concatenate = section.flag("concatenate", last.concatenate)?;
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
    })
}

fn one_of(given: Option<&str>, names: &[&str]) -> Option<String> {
    given.filter(|name| names.contains(name)).map(str::to_owned)
}

/// Whether every login that `later` matches is one that `earlier` has taken already.
fn covers(earlier: &Rule, later: &Rule) -> bool {
    let all = |earlier: &[String], later: &[String]| {
        earlier.is_empty()
            || (!later.is_empty() && later.iter().all(|value| earlier.contains(value)))
    };
    all(&earlier.services, &later.services) && all(&earlier.users, &later.users)
}
