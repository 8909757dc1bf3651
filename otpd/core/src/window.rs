//! Which step or counter a code belongs to: nearest first, never below the watermark.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{
    code::Digits,
    hotp,
    resync::REACH,
    token::{Factor, Rejoin, Token},
    totp,
};

/// Most steps before or after the present one that a window may have.
pub const MOST_STEPS: u8 = 9;
/// Most counters that a window may look ahead.
pub const MOST_LOOK_AHEAD: u16 = 50;
/// Counters below the watermark in which a used HOTP code is recognised.
const LOOK_BACK: u64 = 3;

/// Counters below the watermark in which a code is recognised while two are due: as many as a restore
/// skips at most, and some that were given since.
const MOST_SKIPPED: u64 = 2 * (MOST_LOOK_AHEAD as u64 + 1);

/// How far a code may be from where the token should be. Belongs to the method, not to the token.
/// What is above the bounds counts as the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// TOTP: steps before the present one, 0 to [`MOST_STEPS`].
    pub before: u8,
    /// TOTP: steps after the present one, 0 to [`MOST_STEPS`].
    pub after: u8,
    /// HOTP: counters beyond the next one, 0 to [`MOST_LOOK_AHEAD`].
    pub look_ahead: u16,
}

impl Default for Windows {
    fn default() -> Self {
        Self { before: 1, after: 0, look_ahead: 10 }
    }
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The code belongs to this step or counter, and it may still be accepted.
    Fresh(u64),
    /// The code belongs to this counter, which is the first of the two that the token owes
    /// ([`Rejoin`]): it is to be spent, and refused.
    First(u64),
    /// The code belongs to a counter below the watermark of a token that owes two: it was used, or
    /// skipped by the restore.
    Skipped,
    /// The code belongs to a step or counter of the window that can no longer be accepted.
    Used,
    /// The code belongs to none.
    None,
}

/// Looks for `code` in the token's window at `now_ms` (Unix milliseconds).
///
/// TOTP: the steps from `before` before to `after` after the one that the device's clock shows
/// (ours and [`Token::offset_ms`]), in the order 0, −1, +1, −2, +2 … HOTP: the counters from the
/// watermark to `look_ahead` beyond it (where two consecutive codes are due, to [`REACH`] beyond
/// it), and for [`Found::Used`] the last three below it. Every
/// candidate is computed and compared in constant time; a match ends nothing early. The last step
/// and counter of all (2⁶⁴−1) is never accepted, since no watermark can lie beyond it.
#[must_use]
pub fn search(token: &Token, windows: Windows, code: &Digits, now_ms: i64) -> Found {
    match token.factor {
        Factor::Totp { t0_ms, period_ms } => {
            let device_ms = now_ms.saturating_add(token.offset_ms);
            let centre = totp::step(device_ms, t0_ms, period_ms);
            let steps = centre.into_iter().flat_map(|centre| around(centre, windows));
            scan(token, code, steps)
        }
        Factor::Hotp => {
            let (look_ahead, look_back) = match token.rejoin {
                Rejoin::Settled => (windows.look_ahead.min(MOST_LOOK_AHEAD).into(), LOOK_BACK),
                Rejoin::Due | Rejoin::Half { .. } => (REACH, MOST_SKIPPED),
            };
            let ahead = token.next..=token.next.saturating_add(look_ahead);
            let behind = token.next.saturating_sub(look_back)..token.next;
            match (scan(token, code, ahead.chain(behind)), token.rejoin) {
                (Found::Fresh(moving), Rejoin::Due) => Found::First(moving),
                (Found::Fresh(moving), Rejoin::Half { second }) if moving != second => {
                    Found::First(moving)
                }
                (Found::Used, Rejoin::Due | Rejoin::Half { .. }) => Found::Skipped,
                (found, _) => found,
            }
        }
        Factor::OutOfBand(_) => Found::None,
    }
}

/// The steps of a TOTP window, nearest first, the earlier of two before the later.
fn around(centre: u64, windows: Windows) -> impl Iterator<Item = u64> {
    let before = u64::from(windows.before.min(MOST_STEPS));
    let after = u64::from(windows.after.min(MOST_STEPS));
    (0..=before.max(after)).flat_map(move |distance| {
        let past = centre.checked_sub(distance).filter(|_| distance <= before);
        let future = centre.checked_add(distance).filter(|_| (1..=after).contains(&distance));
        past.into_iter().chain(future)
    })
}

/// The first fresh candidate that matches, else whether a used one does.
fn scan(token: &Token, code: &Digits, candidates: impl Iterator<Item = u64>) -> Found {
    let mut moving = 0;
    let mut fresh = Choice::from(0);
    let mut used = Choice::from(0);
    for candidate in candidates.filter(|candidate| *candidate < u64::MAX) {
        let hit = matches(token, candidate, code);
        let acceptable = Choice::from(u8::from(candidate >= token.next));
        let first = hit & acceptable & !fresh;
        moving.conditional_assign(&candidate, first);
        fresh |= first;
        used |= hit & !acceptable;
    }
    if fresh.into() {
        Found::Fresh(moving)
    } else if used.into() {
        Found::Used
    } else {
        Found::None
    }
}

/// Whether `code` is the token's code at this step or counter.
pub(crate) fn matches(token: &Token, moving: u64, code: &Digits) -> Choice {
    hotp::value(&token.secret, token.algorithm, moving, token.digits).ct_eq(code)
}
