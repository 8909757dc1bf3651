//! The messages of the last 24 hours: those that wait, and how many were asked for.

use otp_core::contact::Channel;
use rusqlite::{Connection, Result, Row, params, types::FromSqlError};

use super::rows::execute;
use crate::store::{
    Asked, LEDGER_MS, StoreError,
    outbox::MessageRecord,
    vault::{Tag, Vault},
};

/// The statement that counts what a user has asked for.
pub(super) const BY: &str = "SELECT count(*) FROM message WHERE user = ?1 AND time_ms > ?2";
/// The statement that counts what one recipient was to get.
pub(super) const FOR: &str = "SELECT count(*) FROM message WHERE recipient = ?1 AND time_ms > ?2";
/// The statement that counts what was to take one way.
pub(super) const OVER: &str = "SELECT count(*) FROM message WHERE channel = ?1 AND time_ms > ?2";
/// The statement that settles one message of a user.
pub(super) const SETTLE: &str =
    "UPDATE message SET payload = NULL WHERE id = ?1 AND user = ?2 AND payload IS NOT NULL";
/// The statement that settles all messages of a user.
pub(super) const SETTLE_ALL: &str =
    "UPDATE message SET payload = NULL WHERE user = ?1 AND payload IS NOT NULL";
/// The statement that settles all messages of everybody.
pub(super) const SETTLE_EVERYTHING: &str =
    "UPDATE message SET payload = NULL WHERE payload IS NOT NULL";
/// The statement that deletes what was asked for before `?1` or after `?2`. It names the channels,
/// so that their index serves it.
pub(super) const PRUNE: &str = "DELETE FROM message WHERE channel IN ('sms', 'email') \
    AND (time_ms < ?1 OR time_ms > ?2)";

/// How many messages were queued after `since_ms`.
///
/// # Errors
/// As the file's.
pub(super) fn count(
    connection: &Connection,
    vault: &Vault,
    asked: Asked<'_>,
    since_ms: i64,
) -> Result<u32> {
    let count = |sql: &str, values: &dyn rusqlite::ToSql| {
        let count: i64 = connection
            .prepare_cached(sql)?
            .query_row(params![values, since_ms], |row| row.get(0))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    };
    match asked {
        Asked::By(user) => count(BY, &user),
        Asked::For(channel, recipient) => count(FOR, &vault.recipient(channel, recipient)),
        Asked::Over(channel) => count(OVER, &channel.name()),
    }
}

/// Queues a message and forgets what is further from it than the ledger goes. What is as far ahead
/// was asked for under a clock that was wrong, and would otherwise be counted until it is right.
///
/// # Errors
/// As the file's, and for an id that is taken.
pub(super) fn queue(connection: &Connection, message: &MessageRecord) -> Result<()> {
    execute(
        connection,
        "INSERT INTO message (id, user, channel, recipient, time_ms, until_ms, payload) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            message.id,
            message.user,
            message.channel.name(),
            message.recipient,
            message.time_ms,
            message.until_ms,
            message.payload,
        ],
    )?;
    let now_ms = message.time_ms;
    let reach = [now_ms.saturating_sub(LEDGER_MS), now_ms.saturating_add(LEDGER_MS)];
    execute(connection, PRUNE, reach)
}

/// Puts what a message says under another seal.
///
/// # Errors
/// As the file's.
pub(super) fn reseal(connection: &Connection, message: &MessageRecord) -> Result<()> {
    let update = "UPDATE message SET payload = ?1 WHERE id = ?2 AND user = ?3";
    execute(connection, update, params![message.payload, message.id, message.user])
}

/// The messages that are not settled, oldest first, each with its row's number; `None` for a row
/// that is not as this module writes it.
///
/// # Errors
/// As the file's.
pub(super) fn queued(
    connection: &Connection,
) -> std::result::Result<Vec<(i64, Option<MessageRecord>)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT * FROM message WHERE payload IS NOT NULL ORDER BY number")?;
    let rows = statement.query_map([], |row| Ok((row.get("number")?, message(row).ok())))?;
    Ok(rows.collect::<Result<_>>()?)
}

fn message(row: &Row<'_>) -> Result<MessageRecord> {
    Ok(MessageRecord {
        user: row.get("user")?,
        id: row.get("id")?,
        channel: match row.get_ref("channel")?.as_str()? {
            "sms" => Channel::Sms,
            "email" => Channel::Email,
            _ => return Err(FromSqlError::InvalidType.into()),
        },
        recipient: row.get::<_, Tag>("recipient")?,
        time_ms: row.get("time_ms")?,
        until_ms: row.get("until_ms")?,
        payload: row.get("payload")?,
    })
}
