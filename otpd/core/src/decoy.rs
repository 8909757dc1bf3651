//! What is computed where there is nothing to compare with, so that a refusal takes as long for
//! nobody as for a user with a token.

use std::{hint::black_box, sync::LazyLock};

use crate::{
    code::{Digits, Reply},
    consume::{Credential, Refusal, Rules},
    recovery,
    secret::Secret,
    share::Share,
    token::{Algorithm, Factor, Rejoin, State, Token},
    window::{self, Windows},
};

/// Length of the codes of nobody's token.
const DECOY_DIGITS: u8 = 6;

/// Refuses without looking at the account, after the work that a look would have been.
pub(crate) fn idle(
    reply: &Reply,
    rules: &Rules<'_>,
    now_ms: i64,
    refusal: Refusal,
) -> Result<Credential, Refusal> {
    match reply {
        Reply::Digits(code) => {
            search_decoy(code, now_ms);
            black_box(recovery::legacy_digest(rules.recovery_key, code));
        }
        Reply::Malformed => search_decoy(&Digits::last_of(0, DECOY_DIGITS), now_ms),
        Reply::Recovery(code) => {
            black_box(recovery::digest(rules.recovery_key, code));
        }
    }
    Err(refusal)
}

/// The search that a user with one token of the built-in method would have caused; its result
/// counts for nothing.
pub(crate) fn search_decoy(code: &Digits, now_ms: i64) {
    static DECOY: LazyLock<Token> = LazyLock::new(|| Token {
        id: String::new(),
        label: String::new(),
        method: String::new(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: DECOY_DIGITS,
        secret: Secret::decoy(),
        state: State::Active,
        share: Share::Released,
        next: 0,
        offset_ms: 0,
        rejoin: Rejoin::Settled,
        accepted: 0,
        created_ms: 0,
        last_used_ms: None,
        expires_ms: None,
    });
    black_box(window::search(&DECOY, Windows::default(), code, now_ms));
}
