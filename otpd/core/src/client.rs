//! The register of clients: the devices, keys and addresses that a user logs in from. A client is
//! registered by an administrator, or remembered for a while after a login that was granted.

use crate::{
    account::{Account, check_text},
    error::Error,
};

/// Most clients of one user that are remembered; the oldest give way.
pub const MOST_REMEMBERED: usize = 20;
/// Longest identity in bytes.
pub const LONGEST_IDENTITY: usize = 128;
/// How far ahead of the present a client may have been remembered, in milliseconds: beyond that the
/// clock was set back.
const AHEAD_MS: i64 = 60_000;

/// When a client may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enabling {
    /// At any time.
    Always,
    /// Never.
    Disabled,
    /// In the times of [`crate::schedule::Schedule`].
    Schedule(String),
}

impl Enabling {
    /// Its text in the store and on the bus: `always`, `disabled` or the schedule.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Always => "always",
            Self::Disabled => "disabled",
            Self::Schedule(text) => text,
        }
    }

    /// What a text says.
    ///
    /// # Errors
    /// [`Error::State`] for what is no schedule either; says what is allowed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "always" => Ok(Self::Always),
            "disabled" => Ok(Self::Disabled),
            times => match times.parse::<crate::schedule::Schedule>() {
                Ok(schedule) => Ok(Self::Schedule(schedule.to_string())),
                Err(_) => Err(Error::Enabling),
            },
        }
    }
}

/// What lets a remembered client skip the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The PAM service, and the only one at which it counts.
    pub service: String,
    /// The numeric address that it was remembered at, and the only one from which it counts.
    pub address: String,
    /// Not from this time on, Unix milliseconds.
    pub until_ms: i64,
}

/// A client of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Opaque: 32 lower-case hexadecimal digits.
    pub id: String,
    /// What it is, for people.
    pub description: String,
    /// What tells it from others: `SHA256:…` of an ssh key, a numeric address, a terminal, or the
    /// code of a device. `None`: not bound yet.
    pub identity: Option<String>,
    /// When it may be used.
    pub enabling: Enabling,
    /// Whether push notifications go there; kept for those who send them.
    pub push: bool,
    /// Registered or remembered at, Unix milliseconds.
    pub created_ms: i64,
    /// The last login from it, Unix milliseconds.
    pub last_ms: Option<i64>,
    /// Where that came from.
    pub last_source: Option<String>,
    /// Of a client that is remembered; `None`: it is registered.
    pub remembered: Option<Remembered>,
}

impl Client {
    /// Whether an administrator has registered it.
    #[must_use]
    pub fn registered(&self) -> bool {
        self.remembered.is_none()
    }

    /// Whether it may be used now; `within` tells that of a schedule.
    #[must_use]
    pub fn enabled(&self, within: &dyn Fn(&str) -> bool) -> bool {
        match &self.enabling {
            Enabling::Always => true,
            Enabling::Disabled => false,
            Enabling::Schedule(times) => within(times),
        }
    }
}

/// What the register says of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is registered and may be used now.
    Enabled,
    /// It is registered and may not.
    Disabled,
    /// It is not registered.
    Unknown,
}

/// What the register of `clients` says of `identity`.
#[must_use]
pub fn standing(
    clients: &[Client],
    identity: Option<&str>,
    within: &dyn Fn(&str) -> bool,
) -> Standing {
    let of_it = |client: &&Client| client.registered() && client.identity.as_deref() == identity;
    let found = identity.and_then(|_| clients.iter().find(of_it));
    match found {
        Some(client) if client.enabled(within) => Standing::Enabled,
        Some(_) => Standing::Disabled,
        None => Standing::Unknown,
    }
}

impl Account {
    /// Whether a client with this identity is registered and may be used now.
    #[must_use]
    pub fn known(&self, identity: &str, within: &dyn Fn(&str) -> bool) -> bool {
        standing(&self.clients, Some(identity), within) == Standing::Enabled
    }

    /// The client with that id.
    ///
    /// # Errors
    /// [`Error::State`] where the user has none.
    pub fn client_mut(&mut self, id: &str) -> Result<&mut Client, Error> {
        let found = self.clients.iter_mut().find(|client| client.id == id);
        found.ok_or(Error::State("the user has no such client"))
    }
}

/// Checks an identity: 1 to 128 bytes without control characters and white space at its ends.
///
/// # Errors
/// [`Error::Identity`].
pub fn check_identity(identity: &str) -> Result<(), Error> {
    let fits = (1..=LONGEST_IDENTITY).contains(&identity.len());
    if fits && identity.trim() == identity && !identity.contains(char::is_control) {
        Ok(())
    } else {
        Err(Error::Identity)
    }
}

/// Registers a client.
///
/// # Errors
/// [`Error::Text`] and [`Error::Identity`] for what is malformed, [`Error::State`] for an identity
/// that the user has registered already.
pub fn register(account: &mut Account, client: Client) -> Result<(), Error> {
    check_text(&client.description)?;
    if let Some(identity) = &client.identity {
        check_identity(identity)?;
        check_free(account, identity)?;
    }
    account.clients.push(client);
    Ok(())
}

fn check_free(account: &Account, identity: &str) -> Result<(), Error> {
    let taken =
        |client: &Client| client.registered() && client.identity.as_deref() == Some(identity);
    if account.clients.iter().any(taken) {
        return Err(Error::State(
            "the user has a client with this ID already; change or remove that one",
        ));
    }
    Ok(())
}

/// Binds a client that is not bound yet to the identity that a login came with.
///
/// # Errors
/// [`Error::State`] where there is no such client, it is bound, or the identity is taken.
pub fn bind(account: &mut Account, id: &str, identity: &str) -> Result<(), Error> {
    check_identity(identity)?;
    check_free(account, identity)?;
    let client = account.client_mut(id)?;
    if client.identity.is_some() {
        return Err(Error::State("the client is bound already; remove it and add another"));
    }
    client.identity = Some(identity.to_owned());
    Ok(())
}

/// Removes a client, and the codes that would enrol it.
///
/// # Errors
/// [`Error::State`] where there is no such client.
pub fn remove(account: &mut Account, id: &str) -> Result<(), Error> {
    account.client_mut(id)?;
    account.clients.retain(|client| client.id != id);
    account.issued.retain(|code| code.client.as_deref() != Some(id));
    Ok(())
}

/// Notes a login from a client with this identity.
pub fn seen(account: &mut Account, identity: &str, source: &str, now_ms: i64) {
    let of_it =
        |client: &&mut Client| client.registered() && client.identity.as_deref() == Some(identity);
    for client in account.clients.iter_mut().filter(of_it) {
        client.last_ms = Some(now_ms);
        client.last_source = Some(source.to_owned());
    }
}

/// Where and as whom a login comes that may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit<'a> {
    /// The PAM service.
    pub service: &'a str,
    /// The fingerprint of an ssh key, or the address.
    pub identity: &'a str,
    /// The numeric address.
    pub address: &'a str,
}

impl Visit<'_> {
    fn is_of(&self, client: &Client) -> bool {
        let remembered = client.remembered.as_ref();
        client.identity.as_deref() == Some(self.identity)
            && remembered.is_some_and(|to| to.service == self.service && to.address == self.address)
    }
}

/// Remembers the client of a login that was granted, in place of what was remembered of it. What is
/// over is forgotten; of more than [`MOST_REMEMBERED`] the oldest are.
pub fn remember(account: &mut Account, id: String, visit: &Visit<'_>, for_ms: u64, now_ms: i64) {
    let over = |client: &Client| client.remembered.as_ref().is_some_and(|r| r.until_ms <= now_ms);
    account.clients.retain(|client| !over(client) && !visit.is_of(client));
    let count = account.clients.iter().filter(|client| !client.registered()).count();
    let mut surplus = (count + 1).saturating_sub(MOST_REMEMBERED);
    account.clients.retain(|client| {
        let drop = surplus > 0 && !client.registered();
        surplus -= usize::from(drop);
        !drop
    });
    account.clients.push(Client {
        id,
        description: "remembered".to_owned(),
        identity: Some(visit.identity.to_owned()),
        enabling: Enabling::Always,
        push: false,
        created_ms: now_ms,
        last_ms: Some(now_ms),
        last_source: Some(visit.address.to_owned()),
        remembered: Some(Remembered {
            service: visit.service.to_owned(),
            address: visit.address.to_owned(),
            until_ms: now_ms.saturating_add_unsigned(for_ms),
        }),
    });
}

/// The remembered client of this login, if it need not repeat the code at `now_ms`. `for_ms` is how
/// long clients are remembered now: a shorter time than before counts at once.
#[must_use]
pub fn recall<'a>(
    clients: &'a [Client],
    visit: &Visit<'_>,
    for_ms: u64,
    now_ms: i64,
) -> Option<&'a Client> {
    clients.iter().find(|client| {
        let end_ms = client.created_ms.saturating_add_unsigned(for_ms);
        let current = client.remembered.as_ref().is_some_and(|to| now_ms < to.until_ms.min(end_ms))
            && client.created_ms <= now_ms.saturating_add(AHEAD_MS);
        current && client.enabling == Enabling::Always && visit.is_of(client)
    })
}

/// Forgets all remembered clients: the user's credentials are not what they were.
pub fn forget(account: &mut Account) {
    account.clients.retain(Client::registered);
}
