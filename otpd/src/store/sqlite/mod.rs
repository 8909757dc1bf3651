//! The store in one SQLite file: write-ahead log, every commit synced to disk before it is told,
//! one thread that writes, readers that never wait for it.

pub mod bulk;
mod database;
mod draft;
mod fault;
mod file;
pub mod image;
mod init;
mod lists;
pub mod lock;
mod messages;
mod meta;
mod register;
pub mod replace;
mod reseal;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod tokens;
mod worker;

use std::path::{Path, PathBuf};

use otp_core::contact::Contacts;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

use self::{
    database::Database,
    lock::Lock,
    worker::{Change, Query, Task, Worker},
};
pub use self::{
    init::{Initialised, init, make_key},
    reseal::{Resealed, Resealing, Sealed, reseal, sealed, sweep},
};
use super::{
    AuditEvent, AuditQuery, ClientQuery, ClientRow, CodeQuery, CodeRow, Enrolment, Outgoing,
    Pending, StoreError, StoreStatus, TokenQuery, TokenRow, TokenStore, Transition, UserQuery,
    UserRow,
};
use crate::keys::Keyring;

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The user id that the daemon runs as: the file must be this user's.
    pub owner: u32,
    /// Audit records that are kept; older ones are deleted. At least 1.
    pub audit_rows: u32,
}

/// Audit records that are kept where nothing else is configured.
pub const AUDIT_ROWS: u32 = 100_000;

/// The store in a SQLite file. Dropping it finishes the changes that are queued, closes the file
/// and waits for both; a login's future that is still waiting keeps it alive.
pub struct SqliteStore {
    /// For logins.
    reader: Worker<Query>,
    /// For lists and counts, which take long in a large store.
    lister: Worker<Query>,
    /// Dropped after the readers: the last connection tidies the file up, and only this one can.
    writer: Worker<Change>,
    ended: watch::Sender<bool>,
    path: PathBuf,
    schema: u32,
    key_source: String,
    recovery_key: Zeroizing<[u8; 32]>,
    /// Kept for as long as the file is open.
    _lock: Lock,
}

impl SqliteStore {
    /// Opens the store that [`init`] made, migrating an older schema. Blocks for the time that it
    /// takes to verify the names of all accounts.
    ///
    /// # Errors
    /// [`StoreError::Setup`], with what to do, when the file is missing, a symbolic link,
    /// accessible to others, not `options.owner`'s, not a store of otpd or one of a newer otpd;
    /// when no key of `ring` is its own; when accounts were deleted, renamed or added by other hands.
    /// [`StoreError::Unavailable`] when it cannot be read or written, or is being replaced.
    pub fn open(path: &Path, ring: &Keyring, options: Options) -> Result<Self, StoreError> {
        let path = file::place(path, options.owner)?;
        let lock = Lock::shared(&path)?;
        replace::tidy(&path);
        file::check(&path, options.owner)?;
        Self::start(&path, ring, options, lock).map_err(|error| locate(&path, error))
    }

    fn start(
        path: &Path,
        ring: &Keyring,
        options: Options,
        lock: Lock,
    ) -> Result<Self, StoreError> {
        let database = Database::open(path, ring)?;
        let schema = schema::version(&database.connection)?;
        let key_version = database.vault().key_version;
        let key_source = format!("{}, version {key_version}", database.key_source());
        let recovery_key = database.vault().digests.recovery.clone();
        let (ended, _) = watch::channel(false);
        Ok(Self {
            reader: worker::reader("store-read", database.reader(path)?, ended.clone())?,
            lister: worker::reader("store-list", database.reader(path)?, ended.clone())?,
            writer: worker::writer(database, options.audit_rows.max(1), ended.clone())?,
            ended,
            path: path.to_owned(),
            schema: u32::try_from(schema).unwrap_or(u32::MAX),
            key_source,
            recovery_key,
            _lock: lock,
        })
    }

    /// Where the key came from that opened the store, and its version, for people.
    #[must_use]
    pub fn key_source(&self) -> &str {
        &self.key_source
    }

    /// The key of the digests of recovery codes and issued codes in this store.
    #[must_use]
    pub fn recovery_key(&self) -> Zeroizing<[u8; 32]> {
        self.recovery_key.clone()
    }

    /// Resolves when the store has failed beyond repair within this process, for example because
    /// a transition panicked: the daemon is to end and be started again.
    pub async fn closed(&self) {
        // An error would mean that the sender is gone; it is `self`'s.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    async fn change(&self, task: Task) -> Result<(), StoreError> {
        let (reply, result) = oneshot::channel();
        self.writer.send(Change { task, reply }).await?;
        result.await.unwrap_or_else(|_| Err(worker::ended())).map_err(|e| locate(&self.path, e))
    }

    async fn read<R: Send + 'static>(
        &self,
        worker: &Worker<Query>,
        read: impl FnOnce(&Database) -> Result<R, StoreError> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (reply, result) = oneshot::channel();
        let query = Box::new(move |database: &Database| {
            // Who asked may be gone.
            let _ = reply.send(read(database));
        });
        worker.send(query).await?;
        result.await.unwrap_or_else(|_| Err(worker::ended())).map_err(|e| locate(&self.path, e))
    }
}

impl TokenStore for SqliteStore {
    fn transact<'a>(
        &'a self,
        user: &'a str,
        transition: Transition,
    ) -> Pending<'a, Result<(), StoreError>> {
        let user = user.to_owned();
        Box::pin(self.change(Box::new(move |database| database.transact(&user, transition))))
    }

    fn forget<'a>(
        &'a self,
        user: &'a str,
        record: AuditEvent,
    ) -> Pending<'a, Result<(), StoreError>> {
        let user = user.to_owned();
        Box::pin(self.change(Box::new(move |database| database.forget(&user, &record))))
    }

    fn enrolment<'a>(
        &'a self,
        user: &'a str,
    ) -> Pending<'a, Result<Option<Enrolment>, StoreError>> {
        let user = user.to_owned();
        Box::pin(self.read(&self.reader, move |database| database.enrolment(&user)))
    }

    fn contacts<'a>(&'a self, user: &'a str) -> Pending<'a, Result<Contacts, StoreError>> {
        let user = user.to_owned();
        Box::pin(self.read(&self.reader, move |database| database.contacts(&user)))
    }

    fn queued(&self) -> Pending<'_, Result<Vec<(String, Outgoing)>, StoreError>> {
        Box::pin(async move {
            let (reply, queued) = oneshot::channel();
            let task = move |database: &Database| {
                // Who asked may be gone.
                let _ = reply.send(database.queued()?);
                Ok(())
            };
            self.change(Box::new(task)).await?;
            queued.await.map_err(|_| worker::ended())
        })
    }

    fn owner<'a>(&'a self, token: &'a str) -> Pending<'a, Result<Option<String>, StoreError>> {
        let token = token.to_owned();
        Box::pin(
            self.read(&self.reader, move |database| {
                Ok(lists::owner(&database.connection, &token)?)
            }),
        )
    }

    fn tokens<'a>(
        &'a self,
        query: TokenQuery,
    ) -> Pending<'a, Result<(Vec<TokenRow>, u64), StoreError>> {
        Box::pin(self.read(&self.lister, move |database| {
            let _snapshot = database.snapshot()?;
            Ok(lists::tokens(&database.connection, &query)?)
        }))
    }

    fn users<'a>(
        &'a self,
        query: UserQuery,
    ) -> Pending<'a, Result<(Vec<UserRow>, u64), StoreError>> {
        Box::pin(self.read(&self.lister, move |database| {
            let _snapshot = database.snapshot()?;
            Ok(lists::users(&database.connection, &query)?)
        }))
    }

    fn codes<'a>(
        &'a self,
        query: CodeQuery,
    ) -> Pending<'a, Result<(Vec<CodeRow>, u64), StoreError>> {
        Box::pin(self.read(&self.lister, move |database| database.codes(&query)))
    }

    fn clients<'a>(
        &'a self,
        query: ClientQuery,
    ) -> Pending<'a, Result<(Vec<ClientRow>, u64), StoreError>> {
        Box::pin(self.read(&self.lister, move |database| {
            let _snapshot = database.snapshot()?;
            Ok(lists::clients(&database.connection, &query)?)
        }))
    }

    fn audit<'a>(
        &'a self,
        query: AuditQuery,
    ) -> Pending<'a, Result<Vec<(i64, AuditEvent)>, StoreError>> {
        Box::pin(
            self.read(&self.lister, move |database| {
                Ok(lists::audit(&database.connection, &query)?)
            }),
        )
    }

    fn status(&self, now_ms: i64) -> Pending<'_, Result<StoreStatus, StoreError>> {
        Box::pin(async move {
            self.change(Box::new(move |database| database.touch(now_ms))).await?;
            let counts = self
                .read(&self.lister, move |database| {
                    let _snapshot = database.snapshot()?;
                    Ok(lists::counts(&database.connection)?)
                })
                .await?;
            let description = format!("SQLite, {}", self.path.display());
            Ok(StoreStatus { schema: self.schema, description, ..counts })
        })
    }
}

fn setup(what: impl Into<String>) -> StoreError {
    StoreError::Setup(what.into())
}

/// Says which file it is about, where the message does not.
fn locate(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(what) => {
            StoreError::Unavailable(format!("{}: {what}", path.display()))
        }
        StoreError::Setup(what) => StoreError::Setup(format!("{}: {what}", path.display())),
        StoreError::Integrity(user) => StoreError::Integrity(user),
    }
}
