//! The port to the store: one user's account is read, changed and committed as one.

mod canonical;
#[cfg(test)]
mod contract;
mod record;
pub mod seal;
pub mod sqlite;

use std::{future::Future, pin::Pin};

use otp_core::account::Account;
use tokio::sync::oneshot;

/// A future that a port returns.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a transition is given and may change: the account (`None`: the store has no such user;
/// set it to create the user, clear it to remove them) and the audit events to commit with it.
pub struct Work {
    /// The user's account, with its secrets unsealed for the length of the transition.
    pub account: Option<Account>,
    /// Records that are committed in the same transaction.
    pub audit: Vec<AuditEvent>,
}

/// A change of one account. Runs inside the store's transaction: no I/O, no waiting.
pub type Transition = Box<dyn FnOnce(&mut Work) + Send>;

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
    f: impl FnOnce(&mut Work) -> R + Send + 'static,
) -> Result<R, StoreError> {
    let (decided, decision) = oneshot::channel();
    let transition = move |work: &mut Work| {
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

    /// What a login needs before its first step; `None` for a user without an account.
    fn enrolment<'a>(&'a self, user: &'a str)
    -> Pending<'a, Result<Option<Enrolment>, StoreError>>;

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

    /// Audit records that match: the newest `limit`, oldest first.
    fn audit<'a>(
        &'a self,
        query: AuditQuery,
    ) -> Pending<'a, Result<Vec<(i64, AuditEvent)>, StoreError>>;

    /// Counts and a health check that touches the disk.
    fn status(&self, now_ms: i64) -> Pending<'_, Result<StoreStatus, StoreError>>;
}

/// What a login needs to know before its first step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The user has a confirmed token, usable or not ([`Account::enrolled`]).
    pub enrolled: bool,
    /// The user id at enrolment.
    pub uid: Option<u32>,
    /// Digits of the user's oldest active token.
    pub digits: Option<u8>,
}

/// Which tokens to list. `offset` and `limit` in rows.
#[derive(Clone, Debug, Default)]
pub struct TokenQuery {
    /// Of exactly this user.
    pub user: Option<String>,
    /// Exactly this one.
    pub id: Option<String>,
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
    /// Time or counter.
    pub factor: otp_core::token::Factor,
    /// Hash function.
    pub algorithm: otp_core::token::Algorithm,
    /// Length of a code.
    pub digits: u8,
    /// Where it is in its life.
    pub state: otp_core::token::State,
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
    /// The schema's version.
    pub schema: u32,
    /// The store's kind and place, for people.
    pub description: String,
}
