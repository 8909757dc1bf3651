//! Lockout: growing locks that end by themselves, and a hard stop (RFC 4226 section 7.3,
//! NIST SP 800-63B section 5.2.2, OWASP ASVS 6.3).

use std::cmp::Ordering;

/// The `[lockout]` section of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Consecutive failures that lock for the first time; 1–100.
    pub after: u32,
    /// Length of the first lock in milliseconds; each further failure after a lock doubles it.
    pub first_ms: u64,
    /// Longest lock in milliseconds.
    pub longest_ms: u64,
    /// Consecutive failures after which only an administrator or a recovery code helps; 1–1000.
    pub disable_after: u32,
}

/// Failures and lock of one user; persisted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle {
    /// Consecutive failures since the last success or unlock.
    pub failures: u32,
    /// Unix milliseconds at which the present lock ends, if there is one.
    pub locked_until_ms: Option<i64>,
}

/// Whether codes are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// They are.
    Open,
    /// Not before a time.
    Locked {
        /// Unix milliseconds at which the lock ends.
        until_ms: i64,
    },
    /// Not until an administrator unlocks or a recovery code is given.
    Disabled,
}

impl Throttle {
    /// The lock at `now_ms`. One that ends further ahead than the longest lock (the clock went
    /// back, or the configuration changed) counts as ending that long from now; [`Self::settle`]
    /// makes that stick.
    #[must_use]
    pub fn locked(&self, lockout: &Lockout, now_ms: i64) -> Lock {
        if self.failures >= lockout.disable_after {
            return Lock::Disabled;
        }
        match self.locked_until_ms {
            Some(end_ms) if end_ms > now_ms => Lock::Locked {
                until_ms: end_ms.min(now_ms.saturating_add_unsigned(lockout.longest_ms)),
            },
            _ => Lock::Open,
        }
    }

    /// Shortens a lock that ends further ahead than the longest lock, so that it ends that long
    /// after it was first looked at, however far the clock went back. Never prolongs one.
    pub fn settle(&mut self, lockout: &Lockout, now_ms: i64) {
        let latest_ms = now_ms.saturating_add_unsigned(lockout.longest_ms);
        self.locked_until_ms = self.locked_until_ms.map(|end_ms| end_ms.min(latest_ms));
    }

    /// Counts one failure; from the `after`th on each one locks, for twice as long as the one
    /// before, up to the longest lock.
    pub fn charge(&mut self, lockout: &Lockout, now_ms: i64) {
        self.failures = self.failures.saturating_add(1);
        if let Some(doublings) = self.failures.checked_sub(lockout.after) {
            let length_ms = lockout.first_ms.saturating_mul(2_u64.saturating_pow(doublings));
            let length_ms = length_ms.min(lockout.longest_ms);
            self.locked_until_ms = Some(now_ms.saturating_add_unsigned(length_ms));
        }
    }

    /// Forgets failures and lock: after a success, or when an administrator unlocks.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A limit on attempts, right ones among them, that another program had set for a user: a bucket
/// of so many attempts that fills up again evenly in so many milliseconds. After a pause all of
/// them may be used at once, and from then on as many in each interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many attempts; 0 counts as 1.
    pub attempts: u32,
    /// In how many milliseconds.
    pub interval_ms: u64,
    /// When all attempts are free again, Unix milliseconds.
    pub at_ms: i64,
}

impl Pace {
    /// A limit with all attempts free.
    #[must_use]
    pub fn new(attempts: u32, interval_ms: u64) -> Self {
        Self { attempts, interval_ms, at_ms: i64::MIN }
    }

    /// Whether it lets fewer attempts through in the long run than `other`; where as many, whether
    /// fewer at once.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> bool {
        let rate =
            |of: &Self, per: &Self| u128::from(of.attempts.max(1)) * u128::from(per.interval_ms);
        match rate(self, other).cmp(&rate(other, self)) {
            Ordering::Less => true,
            Ordering::Equal => self.attempts.max(1) < other.attempts.max(1),
            Ordering::Greater => false,
        }
    }

    /// Whether one more attempt is free at `now_ms`. One that would not be free within the interval
    /// (the clock went back) is free after it; [`Self::settle`] makes that stick.
    #[must_use]
    pub fn allows(&self, now_ms: i64) -> bool {
        self.after(now_ms) <= self.latest_ms(now_ms)
    }

    /// Shortens a wait for more than the interval, which only a clock that went back can leave.
    pub fn settle(&mut self, now_ms: i64) {
        self.at_ms = self.at_ms.min(self.latest_ms(now_ms));
    }

    /// Counts one attempt.
    pub fn count(&mut self, now_ms: i64) {
        self.at_ms = self.after(now_ms);
    }

    /// When all attempts were free again after one more at `now_ms`.
    fn after(&self, now_ms: i64) -> i64 {
        let each_ms = self.interval_ms.div_ceil(self.attempts.max(1).into());
        self.at_ms.max(now_ms).saturating_add_unsigned(each_ms)
    }

    fn latest_ms(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add_unsigned(self.interval_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOCKOUT: Lockout =
        Lockout { after: 5, first_ms: 60_000, longest_ms: 900_000, disable_after: 100 };
    const NOW: i64 = 1_700_000_000_000;
    const TEN_YEARS: i64 = 10 * 365 * 86_400_000;

    fn charged(times: u32, now_ms: i64) -> Throttle {
        let mut throttle = Throttle::default();
        (0..times).for_each(|_| throttle.charge(&LOCKOUT, now_ms));
        throttle
    }

    #[test]
    fn locks_double_up_to_the_longest_and_then_for_good() {
        for (failures, lock_s) in [
            (0, 0),
            (1, 0),
            (4, 0),
            (5, 60),
            (6, 120),
            (7, 240),
            (8, 480),
            (9, 900),
            (10, 900),
            (37, 900),
            (69, 900),
            (99, 900),
        ] {
            let throttle = charged(failures, NOW);
            assert_eq!(throttle.failures, failures);
            let until_ms = NOW + lock_s * 1000;
            let expected = if lock_s == 0 { Lock::Open } else { Lock::Locked { until_ms } };
            assert_eq!(throttle.locked(&LOCKOUT, NOW), expected, "{failures} failures");
            assert_eq!(throttle.locked(&LOCKOUT, until_ms), Lock::Open, "{failures} failures");
            if lock_s > 0 {
                assert_ne!(throttle.locked(&LOCKOUT, until_ms - 1), Lock::Open);
            }
        }
        for failures in [100, 101, 250] {
            assert_eq!(charged(failures, NOW).locked(&LOCKOUT, NOW + TEN_YEARS), Lock::Disabled);
        }
    }

    #[test]
    fn a_clock_that_went_back_locks_for_the_longest_lock_once() {
        let mut throttle = charged(5, NOW);
        let past = NOW - TEN_YEARS;
        let until_ms = past + 900_000;
        assert_eq!(throttle.locked(&LOCKOUT, past), Lock::Locked { until_ms });
        throttle.settle(&LOCKOUT, past);
        for (later_ms, lock) in [
            (0, Lock::Locked { until_ms }),
            (899_999, Lock::Locked { until_ms }),
            (900_000, Lock::Open),
        ] {
            throttle.settle(&LOCKOUT, past + later_ms);
            assert_eq!(throttle.locked(&LOCKOUT, past + later_ms), lock, "{later_ms}");
        }
        assert_eq!(throttle.failures, 5);
    }

    #[test]
    fn settling_never_prolongs_a_lock() {
        let mut throttle = charged(5, NOW);
        for later_ms in [0, 30_000, 60_000, TEN_YEARS] {
            throttle.settle(&LOCKOUT, NOW + later_ms);
            assert_eq!(throttle.locked_until_ms, Some(NOW + 60_000));
        }
    }

    #[test]
    fn clearing_forgets_everything() {
        for failures in [1, 5, 100] {
            let mut throttle = charged(failures, NOW);
            throttle.clear();
            assert_eq!(throttle, Throttle::default());
            assert_eq!(throttle.locked(&LOCKOUT, NOW), Lock::Open);
        }
    }

    #[test]
    fn a_pace_is_stricter_by_its_rate_and_then_by_its_attempts() {
        let pace = |(attempts, interval_ms)| Pace::new(attempts, interval_ms);
        for (one, other, stricter) in [
            ((3, 30_000), (3, 30_000), false),
            ((2, 30_000), (3, 30_000), true),
            ((3, 30_000), (2, 30_000), false),
            ((3, 30_001), (3, 30_000), true),
            ((1, 10_000), (3, 30_000), true),
            ((3, 30_000), (1, 10_000), false),
            ((1, 30_000), (100, 3_600_000), false),
            ((0, 30_000), (1, 30_000), false),
            ((u32::MAX, u64::MAX), (1, 1), true),
        ] {
            assert_eq!(pace(one).stricter(&pace(other)), stricter, "{one:?} {other:?}");
        }
    }

    proptest! {
        /// Never more than the bucket and what has flowed in since; and what a clock that jumps back
        /// leaves is over after the interval.
        #[test]
        fn a_pace_lets_as_many_through_as_its_rate(
            attempts in 1..20_u32, interval_ms in 20..100_000_u64,
            waits in proptest::collection::vec(0..20_000_i64, 1..60), back_ms in 0..TEN_YEARS,
        ) {
            let mut pace = Pace::new(attempts, interval_ms);
            let (mut now_ms, mut taken) = (NOW, 0_u64);
            for wait_ms in waits {
                now_ms += wait_ms;
                pace.settle(now_ms);
                if pace.allows(now_ms) {
                    pace.count(now_ms);
                    taken += 1;
                }
                let flowed = (now_ms - NOW) as u64 * u64::from(attempts) / interval_ms;
                prop_assert!(taken <= u64::from(attempts) + flowed, "{} {}", taken, flowed);
            }
            let past_ms = now_ms - back_ms;
            pace.settle(past_ms);
            prop_assert!(pace.allows(past_ms.saturating_add_unsigned(interval_ms)));
        }

        #[test]
        fn no_numbers_break_a_pace(attempts: u32, interval_ms: u64, at_ms: i64, now_ms: i64) {
            let mut pace = Pace { attempts, interval_ms, at_ms };
            pace.settle(now_ms);
            prop_assert!(pace.at_ms <= now_ms.saturating_add_unsigned(interval_ms));
            prop_assert!(pace.allows(now_ms.saturating_add_unsigned(interval_ms)));
            pace.count(now_ms);
            prop_assert!(!pace.stricter(&pace));
        }

        #[test]
        fn no_numbers_break_it(
            after: u32, first_ms: u64, longest_ms: u64, disable_after: u32,
            failures: u32, locked_until_ms: Option<i64>, now_ms: i64,
        ) {
            let lockout = Lockout { after, first_ms, longest_ms, disable_after };
            let mut throttle = Throttle { failures, locked_until_ms };
            throttle.settle(&lockout, now_ms);
            throttle.charge(&lockout, now_ms);
            prop_assert_eq!(throttle.failures, failures.saturating_add(1));
            if let Lock::Locked { until_ms } = throttle.locked(&lockout, now_ms) {
                prop_assert!(until_ms > now_ms);
                prop_assert!(until_ms <= now_ms.saturating_add_unsigned(longest_ms));
            }
        }
    }
}
