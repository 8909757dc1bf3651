//! Many accounts in one transaction, for otpd's own programs beside the daemon.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Transaction, TransactionBehavior};

use super::{Options, database::Database, draft::Draft, file, lists, locate, lock::Lock, rows};
use crate::{
    keys::Keyring,
    store::{AuditEvent, StoreError, UserQuery, Work},
};

/// How long such a program waits for its turn to write: nobody waits for it at a prompt.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room for what a transaction has changed, in KiB: written once, at its end.
const ROOM: i64 = 256 * 1024;

/// The store in a SQLite file, opened beside the daemon that serves it.
pub struct Bulk {
    database: Database,
    audit_rows: u32,
    path: PathBuf,
    /// Kept for as long as the file is open.
    _lock: Lock,
}

/// The accounts within a transaction of [`Bulk::transact`].
pub struct Accounts<'a> {
    database: &'a Database,
    writing: bool,
}

/// What is to be done with all changes.
pub struct Verdict {
    /// Whether they are made.
    pub keep: bool,
    /// Records that are committed with them.
    pub audit: Vec<AuditEvent>,
}

impl Bulk {
    /// Opens the store that [`super::init`] made.
    ///
    /// # Errors
    /// As [`super::SqliteStore::open`].
    pub fn open(path: &Path, ring: &Keyring, options: Options) -> Result<Self, StoreError> {
        let path = file::place(path, options.owner)?;
        let lock = Lock::shared(&path)?;
        file::check(&path, options.owner)?;
        let opened = || {
            let database = Database::open(&path, ring)?;
            database.connection.busy_timeout(PATIENCE)?;
            database.connection.pragma_update(None, "cache_size", -ROOM)?;
            Ok(database)
        };
        let database = opened().map_err(|error| locate(&path, error))?;
        Ok(Self { database, audit_rows: options.audit_rows.max(1), path, _lock: lock })
    }

    /// The key of the digests of recovery codes and issued codes in this store.
    #[must_use]
    pub fn recovery_key(&self) -> &[u8; 32] {
        &self.database.vault().digests.recovery
    }

    /// Runs `body` in one transaction. Where `writing`, nobody else writes meanwhile, and what it
    /// has changed is kept if it says so with what it returns, on the disk before this does; else
    /// nothing is changed.
    ///
    /// # Errors
    /// Those of `body`, and as the file's; nothing is changed then.
    pub fn transact<R>(
        &self,
        writing: bool,
        body: impl FnOnce(&Accounts<'_>) -> Result<(R, bool), StoreError>,
    ) -> Result<R, StoreError> {
        let run = || {
            let transaction = self.begin(if writing {
                TransactionBehavior::Immediate
            } else {
                TransactionBehavior::Deferred
            })?;
            let (result, keep) = body(&Accounts { database: &self.database, writing })?;
            if writing && keep {
                self.commit(transaction)?;
            }
            Ok(result)
        };
        run().map_err(|error| locate(&self.path, error))
    }

    /// Has `change` work on the account of each of `users` (told by its place, and each there once)
    /// and `judge` say of all results whether the changes are made: all in one transaction, on the
    /// disk before this returns, or none.
    ///
    /// The work is done while others write. Nobody is kept from that but for as long as the rows
    /// take, so both are asked again about accounts that have changed in the meantime. Messages are
    /// not queued here.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when a record is not as it was written, or as the file's; nothing
    /// is changed then.
    pub fn change<T>(
        &self,
        users: &[&str],
        change: &dyn Fn(usize, &mut Work<'_>) -> T,
        judge: &dyn Fn(&[T]) -> Verdict,
    ) -> Result<Vec<T>, StoreError> {
        self.run(users, change, judge).map_err(|error| locate(&self.path, error))
    }

    fn run<T>(
        &self,
        users: &[&str],
        change: &dyn Fn(usize, &mut Work<'_>) -> T,
        judge: &dyn Fn(&[T]) -> Verdict,
    ) -> Result<Vec<T>, StoreError> {
        let snapshot = self.begin(TransactionBehavior::Deferred)?;
        let places = 0..users.len();
        let drafted = places.zip(users).map(|(place, user)| self.draft(place, user, change));
        let (mut results, mut drafts) =
            drafted.collect::<Result<(Vec<_>, Vec<_>), StoreError>>()?;
        drop(snapshot);
        if !judge(&results).keep {
            return Ok(results);
        }
        let transaction = self.begin(TransactionBehavior::Immediate)?;
        let entries = results.iter_mut().zip(&mut drafts).zip(users).enumerate();
        for (place, ((result, draft), user)) in entries {
            if !self.database.unchanged(user, draft)? {
                (*result, *draft) = self.draft(place, user, change)?;
            }
            self.database.write(user, draft)?;
        }
        self.database.count(users.iter().copied().zip(drafts.iter().map(Draft::accounts)))?;
        let verdict = judge(&results);
        for event in &verdict.audit {
            rows::append(&self.database.connection, event)?;
        }
        if verdict.keep {
            self.commit(transaction)?;
        }
        Ok(results)
    }

    fn draft<T>(
        &self,
        place: usize,
        user: &str,
        change: &dyn Fn(usize, &mut Work<'_>) -> T,
    ) -> Result<(T, Draft), StoreError> {
        let mut result = None;
        let draft = self.database.draft(user, |work| result = Some(change(place, work)))?;
        Ok((result.ok_or_else(not_run)?, draft))
    }

    fn begin(&self, kind: TransactionBehavior) -> Result<Transaction<'_>, StoreError> {
        Ok(Transaction::new_unchecked(&self.database.connection, kind)?)
    }

    fn commit(&self, transaction: Transaction<'_>) -> Result<(), StoreError> {
        rows::execute(&self.database.connection, rows::PRUNE, [self.audit_rows])?;
        Ok(transaction.commit()?)
    }
}

fn not_run() -> StoreError {
    StoreError::Unavailable("the transition was not run".into())
}

impl Accounts<'_> {
    /// Reads `user`'s account and runs `transition` on it. In a transaction that does not write,
    /// what it changes is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when the record is not as it was written, or as the file's.
    pub fn transact<R>(
        &self,
        user: &str,
        transition: impl FnOnce(&mut Work<'_>) -> R,
    ) -> Result<R, StoreError> {
        let mut result = None;
        let transition = |work: &mut Work<'_>| result = Some(transition(work));
        if self.writing {
            self.database.transact(user, transition)?;
        } else {
            self.database.draft(user, transition)?;
        }
        result.ok_or_else(not_run)
    }

    /// The names of all users, in their order.
    ///
    /// # Errors
    /// As the file's.
    pub fn users(&self) -> Result<Vec<String>, StoreError> {
        let query = UserQuery { limit: u32::MAX, ..UserQuery::default() };
        let (users, _) = lists::users(&self.database.connection, &query)?;
        Ok(users.into_iter().map(|row| row.user).collect())
    }

    /// Records `event` in the same transaction.
    ///
    /// # Errors
    /// As the file's.
    pub fn record(&self, event: &AuditEvent) -> Result<(), StoreError> {
        if self.writing {
            rows::append(&self.database.connection, event)?;
        }
        Ok(())
    }
}
