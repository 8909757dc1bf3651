//! Another key for a store that nobody uses meanwhile.

use std::path::Path;

use otp_core::account::Account;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::{database::Database, file, locate, messages, meta::Meta, rows};
use crate::{
    keys::{Keyring, Keys, Role},
    store::{AuditEvent, StoreError, vault::Vault},
};

/// How a store is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which of the keys opens it.
    pub role: Role,
    /// Version of that key.
    pub key_version: u32,
}

/// What [`reseal`] is to do.
pub struct Resealing<'a> {
    /// The keys that may open the store.
    pub from: &'a Keyring,
    /// The key that it is to have.
    pub to: &'a Keys,
    /// The version of that key in this store; where absent, one more than that of the present one.
    pub key_version: Option<u32>,
    /// Records that are committed with it.
    pub audit: &'a [AuditEvent],
}

/// What [`reseal`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resealed {
    /// How many accounts there are.
    pub accounts: u64,
    /// Version of the key that the store has now.
    pub key_version: u32,
}

/// Says by which key the store at `path` opens. Nothing is changed but an older schema.
///
/// # Errors
/// Those of [`SqliteStore::open`](super::SqliteStore::open).
pub fn sealed(path: &Path, owner: u32, ring: &Keyring) -> Result<Sealed, StoreError> {
    at(path, owner, |path| {
        let database = Database::open(path, ring)?;
        let key_version = database.vault().key_version;
        Ok(Sealed { role: database.role(), key_version })
    })
}

/// Seals everything in the store at `path` with another key, in one transaction: all of it, or
/// nothing is changed. `change` is called with every account and its name, and may alter it. The
/// caller holds the store's lock as the only one ([`Lock::exclusive`](super::lock::Lock::exclusive)),
/// or nobody else knows of the file. Nothing that was sealed with the old key is left in the file.
///
/// # Errors
/// [`StoreError::Integrity`] for the first record that is not as it was written; those of
/// [`SqliteStore::open`](super::SqliteStore::open); [`StoreError::Unavailable`] when there is no
/// room. What fails after the transaction ([`sweep`]) says so.
pub fn reseal(
    path: &Path,
    owner: u32,
    resealing: &Resealing<'_>,
    mut change: impl FnMut(&str, &mut Account),
) -> Result<Resealed, StoreError> {
    at(path, owner, |path| {
        let database = Database::open(path, resealing.from)?;
        let connection = &database.connection;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let resealed = rewrite(&database, resealing, &mut change)?;
        transaction.commit()?;
        clean(connection)?;
        database.connection.close().map_err(|(_, error)| error)?;
        Ok(resealed)
    })
}

/// Leaves nothing in the store's files that is not part of it any more.
///
/// # Errors
/// As the file's.
pub fn sweep(path: &Path, owner: u32, ring: &Keyring) -> Result<(), StoreError> {
    at(path, owner, |path| {
        let database = Database::open(path, ring)?;
        clean(&database.connection)?;
        Ok(database.connection.close().map_err(|(_, error)| error)?)
    })
}

fn at<R>(
    path: &Path,
    owner: u32,
    work: impl FnOnce(&Path) -> Result<R, StoreError>,
) -> Result<R, StoreError> {
    let path = file::place(path, owner)?;
    file::check(&path, owner)?;
    work(&path).map_err(|error| locate(&path, error))
}

/// The same for what is in `database`, within the transaction in progress.
///
/// # Errors
/// Those of [`reseal`].
pub(super) fn rewrite(
    database: &Database,
    resealing: &Resealing<'_>,
    change: &mut dyn FnMut(&str, &mut Account),
) -> Result<Resealed, StoreError> {
    let (connection, old) = (&database.connection, database.vault());
    let meta = Meta::load(connection)?;
    meta.verify(old)?;
    let key_version = resealing.key_version.unwrap_or(old.key_version.saturating_add(1));
    let new = meta.vault(resealing.to, key_version, old);
    let digest_keys = new.digests.seal(&new).map_err(StoreError::Unavailable)?;
    let mut meta = meta.under(&new, Some(digest_keys));
    for user in users(connection)? {
        account(database, &new, &user, change)?;
        meta.accounts += 1;
        Meta::toggle(&mut meta.names, &new, &user);
    }
    for (user, message) in database.queued()? {
        messages::reseal(connection, &new.seal_message(&user, &message)?)?;
    }
    for event in resealing.audit {
        rows::append(connection, event)?;
    }
    meta.save(connection, &new)?;
    Ok(Resealed { accounts: meta.accounts.unsigned_abs(), key_version })
}

/// One account, from one vault to the other.
fn account(
    database: &Database,
    new: &Vault,
    user: &str,
    change: &mut dyn FnMut(&str, &mut Account),
) -> Result<(), StoreError> {
    let before = database.record(user)?;
    let before = before.ok_or_else(|| StoreError::Integrity(user.to_owned()))?;
    let mut account = database.vault().unseal(user, &before)?;
    change(user, &mut account);
    let after = new.seal(user, &account, None)?;
    let mac = new.record_mac(user, &after);
    Ok(rows::save(&database.connection, user, Some(&before), Some((&after, mac)))?)
}

/// Whose accounts there are.
///
/// # Errors
/// [`StoreError::Integrity`] for rows that are nobody's: they would keep their seal.
pub(super) fn users(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let nobodys = "SELECT user FROM (SELECT user FROM token UNION SELECT user FROM recovery UNION \
        SELECT user FROM challenge UNION SELECT user FROM issued UNION SELECT user FROM client) \
        WHERE user NOT IN (SELECT user FROM account) LIMIT 1";
    if let Some(user) = connection.query_row(nobodys, [], |row| row.get(0)).optional()? {
        return Err(StoreError::Integrity(user));
    }
    let mut statement = connection.prepare("SELECT user FROM account ORDER BY user")?;
    let users = statement.query_map([], |row| row.get(0))?;
    Ok(users.collect::<rusqlite::Result<_>>()?)
}

/// A new copy of all pages has nothing in the gaps between their rows, and an empty log nothing of
/// the pages before.
fn clean(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("VACUUM")?;
    let busy: bool =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(StoreError::Unavailable("another process reads it; end that process".into()));
    }
    Ok(())
}
