//! Finding a token again whose counter or clock has moved away (RFC 4226 section 7.4, RFC 6238
//! section 6): two consecutive codes prove where it is.

use std::cmp::Ordering;

use crate::{
    account::Account,
    code::Digits,
    consume::{Refusal, Rules, attempt},
    token::{Factor, Standing, Token},
    totp,
    window::{Windows, matches},
};

/// How far a token is searched: steps before and after our own for TOTP, counters beyond the
/// watermark for HOTP.
pub const REACH: u64 = 100;

/// Moves the active token `token` to where its codes `first` and `second` are, which must be
/// consecutive and both beyond the watermark, at `now_ms` (Unix milliseconds).
///
/// Both codes are spent: the watermark moves past the second one and never falls, so that resync
/// can replay nothing. For TOTP, [`Token::offset_ms`] becomes what the device's clock is ahead of
/// ours: later windows are centred on the device's step, so the watermark, a step of the device,
/// never lies beyond the next one, and a token is usable again one step after its resync. Nothing
/// else moves the offset (no automatic drift). A counter that owed two consecutive codes
/// ([`crate::token::Rejoin`]) is settled by them.
///
/// # Errors
/// [`Refusal::Wrong`] when there is no such pair (charged once), [`Refusal::Locked`] while the user
/// is locked, and uncharged [`Refusal::Unenrolled`] for an unknown token, [`Refusal::Expired`] or
/// [`Refusal::Disabled`] for one that is not active or not accepted here, [`Refusal::Malformed`]
/// for codes of another length and for a token whose codes are delivered.
pub fn resync(
    account: &mut Account,
    token: &str,
    first: &Digits,
    second: &Digits,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<(), Refusal> {
    if !account.open_to_codes(rules.lockout, now_ms) {
        return Err(Refusal::Locked);
    }
    let found = account.token_mut(token).ok_or(Refusal::Unenrolled)?;
    let windows = (rules.windows)(&found.method).ok_or(Refusal::Disabled)?;
    match found.standing(now_ms) {
        Standing::Active => {}
        Standing::Expired => return Err(Refusal::Expired),
        Standing::Pending | Standing::Disabled => return Err(Refusal::Disabled),
    }
    let delivered = matches!(found.factor, Factor::OutOfBand(_));
    if delivered || [first, second].iter().any(|code| code.len() != found.digits) {
        return Err(Refusal::Malformed);
    }
    attempt(account, rules, now_ms, |account| {
        let token = account.token_mut(token).ok_or(Refusal::Unenrolled)?;
        let place = locate(token, first, second, now_ms).ok_or(Refusal::Wrong)?;
        token.spend(place);
        token.offset_ms = offset_ms(token.factor, place, windows, now_ms);
        token.last_used_ms = Some(now_ms);
        Ok(())
    })
}

/// The step or counter of the second code, nearest to where it should be.
fn locate(token: &Token, first: &Digits, second: &Digits, now_ms: i64) -> Option<u64> {
    let mut place = None;
    let mut probe = |candidate: u64| {
        let fresh = candidate > token.next && candidate < u64::MAX;
        let before = candidate.saturating_sub(1);
        let hit = matches(token, before, first) & matches(token, candidate, second);
        if fresh && hit.into() && place.is_none() {
            place = Some(candidate);
        }
    };
    match token.factor {
        Factor::Totp { t0_ms, period_ms } => {
            let step = totp::step(now_ms, t0_ms, period_ms)?;
            for distance in 0..=REACH {
                step.checked_sub(distance).into_iter().for_each(&mut probe);
                step.checked_add(distance).into_iter().for_each(&mut probe);
            }
        }
        Factor::Hotp => {
            (1..=REACH).filter_map(|ahead| token.next.checked_add(ahead)).for_each(probe);
        }
        Factor::OutOfBand(_) => {}
    }
    place
}

/// How far the device's clock is ahead of ours when its step is `step` at `now_ms`. One reading
/// leaves a whole step of doubt: its clock can be anywhere in `step`, and so the device will be at
/// two neighbouring steps as seen from any place in that range. The place is chosen so that the
/// window covers both: the end of the step where the window reaches further back than forth, the
/// beginning where it reaches further forth, else the middle.
fn offset_ms(factor: Factor, step: u64, windows: Windows, now_ms: i64) -> i64 {
    let Factor::Totp { t0_ms, period_ms } = factor else { return 0 };
    let within = match windows.before.cmp(&windows.after) {
        Ordering::Greater => period_ms.saturating_sub(1),
        Ordering::Equal => period_ms / 2,
        Ordering::Less => 0,
    };
    let elapsed = i128::from(step) * i128::from(period_ms) + i128::from(within);
    let ahead = i128::from(t0_ms) + elapsed - i128::from(now_ms);
    i64::try_from(ahead).unwrap_or(0)
}
