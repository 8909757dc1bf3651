//! Tokens that another program knew: taken over with what was used there, so that nothing that was
//! accepted there is accepted here.

use crate::{
    account::{Account, check_text},
    code::Digits,
    enrolment::{NewToken, begin},
    error::Error,
    recovery::{LEGACY_DIGITS, legacy_digest},
    resync::REACH,
    share::Share,
    token::{Factor, State},
    totp,
};

/// What another program knew of an authenticator.
#[derive(Debug)]
pub struct Imported {
    /// The token, active at once (`pending_until_ms` and `share` do not count).
    pub token: NewToken,
    /// The lowest step (by the device's own clock) or counter that was not used there.
    pub next: u64,
    /// How far the device's clock is ahead of ours in milliseconds, at most [`REACH`] steps; 0 for a
    /// counter.
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
/// nothing else, be it disabled here or there. Doing it twice is as good as once.
///
/// A pending token with that secret becomes what is imported (and counts as added), its offer over or
/// not: whoever has used it elsewhere has confirmed it. Not one whose secret waits to be shown or is being shown: nobody
/// can have used that.
///
/// # Errors
/// As [`begin`]; [`Error::State`] for a known secret with other parameters or in a token that is
/// being shared, for a key of zeros only, for a clock that is further off than [`REACH`] steps, for
/// codes that were used further ahead of it than that, for a counter at its end and for a pending
/// state; [`Error::Text`] for the reason of a disabled one.
pub fn admit(account: &mut Account, imported: Imported, now_ms: i64) -> Result<Admitted, Error> {
    check(&imported, now_ms)?;
    let Imported { token: new, next, offset_ms, state } = imported;
    if let Some(known) = account.tokens.iter_mut().find(|known| known.secret == new.secret) {
        let same = known.factor == new.factor
            && known.algorithm == new.algorithm
            && known.digits == new.digits;
        if !same {
            return Err(Error::State("the user has a token with this secret and other parameters"));
        }
        if matches!(known.share, Share::Created | Share::Showing { .. }) {
            return Err(Error::State(
                "the user has a token with this secret that is being shared; remove it first",
            ));
        }
        let raised = known.next < next;
        known.raise(next);
        if known.confirmed() {
            return Ok(Admitted::Known { raised });
        }
        (known.offset_ms, known.state) = (offset_ms, state);
        return Ok(Admitted::Added);
    }
    let new = NewToken { pending_until_ms: None, share: false, ..new };
    begin(account, new, now_ms)?;
    if let Some(token) = account.tokens.last_mut() {
        (token.next, token.offset_ms, token.state) = (next, offset_ms, state);
    }
    Ok(Admitted::Added)
}

/// Whether what another program says can be.
fn check(imported: &Imported, now_ms: i64) -> Result<(), Error> {
    let Imported { token, next, offset_ms, state } = imported;
    if token.secret.expose().iter().all(|byte| *byte == 0) {
        return Err(Error::State("a key of zeros only is an example, not a secret"));
    }
    match state {
        State::Active => {}
        State::Disabled { reason, .. } => check_text(reason)?,
        State::Pending { .. } => {
            return Err(Error::State("a token that is imported is active or disabled"));
        }
    }
    // 0 where there is no clock.
    let period_ms = match token.factor {
        Factor::Totp { period_ms, .. } => period_ms,
        Factor::Hotp | Factor::OutOfBand(_) => 0,
    };
    if offset_ms.unsigned_abs() > REACH.saturating_mul(period_ms) {
        return Err(Error::State("the device's clock is more than 100 steps off; set it first"));
    }
    let last = match token.factor {
        Factor::Totp { t0_ms, period_ms } => {
            let step = totp::step(now_ms.saturating_add(*offset_ms), t0_ms, period_ms);
            step.unwrap_or(0).saturating_add(REACH)
        }
        Factor::Hotp | Factor::OutOfBand(_) => u64::MAX - 2,
    };
    if *next > last.saturating_add(1) {
        return Err(Error::State(
            "its codes were used in the future; check the clock here and where it was used",
        ));
    }
    Ok(())
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
