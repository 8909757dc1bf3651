//! One connection to the file, with what is needed to believe what it says.

use std::{path::Path, sync::Arc, time::Duration};

use otp_core::{account::Account, contact::Contacts};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, config::DbConfig};

use super::{
    lists, messages,
    meta::{Meta, Opened},
    register, rows, schema, setup,
};
use crate::{
    keys::{Keyring, Keys, Role},
    store::{
        Asked, AuditEvent, CodeQuery, CodeRow, Enrolment, Ledger, Outgoing, StoreError,
        record::AccountRecord,
        register::IssuedRecord,
        vault::{Tag, Vault},
    },
};

/// How long another process may hold the file before a transaction gives up: an import of very
/// many users takes its time, and a login at its prompt waits longer than this.
const BUSY: Duration = Duration::from_secs(6);
/// Prepared statements kept by a connection: more than there are.
const STATEMENTS: usize = 64;

/// A connection, and what opened its store.
pub(super) struct Database {
    pub(super) connection: Connection,
    opened: Arc<Opened>,
}

impl Database {
    /// The connection that writes: brings the schema up to date, then verifies it, the key, the meta
    /// row and that exactly the accounts are there that were last committed.
    ///
    /// # Errors
    /// [`StoreError::Setup`] for a store that is not as it was left or a key that is not its own.
    pub(super) fn open(path: &Path, ring: &Keyring) -> Result<Self, StoreError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        if connection.is_readonly("main")? {
            return Err(setup("the file or its file system is read-only; mount it writable"));
        }
        schema::upgrade(&connection)?;
        schema::verify(&connection)?;
        let database = Self::unlock(connection, ring)?;
        database.verify_accounts()?;
        Ok(database)
    }

    /// A connection that reads, after `open` has verified the store.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn reader(&self, path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self { connection, opened: Arc::clone(&self.opened) })
    }

    /// Verifies without changing anything that the store is one of ours and a key of `ring` its
    /// own.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when it is not.
    pub(super) fn probe(path: &Path, ring: &Keyring) -> Result<(), StoreError> {
        Self::unlock(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?, ring).map(drop)
    }

    /// What seals the store.
    pub(super) fn vault(&self) -> &Vault {
        &self.opened.vault
    }

    /// Which key of the ring opened it.
    pub(super) fn role(&self) -> Role {
        self.opened.role
    }

    /// Where that key came from, for people.
    pub(super) fn key_source(&self) -> &str {
        &self.opened.source
    }

    /// Fills an empty file with the schema and the meta row of a new store.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn create(path: &Path, keys: &Keys, now_ms: i64) -> Result<(), StoreError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::create(&connection)?;
        Meta::create(&connection, keys, now_ms)?;
        connection.close().map_err(|(_, error)| error.into())
    }

    /// Verifies that the store is one of ours, that a key of `ring` is its own and that the meta row
    /// is as it was written.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when it is not.
    pub(super) fn unlock(connection: Connection, ring: &Keyring) -> Result<Self, StoreError> {
        let opened = Arc::new(Meta::load(&connection)?.unlock(ring)?);
        Ok(Self { connection, opened })
    }

    /// `user`'s account, from a verified record, with its secrets.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when the record is not as it was written, or as the file's.
    pub(super) fn account(&self, user: &str) -> Result<Option<Account>, StoreError> {
        self.record(user)?.map(|record| self.vault().unseal(user, &record)).transpose()
    }

    /// Removes all rows of `user`, within the transaction in progress.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn forget(&self, user: &str, record: &AuditEvent) -> Result<(), StoreError> {
        let mut account =
            self.connection.prepare_cached("SELECT 1 FROM account WHERE user = ?1")?;
        let counted = account.exists([user])?;
        rows::save(&self.connection, user, None, None)?;
        rows::execute(&self.connection, messages::SETTLE_ALL, [user])?;
        if counted {
            self.count([(user, -1)])?;
        }
        Ok(rows::append(&self.connection, record)?)
    }

    /// The messages that are not settled, oldest first; those that do not open are settled within
    /// the transaction in progress.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn queued(&self) -> Result<Vec<(String, Outgoing)>, StoreError> {
        let mut intact = Vec::new();
        for (number, record) in messages::queued(&self.connection)? {
            if let Some(opened) = record.and_then(|record| self.vault().open_message(record)) {
                intact.push(opened);
                continue;
            }
            log::error!(
                "store: message number {number} fails its integrity check and is not sent: it was \
                 changed or damaged"
            );
            let settle = "UPDATE message SET payload = NULL WHERE number = ?1";
            rows::execute(&self.connection, settle, [number])?;
        }
        Ok(intact)
    }

    /// Where an administrator wants `user`'s codes delivered, from a verified record.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when the record is not as it was written, or as the file's.
    pub(super) fn contacts(&self, user: &str) -> Result<Contacts, StoreError> {
        let _snapshot = self.snapshot()?;
        let record = self.record(user)?;
        record.map_or(Ok(Contacts::default()), |record| self.vault().contacts(user, &record))
    }

    /// What a login needs to know first, from a verified record.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when the record is not as it was written, or as the file's.
    pub(super) fn enrolment(&self, user: &str) -> Result<Option<Enrolment>, StoreError> {
        let _snapshot = self.snapshot()?;
        Ok(self.record(user)?.map(|record| record.enrolment()))
    }

    /// Issued codes that match, with those that are kept opened, and how many match in all.
    ///
    /// # Errors
    /// As the file's, or for a row that is not as it was written.
    pub(super) fn codes(&self, query: &CodeQuery) -> Result<(Vec<CodeRow>, u64), StoreError> {
        let _snapshot = self.snapshot()?;
        let (records, total) = lists::codes(&self.connection, query)?;
        let row = |(user, record): (String, IssuedRecord)| CodeRow {
            issued: record.opened(self.vault().open_code(&user, &record).flatten()),
            user,
        };
        Ok((records.into_iter().map(row).collect(), total))
    }

    /// Writes that a health check was here, within the transaction in progress.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn touch(&self, now_ms: i64) -> Result<(), StoreError> {
        Ok(rows::execute(&self.connection, "UPDATE meta SET checked_ms = ?1", [now_ms])?)
    }

    /// Keeps several reads to one state of the store.
    ///
    /// # Errors
    /// As the file's.
    pub(super) fn snapshot(&self) -> Result<Transaction<'_>, StoreError> {
        Ok(Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?)
    }

    /// A user's verified record.
    ///
    /// # Errors
    /// [`StoreError::Integrity`] when it is not as it was written, or as the file's.
    pub(super) fn record(&self, user: &str) -> Result<Option<AccountRecord>, StoreError> {
        Ok(self.loaded(user)?.map(|(record, _)| record))
    }

    /// The same with its MAC.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(super) fn loaded(
        &self,
        user: &str,
    ) -> Result<Option<(AccountRecord, Vec<u8>)>, StoreError> {
        let Some((record, mac)) = rows::load(&self.connection, user)? else {
            return Ok(None);
        };
        self.vault().verify(user, &record, &mac)?;
        Ok(Some((record, mac)))
    }

    /// An account that was deleted, renamed or added by other hands would make its user
    /// unenrolled. The order is verified as well: a search through an index that is out of order
    /// misses what is there.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when others are there than were committed, or as the file's.
    pub(super) fn verify_accounts(&self) -> Result<(), StoreError> {
        let _snapshot = self.snapshot()?;
        let meta = Meta::load(&self.connection)?;
        let (mut accounts, mut names, mut last) = (0, Tag::default(), String::new());
        let mut ordered = true;
        let mut statement = self.connection.prepare("SELECT user FROM account ORDER BY user")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let user: String = row.get(0)?;
            ordered &= accounts == 0 || last < user;
            accounts += 1;
            Meta::toggle(&mut names, self.vault(), &user);
            last = user;
        }
        if ordered && accounts == meta.accounts && names == meta.names {
            return Ok(());
        }
        Err(setup(format!(
            "the store has {accounts} accounts where {} were committed, or others than those: it \
             was changed or damaged while otpd did not run; restore it from a backup",
            meta.accounts
        )))
    }
}

impl Ledger for Database {
    fn clients(&self) -> Result<u32, StoreError> {
        let mut statement = self.connection.prepare_cached(register::REGISTERED)?;
        let count: i64 = statement.query_row([], |row| row.get(0))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn count(&self, asked: Asked<'_>, since_ms: i64) -> Result<u32, StoreError> {
        Ok(messages::count(&self.connection, self.vault(), asked, since_ms)?)
    }
}

/// A connection to the file, careful and durable; one that writes has it in WAL mode.
///
/// # Errors
/// As the file's, and [`StoreError::Setup`] for a file system that cannot have it so.
pub(super) fn connect(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    mistrust(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    if access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        if mode != "wal" {
            return Err(setup(format!(
                "the file system does not support what SQLite's WAL needs (journal mode {mode}); \
                 keep the store on a local file system"
            )));
        }
    }
    Ok(connection)
}

/// Has SQLite believe nothing that it need not believe, and leave nothing behind.
///
/// # Errors
/// As the file's.
pub(super) fn mistrust(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // What an edited schema says is not run: the file is data, never code.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // A plan does not depend on what is asked for: a statement is prepared once, not at each use.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(())
}
