//! Tokens that another program knew: taken over with what was used there, so that nothing that was
//! accepted there is accepted here.

use crate::{
    account::Account,
    code::Digits,
    enrolment::{NewToken, begin},
    error::Error,
    recovery::{LEGACY_DIGITS, legacy_digest},
    resync::REACH,
    token::{Factor, State},
};

/// What another program knew of an authenticator.
#[derive(Debug)]
pub struct Imported {
    /// The token, active at once (`pending_until_ms` and `share` do not count).
    pub token: NewToken,
    /// The lowest step (by the device's own clock) or counter that was not used there.
    pub next: u64,
    /// How far the device's clock is ahead of ours in milliseconds; 0 for a counter.
    pub offset_ms: i64,
    /// [`State::Active`] or [`State::Disabled`].
    pub state: State,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It is a token of the user's now.
    Added,
    /// The user has had it already.
    Known {
        /// Codes had been used elsewhere since: the watermark was raised.
        raised: bool,
    },
}

/// Adds the token to the account at `now_ms` (Unix milliseconds), or, where the user has a token
/// with the same secret and parameters, raises that one's watermark: never lowers it, and changes
/// nothing else. Doing it twice is as good as once.
///
/// # Errors
/// As [`begin`]; [`Error::State`] for a known secret with other parameters, and for a clock that is
/// further off than [`REACH`] steps.
pub fn admit(account: &mut Account, imported: Imported, now_ms: i64) -> Result<Admitted, Error> {
    let Imported { token: new, next, offset_ms, state } = imported;
    if let Some(known) = account.tokens.iter_mut().find(|known| known.secret == new.secret) {
        let same = known.factor == new.factor
            && known.algorithm == new.algorithm
            && known.digits == new.digits;
        if !same {
            return Err(Error::State("the user has a token with this secret and other parameters"));
        }
        let raised = known.next < next;
        known.raise(next);
        return Ok(Admitted::Known { raised });
    }
    let reach = match new.factor {
        Factor::Totp { period_ms, .. } => REACH.saturating_mul(period_ms),
        Factor::Hotp | Factor::OutOfBand(_) => 0,
    };
    if offset_ms.unsigned_abs() > reach {
        return Err(Error::State("the device's clock is more than 100 steps off; set it first"));
    }
    let new = NewToken { pending_until_ms: None, share: false, ..new };
    begin(account, new, now_ms)?;
    if let Some(token) = account.tokens.last_mut() {
        (token.next, token.offset_ms, token.state) = (next, offset_ms, state);
    }
    Ok(Admitted::Added)
}

/// Most recovery codes of one user, those of another program among them.
pub const MOST_RECOVERY: usize = 20;

/// Adds recovery codes of 8 digits that another program made, digested under `key`: those that the
/// account does not have, as long as it has fewer than [`MOST_RECOVERY`]. What has not 8 digits is
/// left out. How many were added.
pub fn admit_recovery(account: &mut Account, codes: &[Digits], key: &[u8; 32]) -> usize {
    let before = account.recovery.len();
    for code in codes.iter().filter(|code| code.len() == LEGACY_DIGITS) {
        let digest = legacy_digest(key, code);
        if account.recovery.len() < MOST_RECOVERY && !account.recovery.contains(&digest) {
            account.recovery.push(digest);
        }
    }
    account.recovery.len().saturating_sub(before)
}
