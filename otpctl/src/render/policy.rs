//! Policies, and why one of them decides.

use std::collections::BTreeMap;
use std::fmt::Write;

use otp_ipc::{ExplainDocument, MismatchDocument, PolicyDocument};
use serde::Serialize;

use super::{Output, WIDTH, fields::fields, printable};
use crate::time::{length, rfc3339};

/// A policy as JSON.
#[derive(Serialize)]
pub(crate) struct Policy<'a> {
    name: &'a str,
    /// Only the keys that restrict.
    #[serde(rename = "match")]
    matches: BTreeMap<&'static str, &'a [String]>,
    factor: &'a str,
    unenrolled: &'a str,
    enrol: &'a [String],
    methods: &'a [String],
    concatenate: bool,
    choice: bool,
    remember_ms: Option<u64>,
    built_in: bool,
}

impl<'a> From<&'a PolicyDocument> for Policy<'a> {
    fn from(policy: &'a PolicyDocument) -> Self {
        Self {
            name: &policy.name,
            matches: matches(policy).into_iter().collect(),
            factor: &policy.factor,
            unenrolled: &policy.unenrolled,
            enrol: &policy.enrol,
            methods: &policy.methods,
            concatenate: policy.concatenate,
            choice: policy.choice,
            remember_ms: policy.remember_ms,
            built_in: policy.built_in,
        }
    }
}

/// An explanation as JSON.
#[derive(Serialize)]
pub(crate) struct Explanation<'a> {
    user: &'a str,
    /// Absent where the directory does not answer.
    exists: Option<bool>,
    account: Option<&'a str>,
    directory: Option<&'a str>,
    refused: Option<&'a str>,
    enrolled: Option<bool>,
    groups: Option<&'a [String]>,
    service: &'a str,
    source: &'a str,
    tty: Option<&'a str>,
    client: Option<&'a str>,
    time: String,
    local_time: Option<&'a str>,
    policy: &'a str,
    built_in: bool,
    cause: &'a str,
    outcome: &'a str,
    methods: &'a [String],
    enrol: &'a [String],
    concatenate: bool,
    remember_ms: Option<u64>,
    passed: Vec<Passed<'a>>,
}

#[derive(Serialize)]
struct Passed<'a> {
    policy: &'a str,
    key: &'a str,
    wanted: &'a [String],
    found: &'a str,
    certain: bool,
}

impl<'a> From<&'a ExplainDocument> for Explanation<'a> {
    fn from(found: &'a ExplainDocument) -> Self {
        let passed = |one: &'a MismatchDocument| Passed {
            policy: &one.policy,
            key: &one.key,
            wanted: &one.wanted,
            found: &one.found,
            certain: one.certain,
        };
        Self {
            user: &found.user,
            exists: exists(found),
            account: found.account.as_deref(),
            directory: found.directory.as_deref(),
            refused: found.refused.as_deref(),
            enrolled: found.enrolled,
            groups: found.groups.as_deref(),
            service: &found.service,
            source: &found.source,
            tty: found.tty.as_deref(),
            client: found.client.as_deref(),
            time: rfc3339(found.time),
            local_time: found.local_time.as_deref(),
            policy: &found.policy,
            built_in: found.built_in,
            cause: &found.cause,
            outcome: &found.outcome,
            methods: &found.methods,
            enrol: &found.enrol,
            concatenate: found.concatenate,
            remember_ms: found.remember_ms,
            passed: found.passed.iter().map(passed).collect(),
        }
    }
}

fn matches(policy: &PolicyDocument) -> Vec<(&'static str, &[String])> {
    let all = [
        ("service", policy.service.as_slice()),
        ("user", &policy.user),
        ("group", &policy.group),
        ("source", &policy.source),
        ("terminal", &policy.terminal),
        ("client", &policy.client),
        ("time", &policy.time),
    ];
    all.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

/// A list of policies.
pub(crate) fn policies(policies: &[PolicyDocument], out: &Output) -> String {
    let row = |policy: &PolicyDocument| {
        let matched: Vec<_> = matches(policy)
            .into_iter()
            .map(|(key, values)| format!("{key}={}", values.join(",")))
            .collect();
        let some = |list: &[String], none: &str| {
            if list.is_empty() { none.to_owned() } else { list.join(",") }
        };
        [
            policy.name.clone(),
            if matched.is_empty() { "all".to_owned() } else { matched.join(" ") },
            policy.factor.clone(),
            policy.unenrolled.clone(),
            some(&policy.methods, "all"),
            policy.remember_ms.map_or_else(|| "-".to_owned(), length),
        ]
    };
    let rows: Vec<_> = policies.iter().map(row).collect();
    let headings = ["NAME", "MATCH", "FACTOR", "UNENROLLED", "METHODS", "REMEMBER"];
    out.table(headings, &["NAME", "MATCH", "METHODS"], &rows)
}

/// Who and what, the policy that decides, what follows, and why none before it decides.
pub(crate) fn explanation(found: &ExplainDocument) -> String {
    let list = |list: &[String], none: &str| {
        if list.is_empty() { none.to_owned() } else { list.join(", ") }
    };
    let groups = found.groups.as_ref();
    let groups =
        groups.map_or_else(|| "they cannot be looked up".to_owned(), |groups| list(groups, "none"));
    let time = found.local_time.as_deref().unwrap_or("the time zone cannot be told");
    let asked = !matches!(found.outcome.as_str(), "skip" | "deny");
    let methods = asked.then(|| list(&found.methods, "all"));
    let enrols = (found.outcome == "enrol").then(|| list(&found.enrol, "none"));
    let head = fields(&[
        ("User", Some(user(found))),
        ("Groups", Some(groups)),
        ("Service", Some(found.service.clone())),
        ("Source", Some(found.source.clone())),
        ("Terminal", found.tty.clone()),
        ("Client", found.client.clone()),
        ("Time", Some(format!("{} ({time})", rfc3339(found.time)))),
        ("Policy", Some(found.policy.clone())),
        ("Because", Some(because(found).to_owned())),
        ("Outcome", Some(outcome(found).to_owned())),
        ("Refused", found.refused.clone()),
        ("Enrols", enrols),
        ("Methods", methods),
        ("One field", (asked && found.concatenate).then(|| "password and code together".into())),
        ("Remembered", found.remember_ms.filter(|_| asked).map(length)),
    ]);
    let mut text: String = head.lines().map(|line| wrapped(line, 14)).collect();
    if found.passed.is_empty() {
        return text;
    }
    text.push_str("\nNot before it:\n");
    let mut last = None;
    for one in &found.passed {
        if last.replace(&one.policy) != Some(&one.policy) {
            text += &wrapped(&format!("  {}", printable(&one.policy)), 4);
        }
        text += &wrapped(&format!("    {}", printable(&mismatch(one))), 6);
    }
    text
}

/// Whether there is such an account; `None` where that cannot be told.
fn exists(found: &ExplainDocument) -> Option<bool> {
    (found.account.is_some() || found.directory.is_none()).then_some(found.account.is_some())
}

fn user(found: &ExplainDocument) -> String {
    let enrolled = match found.enrolled {
        Some(true) => "enrolled",
        Some(false) => "not enrolled",
        None => "otpd's store does not answer",
    };
    let user = &found.user;
    match (&found.account, &found.directory) {
        (Some(account), Some(why)) if account == user => format!("{user}, {enrolled}; {why}"),
        (Some(account), None) if account == user => format!("{user}, {enrolled}"),
        (Some(account), _) => format!("{user}, {enrolled}: the account is called {account}"),
        (None, Some(why)) => format!("{user}, {enrolled}; {why}"),
        (None, None) => format!("{user}, {enrolled}: no such user here"),
    }
}

fn because(found: &ExplainDocument) -> &'static str {
    match (found.cause.as_str(), found.built_in) {
        ("groups", _) => "it depends on groups that cannot be looked up: a code is required",
        ("stricter", _) => "whether it matches is unknown, and what follows asks for less",
        (_, true) => "no policy of the configuration matches",
        _ => "it is the first that matches",
    }
}

fn outcome(found: &ExplainDocument) -> &'static str {
    match found.outcome.as_str() {
        "skip" => "nothing is asked for (PAM_IGNORE)",
        "code" => "a code is asked for",
        "enrol" => "the user gets a first credential, whose code is asked for",
        "ignore" => "nothing is asked for where the stack says nullok, else denied",
        "deny" => "a code is asked for, and none will do",
        _ => "unknown to this version of otpctl",
    }
}

fn mismatch(one: &MismatchDocument) -> String {
    let (key, found, wanted) = (&one.key, &one.found, one.wanted.join(" or "));
    if one.certain {
        format!("{key} is {found}, not {wanted}")
    } else {
        format!("{key} is unknown; it wants {wanted}, and what decides is at least as strict")
    }
}

/// The line, broken at its spaces where it is too long; what follows is indented.
fn wrapped(line: &str, indent: usize) -> String {
    let mut text = String::new();
    let mut rest = line;
    while rest.chars().count() + if text.is_empty() { 0 } else { indent } > WIDTH {
        let room = WIDTH - if text.is_empty() { 0 } else { indent };
        let start = rest.len() - rest.trim_start().len();
        let cut = rest.char_indices().take(room + 1).filter(|(at, c)| *c == ' ' && *at > start);
        let Some((at, _)) = cut.last() else { break };
        let (now, later) = rest.split_at(at);
        push(&mut text, now, indent);
        rest = later.trim_start();
    }
    push(&mut text, rest, indent);
    text
}

fn push(text: &mut String, line: &str, indent: usize) {
    let indent = if text.is_empty() { 0 } else { indent };
    let _ = writeln!(text, "{:indent$}{line}", "");
}

#[cfg(test)]
mod tests;
