//! How many wrong codes were given in place of a password, of all users together: with a code
//! pending for each of many users, guesses that no single user's lock stops would add up.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// What guesses are counted over, in milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// When guesses were made, in monotonic milliseconds; those of the last hour.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<VecDeque<u64>>);

impl Guesses {
    /// Whether there were `most` or more in the hour before `now_ms`.
    pub(super) fn exhausted(&self, most: u32, now_ms: u64) -> bool {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while times.front().is_some_and(|at_ms| at_ms.saturating_add(HOUR_MS) <= now_ms) {
            times.pop_front();
        }
        times.len() >= most as usize
    }

    /// Counts one.
    pub(super) fn count(&self, now_ms: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t23_guesses_are_counted_over_an_hour() {
        let guesses = Guesses::default();
        for at_ms in [0, 1000, 2000] {
            assert!(!guesses.exhausted(3, at_ms));
            guesses.count(at_ms);
        }
        assert!(guesses.exhausted(3, 2000));
        assert!(guesses.exhausted(3, HOUR_MS - 1));
        assert!(!guesses.exhausted(3, HOUR_MS));
        guesses.count(HOUR_MS);
        assert!(guesses.exhausted(3, HOUR_MS));
        assert!(guesses.exhausted(2, HOUR_MS + 1000));
        assert!(!guesses.exhausted(2, HOUR_MS + 2000));
    }
}
