//! A token: what is known of one authenticator of one user.

use serde::{Deserialize, Serialize};

use crate::{contact::Channel, secret::Secret, share::Share};

/// The hash function under the HMAC (RFC 6238 section 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-1, the default of RFC 4226 and the only one that every app follows.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// What moves the code on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Factor {
    /// RFC 6238: time.
    Totp {
        /// Unix milliseconds at which step 0 begins.
        t0_ms: i64,
        /// Length of a step in milliseconds, above 0.
        period_ms: u64,
    },
    /// RFC 4226: a counter.
    Hotp,
    /// Nothing: each code is made at random and delivered ([`crate::out_of_band`]).
    OutOfBand(Channel),
}

/// Where a token is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Enrolled, not yet confirmed by a first code: neither satisfies nor requires a login.
    Pending {
        /// Unix milliseconds after which it can no longer be confirmed.
        until_ms: i64,
    },
    /// Accepted.
    Active,
    /// Not accepted.
    Disabled {
        /// Unix milliseconds at which it is active again by itself; `None`: until enabled.
        until_ms: Option<i64>,
        /// Why, for the administrator.
        reason: String,
    },
}

/// Whether a counter has to prove where it is before it counts as a factor again: a store that was
/// restored does not know which codes were used since its backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejoin {
    /// It need not.
    #[default]
    Settled,
    /// Two consecutive codes are due. The first one, a code of a counter from the watermark to
    /// [`crate::resync::REACH`] beyond it, is spent and refused.
    Due,
    /// The first one was given.
    Half {
        /// The counter of the code that is accepted now, and settles it. Any other code in the
        /// reach takes the first one's place.
        second: u64,
    },
}

/// One authenticator of one user. The parameters are copied from the method at enrolment, so that
/// a changed method does not break enrolled users (U12); windows stay with the method.
#[derive(Debug, PartialEq, Eq)]
pub struct Token {
    /// Opaque: 32 lower-case hexadecimal digits.
    pub id: String,
    /// The user's name for it, unique among the user's tokens.
    pub label: String,
    /// The method (parameter set) it was enrolled with.
    pub method: String,
    /// Time or counter.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code, 4–8.
    pub digits: u8,
    /// The shared secret; of a delivered code the key of its digest.
    pub secret: Secret,
    /// Where it is in its life.
    pub state: State,
    /// Who has been shown the secret.
    pub share: Share,
    /// The watermark: the lowest step (by the device's own clock) or counter that may still be
    /// accepted; how often a delivered code was accepted. Only grows, for as long as the secret is the same.
    pub next: u64,
    /// How far the device's clock is ahead of ours in milliseconds, as the last resync measured
    /// it; at most [`crate::resync::REACH`] steps and one more. 0 for a counter and until the
    /// first resync and for a new secret; nothing else sets it. It moves the window, never the watermark.
    pub offset_ms: i64,
    /// Whether two consecutive codes are due. Of a counter only.
    pub rejoin: Rejoin,
    /// How many codes were accepted, the first one among them.
    pub accepted: u64,
    /// Enrolled at, Unix milliseconds.
    pub created_ms: i64,
    /// Last accepted at, Unix milliseconds.
    pub last_used_ms: Option<i64>,
    /// Not accepted from this time on, Unix milliseconds.
    pub expires_ms: Option<i64>,
}

/// What a token counts for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not confirmed yet.
    Pending,
    /// Codes are accepted.
    Active,
    /// Disabled now.
    Disabled,
    /// Past its end.
    Expired,
}

impl Token {
    /// Moves the watermark past an accepted step or counter, which settles where the token is.
    pub(crate) fn spend(&mut self, moving: u64) {
        self.raise(moving.saturating_add(1));
        self.rejoin = Rejoin::Settled;
    }

    /// Moves the watermark past the first of two codes and waits for the second.
    pub(crate) fn await_second(&mut self, moving: u64) {
        self.raise(moving.saturating_add(1));
        self.rejoin = Rejoin::Half { second: moving.saturating_add(1) };
    }

    /// Moves the watermark up to `next`, never down. A second code that falls below it can no
    /// longer come: two are due again.
    pub(crate) fn raise(&mut self, next: u64) {
        self.next = self.next.max(next);
        if matches!(self.rejoin, Rejoin::Half { second } if second < self.next) {
            self.rejoin = Rejoin::Due;
        }
    }

    /// Whether the user has confirmed it, whatever became of it since.
    #[must_use]
    pub fn confirmed(&self) -> bool {
        !matches!(self.state, State::Pending { .. })
    }

    /// Whether its key was replaced after it had been used, and the new one is not confirmed yet.
    #[must_use]
    pub fn replaced(&self) -> bool {
        !self.confirmed() && self.last_used_ms.is_some()
    }

    /// The token's standing at `now_ms`. A disabled token whose end has come is active.
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> Standing {
        standing(&self.state, self.expires_ms, now_ms)
    }
}

/// The standing of a token in `state` with an end at `expires_ms`, at `now_ms`.
#[must_use]
pub fn standing(state: &State, expires_ms: Option<i64>, now_ms: i64) -> Standing {
    if expires_ms.is_some_and(|end| now_ms >= end) {
        return Standing::Expired;
    }
    match state {
        State::Pending { .. } => Standing::Pending,
        State::Active => Standing::Active,
        State::Disabled { until_ms: Some(end), .. } if now_ms >= *end => Standing::Active,
        State::Disabled { .. } => Standing::Disabled,
    }
}
