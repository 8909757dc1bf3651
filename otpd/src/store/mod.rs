//! The port to the store: one user's account is read, changed and committed as one.

mod canonical;
#[cfg(test)]
mod contract;
mod digest;
mod outbox;
mod record;
mod register;
pub mod seal;
pub mod sqlite;
mod vault;

use std::{future::Future, pin::Pin};

use otp_core::{
    account::Account,
    client::Client,
    contact::{Channel, Contacts},
    share::Share,
    throttle::Throttle,
    token::{Factor, Rejoin, State},
};
pub use register::{ClientQuery, ClientRow, CodeQuery, CodeRow};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// A future that a port returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a transition is given and may change: the account (`None`: the store has no such user;
/// set it to create the user, clear it to remove them) and what is to be committed with it.
pub struct Work<'a> {
    /// The user's account, with its secrets unsealed for the length of the transition. Without an
    /// account afterwards, all messages to the user that are queued are settled as well.
    pub account: Option<Account>,
    /// Records that are committed in the same transaction.
    pub audit: Vec<AuditEvent>,
    /// Messages to the user that are queued in the same transaction.
    pub outbox: Vec<Outgoing>,
    /// Ids of the user's messages that are over: what they say is deleted in the same transaction;
    /// that they were asked for still counts. An id that is not queued is passed over.
    pub settled: Vec<String>,
    /// What was asked for before; reads within the transaction.
    pub ledger: &'a dyn Ledger,
}

/// A change of one account. Runs inside the store's transaction: no I/O, no waiting.
pub type Transition = Box<dyn FnOnce(&mut Work<'_>) + Send>;

/// Longest [`Outgoing::payload`] in bytes.
pub const LONGEST_PAYLOAD: usize = 16 * 1024;

/// How long the ledger remembers a message, in milliseconds: 24 hours.
pub const LEDGER_MS: i64 = 24 * 60 * 60 * 1000;

/// A message to be sent: opaque to the store, sealed there.
#[derive(Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Unique, 32 lower-case hexadecimal digits.
    pub id: String,
    /// The way that it takes.
    pub channel: Channel,
    /// The whole number or address; only a keyed digest of it is kept in clear.
    pub recipient: String,
    /// When it was asked for, Unix milliseconds.
    pub time_ms: i64,
    /// Unix milliseconds after which it is worth nothing.
    pub until_ms: i64,
    /// What it says, at most [`LONGEST_PAYLOAD`] bytes.
    pub payload: Zeroizing<Vec<u8>>,
}

/// Whose messages are counted.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// Those that logins of this user asked for.
    By(&'a str),
    /// Those to this number or address.
    For(Channel, &'a str),
    /// All that take this way.
    Over(Channel),
}

/// What a transition counts beyond its own account.
pub trait Ledger {
    /// How many messages were queued after `since_ms`, Unix milliseconds, settled or not, of the
    /// last 24 hours ([`LEDGER_MS`]). What lies ahead of the
    /// present, because the clock was set back, counts too.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn count(&self, asked: Asked<'_>, since_ms: i64) -> Result<u32, StoreError>;

    /// How many clients of all users are registered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    fn clients(&self) -> Result<u32, StoreError>;
}

/// Why the store could not do it. No variant is ever a success or "no such user".
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer, is full, read-only, damaged or shutting down.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A record fails its integrity check: it was changed, swapped or damaged.
    #[error(
        "the record of user {0} fails its integrity check; restore it from a backup or reset the user"
    )]
    Integrity(String),
    /// The store, its key or both are not as `otpd init` left them.
    #[error("{0}")]
    Setup(String),
}

/// Runs `f` as a transition of `user`'s account and returns what it decided, after the commit.
///
/// # Errors
/// Those of [`TokenStore::transact`]; what `f` decided is then void.
pub async fn decide<R: Send + 'static>(
    store: &dyn TokenStore,
    user: &str,
    f: impl FnOnce(&mut Work<'_>) -> R + Send + 'static,
) -> Result<R, StoreError> {
    let (decided, decision) = oneshot::channel();
    let transition = move |work: &mut Work<'_>| {
        // Nobody waits any more: the commit happens all the same.
        let _ = decided.send(f(work));
    };
    store.transact(user, Box::new(transition)).await?;
    decision.await.map_err(|_| StoreError::Unavailable("the transition was not run".into()))
}

/// Where accounts live. Every implementation passes the suite in `contract`.
pub trait TokenStore: Send + Sync {
    /// Reads `user`'s account, runs the transition on it and commits what it changed together with
    /// the audit events. Resolves after the commit is durable (invariants I2 and I3); on an error
    /// nothing was committed. Transactions on one user never overlap, whoever runs them.
    fn transact<'a>(
        &'a self,
        user: &'a str,
        transition: Transition,
    ) -> Pending<'a, Result<(), StoreError>>;

    /// Removes all that there is of a user without reading it: the way on for a record that fails
    /// its integrity check. The record goes in the same transaction.
    fn forget<'a>(
        &'a self,
        user: &'a str,
        record: AuditEvent,
    ) -> Pending<'a, Result<(), StoreError>>;

    /// What a login needs before its first step; `None` for a user without an account.
    fn enrolment<'a>(&'a self, user: &'a str)
    -> Pending<'a, Result<Option<Enrolment>, StoreError>>;

    /// Where an administrator wants the user's codes delivered; from a verified record, and none
    /// for a user without an account.
    fn contacts<'a>(&'a self, user: &'a str) -> Pending<'a, Result<Contacts, StoreError>>;

    /// Messages that were queued and are not settled, with their users, oldest first, for the
    /// start of the daemon. One that does not open is left out, logged and settled.
    fn queued(&self) -> Pending<'_, Result<Vec<(String, Outgoing)>, StoreError>>;

    /// The user who owns a token.
    fn owner<'a>(&'a self, token: &'a str) -> Pending<'a, Result<Option<String>, StoreError>>;

    /// Tokens that match, by user name and age, and how many match in all. Never unseals a secret.
    fn tokens<'a>(
        &'a self,
        query: TokenQuery,
    ) -> Pending<'a, Result<(Vec<TokenRow>, u64), StoreError>>;

    /// Users that match, by name, and how many match in all.
    fn users<'a>(
        &'a self,
        query: UserQuery,
    ) -> Pending<'a, Result<(Vec<UserRow>, u64), StoreError>>;

    /// Issued codes that match, by user name and age, and how many match in all. A code that is
    /// kept and does not open counts as not kept.
    fn codes<'a>(
        &'a self,
        query: CodeQuery,
    ) -> Pending<'a, Result<(Vec<CodeRow>, u64), StoreError>>;

    /// Clients that match, by user name and age, and how many match in all.
    fn clients<'a>(
        &'a self,
        query: ClientQuery,
    ) -> Pending<'a, Result<(Vec<ClientRow>, u64), StoreError>>;

    /// Audit records that match: the newest `limit`, oldest first.
    fn audit<'a>(
        &'a self,
        query: AuditQuery,
    ) -> Pending<'a, Result<Vec<(i64, AuditEvent)>, StoreError>>;

    /// Counts and a health check that touches the disk.
    fn status(&self, now_ms: i64) -> Pending<'_, Result<StoreStatus, StoreError>>;
}

/// What a login needs to know before its first step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The user has a confirmed token, usable or not ([`Account::enrolled`]).
    pub enrolled: bool,
    /// A token that was used waits for its new key to be confirmed ([`Token::replaced`]).
    pub replaced: bool,
    /// The user id at enrolment.
    pub uid: Option<u32>,
    /// Failures and the lock.
    pub throttle: Throttle,
    /// The user may issue codes to others.
    pub administrator: bool,
    /// The user's clients, oldest first.
    pub clients: Vec<Client>,
    /// All tokens of the user, oldest first.
    pub tokens: Vec<Outline>,
}

/// A token as a login's first step sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// The method that it was enrolled with.
    pub method: String,
    /// Time, counter or a code that is delivered.
    pub factor: Factor,
    /// Length of a code.
    pub digits: u8,
    /// Where it is in its life.
    pub state: State,
    /// Not accepted from this time on, Unix milliseconds.
    pub expires_ms: Option<i64>,
}

/// Which tokens to list. `offset` and `limit` in rows.
#[derive(Clone, Debug, Default)]
pub struct TokenQuery {
    /// Of exactly this user.
    pub user: Option<String>,
    /// Exactly this one.
    pub id: Option<String>,
    /// Enrolled with exactly this method.
    pub method: Option<String>,
    /// Only those whose secret is being shown ([`Share::Showing`]).
    pub showing: bool,
    /// Rows to pass over.
    pub offset: u32,
    /// Rows to return at most; 0 returns none and the total.
    pub limit: u32,
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The owner.
    pub user: String,
    /// As [`Token::id`](otp_core::token::Token::id).
    pub id: String,
    /// The user's own name for it.
    pub label: String,
    /// The method that it was enrolled with.
    pub method: String,
    /// Time, counter or a code that is delivered.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: otp_core::token::Algorithm,
    /// Length of a code.
    pub digits: u8,
    /// Where it is in its life.
    pub state: State,
    /// Who has been shown the secret.
    pub share: Share,
    /// Whether two consecutive codes are due.
    pub rejoin: Rejoin,
    /// How many codes were accepted.
    pub accepted: u64,
    /// Enrolled at, Unix milliseconds.
    pub created_ms: i64,
    /// Last accepted at, Unix milliseconds.
    pub last_used_ms: Option<i64>,
    /// Not accepted from this time on, Unix milliseconds.
    pub expires_ms: Option<i64>,
}

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// Exactly this one.
    pub user: Option<String>,
    /// Whose name contains this, as it stands: case matters, nothing is a wildcard.
    pub search: Option<String>,
    /// Only those whose lock ends after `now_ms`, or whose failures reach `disable_after`.
    pub locked: bool,
    /// Only those who may issue codes to others.
    pub administrators: bool,
    /// Failures that disable a user, as in the lockout rules; only `locked` looks at it.
    pub disable_after: Option<u32>,
    /// The moment that `locked` and [`UserRow::usable`] are about, Unix milliseconds.
    pub now_ms: i64,
    /// Rows to pass over.
    pub offset: u32,
    /// Rows to return at most; 0 returns none and the total.
    pub limit: u32,
}

/// A user's account in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The login name.
    pub user: String,
    /// The user id at enrolment.
    pub uid: Option<u32>,
    /// Tokens of any state.
    pub tokens: u32,
    /// Tokens whose standing at the query's `now_ms` is active.
    pub usable: u32,
    /// Recovery codes that are left.
    pub recovery: u32,
    /// Failures and the lock.
    pub throttle: otp_core::throttle::Throttle,
    /// The last login that was granted, Unix milliseconds.
    pub last_success_ms: Option<i64>,
    /// The user may issue codes to others.
    pub administrator: bool,
}

/// Which audit records to read.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this user, as it stands in the record (escaped).
    pub user: Option<String>,
    /// Not before this, Unix milliseconds.
    pub since_ms: Option<i64>,
    /// With a number above this.
    pub after: Option<i64>,
    /// Records to return at most.
    pub limit: u32,
}

/// One decision; the fields of `otp_ipc::AuditRecord`. Texts are escaped before they come here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEvent {
    /// When, Unix milliseconds.
    pub time_ms: i64,
    /// What was done.
    pub event: String,
    /// How it ended.
    pub result: String,
    /// The user, escaped.
    pub user: String,
    /// The PAM service.
    pub service: Option<String>,
    /// The numeric source address, or `local`.
    pub source: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// The method that the code was for.
    pub method: Option<String>,
    /// The token's id.
    pub token: Option<String>,
    /// Consecutive failures after this.
    pub failures: Option<u32>,
    /// First characters of the session's id.
    pub session: Option<String>,
    /// Who called: a user id.
    pub caller: Option<u32>,
    /// Anything more for the administrator.
    pub detail: Option<String>,
}

/// Counts, for the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// Users with an account.
    pub users: u64,
    /// Tokens of any state.
    pub tokens: u64,
    /// Clients that are registered.
    pub clients: u64,
    /// The schema's version.
    pub schema: u32,
    /// The store's kind and place, for people.
    pub description: String,
}
