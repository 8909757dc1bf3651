//! The schema's versions and how one becomes the next.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::setup;
use crate::store::StoreError;

/// Marks a SQLite file as a store of otpd ("otpd" in ASCII).
const APPLICATION: i32 = 0x6f74_7064;

/// Each takes the schema from the version that is its index to the next one.
const MIGRATIONS: &[&str] = &[
    include_str!("../schema/0001.sql"),
    include_str!("../schema/0002.sql"),
    include_str!("../schema/0003.sql"),
    include_str!("../schema/0004.sql"),
    include_str!("../schema/0005.sql"),
];

/// Makes the first version's tables and all that follow, in a file that has none.
///
/// # Errors
/// As the file's.
pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "application_id", APPLICATION)?;
    migrate(connection, MIGRATIONS, 0)
}

/// Brings an existing store to the newest version, each step in a transaction of its own.
///
/// # Errors
/// [`StoreError::Setup`] for a file that is no store of otpd, or one of a newer otpd.
pub(super) fn upgrade(connection: &Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION || found == 0 {
        return Err(setup("the file is not a store of otpd; restore the store from a backup"));
    }
    if found > MIGRATIONS.len() {
        return Err(setup(format!(
            "the store has schema version {found}, this otpd knows up to {}; install the otpd that \
             wrote it, or restore a backup from before its upgrade",
            MIGRATIONS.len()
        )));
    }
    migrate(connection, MIGRATIONS, found)
}

/// The version that the file has.
///
/// # Errors
/// As the file's.
pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative version is nobody's: as good as one that is too new.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Whether the file has the newest version; nothing is changed.
///
/// # Errors
/// [`StoreError::Setup`] when it has another one.
pub(super) fn current(connection: &Connection) -> Result<(), StoreError> {
    let found = version(connection)?;
    if found == MIGRATIONS.len() {
        return Ok(());
    }
    Err(setup(format!(
        "the store has schema version {found}, this otpd works with {}; restart otpd",
        MIGRATIONS.len()
    )))
}

/// Verifies that every table is defined as [`create`] defines it. A definition has a say in every
/// row that is written: by a conflict clause it can have a failure that is charged, or a code that
/// is used up, passed over in silence. Other tables and indexes have none.
///
/// # Errors
/// [`StoreError::Setup`] for the first table that is missing or defined in another way.
pub(super) fn verify(connection: &Connection) -> Result<(), StoreError> {
    let own = Connection::open_in_memory()?;
    create(&own)?;
    let found = tables(connection)?;
    let changed = |(name, definition): &(String, String)| found.get(name) != Some(definition);
    match tables(&own)?.into_iter().find(changed) {
        None => Ok(()),
        Some((name, _)) => Err(setup(format!(
            "the definition of the store's table {name} was changed by other hands; restore the \
             store from a backup"
        ))),
    }
}

/// The tables' definitions without comments, which may have been others in older versions.
fn tables(connection: &Connection) -> Result<BTreeMap<String, String>, StoreError> {
    let mut statement =
        connection.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let plain = |(name, sql): (String, String)| {
        let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
        (name, lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" "))
    };
    Ok(rows.map(|row| row.map(plain)).collect::<rusqlite::Result<_>>()?)
}

fn migrate(connection: &Connection, steps: &[&str], from: usize) -> Result<(), StoreError> {
    for (version, step) in steps.iter().enumerate().skip(from) {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        connection.execute_batch(step)?;
        connection.pragma_update(None, "user_version", version as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_runs_once_and_wholly_or_not_at_all() {
        let connection = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x)", "CREATE TABLE c (x); nonsense"];
        migrate(&connection, &steps[..1], 0).unwrap();
        migrate(&connection, &steps[..2], version(&connection).unwrap()).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
        assert!(migrate(&connection, &steps, 2).is_err());
        assert_eq!(version(&connection).unwrap(), 2);
        let tables: i64 = connection
            .query_row(
                "SELECT count(*) FROM sqlite_schema WHERE name IN ('a','b','c')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(tables, 2);
    }

    #[test]
    fn foreign_and_newer_files_are_refused() {
        let refusal = |sql: &str| {
            let connection = Connection::open_in_memory().unwrap();
            create(&connection).unwrap();
            connection.execute_batch(sql).unwrap();
            upgrade(&connection).map_err(|error| error.to_string())
        };
        assert_eq!(refusal(""), Ok(()));
        assert!(refusal("PRAGMA application_id = 1").unwrap_err().contains("not a store of otpd"));
        assert!(refusal("PRAGMA user_version = 0").unwrap_err().contains("not a store of otpd"));
        assert!(refusal("PRAGMA user_version = 6").unwrap_err().contains("schema version 6"));
        assert!(refusal("PRAGMA user_version = -1").unwrap_err().contains("schema version"));
    }
}
