//! Lockout: growing locks that end by themselves, and a hard stop (RFC 4226 section 7.3,
//! NIST SP 800-63B section 5.2.2, OWASP ASVS 6.3).

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
