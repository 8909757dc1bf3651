//! What a gateway's reply means.

use std::ops::RangeInclusive;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::settings::Settings;

/// Largest compiled form of a regular expression, in bytes.
const PATTERN_SIZE: usize = 1 << 20;
/// Replies with nothing in common: what matches them all says nothing.
const UNLIKE: [&str; 3] = ["x", "0 ", "-é"];

/// Compiles a regular expression, whose engine is linear in the length of the reply.
pub(super) fn compile(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(PATTERN_SIZE)
        .dfa_size_limit(PATTERN_SIZE)
        .build()
        .map_err(|error| format!("the regular expression \"{text}\" is not valid: {error}"))
}

/// A regular expression that is searched for in replies.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Compiles a regular expression in the syntax of the crate `regex`: no look-around and no
    /// back-references, so that its time is linear in the length of the reply.
    ///
    /// # Errors
    /// When it is invalid, too large, or matches every reply (`.*`, `^`, `(a|)`, `.`).
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let regex = compile(text)?;
        if regex.is_match("") || UNLIKE.iter().all(|reply| regex.is_match(reply)) {
            return Err(format!(
                "the regular expression \"{text}\" matches every reply; name what the reply says"
            ));
        }
        Ok(Self(regex))
    }

    /// Whether it matches anywhere in the text.
    pub(super) fn found(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The first group, or the whole match where there is none.
    fn capture<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.0.captures(text)?;
        captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str())
    }
}

/// A member of a JSON reply, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonRule {
    /// Where the member is (RFC 6901): `/messages/0/status`.
    pub pointer: String,
    /// What it is compared with, any of them: a string as it is, anything else as JSON writes it
    /// (`0`, `true`, `null`).
    pub values: Vec<String>,
}

impl JsonRule {
    /// Whether the member is there and is one of the values.
    fn holds(&self, reply: &Value) -> bool {
        reply.pointer(&self.pointer).map(text).is_some_and(|found| self.values.contains(&found))
    }
}

/// A value as the rules compare it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Where a reply tells the gateway's name for the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageId {
    /// A member of a JSON reply, by its pointer (RFC 6901).
    Json(String),
    /// A regular expression: its first group, or the whole match where it has no group.
    Regex(String),
}

enum Locator {
    Json(String),
    Regex(Pattern),
}

enum BodyRule {
    Found(Pattern),
    NotFound(Pattern),
    Starts(String),
    NotStarts(String),
}

/// The rules of a gateway: the status first, then the body, then JSON.
pub(super) struct Rules {
    status: Vec<RangeInclusive<u16>>,
    body: Option<BodyRule>,
    success: Option<JsonRule>,
    fail: Option<JsonRule>,
    id: Option<Locator>,
}

impl Rules {
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        let Settings { success_regex, fail_regex, success_prefix, fail_prefix, .. } = settings;
        let pattern = |key: &str, text: &String| {
            Pattern::parse(text).map_err(|error| format!("{key}: {error}"))
        };
        let prefix = |key: &str, text: &String| match text.is_empty() {
            true => Err(format!("{key}: every reply starts with nothing; name what it says")),
            false => Ok(text.clone()),
        };
        let body = match (success_regex, fail_regex, success_prefix, fail_prefix) {
            (None, None, None, None) => None,
            (Some(text), None, None, None) => {
                Some(BodyRule::Found(pattern("success_regex", text)?))
            }
            (None, Some(text), None, None) => {
                Some(BodyRule::NotFound(pattern("fail_regex", text)?))
            }
            (None, None, Some(text), None) => {
                Some(BodyRule::Starts(prefix("success_prefix", text)?))
            }
            (None, None, None, Some(text)) => {
                Some(BodyRule::NotStarts(prefix("fail_prefix", text)?))
            }
            _ => {
                return Err(
                    "success_regex, fail_regex, success_prefix and fail_prefix: more than \
                            one is set; keep one"
                        .to_owned(),
                );
            }
        };
        let status = settings.success_status.clone();
        let fits = |range: &RangeInclusive<u16>| {
            !range.is_empty() && *range.start() >= 200 && *range.end() <= 299
        };
        if status.is_empty() || !status.iter().all(fits) {
            return Err("success_status: give ranges within 200 to 299".to_owned());
        }
        let id = match &settings.id {
            None => None,
            Some(MessageId::Json(pointer)) => Some(Locator::Json(checked("id", pointer)?)),
            Some(MessageId::Regex(text)) => Some(Locator::Regex(pattern("id", text)?)),
        };
        let (success, fail) = (
            rule("success_json", settings.success_json.as_ref())?,
            rule("fail_json", settings.fail_json.as_ref())?,
        );
        Ok(Self { status, body, success, fail, id })
    }

    /// Whether the status alone does not rule success out.
    pub(super) fn status(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }

    /// Whether a reply whose status is one of success means success; else which rule says no.
    pub(super) fn judge(&self, body: &str) -> Result<(), &'static str> {
        match &self.body {
            Some(BodyRule::Found(pattern)) if !pattern.found(body) => {
                return Err("its reply does not match success_regex");
            }
            Some(BodyRule::NotFound(pattern)) if pattern.found(body) => {
                return Err("its reply matches fail_regex");
            }
            Some(BodyRule::Starts(prefix)) if !body.starts_with(prefix.as_str()) => {
                return Err("its reply does not start with success_prefix");
            }
            Some(BodyRule::NotStarts(prefix)) if body.starts_with(prefix.as_str()) => {
                return Err("its reply starts with fail_prefix");
            }
            _ => {}
        }
        if self.success.is_none() && self.fail.is_none() {
            return Ok(());
        }
        let reply: Value = serde_json::from_str(body).map_err(|_| "its reply is not JSON")?;
        if self.success.as_ref().is_some_and(|rule| !rule.holds(&reply)) {
            return Err("its reply is not what success_json asks for");
        }
        if self.fail.as_ref().is_some_and(|rule| rule.holds(&reply)) {
            return Err("its reply is what fail_json names");
        }
        Ok(())
    }

    /// The gateway's name for the message: printable, of any length.
    pub(super) fn id(&self, body: &str) -> Option<String> {
        let found = match self.id.as_ref()? {
            Locator::Json(pointer) => {
                let reply: Value = serde_json::from_str(body).ok()?;
                reply.pointer(pointer).filter(|id| id.is_string() || id.is_number()).map(text)?
            }
            Locator::Regex(pattern) => pattern.capture(body)?.to_owned(),
        };
        let id: String = found.chars().filter(char::is_ascii_graphic).collect();
        (!id.is_empty()).then_some(id)
    }
}

fn rule(key: &str, rule: Option<&JsonRule>) -> Result<Option<JsonRule>, String> {
    let Some(rule) = rule else { return Ok(None) };
    if rule.values.is_empty() {
        return Err(format!("{key}: no value is given that {} is compared with", rule.pointer));
    }
    checked(key, &rule.pointer)?;
    Ok(Some(rule.clone()))
}

/// A JSON pointer that is one (RFC 6901 section 3) and names more than the whole reply.
fn checked(key: &str, pointer: &str) -> Result<String, String> {
    let escapes = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if pointer.starts_with('/') && escapes {
        Ok(pointer.to_owned())
    } else {
        Err(format!(
            "{key}: \"{pointer}\" is no JSON pointer; give one like /messages/0/status (RFC 6901)"
        ))
    }
}
