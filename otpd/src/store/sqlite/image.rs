//! A store in memory: a copy for a backup, and what is restored until it is in its place.

use std::{io::Read, path::Path};

use otp_core::account::Account;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};

use super::{
    database::{Database, connect, mistrust},
    file, lists, locate, messages,
    reseal::{self, Resealed, Resealing, users},
    rows, schema, setup,
};
use crate::{
    keys::{Keyring, Role},
    store::{AuditEvent, StoreError},
};

/// Where the header of a SQLite file says how it is written and read.
const FORMAT: usize = 18;
/// With a write-ahead log, which what is in memory cannot have.
const LOGGED: [u8; 2] = [2, 2];
/// With a journal.
const JOURNALLED: [u8; 2] = [1, 1];
/// Length of that header.
const HEADER: usize = 100;

/// What a store says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// Its identity, 32 hexadecimal digits.
    pub store: String,
    /// The schema's version, as it was before this otpd brought it up to date.
    pub schema: u32,
    /// Version of the key that it is sealed with.
    pub key_version: u32,
    /// Users with an account.
    pub users: u64,
    /// Tokens of any state.
    pub tokens: u64,
}

/// A copy of the store at `path` as it was last committed, whoever else reads and writes it.
///
/// # Errors
/// [`StoreError::Setup`] when it is missing or not `owner`'s alone, [`StoreError::Unavailable`]
/// when it cannot be read.
pub fn copy(path: &Path, owner: u32) -> Result<Vec<u8>, StoreError> {
    let path = file::place(path, owner)?;
    file::check(&path, owner)?;
    let read = || Ok(open(&path)?.serialize(MAIN_DB)?.to_vec());
    read().map_err(|error| locate(&path, error))
}

/// A store in memory, of which is not known whether it is as it was left.
pub struct Image {
    connection: Connection,
    schema: u32,
}

impl Image {
    /// Takes the bytes of a SQLite file, which has no log beside it, and brings its schema up to
    /// date.
    ///
    /// # Errors
    /// [`StoreError::Setup`] for what is no store of otpd or one of a newer otpd,
    /// [`StoreError::Unavailable`] for one that is damaged.
    pub fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let (Some((begin, rest)), true) = (bytes.split_at_checked(FORMAT), bytes.len() > HEADER)
        else {
            return Err(setup("it is not a store of otpd"));
        };
        let journalled = begin.chain(&JOURNALLED[..]).chain(rest.get(2..).unwrap_or_default());
        let mut connection = Connection::open_in_memory()?;
        connection.deserialize_read_exact(MAIN_DB, journalled, bytes.len(), false)?;
        mistrust(&connection)?;
        let schema = schema::version(&connection)?;
        schema::upgrade(&connection)?;
        schema::verify(&connection)?;
        let check = "PRAGMA integrity_check(1)";
        let found: String = connection.query_row(check, [], |row| row.get(0))?;
        if found != "ok" {
            return Err(StoreError::Unavailable("the file is damaged within".into()));
        }
        Ok(Self { connection, schema: u32::try_from(schema).unwrap_or(u32::MAX) })
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is damaged.
    pub fn census(&self) -> Result<Census, StoreError> {
        census(&self.connection, self.schema)
    }

    /// Verifies that all of it is as it was committed: that these are the accounts, and that each
    /// one's record is intact and opens.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when no key of `ring` is its own or accounts are missing or added,
    /// [`StoreError::Integrity`] for the first record that is not intact.
    pub fn unlock(self, ring: &Keyring) -> Result<Unlocked, StoreError> {
        let database = Database::unlock(self.connection, ring)?;
        database.verify_accounts()?;
        for user in users(&database.connection)? {
            database.account(&user)?;
        }
        Ok(Unlocked { database })
    }
}

/// A store in memory that is as it was left, with the keys to change it.
pub struct Unlocked {
    database: Database,
}

impl Unlocked {
    /// Which key of the ring opened it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.database.role()
    }

    /// `user`'s account; `None` where there is none.
    ///
    /// # Errors
    /// As [`Image::unlock`], which has verified it before.
    pub fn account(&self, user: &str) -> Result<Option<Account>, StoreError> {
        self.database.account(user)
    }

    /// Has `change` revise every account, and settles all messages that wait: what they say is
    /// deleted, that they were asked for still counts.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no memory for it.
    pub fn revise(&self, mut change: impl FnMut(&str, &mut Account)) -> Result<(), StoreError> {
        let connection = &self.database.connection;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        for user in users(connection)? {
            self.database.transact(&user, |work| {
                work.account.iter_mut().for_each(|account| change(&user, account));
            })?;
        }
        rows::execute(connection, messages::SETTLE_EVERYTHING, [])?;
        Ok(transaction.commit()?)
    }

    /// Seals all of it with another key. Nothing that was sealed with the old one is left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no memory for it, or no random bytes.
    pub fn reseal(&self, resealing: &Resealing<'_>) -> Result<Resealed, StoreError> {
        let connection = &self.database.connection;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let resealed = reseal::rewrite(&self.database, resealing, &mut |_, _| ())?;
        transaction.commit()?;
        connection.execute_batch("VACUUM")?;
        Ok(resealed)
    }

    /// Appends an audit record.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no memory for it.
    pub fn record(&self, event: &AuditEvent) -> Result<(), StoreError> {
        Ok(rows::append(&self.database.connection, event)?)
    }

    /// The SQLite file.
    ///
    /// # Errors
    /// As SQLite's.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, StoreError> {
        let mut bytes = self.database.connection.serialize(MAIN_DB)?.to_vec();
        // As the daemon has it: no journal is ever needed to make it so.
        if let Some(format) = bytes.get_mut(FORMAT..FORMAT + 2) {
            format.copy_from_slice(&LOGGED);
        }
        Ok(bytes)
    }
}

/// Appends an audit record to the store at `path`, beside whoever else uses it.
///
/// # Errors
/// [`StoreError::Setup`] for one that this otpd has not brought up to date,
/// [`StoreError::Unavailable`] when it cannot be written.
pub fn record(path: &Path, owner: u32, event: &AuditEvent) -> Result<(), StoreError> {
    let path = file::place(path, owner)?;
    file::check(&path, owner)?;
    let append = || {
        let connection = open(&path)?;
        schema::current(&connection)?;
        Ok(rows::append(&connection, event)?)
    };
    append().map_err(|error| locate(&path, error))
}

/// What is in the place of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Missing,
    /// Something that cannot be read; why.
    Unreadable(String),
    /// A store of otpd, of which is not known whether it is as it was left.
    Store(Census),
}

/// Looks at what is in the place of the store.
///
/// # Errors
/// [`StoreError::Setup`] when others may replace what is in the folder.
pub fn present(path: &Path, owner: u32) -> Result<Present, StoreError> {
    let path = file::place(path, owner)?;
    if std::fs::symlink_metadata(&path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Present::Missing);
    }
    let look = || {
        file::check(&path, owner)?;
        let connection = open(&path)?;
        let schema = schema::version(&connection)?;
        census(&connection, u32::try_from(schema).unwrap_or(u32::MAX))
    };
    Ok(look().map_or_else(|error| Present::Unreadable(error.to_string()), Present::Store))
}

/// A connection that could write, because only such a one takes away the log that it has made. On
/// a disk that can only be read it reads.
fn open(path: &Path) -> Result<Connection, StoreError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn census(connection: &Connection, schema: u32) -> Result<Census, StoreError> {
    let counts = lists::counts(connection)?;
    let (store, key_version) =
        connection.query_row("SELECT lower(hex(store)), key_version FROM meta", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(Census { store, schema, key_version, users: counts.users, tokens: counts.tokens })
}
