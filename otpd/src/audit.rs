//! The record of decisions: one event for each, escaped, without secrets, and bounded in number so
//! that nobody can fill the disk by failing.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use otp_core::{
    account::escaped,
    consume::{Credential, Refusal},
};

use crate::store::AuditEvent;

/// Refusals that are recorded for one user in one second; more are counted and summed up.
const REFUSALS_PER_SECOND: u32 = 10;
/// Users whose refusals are counted apart at the same time; beyond that they share one count.
const KEYS: usize = 1024;

/// Where a call came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The caller's user id.
    pub caller: u32,
    /// The PAM service.
    pub service: Option<String>,
    /// The client's address.
    pub source: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// First characters of the session's id.
    pub session: Option<String>,
}

impl Origin {
    /// An event of this origin; what came from outside is escaped here and nowhere else.
    #[must_use]
    pub fn event(&self, event: &str, result: &str, user: &str, time_ms: i64) -> AuditEvent {
        let escape = |text: &Option<String>| text.as_deref().map(escaped);
        AuditEvent {
            time_ms,
            event: event.to_owned(),
            result: result.to_owned(),
            user: escaped(user),
            service: escape(&self.service),
            source: escape(&self.source),
            tty: escape(&self.tty),
            session: self.session.clone(),
            caller: Some(self.caller),
            ..AuditEvent::default()
        }
    }

    /// The event of a code that was accepted or refused.
    #[must_use]
    pub fn verdict(
        &self,
        event: &str,
        user: &str,
        verdict: &Result<Credential, Refusal>,
        time_ms: i64,
    ) -> AuditEvent {
        let mut record = self.event(event, result(verdict), user, time_ms);
        match verdict {
            Ok(Credential::Token { id, method }) => {
                record.token = Some(id.clone());
                record.method = Some(method.clone());
            }
            Ok(Credential::Recovery { left }) => {
                record.method = Some("recovery".to_owned());
                record.detail = Some(format!("{left} recovery codes left"));
            }
            Ok(Credential::Issued { id, left, client }) => {
                record.method = Some("issued".to_owned());
                let of_client = client.as_ref().map(|id| format!(", for client {id}"));
                let of_client = of_client.unwrap_or_default();
                record.detail = Some(format!("code {id}, {left} uses left{of_client}"));
            }
            Err(refusal) => record.detail = detail(*refusal),
        }
        record
    }
}

fn result(verdict: &Result<Credential, Refusal>) -> &'static str {
    match verdict {
        Ok(_) => "ok",
        Err(reason) => refusal(*reason),
    }
}

/// What the administrator is told of a refusal besides.
#[must_use]
pub fn detail(refusal: Refusal) -> Option<String> {
    match refusal {
        Refusal::First => Some("first of two codes".to_owned()),
        Refusal::Skipped => Some("from before the restore, or skipped by it".to_owned()),
        _ => None,
    }
}

/// The word for a refusal in the record.
#[must_use]
pub fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Wrong | Refusal::First => "wrong",
        Refusal::Replayed | Refusal::Skipped => "replay",
        Refusal::Elsewhere => "elsewhere",
        Refusal::Locked => "locked",
        Refusal::Malformed => "malformed",
        Refusal::Expired => "expired",
        Refusal::Disabled => "disabled",
        Refusal::Unenrolled => "unenrolled",
    }
}

/// Writes events to the log and says which refusals are too many to be recorded one by one.
#[derive(Debug, Default)]
pub struct Journal {
    counts: Mutex<HashMap<String, Count>>,
}

#[derive(Debug, Default)]
struct Count {
    second: u64,
    refusals: u32,
    suppressed: u32,
}

/// Whether a refusal is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Recorded, together with the number that were not since the last one.
    Record {
        /// Refusals of the same key that were left out.
        suppressed: u32,
    },
    /// Only counted.
    Suppress,
}

impl Journal {
    /// Counts a refusal under `key` in the second that `monotonic_ms` lies in.
    pub fn admit(&self, key: &str, monotonic_ms: u64) -> Admission {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let second = monotonic_ms / 1000;
        if counts.len() >= KEYS && !counts.contains_key(key) {
            counts.retain(|_, count| count.second == second || count.suppressed > 0);
        }
        let key = if counts.len() < KEYS || counts.contains_key(key) { key } else { "" };
        let count = counts.entry(key.to_owned()).or_default();
        if count.second != second {
            count.second = second;
            count.refusals = 0;
        }
        if count.refusals < REFUSALS_PER_SECOND {
            count.refusals += 1;
            Admission::Record { suppressed: std::mem::take(&mut count.suppressed) }
        } else {
            count.suppressed = count.suppressed.saturating_add(1);
            Admission::Suppress
        }
    }

    /// `event` as it is to be recorded, with the number of those under `key` that were left out
    /// before it; `None` where it is one too many itself.
    #[must_use]
    pub fn bounded(
        &self,
        key: &str,
        mut event: AuditEvent,
        monotonic_ms: u64,
    ) -> Option<AuditEvent> {
        let Admission::Record { suppressed } = self.admit(key, monotonic_ms) else { return None };
        if suppressed > 0 {
            let left_out = format!("{suppressed} refusals before this one are not recorded");
            event.detail =
                Some(event.detail.map_or(left_out.clone(), |text| format!("{text}; {left_out}")));
        }
        Some(event)
    }

    /// One line in the log, with the event's fields for a log that has fields.
    pub fn write(&self, event: &AuditEvent) {
        let level = if matches!(event.result.as_str(), "ok" | "skipped" | "shown") {
            log::Level::Info
        } else {
            log::Level::Warn
        };
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        log::log!(
            level,
            event = event.event.as_str(),
            result = event.result.as_str(),
            user = event.user.as_str(),
            service = text(&event.service).as_str(),
            source = text(&event.source).as_str(),
            tty = text(&event.tty).as_str(),
            method = text(&event.method).as_str(),
            token = text(&event.token).as_str(),
            failures = event.failures.unwrap_or_default(),
            session = text(&event.session).as_str(),
            caller = event.caller.unwrap_or_default();
            "{}: {}{}{}{}",
            event.event,
            event.result,
            if event.user.is_empty() { "" } else { " for user " },
            event.user,
            event.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let origin = Origin {
            service: Some("ssh\nd".into()),
            source: Some("\u{1b}[2J".into()),
            ..Origin::default()
        };
        let event = origin.event("login", "wrong", "a\nAccepted code for root", 1);
        for text in [Some(event.user), event.service, event.source].into_iter().flatten() {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn refusals_beyond_ten_a_second_are_summed_up() {
        let journal = Journal::default();
        let record = |suppressed| Admission::Record { suppressed };
        for _ in 0..10 {
            assert_eq!(journal.admit("alice", 5_000), record(0));
        }
        assert_eq!(journal.admit("alice", 5_999), Admission::Suppress);
        assert_eq!(journal.admit("alice", 5_999), Admission::Suppress);
        assert_eq!(journal.admit("bob", 5_999), record(0));
        assert_eq!(journal.admit("alice", 6_000), record(2));
        assert_eq!(journal.admit("alice", 6_000), record(0));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let journal = Journal::default();
        for n in 0..10 * KEYS {
            journal.admit(&format!("user{n}"), 1_000);
        }
        assert!(journal.counts.lock().unwrap().len() <= KEYS + 1);
    }
}
