//! Keeps messages away from a provider that fails, so that they reach the next one at once.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// How long a provider rests after its first failure.
const FIRST: Duration = Duration::from_secs(30);
/// How long it rests at most, however often it fails.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Whether a provider is sent messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circuit {
    /// It works, as far as is known.
    Closed,
    /// It failed and rests.
    Open {
        /// For how much longer.
        left: Duration,
    },
    /// It has rested: one message at a time finds out whether it works again.
    HalfOpen,
}

/// The circuit breaker of one provider.
pub(crate) struct Breaker {
    state: Mutex<State>,
    /// Held by the one message that tries a provider that failed before.
    probe: Semaphore,
}

#[derive(Default)]
struct State {
    open: Option<Open>,
    last: Option<(Instant, String)>,
}

#[derive(Clone, Copy)]
struct Open {
    since: Instant,
    rest: Duration,
}

/// The right to send one message; given back when dropped.
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    probe: Option<SemaphorePermit<'a>>,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), probe: Semaphore::new(1) }
    }

    pub(crate) fn circuit(&self) -> Circuit {
        match self.state().open.map(|open| open.rest.saturating_sub(open.since.elapsed())) {
            None => Circuit::Closed,
            Some(Duration::ZERO) => Circuit::HalfOpen,
            Some(left) => Circuit::Open { left },
        }
    }

    /// Since when it has been open, if it is.
    pub(crate) fn open_since(&self) -> Option<Instant> {
        self.state().open.map(|open| open.since)
    }

    /// What the provider failed with last, and how long ago.
    pub(crate) fn last_failure(&self) -> Option<(Duration, String)> {
        self.state().last.as_ref().map(|(at, why)| (at.elapsed(), why.clone()))
    }

    /// Whether [`enter`](Self::enter) would let a message through.
    pub(crate) fn admits(&self) -> bool {
        match self.circuit() {
            Circuit::Closed => true,
            Circuit::Open { .. } => false,
            Circuit::HalfOpen => self.probe.available_permits() > 0,
        }
    }

    /// Lets a message through while closed, and one at a time while half-open.
    pub(crate) fn enter(&self) -> Option<Pass<'_>> {
        let probe = match self.circuit() {
            Circuit::Closed => None,
            Circuit::Open { .. } => return None,
            Circuit::HalfOpen => Some(self.probe.try_acquire().ok()?),
        };
        Some(Pass { breaker: self, probe })
    }

    /// Lets a message through in any state; one at a time unless closed.
    pub(crate) async fn force(&self) -> Pass<'_> {
        let mut probe = None;
        if self.circuit() != Circuit::Closed {
            probe = self.probe.acquire().await.ok();
        }
        // The message before may have found that it works.
        let probe = probe.filter(|_| self.circuit() != Circuit::Closed);
        Pass { breaker: self, probe }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// The provider took the message.
    pub(crate) fn succeeded(self) {
        self.breaker.state().open = None;
    }

    /// The provider failed.
    pub(crate) fn failed(self, why: &str) {
        let now = Instant::now();
        let mut state = self.breaker.state();
        state.last = Some((now, why.to_owned()));
        state.open = Some(match state.open {
            None => Open { since: now, rest: FIRST },
            // Sent before it opened: that it failed, too, is no news.
            Some(open) if self.probe.is_none() => open,
            Some(open) if open.since.elapsed() < open.rest => Open { since: now, ..open },
            Some(open) => Open { since: now, rest: LONGEST.min(open.rest.saturating_mul(2)) },
        });
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use tokio::time::{advance, timeout};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn rests_double_up_to_a_quarter_of_an_hour() {
        let breaker = Breaker::new();
        for rest in [30, 60, 120, 240, 480, 900, 900].map(|rest| rest * SECOND) {
            breaker.enter().unwrap().failed("down");
            assert_eq!(breaker.circuit(), Circuit::Open { left: rest });
            advance(rest - SECOND).await;
            assert!(!breaker.admits() && breaker.enter().is_none());
            advance(SECOND).await;
            assert_eq!(breaker.circuit(), Circuit::HalfOpen);
        }
        breaker.enter().unwrap().succeeded();
        assert_eq!(breaker.circuit(), Circuit::Closed);
        assert_eq!(breaker.last_failure(), Some((900 * SECOND, "down".to_owned())));
        breaker.enter().unwrap().failed("down");
        assert_eq!(breaker.circuit(), Circuit::Open { left: FIRST });
    }

    #[tokio::test(start_paused = true)]
    async fn half_open_lets_one_message_through_at_a_time() {
        let breaker = Breaker::new();
        breaker.enter().unwrap().failed("down");
        advance(FIRST).await;
        let first = breaker.enter().unwrap();
        assert!(!breaker.admits() && breaker.enter().is_none());
        drop(first);
        let second = breaker.enter().unwrap();
        let mut third = Box::pin(breaker.force());
        assert!(now(third.as_mut()).await.is_none());
        second.succeeded();
        assert!(now(third.as_mut()).await.unwrap().probe.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn messages_that_fail_together_count_once() {
        let breaker = Breaker::new();
        let under_way: Vec<_> = (0..10).map(|_| breaker.enter().unwrap()).collect();
        breaker.enter().unwrap().failed("down");
        advance(SECOND).await;
        for pass in under_way {
            pass.failed("down");
        }
        assert_eq!(breaker.circuit(), Circuit::Open { left: FIRST - SECOND });
        // Tried out of turn: it rests anew, but no longer.
        breaker.force().await.failed("still down");
        assert_eq!(breaker.circuit(), Circuit::Open { left: FIRST });
        assert_eq!(breaker.last_failure().unwrap().1, "still down");
    }

    /// What a future gives without waiting.
    async fn now<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        timeout(Duration::ZERO, future).await.ok()
    }
}
