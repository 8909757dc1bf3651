//! The life of a token: enrolled, disabled, enabled, revoked. Confirmation is in
//! [`crate::consume`], with everything else that accepts codes; the URI is in [`crate::uri`].

use crate::{
    account::{Account, check_text},
    code::{FEWEST, MOST, Reply},
    consume::{Credential, Refusal, Rules, Scope, consume},
    error::Error,
    out_of_band,
    secret::Secret,
    share::Share,
    token::{Algorithm, Factor, Rejoin, State, Token},
};

/// Most tokens of one user, pending ones included.
pub const MOST_TOKENS: usize = 20;

/// What a new token is made of.
#[derive(Debug)]
pub struct NewToken {
    /// Opaque and unique in the store: 32 lower-case hexadecimal digits.
    pub id: String,
    /// The user's name for it; empty: the method's name, with a number where that is taken.
    pub label: String,
    /// The method whose parameters it has.
    pub method: String,
    /// Time or counter.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code, 4–8.
    pub digits: u8,
    /// The shared secret.
    pub secret: Secret,
    /// Until when it can be confirmed, Unix milliseconds; `None`: active at once.
    pub pending_until_ms: Option<i64>,
    /// Whether its secret is to be shared later with whoever has not been told it; such a token is
    /// pending.
    pub share: bool,
    /// When it stops being accepted, Unix milliseconds.
    pub expires_ms: Option<i64>,
}

/// Adds a token to the account at `now_ms` (Unix milliseconds). Pending tokens whose time is over
/// are dropped first.
///
/// # Errors
/// [`Error::Digits`] and [`Error::Text`] for parameters out of range; [`Error::State`] for a label
/// or a secret that another of the user's tokens has (one code would be good for both), for a
/// period of 0, for a T0 after `now_ms`, for more than [`MOST_TOKENS`] tokens, and for a token to
/// share that is active at once or whose codes are delivered.
pub fn begin(account: &mut Account, new: NewToken, now_ms: i64) -> Result<(), Error> {
    check_text(&new.method)?;
    check_text(&new.label)?;
    if !(FEWEST..=MOST).contains(&new.digits) {
        return Err(Error::Digits);
    }
    if matches!(new.factor, Factor::Totp { period_ms: 0, .. }) {
        return Err(Error::State("a time step is longer than 0 ms"));
    }
    if matches!(new.factor, Factor::Totp { t0_ms, .. } if t0_ms > now_ms) {
        return Err(Error::State("T0 lies in the future: no code is right before it"));
    }
    if new.share && new.pending_until_ms.is_none() {
        return Err(Error::State("a token that is active already cannot be shared"));
    }
    if new.share && matches!(new.factor, Factor::OutOfBand(_)) {
        return Err(Error::State("codes that are delivered have no secret to share"));
    }
    account
        .tokens
        .retain(|token| !matches!(token.state, State::Pending { until_ms } if now_ms > until_ms));
    if account.tokens.len() >= MOST_TOKENS {
        return Err(Error::State("a user has at most 20 tokens; remove one first"));
    }
    if account.tokens.iter().any(|token| token.secret == new.secret) {
        return Err(Error::State("the user has a token with this secret"));
    }
    let label = free_label(account, new.label, &new.method)?;
    let state = new.pending_until_ms.map_or(State::Active, |until_ms| State::Pending { until_ms });
    account.tokens.push(Token {
        id: new.id,
        label,
        method: new.method,
        factor: new.factor,
        algorithm: new.algorithm,
        digits: new.digits,
        secret: new.secret,
        state,
        share: if new.share { Share::Created } else { Share::Released },
        next: 0,
        offset_ms: 0,
        rejoin: Rejoin::Settled,
        accepted: 0,
        created_ms: now_ms,
        last_used_ms: None,
        expires_ms: new.expires_ms,
    });
    Ok(())
}

/// Whether the user gets a credential at a login: they have no confirmed token, or such ones only
/// whose first code was sent to them at a login and has not been answered yet. Not where a token of
/// theirs waits for its new key to be confirmed: it was shared again to them, not to whoever logs in.
#[must_use]
pub fn open(account: &Account) -> bool {
    if account.tokens.iter().any(Token::replaced) {
        return false;
    }
    let mut confirmed = account.tokens.iter().filter(|token| token.confirmed());
    confirmed.all(|token| out_of_band::underway(account, token))
}

/// Makes the token that was shown at a login part of the account, active and with its first code
/// consumed. Tokens that nobody has confirmed or answered yet go. Where it does not succeed, the
/// account is as it was: what the person was shown, no guess can be made at, so nothing is charged.
///
/// # Errors
/// [`Refusal`]: that of the code as in [`consume`], [`Refusal::Locked`] among them;
/// [`Refusal::Disabled`] for an account that is not [`open`] and for a token that cannot be.
pub fn adopt(
    account: &mut Account,
    mut new: NewToken,
    reply: &Reply,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    if !open(account) {
        return Err(Refusal::Disabled);
    }
    let id = new.id.clone();
    new.pending_until_ms = Some(now_ms);
    let (throttle, pace) = (account.throttle, account.pace);
    let mut draft = Account { throttle, pace, ..Account::default() };
    begin(&mut draft, new, now_ms).map_err(|_| Refusal::Disabled)?;
    let credential = consume(Some(&mut draft), reply, Scope::Token(&id), rules, now_ms)?;
    account.tokens = draft.tokens;
    account.challenges.clear();
    account.throttle.clear();
    account.pace = draft.pace;
    account.last_success_ms = Some(now_ms);
    Ok(credential)
}

/// The wanted label if it is free; for an empty one the first free of "method", "method 2", …
fn free_label(account: &Account, wanted: String, method: &str) -> Result<String, Error> {
    let free = |label: &String| account.tokens.iter().all(|token| token.label != *label);
    if !wanted.is_empty() {
        let taken = Error::State("the user has a token with this label");
        return Some(wanted).filter(free).ok_or(taken);
    }
    let numbered = (2..).map(|number| format!("{method} {number}"));
    std::iter::once(method.to_owned()).chain(numbered).find(free).ok_or(Error::Text)
}

/// Stops accepting a confirmed token until a time (Unix milliseconds) or, with `None`, until it is
/// enabled. A token that is disabled already gets the new end and reason.
///
/// # Errors
/// [`Error::Text`] for the reason; [`Error::State`] for a pending and for an unknown token.
pub fn disable(
    account: &mut Account,
    token: &str,
    until_ms: Option<i64>,
    reason: &str,
) -> Result<(), Error> {
    check_text(reason)?;
    let token = account.token_mut(token).ok_or(UNKNOWN)?;
    if !token.confirmed() {
        return Err(Error::State("the token was never confirmed: remove it instead"));
    }
    token.state = State::Disabled { until_ms, reason: reason.to_owned() };
    Ok(())
}

/// Accepts a disabled token again. Its watermark and its end stay as they are.
///
/// # Errors
/// [`Error::State`] for a token that is not disabled and for an unknown one: a pending token
/// becomes active by its first code only.
pub fn enable(account: &mut Account, token: &str) -> Result<(), Error> {
    let token = account.token_mut(token).ok_or(UNKNOWN)?;
    if !matches!(token.state, State::Disabled { .. }) {
        return Err(Error::State("the token is not disabled"));
    }
    token.state = State::Active;
    Ok(())
}

/// Removes a token of any state for ever.
///
/// # Errors
/// [`Error::State`] for an unknown token.
pub fn revoke(account: &mut Account, token: &str) -> Result<(), Error> {
    let index = account.tokens.iter().position(|known| known.id == token).ok_or(UNKNOWN)?;
    account.tokens.remove(index);
    out_of_band::withdraw(account, token, None);
    Ok(())
}

const UNKNOWN: Error = Error::State("the user has no such token");
