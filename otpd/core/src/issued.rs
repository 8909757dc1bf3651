//! Codes that an administrator issues to a user, who gives one in place of the password or as the
//! second factor. What counts is a keyed digest; the code itself is kept only as long as somebody
//! may want to read it again. What is used up or over stays for a day without the code, so that
//! the audit record can tell "used" and "expired" from "wrong".

use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    account::{Account, check_text},
    client::Client,
    code::{Digits, MOST_ISSUED},
    consume::{Credential, Refusal},
    error::Error,
    hotp::mac,
    recovery::Digest,
};

/// Fewest digits of an issued code: it may stand for a password.
pub const FEWEST_DIGITS: u8 = 6;
/// Most digits of an issued code.
pub const MOST_DIGITS: u8 = MOST_ISSUED;
/// Most uses of one code.
pub const MOST_USES: u8 = 100;
/// Most codes of one user that are good at the same time. Each one makes guessing easier.
pub const MOST_OPEN: usize = 10;
/// Most codes of one user that are over and still told apart; the oldest give way.
const MOST_OVER: usize = 10;
/// How long a code that is over is told apart, after its end, in milliseconds.
const TOLD_MS: i64 = 86_400_000;
/// How far ahead of the present a code may have been issued, in milliseconds: beyond that the clock
/// was set back, and nobody knows how old the code is.
const AHEAD_MS: i64 = 60_000;

/// Where a code may be given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// At logins without a remote side.
    Local,
    /// At logins over the network.
    Remote,
    /// At both.
    #[default]
    Both,
}

impl Reach {
    const NAMES: [(Self, &'static str); 3] =
        [(Self::Local, "local"), (Self::Remote, "remote"), (Self::Both, "both")];

    /// Its name in the configuration, the store and on the bus.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(reach, _)| *reach == self).map_or("", |(_, name)| *name)
    }

    /// The one with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(reach, _)| *reach)
    }

    fn covers(self, local: bool) -> bool {
        match self {
            Self::Local => local,
            Self::Remote => !local,
            Self::Both => true,
        }
    }
}

/// A code that was issued.
#[derive(Debug, PartialEq, Eq)]
pub struct IssuedCode {
    /// Opaque: 32 lower-case hexadecimal digits.
    pub id: String,
    /// See [`digest`].
    pub digest: Digest,
    /// Length of the code.
    pub digits: u8,
    /// The code, while it may be read again.
    pub code: Option<Digits>,
    /// Issued at, Unix milliseconds.
    pub issued_ms: i64,
    /// Not good from this time on, Unix milliseconds.
    pub expires_ms: i64,
    /// How often it may still be given.
    pub uses_left: u8,
    /// The only PAM service at which it is good; `None`: all.
    pub service: Option<String>,
    /// Where it may be given.
    pub reach: Reach,
    /// Why it was issued, for the administrator.
    pub reason: String,
    /// Who issued it: a user id.
    pub issued_by: u32,
    /// The id of the client that it enrols.
    pub client: Option<String>,
}

/// What an issued code is good for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is accepted.
    Open,
    /// It has been given as often as it may be.
    Used,
    /// Its time is over.
    Expired,
}

impl Standing {
    /// Its name on the bus.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

impl IssuedCode {
    /// Its standing at `now_ms`. One from the future is not believed.
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> Standing {
        if self.uses_left == 0 {
            Standing::Used
        } else if now_ms < self.expires_ms && self.issued_ms <= now_ms.saturating_add(AHEAD_MS) {
            Standing::Open
        } else {
            Standing::Expired
        }
    }
}

/// Which issued codes a login accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accepted {
    /// None.
    #[default]
    Nothing,
    /// Those that enrol the client from which they are given: a registered one that is not bound.
    Enrolling,
    /// All.
    All,
}

/// What issued codes are compared by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Which of them.
    pub accepted: Accepted,
    /// Whether the login has no remote side.
    pub local: bool,
}

/// What is told of a code that is issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCode {
    /// As [`IssuedCode::id`].
    pub id: String,
    /// How long it is good, in milliseconds.
    pub validity_ms: u64,
    /// How often it may be given, 1 to [`MOST_USES`].
    pub uses: u8,
    /// As [`IssuedCode::service`].
    pub service: Option<String>,
    /// As [`IssuedCode::reach`].
    pub reach: Reach,
    /// As [`IssuedCode::reason`].
    pub reason: String,
    /// As [`IssuedCode::issued_by`].
    pub issued_by: u32,
    /// As [`IssuedCode::client`].
    pub client: Option<String>,
    /// Whether the code is kept for reading it again.
    pub keep: bool,
}

/// HMAC-SHA-256 of the code's id and its digits, under the key of recovery codes, whose messages
/// are shorter than any of these.
#[must_use]
pub fn digest(key: &[u8; 32], id: &str, code: &Digits) -> Digest {
    let mut message = Zeroizing::new(Vec::with_capacity(64 + id.len()));
    message.extend_from_slice(b"an issued code\0");
    message.extend_from_slice(&(id.len() as u64).to_be_bytes());
    message.extend_from_slice(id.as_bytes());
    message.extend_from_slice(code.expose());
    Digest(mac::<Hmac<Sha256>>(key, &message).into())
}

/// Issues `code`. An open one for the same client, or for none as this one, is good no longer.
///
/// # Errors
/// [`Error::Text`] for a reason or a service that is too long, [`Error::State`] for too many open
/// codes or uses, and for a client that the user does not have.
pub fn issue(
    account: &mut Account,
    new: NewCode,
    code: Digits,
    key: &[u8; 32],
    now_ms: i64,
) -> Result<(), Error> {
    check_text(&new.reason)?;
    check_text(new.service.as_deref().unwrap_or_default())?;
    if !(1..=MOST_USES).contains(&new.uses) {
        return Err(Error::State("a code may be given 1 to 100 times"));
    }
    let known = |id: &String| account.clients.iter().any(|client| client.id == *id);
    if !new.client.iter().all(known) {
        return Err(Error::State("the user has no such client"));
    }
    settle(account, now_ms);
    let replaced =
        |old: &IssuedCode| old.client == new.client && old.standing(now_ms) == Standing::Open;
    let open = account
        .issued
        .iter()
        .filter(|old| old.standing(now_ms) == Standing::Open && !replaced(old));
    if open.count() >= MOST_OPEN {
        return Err(Error::State("the user has 10 codes that are good; revoke one first"));
    }
    account.issued.retain(|old| !replaced(old));
    account.issued.push(IssuedCode {
        digest: digest(key, &new.id, &code),
        digits: code.len(),
        code: new.keep.then_some(code),
        issued_ms: now_ms,
        expires_ms: now_ms.saturating_add_unsigned(new.validity_ms),
        uses_left: new.uses,
        service: new.service,
        reach: new.reach,
        reason: new.reason,
        issued_by: new.issued_by,
        client: new.client,
        id: new.id,
    });
    Ok(())
}

/// Takes a code away at once, whatever it stands for.
///
/// # Errors
/// [`Error::State`] where the user has no such code.
pub fn revoke(account: &mut Account, id: &str) -> Result<(), Error> {
    let before = account.issued.len();
    account.issued.retain(|code| code.id != id);
    if account.issued.len() == before {
        return Err(Error::State("the user has no such code"));
    }
    Ok(())
}

/// Wipes the codes that are over, and forgets those that are over for long.
pub fn settle(account: &mut Account, now_ms: i64) {
    for code in &mut account.issued {
        if code.standing(now_ms) != Standing::Open {
            code.code = None;
        }
    }
    let told = |code: &IssuedCode| {
        code.standing(now_ms) == Standing::Open || now_ms < code.expires_ms.saturating_add(TOLD_MS)
    };
    account.issued.retain(told);
    let over = |code: &&IssuedCode| code.standing(now_ms) != Standing::Open;
    let mut surplus = account.issued.iter().filter(over).count().saturating_sub(MOST_OVER);
    account.issued.retain(|code| {
        let drop = surplus > 0 && code.standing(now_ms) != Standing::Open;
        surplus -= usize::from(drop);
        !drop
    });
}

/// What a reply is among the user's issued codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The open code at this place of the list, good here.
    Open(usize),
    /// An open code that is not good at this login.
    Elsewhere,
    /// One that was given before.
    Used,
    /// One whose time is over.
    Expired,
    /// None.
    Nothing,
}

impl Found {
    /// Why it is not accepted.
    pub(crate) fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Elsewhere => Some(Refusal::Elsewhere),
            Self::Used => Some(Refusal::Replayed),
            Self::Expired => Some(Refusal::Expired),
            Self::Open(_) | Self::Nothing => None,
        }
    }
}

/// Whether a code of `len` digits may be one of those that this login accepts.
pub(crate) fn guessable(account: &Account, len: u8, terms: Terms, now_ms: i64) -> bool {
    account.issued.iter().any(|code| {
        code.digits == len
            && code.standing(now_ms) == Standing::Open
            && accepts(terms.accepted, code, &account.clients)
    })
}

/// Whether the user has any code that is good.
pub(crate) fn some_open(account: &Account, now_ms: i64) -> bool {
    account.issued.iter().any(|code| code.standing(now_ms) == Standing::Open)
}

fn accepts(accepted: Accepted, code: &IssuedCode, clients: &[Client]) -> bool {
    let its = |client: &&Client| code.client.as_ref() == Some(&client.id);
    match accepted {
        Accepted::Nothing => false,
        Accepted::Enrolling => {
            clients.iter().find(its).is_some_and(|client| client.identity.is_none())
        }
        Accepted::All => true,
    }
}

/// Compares `given` with all of the user's issued codes; at least one digest is computed.
pub(crate) fn find(
    account: &Account,
    given: &Digits,
    terms: Terms,
    service: &str,
    key: &[u8; 32],
    now_ms: i64,
) -> Found {
    if terms.accepted == Accepted::Nothing {
        return Found::Nothing;
    }
    let mut found = Found::Nothing;
    let mut compared = false;
    for (place, code) in account.issued.iter().enumerate().filter(|(_, c)| c.digits == given.len())
    {
        compared = true;
        if digest(key, &code.id, given) != code.digest {
            continue;
        }
        let here = code.reach.covers(terms.local)
            && code.service.as_deref().is_none_or(|only| only == service)
            && accepts(terms.accepted, code, &account.clients);
        let this = match code.standing(now_ms) {
            Standing::Open if here => Found::Open(place),
            Standing::Open => Found::Elsewhere,
            Standing::Used => Found::Used,
            Standing::Expired => Found::Expired,
        };
        if !matches!(found, Found::Open(_)) {
            found = this;
        }
    }
    if !compared {
        std::hint::black_box(digest(key, "", given));
    }
    found
}

/// Counts one use of the code at `place`; the last one wipes it.
pub(crate) fn claim(issued: &mut [IssuedCode], place: usize) -> Option<Credential> {
    let code = issued.get_mut(place)?;
    code.uses_left = code.uses_left.saturating_sub(1);
    if code.uses_left == 0 {
        code.code = None;
    }
    Some(Credential::Issued {
        id: code.id.clone(),
        left: code.uses_left,
        client: code.client.clone(),
    })
}
