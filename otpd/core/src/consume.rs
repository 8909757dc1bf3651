//! The one function that accepts codes: login, proof and the confirmation of a new token.

use crate::{
    account::Account,
    code::{Digits, Reply},
    decoy::{idle, search_decoy},
    issued::{self, Found as Issued},
    out_of_band,
    recovery::{self, Digest, RecoveryCode},
    share::Share,
    throttle::Lockout,
    token::{Standing, State, Token},
    window::{self, Found, Windows},
};

/// What a decision goes by: configuration and the policy that matched.
pub struct Rules<'a> {
    /// When to lock, and for how long.
    pub lockout: &'a Lockout,
    /// The windows of a method; `None` for one that is not accepted here: its tokens count as
    /// disabled.
    pub windows: &'a dyn Fn(&str) -> Option<Windows>,
    /// The key under which recovery codes are digested.
    pub recovery_key: &'a [u8; 32],
    /// Whether recovery codes are accepted here.
    pub recovery: bool,
    /// The PAM service: a delivered code is good only where it was asked for.
    pub service: &'a str,
    /// Which issued codes are accepted here.
    pub issued: issued::Terms,
}

/// What a code is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<'a> {
    /// A login, or the proof of a credential: any active token, a recovery code, or an issued code
    /// where the rules accept such.
    Login,
    /// A login that an issued code opens in place of the password, and nothing else does.
    Issued,
    /// The confirmation of the pending token with this id, and of nothing else.
    Token(&'a str),
}

/// What was consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A code of a token.
    Token {
        /// The token's id.
        id: String,
        /// The token's method.
        method: String,
    },
    /// A recovery code.
    Recovery {
        /// How many are left.
        left: usize,
    },
    /// A code that an administrator has issued.
    Issued {
        /// The code's id.
        id: String,
        /// How often it may still be given.
        left: u8,
        /// The client that it enrols.
        client: Option<String>,
    },
}

/// Why nothing was accepted; for the audit record, never for the person at the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The code belongs to no token, or the recovery code is not one of the user's. Charged.
    Wrong,
    /// The code is the first of two consecutive ones that the token owes ([`crate::token::Rejoin`]): it is spent,
    /// and only the next one is accepted.
    First,
    /// The code belongs to a counter that was used, or may have been, before the two that the token
    /// owes.
    Skipped,
    /// The code belongs to a step or counter that is spent, or was issued and is used up. Charged.
    Replayed,
    /// The code was issued and is not good at this service, over the network or here, or for this
    /// client. Charged.
    Elsewhere,
    /// The user is locked; nothing was evaluated.
    Locked,
    /// The reply can be no code of the user's; nothing was evaluated.
    Malformed,
    /// All of the user's tokens have expired (charged), the pending one has, or the code was issued
    /// and its time is over.
    Expired,
    /// No token is accepted here now (charged), or the one to confirm is not pending.
    Disabled,
    /// The user has no confirmed token and no issued code, or there is no such pending token.
    Unenrolled,
}

/// Accepts `reply` at `now_ms` (Unix milliseconds), or says why not.
///
/// A failure is charged before anything is compared, and taken back by success, or where a counter that
/// was restored has shown the code: its user presses on, and is not locked for that. Replies that
/// can be no code and users who are not enrolled are not charged. While the user is locked no
/// code of a token is evaluated, consumed or charged; a recovery code is, except that a wrong one
/// is not charged. A user's own pace ([`crate::throttle::Pace`]) locks in the same way.
///
/// [`Scope::Login`]: every active token is tried; the oldest that matches is consumed, which moves
/// its watermark past the code, voids all delivered codes and clears the throttle. A recovery code
/// stands in for a token that is lost, disabled or locked, but not for an enrolment that has
/// expired. One of 8 digits, which another program made, can be guessed: it is tried where no
/// token's code matched, charged like one, and not accepted while the user is locked. An issued
/// code is compared in the same attempt; it counts where no token's code matched, whether the user
/// has tokens or not. [`Scope::Issued`]: only issued codes are compared; while the user has none
/// that could be meant, nothing is charged. [`Scope::Token`]: the pending token becomes active; the
/// throttle stays as it was.
///
/// Whatever the account is like (none at all among it), about the same number of HMACs is computed.
///
/// # Errors
/// [`Refusal`]; the caller commits the account nevertheless, or the charge is lost.
pub fn consume(
    account: Option<&mut Account>,
    reply: &Reply,
    scope: Scope<'_>,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    let Some(account) = account else {
        return idle(reply, rules, now_ms, Refusal::Unenrolled);
    };
    issued::settle(account, now_ms);
    let locked = !account.open_to_codes(rules.lockout, now_ms);
    let guessable = match (scope, reply) {
        (Scope::Login | Scope::Issued, Reply::Digits(code)) => {
            issued::guessable(account, code.len(), rules.issued, now_ms)
        }
        _ => false,
    };
    let credential = match (scope, reply) {
        (Scope::Login, _) if !account.enrolled() && !guessable => {
            return idle(reply, rules, now_ms, Refusal::Unenrolled);
        }
        (Scope::Login, Reply::Recovery(code)) if rules.recovery => {
            recover(account, code, locked, rules, now_ms)?
        }
        _ if locked => return idle(reply, rules, now_ms, Refusal::Locked),
        (Scope::Token(id), _) => return confirm(account, id, reply, rules, now_ms),
        (Scope::Login, Reply::Digits(code))
            if guessable || has_length(account, code) || may_recover(account, code, rules) =>
        {
            attempt(account, rules, now_ms, |account| present(account, code, rules, now_ms))?
        }
        (Scope::Issued, Reply::Digits(code)) if guessable => {
            attempt(account, rules, now_ms, |account| {
                let found = find_issued(account, code, rules, now_ms);
                claim(account, found).ok_or_else(|| found.refusal().unwrap_or(Refusal::Wrong))
            })?
        }
        (Scope::Issued, Reply::Digits(code)) => {
            let over = find_issued(account, code, rules, now_ms).refusal();
            let some = issued::some_open(account, now_ms);
            let none = if some { Refusal::Malformed } else { Refusal::Unenrolled };
            return Err(over.unwrap_or(none));
        }
        (Scope::Login | Scope::Issued, _) => return idle(reply, rules, now_ms, Refusal::Malformed),
    };
    account.throttle.clear();
    account.challenges.clear();
    account.last_success_ms = Some(now_ms);
    Ok(credential)
}

/// Charges a failure, compares, and takes the charge back only if that ends well, or with a code that
/// nobody guesses: one that a counter has shown which only does not know where it is.
pub(crate) fn attempt<T>(
    account: &mut Account,
    rules: &Rules<'_>,
    now_ms: i64,
    compare: impl FnOnce(&mut Account) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let before = account.throttle;
    account.throttle.charge(rules.lockout, now_ms);
    if let Some(pace) = &mut account.pace {
        pace.count(now_ms);
    }
    let compared = compare(account);
    if matches!(compared, Ok(_) | Err(Refusal::First | Refusal::Skipped)) {
        account.throttle = before;
    }
    compared
}

/// Whether any confirmed token has codes of this length.
fn has_length(account: &Account, code: &Digits) -> bool {
    account.tokens.iter().any(|token| token.confirmed() && token.digits == code.len())
}

/// Whether the code may be one of the recovery codes that another program made.
fn may_recover(account: &Account, code: &Digits, rules: &Rules<'_>) -> bool {
    rules.recovery && code.len() == recovery::LEGACY_DIGITS && !account.recovery.is_empty()
}

/// Whether every confirmed token has expired.
fn all_expired(account: &Account, now_ms: i64) -> bool {
    let mut confirmed = account.tokens.iter().filter(|token| token.confirmed());
    confirmed.all(|token| token.standing(now_ms) == Standing::Expired)
}

/// Tries all active tokens and consumes the oldest that matches.
fn present(
    account: &mut Account,
    code: &Digits,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    let (enrolled, expired) = (account.enrolled(), all_expired(account, now_ms));
    let issued = find_issued(account, code, rules, now_ms);
    // Computed for every reply, so that it takes as long whoever has recovery codes.
    let digest = recovery::legacy_digest(rules.recovery_key, code);
    let digest = Some(digest).filter(|_| may_recover(account, code, rules));
    let mut usable = Vec::new();
    for token in &mut account.tokens {
        let windows = (rules.windows)(&token.method);
        let active = token.standing(now_ms) == Standing::Active;
        usable.extend(windows.filter(|_| active).map(|windows| (token, windows)));
    }
    if usable.is_empty() {
        search_decoy(code, now_ms);
        let refusal = match (enrolled, expired) {
            (false, _) => Refusal::Wrong,
            (true, true) => Refusal::Expired,
            (true, false) => Refusal::Disabled,
        };
        return stand_in(account, digest, issued, now_ms)
            .ok_or_else(|| issued.refusal().unwrap_or(refusal));
    }
    let tokens: Vec<&Token> = usable.iter().map(|(token, _)| &**token).collect();
    let challenges = &mut account.challenges;
    let answered = out_of_band::answer(challenges, &tokens, rules.service, code, now_ms);
    let mut matched = None;
    let mut firsts = Vec::new();
    let mut refusal = issued.refusal().unwrap_or(Refusal::Wrong);
    for (token, windows) in usable {
        let found = if answered.as_ref() == Some(&token.id) {
            Found::Fresh(token.next)
        } else {
            window::search(token, windows, code, now_ms)
        };
        match found {
            Found::Fresh(moving) if matched.is_none() => matched = Some((token, moving)),
            Found::First(moving) => firsts.push((token.id.clone(), moving)),
            Found::Used => refusal = Refusal::Replayed,
            Found::Skipped => refusal = Refusal::Skipped,
            Found::Fresh(_) | Found::None => {}
        }
    }
    if let Some((token, moving)) = matched {
        return Ok(spend(token, moving, now_ms));
    }
    if let Some(credential) = stand_in(account, digest, issued, now_ms) {
        return Ok(credential);
    }
    for (id, moving) in firsts {
        account.token_mut(&id).into_iter().for_each(|token| token.await_second(moving));
        refusal = Refusal::First;
    }
    Err(refusal)
}

/// Consumes what counts where no token's code matched: a recovery code of digits, else an issued
/// code.
fn stand_in(
    account: &mut Account,
    recovery: Option<Digest>,
    issued: Issued,
    now_ms: i64,
) -> Option<Credential> {
    let recovered = recovery.and_then(|given| redeem(account, given, now_ms).ok());
    recovered.or_else(|| claim(account, issued))
}

fn find_issued(account: &Account, code: &Digits, rules: &Rules<'_>, now_ms: i64) -> Issued {
    issued::find(account, code, rules.issued, rules.service, rules.recovery_key, now_ms)
}

/// Counts a use of the issued code that was found.
fn claim(account: &mut Account, found: Issued) -> Option<Credential> {
    let Issued::Open(place) = found else { return None };
    issued::claim(&mut account.issued, place)
}

/// Takes a recovery code off the list; also while the user is locked.
fn recover(
    account: &mut Account,
    code: &RecoveryCode,
    locked: bool,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    let given = recovery::digest(rules.recovery_key, code);
    if locked {
        redeem(account, given, now_ms).map_err(|_| Refusal::Locked)
    } else {
        attempt(account, rules, now_ms, |account| redeem(account, given, now_ms))
    }
}

/// Takes the recovery code with this digest off the list.
fn redeem(account: &mut Account, given: Digest, now_ms: i64) -> Result<Credential, Refusal> {
    if all_expired(account, now_ms) {
        return Err(Refusal::Expired);
    }
    let kept = account.recovery.iter().position(|kept| *kept == given).ok_or(Refusal::Wrong)?;
    account.recovery.remove(kept);
    Ok(Credential::Recovery { left: account.recovery.len() })
}

/// Makes a pending token active with its first code.
fn confirm(
    account: &mut Account,
    id: &str,
    reply: &Reply,
    rules: &Rules<'_>,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    let token = account.token_mut(id).ok_or(Refusal::Unenrolled)?;
    let windows = (rules.windows)(&token.method).ok_or(Refusal::Disabled)?;
    match token.state {
        _ if token.standing(now_ms) == Standing::Expired => return Err(Refusal::Expired),
        State::Pending { until_ms } if now_ms > until_ms => return Err(Refusal::Expired),
        State::Pending { .. } => {}
        State::Active | State::Disabled { .. } => return Err(Refusal::Disabled),
    }
    match token.share {
        // Nobody can have its code.
        Share::Created => return Err(Refusal::Disabled),
        Share::Showing { .. } if token.share.over(now_ms) => return Err(Refusal::Expired),
        Share::Released | Share::Showing { .. } | Share::Shared => {}
    }
    let code = match reply {
        Reply::Digits(code) if code.len() == token.digits => code,
        _ => return Err(Refusal::Malformed),
    };
    attempt(account, rules, now_ms, |account| {
        let token = account.token_mut(id).ok_or(Refusal::Unenrolled)?;
        match window::search(token, windows, code, now_ms) {
            Found::Fresh(moving) => {
                token.state = State::Active;
                if token.share != Share::Released {
                    token.share = Share::Shared;
                }
                Ok(spend(token, moving, now_ms))
            }
            Found::First(moving) => {
                token.await_second(moving);
                Err(Refusal::First)
            }
            Found::Used => Err(Refusal::Replayed),
            Found::Skipped => Err(Refusal::Skipped),
            Found::None => Err(Refusal::Wrong),
        }
    })
}

/// Consumes an accepted code of a token.
fn spend(token: &mut Token, moving: u64, now_ms: i64) -> Credential {
    token.spend(moving);
    token.last_used_ms = Some(now_ms);
    token.accepted = token.accepted.saturating_add(1);
    Credential::Token { id: token.id.clone(), method: token.method.clone() }
}
