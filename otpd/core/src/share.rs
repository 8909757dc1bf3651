//! A secret that is shown to one session, once. Nobody else gets it from the moment at which it
//! was released; where the person who saw it does not confirm it in time, the key is destroyed and
//! another one takes its place, so that an old scan opens nothing.

use zeroize::Zeroizing;

use crate::{
    account::Account,
    error::Error,
    out_of_band::AHEAD_MS,
    secret::{LONGEST, Secret},
    token::{Factor, Rejoin, Standing, State, Token},
};

/// Random bytes for a new key; as many of them are used as the old key had.
pub type Entropy = Zeroizing<[u8; LONGEST]>;

/// Who has been shown the secret of a token. Until it is [`Share::Shared`] or
/// [`Share::Released`] the token is pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// Whoever enrolled it was told then, or its codes are delivered: there is nothing to show.
    #[default]
    Released,
    /// Nobody yet.
    Created,
    /// One session, which has not confirmed it yet.
    Showing {
        /// The session: opaque, never given to two.
        by: String,
        /// When it was shown first, Unix milliseconds.
        since_ms: i64,
        /// From when on it can neither be confirmed nor shown again, Unix milliseconds.
        until_ms: i64,
    },
    /// One session, which has confirmed it.
    Shared,
}

impl Share {
    /// Its name in documents and in the store.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Created => "created",
            Self::Showing { .. } => "showing",
            Self::Shared => "shared",
        }
    }

    /// Whether the secret was shown and the time to confirm it is over at `now_ms`. What began in
    /// the future is over: the clock was set back, and nobody knows for how long it was shown.
    #[must_use]
    pub fn over(&self, now_ms: i64) -> bool {
        match self {
            Self::Showing { since_ms, until_ms, .. } => {
                now_ms >= *until_ms || *since_ms > now_ms.saturating_add(AHEAD_MS)
            }
            Self::Released | Self::Created | Self::Shared => false,
        }
    }
}

/// Why nothing is shown or confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such token, it has no secret that could be shown, or its offer is over.
    #[error("the user has no credential that could be shared")]
    NoCredential,
    /// Somebody has been shown it.
    #[error("the credential has been shared already; it is not possible to share it again")]
    AlreadyShared,
    /// It is not being shown to this session.
    #[error("nothing is being shared here, or the time for it is over; share it again")]
    NotShown,
}

/// The token that a request which names only the user is for: the oldest that can be shown to the
/// session `by`.
///
/// # Errors
/// [`Refusal::AlreadyShared`] where there are tokens with a secret, else
/// [`Refusal::NoCredential`].
pub fn choose<'a>(account: &'a Account, by: &str, now_ms: i64) -> Result<&'a str, Refusal> {
    let mut refusal = Refusal::NoCredential;
    for token in &account.tokens {
        match showable(token, by, now_ms) {
            Ok(()) => return Ok(&token.id),
            Err(Refusal::NoCredential) => {}
            Err(other) => refusal = other,
        }
    }
    Err(refusal)
}

/// Releases the secret of a token to the session `by`, which may see it again for `ttl_ms`
/// milliseconds from the first time on. A key whose time is over is replaced first (told by
/// `true`).
///
/// # Errors
/// [`Refusal`]; nothing was changed then.
pub fn begin(
    account: &mut Account,
    id: &str,
    by: &str,
    now_ms: i64,
    ttl_ms: u64,
    entropy: &Entropy,
) -> Result<bool, Refusal> {
    let token = account.token_mut(id).ok_or(Refusal::NoCredential)?;
    showable(token, by, now_ms)?;
    let rotated = token.share.over(now_ms);
    if rotated {
        rotate(token, entropy).ok_or(Refusal::NoCredential)?;
    }
    if token.share == Share::Created {
        let until_ms = now_ms.saturating_add_unsigned(ttl_ms);
        if let State::Pending { until_ms: offer_ms } = &mut token.state {
            *offer_ms = until_ms.max(*offer_ms);
        }
        token.share = Share::Showing { by: by.to_owned(), since_ms: now_ms, until_ms };
    }
    Ok(rotated)
}

/// The session `by` says that it has what it was shown. With `active` that is the confirmation:
/// the token is active now; else it waits for its first code.
///
/// # Errors
/// [`Refusal::NoCredential`] for an unknown token; [`Refusal::NotShown`] where it is not shown to
/// this session or the time is over.
pub fn finish(
    account: &mut Account,
    id: &str,
    by: &str,
    now_ms: i64,
    active: bool,
) -> Result<(), Refusal> {
    let token = account.token_mut(id).ok_or(Refusal::NoCredential)?;
    let shown = matches!(&token.share, Share::Showing { by: to, .. } if to == by);
    let pending = token.standing(now_ms) == Standing::Pending;
    if !shown || !pending || token.share.over(now_ms) {
        return Err(Refusal::NotShown);
    }
    if active {
        token.state = State::Active;
        token.share = Share::Shared;
    }
    Ok(())
}

/// Destroys the key of a token whose time to be confirmed is over, and makes another one that can
/// be shown while its offer lasts. `since_ms` (Unix milliseconds) names a showing whose time is
/// over by a clock that cannot be set back. Whether there was anything to do.
#[must_use]
pub fn expire(
    account: &mut Account,
    id: &str,
    now_ms: i64,
    since_ms: Option<i64>,
    entropy: &Entropy,
) -> bool {
    let over = |token: &&mut Token| match &token.share {
        Share::Showing { since_ms: began_ms, .. } if Some(*began_ms) == since_ms => true,
        share => share.over(now_ms),
    };
    let token = account.token_mut(id).filter(over);
    token.and_then(|token| rotate(token, entropy)).is_some()
}

/// Replaces the key of a token, which is pending until `offer_ms` (Unix milliseconds) and may be
/// shown to one session more. What has the old key is of no use any longer.
///
/// # Errors
/// [`Error::State`] for an unknown token, for one whose codes are delivered and for one that is
/// disabled or past its end.
pub fn reshare(
    account: &mut Account,
    id: &str,
    offer_ms: i64,
    now_ms: i64,
    entropy: &Entropy,
) -> Result<(), Error> {
    let token = account.token_mut(id).ok_or(Error::State("the user has no such token"))?;
    match token.standing(now_ms) {
        Standing::Disabled => {
            return Err(Error::State("the token is disabled: enable it before it is shared again"));
        }
        Standing::Expired => {
            return Err(Error::State("the token is past its end: make another one"));
        }
        Standing::Pending | Standing::Active => {}
    }
    if matches!(token.factor, Factor::OutOfBand(_)) {
        return Err(Error::State("codes that are delivered have no secret to share"));
    }
    rotate(token, entropy).ok_or(Error::SecretLength)?;
    token.state = State::Pending { until_ms: offer_ms };
    Ok(())
}

/// Whether a token can be shown to the session `by`.
fn showable(token: &Token, by: &str, now_ms: i64) -> Result<(), Refusal> {
    if matches!(token.factor, Factor::OutOfBand(_)) || token.standing(now_ms) == Standing::Expired {
        return Err(Refusal::NoCredential);
    }
    match &token.share {
        Share::Released | Share::Shared => Err(Refusal::AlreadyShared),
        Share::Created | Share::Showing { .. } if !offered(token, now_ms) => {
            Err(Refusal::NoCredential)
        }
        Share::Created => Ok(()),
        Share::Showing { by: to, .. } if to == by || token.share.over(now_ms) => Ok(()),
        Share::Showing { .. } => Err(Refusal::AlreadyShared),
    }
}

/// Whether the time in which the token may be shared is not over.
fn offered(token: &Token, now_ms: i64) -> bool {
    matches!(token.state, State::Pending { until_ms } if now_ms < until_ms)
}

/// Makes a new key of the length of the old one, which nobody has been shown. Watermark, offset
/// and what the counter had to prove were those of the old key.
fn rotate(token: &mut Token, entropy: &Entropy) -> Option<()> {
    let fresh = entropy.get(..token.secret.expose().len())?;
    token.secret = Secret::new(Zeroizing::new(fresh.to_vec())).ok()?;
    token.share = Share::Created;
    token.next = 0;
    token.offset_ms = 0;
    token.rejoin = Rejoin::Settled;
    Some(())
}
