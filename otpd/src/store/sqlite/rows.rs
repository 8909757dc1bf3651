//! One account's rows: read as one, written where they changed.

use otp_core::{
    out_of_band::Challenge,
    recovery::Digest,
    throttle::{Pace, Throttle},
};
use rusqlite::{Connection, OptionalExtension, Params, Result, Row, params, types::FromSqlError};

use super::{register, tokens};
use crate::store::{AuditEvent, StoreError, record::AccountRecord, vault::Tag};

/// The statement that reads a user's account row.
pub(super) const ACCOUNT: &str = "SELECT uid, failures, locked_until_ms, last_success_ms, contacts, \
     administrator, pace_attempts, pace_interval_ms, pace_at_ms, mac FROM account WHERE user = ?1";
/// The statement that reads a user's recovery digests.
pub(super) const RECOVERY: &str = "SELECT digest FROM recovery WHERE user = ?1 ORDER BY position";
/// The statement that reads a user's challenges.
pub(super) const CHALLENGES: &str = "SELECT token, service, digest, sent_ms, expires_ms, tries \
    FROM challenge WHERE user = ?1 ORDER BY position";
/// The statement that changes an account row.
pub(super) const UPDATE_ACCOUNT: &str = "UPDATE account SET uid = ?2, failures = ?3, \
    locked_until_ms = ?4, last_success_ms = ?5, contacts = ?6, mac = ?7, administrator = ?8, \
    pace_attempts = ?9, pace_interval_ms = ?10, pace_at_ms = ?11 WHERE user = ?1";
/// The statement that deletes all but the newest `?1` audit records.
pub(super) const PRUNE: &str = "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?1";

/// `user`'s record as it is stored and the MAC beside it, not verified yet.
///
/// # Errors
/// [`StoreError::Integrity`] when a row cannot be what was written, or when tokens,
/// recovery codes, challenges, issued codes or clients are there without their account.
pub(super) fn load(
    connection: &Connection,
    user: &str,
) -> std::result::Result<Option<(AccountRecord, Vec<u8>)>, StoreError> {
    let damaged = || StoreError::Integrity(user.to_owned());
    let rows = read(connection, user).map_err(|error| match error {
        rusqlite::Error::SqliteFailure(..) => error.into(),
        _ => damaged(),
    })?;
    match rows {
        (record, Some(mac)) => Ok(Some((record, mac))),
        (record, None) if record == AccountRecord::default() => Ok(None),
        (_, None) => Err(damaged()),
    }
}

/// All rows of `user`, and the MAC where there is one for the account.
fn read(connection: &Connection, user: &str) -> Result<(AccountRecord, Option<Vec<u8>>)> {
    let account = connection
        .prepare_cached(ACCOUNT)?
        .query_row([user], |row| {
            let record = AccountRecord {
                uid: row.get(0)?,
                throttle: Throttle { failures: row.get(1)?, locked_until_ms: row.get(2)? },
                last_success_ms: row.get(3)?,
                contacts: row.get(4)?,
                administrator: row.get(5)?,
                pace: pace(row)?,
                ..AccountRecord::default()
            };
            Ok((record, row.get("mac")?))
        })
        .optional()?;
    let (account, mac) = account.unzip();
    let tokens = connection
        .prepare_cached(tokens::TOKENS)?
        .query_map([user], tokens::token)?
        .collect::<Result<_>>()?;
    let recovery = connection
        .prepare_cached(RECOVERY)?
        .query_map([user], |row| row.get(0).map(Digest))?
        .collect::<Result<_>>()?;
    let challenges = connection
        .prepare_cached(CHALLENGES)?
        .query_map([user], challenge)?
        .collect::<Result<_>>()?;
    let issued = connection
        .prepare_cached(register::ISSUED)?
        .query_map([user], register::issued)?
        .collect::<Result<_>>()?;
    let clients = connection
        .prepare_cached(register::CLIENTS)?
        .query_map([user], register::client)?
        .collect::<Result<_>>()?;
    let account = account.unwrap_or_default();
    Ok((AccountRecord { tokens, recovery, challenges, issued, clients, ..account }, mac))
}

fn pace(row: &Row<'_>) -> Result<Option<Pace>> {
    let interval_ms: Option<i64> = row.get("pace_interval_ms")?;
    match (row.get("pace_attempts")?, interval_ms, row.get("pace_at_ms")?) {
        (None, None, None) => Ok(None),
        (Some(attempts), Some(interval_ms), Some(at_ms)) => {
            Ok(Some(Pace { attempts, interval_ms: interval_ms.cast_unsigned(), at_ms }))
        }
        _ => Err(FromSqlError::InvalidType.into()),
    }
}

fn challenge(row: &Row<'_>) -> Result<Challenge> {
    Ok(Challenge {
        token: row.get(0)?,
        service: row.get(1)?,
        digest: Digest(row.get(2)?),
        sent_ms: row.get(3)?,
        expires_ms: row.get(4)?,
        tries: row.get(5)?,
    })
}

/// Makes the rows of `before` those of `after`, whose MAC is `mac`. Writes only what differs.
///
/// # Errors
/// As the file's.
pub(super) fn save(
    connection: &Connection,
    user: &str,
    before: Option<&AccountRecord>,
    after: Option<(&AccountRecord, Tag)>,
) -> Result<()> {
    let Some((record, mac)) = after else {
        for table in ["client", "issued", "challenge", "recovery", "token", "account"] {
            execute(connection, &format!("DELETE FROM {table} WHERE user = ?1"), [user])?;
        }
        return Ok(());
    };
    let statement = if before.is_some() {
        UPDATE_ACCOUNT
    } else {
        "INSERT INTO account (user, uid, failures, locked_until_ms, last_success_ms, contacts, \
         mac, administrator, pace_attempts, pace_interval_ms, pace_at_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    };
    let throttle = record.throttle;
    execute(
        connection,
        statement,
        params![
            user,
            record.uid,
            throttle.failures,
            throttle.locked_until_ms,
            record.last_success_ms,
            record.contacts,
            mac,
            record.administrator,
            record.pace.map(|pace| pace.attempts),
            record.pace.map(|pace| pace.interval_ms.cast_signed()),
            record.pace.map(|pace| pace.at_ms),
        ],
    )?;
    let nothing = AccountRecord::default();
    let before = before.unwrap_or(&nothing);
    tokens::save(connection, user, &before.tokens, &record.tokens)?;
    save_recovery(connection, user, &before.recovery, &record.recovery)?;
    save_challenges(connection, user, &before.challenges, &record.challenges)?;
    register::save_issued(connection, user, &before.issued, &record.issued)?;
    register::save_clients(connection, user, &before.clients, &record.clients)
}

fn save_recovery(
    connection: &Connection,
    user: &str,
    before: &[Digest],
    after: &[Digest],
) -> Result<()> {
    for (position, digest) in after.iter().enumerate() {
        if before.get(position) != Some(digest) {
            execute(
                connection,
                "INSERT INTO recovery (user, position, digest) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (user, position) DO UPDATE SET digest = ?3",
                params![user, position as i64, digest.0],
            )?;
        }
    }
    if before.len() > after.len() {
        execute(
            connection,
            "DELETE FROM recovery WHERE user = ?1 AND position >= ?2",
            params![user, after.len() as i64],
        )?;
    }
    Ok(())
}

fn save_challenges(
    connection: &Connection,
    user: &str,
    before: &[Challenge],
    after: &[Challenge],
) -> Result<()> {
    for (position, challenge) in after.iter().enumerate() {
        if before.get(position) != Some(challenge) {
            execute(
                connection,
                "INSERT OR REPLACE INTO challenge (user, position, token, service, digest, \
                 sent_ms, expires_ms, tries) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    user,
                    position as i64,
                    challenge.token,
                    challenge.service,
                    challenge.digest.0,
                    challenge.sent_ms,
                    challenge.expires_ms,
                    challenge.tries,
                ],
            )?;
        }
    }
    if before.len() > after.len() {
        execute(
            connection,
            "DELETE FROM challenge WHERE user = ?1 AND position >= ?2",
            params![user, after.len() as i64],
        )?;
    }
    Ok(())
}

/// Appends an audit record.
///
/// # Errors
/// As the file's.
pub(super) fn append(connection: &Connection, event: &AuditEvent) -> Result<()> {
    execute(
        connection,
        "INSERT INTO audit (time_ms, event, result, user, service, source, tty, method, token, \
         failures, session, caller, detail) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            event.time_ms,
            event.event,
            event.result,
            event.user,
            event.service,
            event.source,
            event.tty,
            event.method,
            event.token,
            event.failures,
            event.session,
            event.caller,
            event.detail,
        ],
    )
}

/// Runs a statement that is prepared once.
///
/// # Errors
/// As the file's.
pub(super) fn execute(connection: &Connection, sql: &str, values: impl Params) -> Result<()> {
    connection.prepare_cached(sql)?.execute(values).map(drop)
}
