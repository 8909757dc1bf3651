//! Accounts, tokens and rules that the tests share.

use otp_core::{
    account::Account,
    code::{Digits, Reply},
    consume::{Credential, Refusal, Rules, Scope, consume},
    enrolment::NewToken,
    hotp,
    issued::Terms,
    recovery::{self, RecoveryCode},
    resync,
    secret::Secret,
    share::Share,
    throttle::{Lockout, Throttle},
    token::{Algorithm, Factor, Rejoin, State, Token},
    totp,
    window::Windows,
};
use zeroize::Zeroizing;

pub(crate) const NOW: i64 = 1_700_000_000_000;
pub(crate) const YEAR: i64 = 365 * 86_400_000;
pub(crate) const PERIOD: u64 = 30_000;
pub(crate) const KEY: [u8; 32] = [9; 32];
pub(crate) const LOCKOUT: Lockout =
    Lockout { after: 5, first_ms: 60_000, longest_ms: 900_000, disable_after: 100 };

pub(crate) fn secret(text: &str) -> Secret {
    Secret::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

/// What a token of the built-in kind is enrolled with; it waits ten minutes for its first code.
pub(crate) fn new_token(id: &str) -> NewToken {
    NewToken {
        id: id.to_owned(),
        label: String::new(),
        method: "totp".to_owned(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: secret(&format!("the secret of {id:>6}")),
        pending_until_ms: Some(NOW + 600_000),
        share: false,
        expires_ms: None,
    }
}

/// An active TOTP token of the built-in method, with a secret of its own.
pub(crate) fn totp_token(id: &str) -> Token {
    Token {
        id: id.to_owned(),
        label: id.to_owned(),
        method: "totp".to_owned(),
        factor: Factor::Totp { t0_ms: 0, period_ms: PERIOD },
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: secret(&format!("the secret of {id:>6}")),
        state: State::Active,
        share: Share::Released,
        next: 0,
        offset_ms: 0,
        rejoin: Rejoin::Settled,
        accepted: 0,
        created_ms: NOW - YEAR,
        last_used_ms: None,
        expires_ms: None,
    }
}

pub(crate) fn hotp_token(id: &str, next: u64) -> Token {
    Token { method: "hotp".to_owned(), factor: Factor::Hotp, next, ..totp_token(id) }
}

pub(crate) fn account(tokens: impl IntoIterator<Item = Token>) -> Account {
    Account { tokens: tokens.into_iter().collect(), ..Account::default() }
}

/// The token's code at a step or counter.
pub(crate) fn code(token: &Token, moving: u64) -> Digits {
    hotp::value(&token.secret, token.algorithm, moving, token.digits)
}

pub(crate) fn reply(token: &Token, moving: u64) -> Reply {
    Reply::Digits(code(token, moving))
}

/// A code of the token's length that is none of its codes near `moving`.
pub(crate) fn wrong(token: &Token, moving: u64) -> Reply {
    let near = moving.saturating_sub(150)..=moving.saturating_add(150);
    let near: Vec<_> = near.map(|moving| code(token, moving)).collect();
    let candidates =
        (0..).map(|number: u32| format!("{number:0>width$}", width = token.digits.into()));
    let mut replies = candidates.map(|text| Reply::parse(text.as_bytes()));
    replies.find(|reply| matches!(reply, Reply::Digits(digits) if !near.contains(digits))).unwrap()
}

/// The step that the token's device shows at `now_ms` when its clock is right.
pub(crate) fn step(token: &Token, now_ms: i64) -> u64 {
    let Factor::Totp { t0_ms, period_ms } = token.factor else { panic!("not TOTP") };
    totp::step(now_ms, t0_ms, period_ms).unwrap()
}

pub(crate) fn windows(method: &str) -> Option<Windows> {
    matches!(method, "totp" | "hotp" | "sms").then(Windows::default)
}

pub(crate) fn rules() -> Rules<'static> {
    Rules {
        lockout: &LOCKOUT,
        windows: &windows,
        recovery_key: &KEY,
        recovery: true,
        service: "sshd",
        issued: Terms::default(),
    }
}

pub(crate) fn login(
    account: &mut Account,
    reply: &Reply,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    consume(Some(account), reply, Scope::Login, &rules(), now_ms)
}

pub(crate) fn confirm(
    account: &mut Account,
    id: &str,
    reply: &Reply,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    consume(Some(account), reply, Scope::Token(id), &rules(), now_ms)
}

/// Resync of the account's only token with its codes at `second` and the step or counter before.
pub(crate) fn resync_at(account: &mut Account, second: u64, now_ms: i64) -> Result<(), Refusal> {
    let token = &account.tokens[0];
    let (id, first, second) = (token.id.clone(), code(token, second - 1), code(token, second));
    resync::resync(account, &id, &first, &second, &rules(), now_ms)
}

/// Ten recovery codes, their digests put into the account.
pub(crate) fn with_recovery(account: &mut Account) -> Vec<RecoveryCode> {
    let issued = recovery::issue(&std::array::from_fn(|index| (index * 37) as u8), &KEY);
    account.recovery = issued.iter().map(|(_, digest)| *digest).collect();
    issued.into_iter().map(|(code, _)| code).collect()
}

pub(crate) fn by_token(id: &str) -> Result<Credential, Refusal> {
    let method = if id.starts_with('h') { "hotp" } else { "totp" };
    Ok(Credential::Token { id: id.to_owned(), method: method.to_owned() })
}

pub(crate) fn disabled(until_ms: Option<i64>) -> State {
    State::Disabled { until_ms, reason: "lost".to_owned() }
}

pub(crate) fn failed(failures: u32, locked_until_ms: Option<i64>) -> Throttle {
    Throttle { failures, locked_until_ms }
}
