//! What a directory has told, for a while: fewer questions, and a bridge over an outage where the
//! configuration wants one. In memory only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{DirectoryError, Record, Source};
use crate::clock::Clock;

/// Most users that are remembered; the oldest answers go first.
const MOST: usize = 10_000;
/// How long a directory that has failed is not asked again where an old answer may be used.
const REST_MS: u64 = 5_000;

/// How long what was told counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// As a matter of course, in milliseconds.
    pub age_ms: u64,
    /// While the directory does not answer, in milliseconds; `None`: not at all.
    pub outage_ms: Option<u64>,
}

/// An answer, and when it was given.
#[derive(Clone, Debug)]
struct Kept {
    record: Record,
    at_ms: u64,
}

/// What a directory failed with, and when.
#[derive(Clone, Debug)]
struct Failure {
    text: String,
    at_ms: i64,
    monotonic_ms: u64,
}

#[derive(Default)]
struct Memory {
    kept: HashMap<String, Kept>,
    failure: Option<Failure>,
}

/// A directory with a memory. That there is no such user is not remembered, so that one who was
/// just made can log in.
pub struct Cached {
    source: Box<dyn Source>,
    keeping: Keeping,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

impl Cached {
    /// With an empty memory.
    #[must_use]
    pub fn new(source: Box<dyn Source>, keeping: Keeping, clock: Arc<dyn Clock>) -> Self {
        Self { source, keeping, clock, memory: Mutex::default() }
    }

    /// The directory itself.
    #[must_use]
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// What it failed with last and when, Unix milliseconds, unless it has answered since.
    #[must_use]
    pub fn failure(&self) -> Option<(String, i64)> {
        self.memory().failure.as_ref().map(|failure| (failure.text.clone(), failure.at_ms))
    }

    /// As [`Source::look_up`].
    ///
    /// # Errors
    /// Where the directory does not answer and no answer of its may be used instead.
    pub async fn look_up(&self, name: &str) -> Result<Option<Record>, DirectoryError> {
        let now_ms = self.clock.monotonic_ms();
        let (fresh, bridge) = self.remembered(name, now_ms);
        if let Some(record) = fresh {
            return Ok(Some(record));
        }
        let answer = self.source.look_up(name).await;
        let mut memory = self.memory();
        match answer {
            Ok(found) => {
                memory.failure = None;
                match &found {
                    // What never counts is not kept.
                    Some(_) if self.keeping.age_ms == 0 => {}
                    Some(record) => memory.keep(name, record.clone(), now_ms),
                    None => memory.forget(name),
                }
                Ok(found)
            }
            Err(error) => {
                memory.fail(&error, &*self.clock);
                bridge.map(Some).ok_or(error)
            }
        }
    }

    /// An answer that counts now, and one that counts if the directory does not answer.
    fn remembered(&self, name: &str, now_ms: u64) -> (Option<Record>, Option<Record>) {
        let memory = self.memory();
        let Some(kept) = memory.kept.get(name) else { return (None, None) };
        let age_ms = now_ms.saturating_sub(kept.at_ms);
        if age_ms < self.keeping.age_ms {
            return (Some(kept.record.clone()), None);
        }
        let bridges = self.keeping.outage_ms.is_some_and(|most| age_ms < most);
        let bridge = bridges.then(|| kept.record.clone());
        let failed = memory.failure.as_ref();
        match failed.map(|failure| now_ms.saturating_sub(failure.monotonic_ms)) {
            // It has just failed: nobody waits for it again.
            Some(since_ms) if since_ms < REST_MS => (bridge, None),
            _ => (None, bridge),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn keep(&mut self, name: &str, record: Record, at_ms: u64) {
        if self.kept.len() >= MOST && !self.kept.contains_key(name) {
            self.shrink();
        }
        self.kept.insert(name.to_owned(), Kept { record, at_ms });
    }

    /// Drops the older half, so that this is seldom done.
    fn shrink(&mut self) {
        let mut times: Vec<_> = self.kept.values().map(|kept| kept.at_ms).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let (median, mut equal) = (*median, 0);
        self.kept.retain(|_, kept| {
            equal += usize::from(kept.at_ms == median);
            kept.at_ms > median || (kept.at_ms == median && equal % 2 == 0)
        });
    }

    fn forget(&mut self, name: &str) {
        self.kept.remove(name);
    }

    fn fail(&mut self, error: &DirectoryError, clock: &dyn Clock) {
        self.failure = Some(Failure {
            text: error.0.clone(),
            at_ms: clock.now_ms(),
            monotonic_ms: clock.monotonic_ms(),
        });
    }
}

#[cfg(test)]
mod tests;
