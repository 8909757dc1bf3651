//! Many accounts in one transaction, for otpd's own programs beside the daemon.

use std::{path::Path, time::Duration};

use rusqlite::{Transaction, TransactionBehavior};

use super::{Options, database::Database, file, lists, locate, lock::Lock, rows};
use crate::{
    keys::Keyring,
    store::{AuditEvent, StoreError, UserQuery, Work},
};

/// How long such a program waits for its turn to write: nobody waits for it at a prompt.
const PATIENCE: Duration = Duration::from_secs(30);

/// The store in a SQLite file, opened beside the daemon that serves it.
pub struct Bulk {
    database: Database,
    audit_rows: u32,
    path: std::path::PathBuf,
    /// Kept for as long as the file is open.
    _lock: Lock,
}

/// The accounts within a transaction of [`Bulk::transact`].
pub struct Accounts<'a> {
    database: &'a Database,
    writing: bool,
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
            Ok(database)
        };
        let database = opened().map_err(|error| locate(&path, error))?;
        Ok(Self { database, audit_rows: options.audit_rows.max(1), path, _lock: lock })
    }

    /// The key of the digests of recovery codes in this store.
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
        self.run(writing, body).map_err(|error| locate(&self.path, error))
    }

    fn run<R>(
        &self,
        writing: bool,
        body: impl FnOnce(&Accounts<'_>) -> Result<(R, bool), StoreError>,
    ) -> Result<R, StoreError> {
        let connection = &self.database.connection;
        let kind =
            if writing { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction = Transaction::new_unchecked(connection, kind)?;
        let (result, keep) = body(&Accounts { database: &self.database, writing })?;
        if writing && keep {
            rows::execute(connection, rows::PRUNE, [self.audit_rows])?;
            transaction.commit()?;
        }
        Ok(result)
    }
}

impl Accounts<'_> {
    /// Reads `user`'s account and runs `transition` on it, once for each user. In a transaction
    /// that does not write, what it changes is forgotten.
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
            self.database.rehearse(user, transition)?;
        }
        result.ok_or_else(|| StoreError::Unavailable("the transition was not run".into()))
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
