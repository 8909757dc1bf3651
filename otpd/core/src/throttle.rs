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
