//! The port to the store: one user's account is read, changed and committed as one.

mod contract;
pub mod seal;
pub mod sqlite;

use std::{future::Future, pin::Pin};

use otp_core::account::Account;

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
    #[error("the record of user {0} fails its integrity check; restore it from a backup or reset the user")]
    Integrity(String),
    /// The store, its key or both are not as `otpd init` left them.
    #[error("{0}")]
    Setup(String),
}

/// Where accounts live. Every implementation passes the suite in `contract`.
pub trait TokenStore: Send + Sync {
    /// Reads `user`'s account, runs the transition on it and commits what it changed together with
    /// the audit events. Resolves after the commit is durable (invariants I2 and I3); on an error
    /// nothing was committed. Transactions on one user never overlap, whoever runs them.
    fn transact<'a>(&'a self, user: &'a str, transition: Transition) -> Pending<'a, Result<(), StoreError>>;

    /// What a login needs before its first step; `None` for a user without an account.
    fn enrolment<'a>(&'a self, user: &'a str) -> Pending<'a, Result<Option<Enrolment>, StoreError>>;

    /// The user who owns a token.
    fn owner<'a>(&'a self, token: &'a str) -> Pending<'a, Result<Option<String>, StoreError>>;

    /// Tokens that match, by user name and age, and how many match in all. Never unseals a secret.
    fn tokens<'a>(&'a self, query: TokenQuery) -> Pending<'a, Result<(Vec<TokenRow>, u64), StoreError>>;

    /// Users that match, by name, and how many match in all.
    fn users<'a>(&'a self, query: UserQuery) -> Pending<'a, Result<(Vec<UserRow>, u64), StoreError>>;

    /// Audit records that match: the newest `limit`, oldest first.
    fn audit<'a>(&'a self, query: AuditQuery) -> Pending<'a, Result<Vec<(i64, AuditEvent)>, StoreError>>;

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
    pub user: Option<String>,
    pub id: Option<String>,
    pub offset: u32,
    pub limit: u32,
}

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub user: String,
    pub id: String,
    pub label: String,
    pub method: String,
    pub factor: otp_core::token::Factor,
    pub algorithm: otp_core::token::Algorithm,
    pub digits: u8,
    pub state: otp_core::token::State,
    pub created_ms: i64,
    pub last_used_ms: Option<i64>,
    pub expires_ms: Option<i64>,
}

/// Which users to list; `now_ms` is for those who are locked now.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    pub user: Option<String>,
    pub search: Option<String>,
    pub locked: bool,
    pub now_ms: i64,
    pub offset: u32,
    pub limit: u32,
}

/// A user's account in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub user: String,
    pub uid: Option<u32>,
    pub tokens: u32,
    /// Tokens whose standing at the query's `now_ms` is active.
    pub usable: u32,
    pub recovery: u32,
    pub throttle: otp_core::throttle::Throttle,
    pub last_success_ms: Option<i64>,
}

/// Which audit records to read.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub user: Option<String>,
    pub since_ms: Option<i64>,
    pub after: Option<i64>,
    pub limit: u32,
}

/// One decision; the fields of `otp_ipc::AuditRecord`. Texts are escaped before they come here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditEvent {
    pub time_ms: i64,
    pub event: String,
    pub result: String,
    pub user: String,
    pub service: Option<String>,
    pub source: Option<String>,
    pub tty: Option<String>,
    pub method: Option<String>,
    pub token: Option<String>,
    pub failures: Option<u32>,
    pub session: Option<String>,
    pub caller: Option<u32>,
    pub detail: Option<String>,
}

/// Counts, for the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    pub users: u64,
    pub tokens: u64,
    pub locked: u64,
    pub schema: u32,
    /// The store's kind and place, for people.
    pub description: String,
}
