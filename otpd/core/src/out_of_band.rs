//! Codes that are made at random for one login and delivered over a second channel (NIST SP
//! 800-63B section 5.1.3). Nobody can compute them: what counts is a digest, kept from the moment
//! at which the message is on its way until it expires, is used or has been tried too often.

use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    account::Account, code::Digits, error::Error, hotp::mac, recovery::Digest, secret::Secret,
    token::Token,
};

/// Most challenges of one user that are open at the same time; the oldest give way.
pub const MOST_CHALLENGES: usize = 4;
/// How far ahead of the present a challenge may have been made, or a secret been shown, in milliseconds: beyond that the
/// clock was set back, and nobody knows how old the code is.
pub(crate) const AHEAD_MS: i64 = 60_000;

/// What a challenge is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long its code is good, in milliseconds.
    pub validity_ms: u64,
    /// How many answers are compared with it, at least 1.
    pub tries: u8,
    /// How long no other one follows it while it is not answered rightly, in milliseconds.
    pub resend_ms: u64,
}

/// A code that was sent and has not been used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The id of the token that it belongs to.
    pub token: String,
    /// The PAM service that it was made for, and the only one at which it is good.
    pub service: String,
    /// Keyed digest of the code, see [`digest`].
    pub digest: Digest,
    /// Made at, Unix milliseconds.
    pub sent_ms: i64,
    /// Not good from this time on, Unix milliseconds.
    pub expires_ms: i64,
    /// How many more answers are compared with it.
    pub tries: u8,
}

impl Challenge {
    /// Whether its time is not over at `now_ms`. One from the future is not believed.
    fn current(&self, now_ms: i64) -> bool {
        now_ms < self.expires_ms && self.sent_ms <= now_ms.saturating_add(AHEAD_MS)
    }

    /// Whether an answer at `now_ms` is compared with it.
    #[must_use]
    pub fn open(&self, now_ms: i64) -> bool {
        self.tries > 0 && self.current(now_ms)
    }

    fn of(&self, token: &str, service: &str) -> bool {
        self.token == token && self.service == service
    }
}

/// HMAC-SHA-256, under the token's own secret, of the service, the time and the code.
#[must_use]
pub fn digest(secret: &Secret, service: &str, sent_ms: i64, code: &Digits) -> Digest {
    let mut message = Zeroizing::new(Vec::with_capacity(64 + service.len()));
    message.extend_from_slice(&(service.len() as u64).to_be_bytes());
    message.extend_from_slice(service.as_bytes());
    message.extend_from_slice(&sent_ms.to_be_bytes());
    message.extend_from_slice(code.expose());
    Digest(mac::<Hmac<Sha256>>(secret.expose(), &message).into())
}

/// Whether a challenge of this token and service is so young at `now_ms` that no other one is made.
/// It may have been tried too often; it has not been answered rightly, or it would not be there.
#[must_use]
pub fn waiting(account: &Account, token: &str, service: &str, terms: Terms, now_ms: i64) -> bool {
    account.challenges.iter().any(|challenge| {
        let again_ms = challenge.sent_ms.saturating_add_unsigned(terms.resend_ms);
        challenge.of(token, service) && challenge.current(now_ms) && now_ms < again_ms
    })
}

/// Whether the token was made with a challenge that is not answered yet: its enrolment, at a login,
/// is under way.
#[must_use]
pub fn underway(account: &Account, token: &Token) -> bool {
    let with_it = |challenge: &Challenge| {
        challenge.token == token.id && challenge.sent_ms == token.created_ms
    };
    token.last_used_ms.is_none() && account.challenges.iter().any(with_it)
}

/// Adds the challenge of `code` for `token` at `service`. Those that are over are dropped; other
/// open ones stay good, since a message may arrive late.
///
/// # Errors
/// [`Error::State`] for an unknown token.
pub fn challenge(
    account: &mut Account,
    token: &str,
    service: &str,
    code: &Digits,
    terms: Terms,
    now_ms: i64,
) -> Result<(), Error> {
    let unknown = Error::State("the user has no such token");
    let found = account.tokens.iter().find(|known| known.id == token).ok_or(unknown)?;
    let made = Challenge {
        token: token.to_owned(),
        service: service.to_owned(),
        digest: digest(&found.secret, service, now_ms, code),
        sent_ms: now_ms,
        expires_ms: now_ms.saturating_add_unsigned(terms.validity_ms),
        tries: terms.tries.max(1),
    };
    account.challenges.retain(|challenge| challenge.current(now_ms));
    let surplus = (account.challenges.len() + 1).saturating_sub(MOST_CHALLENGES);
    account.challenges.drain(..surplus);
    account.challenges.push(made);
    Ok(())
}

/// Drops the challenges of a token that is gone or goes elsewhere now; with a time only the one
/// that was made then (Unix milliseconds), whose message could not be sent.
pub fn withdraw(account: &mut Account, token: &str, sent_ms: Option<i64>) {
    account.challenges.retain(|challenge| {
        challenge.token != token || sent_ms.is_some_and(|sent_ms| challenge.sent_ms != sent_ms)
    });
}

/// Compares `code` with the open challenges of `tokens` at `service`, each of which loses a try by
/// it. The id of the token whose challenge it answers; every challenge is compared.
pub(crate) fn answer(
    challenges: &mut [Challenge],
    tokens: &[&Token],
    service: &str,
    code: &Digits,
    now_ms: i64,
) -> Option<String> {
    let mut answered = None;
    for token in tokens {
        let open =
            |challenge: &&mut Challenge| challenge.of(&token.id, service) && challenge.open(now_ms);
        for challenge in challenges.iter_mut().filter(open) {
            challenge.tries -= 1;
            let given = digest(&token.secret, service, challenge.sent_ms, code);
            if given == challenge.digest && answered.is_none() {
                answered = Some(token.id.clone());
            }
        }
    }
    answered
}
