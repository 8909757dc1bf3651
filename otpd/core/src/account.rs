//! Everything that the decision needs of one user, read and written as one.

use crate::{recovery::Digest, throttle::Throttle, token::Token};

/// One user's security state. The store reads it, a transition of this crate changes it and the
/// store commits it, all in one transaction; nothing is told to anybody before that commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user id at enrolment, where a directory knew it.
    pub uid: Option<u32>,
    /// Failures and the lock.
    pub throttle: Throttle,
    /// Tokens of any state, oldest first.
    pub tokens: Vec<Token>,
    /// Digests of the recovery codes that are left.
    pub recovery: Vec<Digest>,
    /// The last login that was granted, Unix milliseconds.
    pub last_success_ms: Option<i64>,
}

impl Account {
    /// Whether the user counts as enrolled: has a confirmed token, usable or not (R19: a disabled
    /// or expired token is not "no token"). Recovery codes alone do not enrol.
    #[must_use]
    pub fn enrolled(&self) -> bool {
        use crate::token::State;
        self.tokens.iter().any(|token| !matches!(token.state, State::Pending { .. }))
    }
}
