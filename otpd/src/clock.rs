//! The only clock of the daemon: everything else is given the time.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump either way when the system's clock is set.
    fn now_ms(&self) -> i64;
    /// Milliseconds since boot, suspend included; never goes back. For timers and lifetimes.
    fn monotonic_ms(&self) -> u64;
}

/// The kernel's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        milliseconds(clock_gettime(ClockId::Realtime))
    }

    fn monotonic_ms(&self) -> u64 {
        milliseconds(clock_gettime(ClockId::Boottime)).unsigned_abs()
    }
}

/// Rounds towards the past, so that a step never begins early.
fn milliseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(test)]
pub(crate) use manual::ManualClock;

#[cfg(test)]
mod manual {
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

    use super::Clock;

    /// A clock that stands still until it is moved.
    #[derive(Debug, Default)]
    pub(crate) struct ManualClock {
        now_ms: AtomicI64,
        monotonic_ms: AtomicU64,
    }

    impl ManualClock {
        /// Stands at `now_ms`, 0 ms after boot.
        pub(crate) fn at(now_ms: i64) -> Self {
            Self { now_ms: AtomicI64::new(now_ms), monotonic_ms: AtomicU64::new(0) }
        }

        /// Lets time pass.
        pub(crate) fn advance(&self, by_ms: u64) {
            self.now_ms.fetch_add(by_ms.try_into().unwrap(), Ordering::SeqCst);
            self.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
        }

        /// Sets the time of day, as an administrator or NTP does; the time since boot goes on.
        pub(crate) fn set(&self, now_ms: i64) {
            self.now_ms.store(now_ms, Ordering::SeqCst);
        }
    }

    impl Clock for ManualClock {
        fn now_ms(&self) -> i64 {
            self.now_ms.load(Ordering::SeqCst)
        }

        fn monotonic_ms(&self) -> u64 {
            self.monotonic_ms.load(Ordering::SeqCst)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_towards_the_past_and_saturates() {
        for (tv_sec, tv_nsec, expected) in [
            (0, 0, 0),
            (1, 999_999_999, 1_999),
            (-1, 999_999_999, -1),
            (-1, 1, -1_000),
            (20_000_000_000, 5_000_000, 20_000_000_000_005),
            (i64::MAX, 0, i64::MAX),
        ] {
            assert_eq!(milliseconds(Timespec { tv_sec, tv_nsec }), expected, "{tv_sec}.{tv_nsec}");
        }
    }

    #[test]
    fn the_system_clock_is_in_milliseconds_and_goes_on() {
        let before = SystemClock.monotonic_ms();
        assert!(SystemClock.now_ms() > 1_700_000_000_000, "later than November 2023");
        assert!(SystemClock.now_ms() < 100_000_000_000_000, "and not in microseconds");
        assert!(SystemClock.monotonic_ms() >= before);
    }

    #[test]
    fn setting_the_manual_clock_leaves_the_time_since_boot() {
        let clock = ManualClock::at(1_000);
        clock.advance(500);
        clock.set(-7);
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (-7, 500));
    }
}
