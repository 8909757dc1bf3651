//! One account's rows: read as one, written where they changed.

use otp_core::{
    contact::Channel,
    out_of_band::Challenge,
    recovery::Digest,
    share::Share,
    throttle::{Pace, Throttle},
    token::{Algorithm, Factor, Rejoin, State},
};
use rusqlite::{
    Connection, OptionalExtension, Params, Result, Row, named_params, params, types::FromSqlError,
};

use super::register;
use crate::store::{
    AuditEvent, StoreError,
    record::{AccountRecord, Tag, TokenRecord},
    seal,
};

/// The statement that reads a user's account row.
pub(super) const ACCOUNT: &str = "SELECT uid, failures, locked_until_ms, last_success_ms, contacts, \
     administrator, pace_attempts, pace_interval_ms, pace_at_ms, mac FROM account WHERE user = ?1";
/// The statement that reads a user's tokens.
pub(super) const TOKENS: &str = "SELECT * FROM token WHERE user = ?1 ORDER BY position";
/// The statement that reads a user's recovery digests.
pub(super) const RECOVERY: &str = "SELECT digest FROM recovery WHERE user = ?1 ORDER BY position";
/// The statement that reads a user's challenges.
pub(super) const CHALLENGES: &str = "SELECT token, service, digest, sent_ms, expires_ms, tries \
    FROM challenge WHERE user = ?1 ORDER BY position";
/// The statement that changes an account row.
pub(super) const UPDATE_ACCOUNT: &str = "UPDATE account SET uid = ?2, failures = ?3, \
    locked_until_ms = ?4, last_success_ms = ?5, contacts = ?6, mac = ?7, administrator = ?8, \
    pace_attempts = ?9, pace_interval_ms = ?10, pace_at_ms = ?11 WHERE user = ?1";
/// The statement that changes a token.
pub(super) const UPDATE_TOKEN: &str = "UPDATE token SET position = :position, label = :label, \
    method = :method, type = :type, algorithm = :algorithm, digits = :digits, t0_ms = :t0_ms, \
    period_ms = :period_ms, key_version = :key_version, secret = :secret, state = :state, \
    until_ms = :until_ms, reason = :reason, next = :next, offset_ms = :offset_ms, \
    created_ms = :created_ms, last_used_ms = :last_used_ms, expires_ms = :expires_ms, \
    share = :share, share_by = :share_by, share_since_ms = :share_since_ms, \
    share_until_ms = :share_until_ms, accepted = :accepted, rejoin = :rejoin \
    WHERE id = :id AND user = :user";
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
    let tokens =
        connection.prepare_cached(TOKENS)?.query_map([user], token)?.collect::<Result<_>>()?;
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

fn token(row: &Row<'_>) -> Result<TokenRecord> {
    Ok(TokenRecord {
        id: row.get("id")?,
        label: row.get("label")?,
        method: row.get("method")?,
        factor: factor(row)?,
        algorithm: algorithm(row)?,
        digits: row.get("digits")?,
        key_version: row.get("key_version")?,
        secret: row.get("secret")?,
        state: state(row)?,
        share: share(row)?,
        accepted: row.get::<_, i64>("accepted")?.cast_unsigned(),
        next: row.get::<_, i64>("next")?.cast_unsigned(),
        offset_ms: row.get("offset_ms")?,
        rejoin: rejoin(row)?,
        created_ms: row.get("created_ms")?,
        last_used_ms: row.get("last_used_ms")?,
        expires_ms: row.get("expires_ms")?,
    })
}

/// The factor of a row of the table token.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn factor(row: &Row<'_>) -> Result<Factor> {
    match row.get_ref("type")?.as_str()? {
        "totp" => Ok(Factor::Totp {
            t0_ms: row.get("t0_ms")?,
            period_ms: row.get::<_, i64>("period_ms")?.cast_unsigned(),
        }),
        "hotp" => Ok(Factor::Hotp),
        "sms" => Ok(Factor::OutOfBand(Channel::Sms)),
        "email" => Ok(Factor::OutOfBand(Channel::Email)),
        _ => Err(FromSqlError::InvalidType.into()),
    }
}

/// The algorithm of a row of the table token.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn algorithm(row: &Row<'_>) -> Result<Algorithm> {
    let name = row.get_ref("algorithm")?.as_str()?;
    [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]
        .into_iter()
        .find(|algorithm| seal::algorithm(*algorithm) == name)
        .ok_or_else(|| FromSqlError::InvalidType.into())
}

/// The state of a row of the table token.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn state(row: &Row<'_>) -> Result<State> {
    match row.get_ref("state")?.as_str()? {
        "pending" => Ok(State::Pending { until_ms: row.get("until_ms")? }),
        "active" => Ok(State::Active),
        "disabled" => {
            Ok(State::Disabled { until_ms: row.get("until_ms")?, reason: row.get("reason")? })
        }
        _ => Err(FromSqlError::InvalidType.into()),
    }
}

/// Who was shown the secret, of a row of the table token.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn share(row: &Row<'_>) -> Result<Share> {
    match row.get_ref("share")?.as_str()? {
        "released" => Ok(Share::Released),
        "created" => Ok(Share::Created),
        "showing" => Ok(Share::Showing {
            by: row.get("share_by")?,
            since_ms: row.get("share_since_ms")?,
            until_ms: row.get("share_until_ms")?,
        }),
        "shared" => Ok(Share::Shared),
        _ => Err(FromSqlError::InvalidType.into()),
    }
}

/// What a counter owes, of a row of the table token.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn rejoin(row: &Row<'_>) -> Result<Rejoin> {
    Ok(match row.get::<_, Option<i64>>("rejoin")? {
        None => Rejoin::Settled,
        Some(0) => Rejoin::Due,
        Some(second) => Rejoin::Half { second: second.cast_unsigned() },
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
    save_tokens(connection, user, &before.tokens, &record.tokens)?;
    save_recovery(connection, user, &before.recovery, &record.recovery)?;
    save_challenges(connection, user, &before.challenges, &record.challenges)?;
    register::save_issued(connection, user, &before.issued, &record.issued)?;
    register::save_clients(connection, user, &before.clients, &record.clients)
}

fn save_tokens(
    connection: &Connection,
    user: &str,
    before: &[TokenRecord],
    after: &[TokenRecord],
) -> Result<()> {
    for gone in before.iter().filter(|old| !after.iter().any(|new| new.id == old.id)) {
        execute(
            connection,
            "DELETE FROM token WHERE id = ?1 AND user = ?2",
            [gone.id.as_str(), user],
        )?;
    }
    for (position, token) in after.iter().enumerate() {
        if before.get(position) == Some(token) {
            continue;
        }
        let statement = if before.iter().any(|old| old.id == token.id) {
            UPDATE_TOKEN
        } else {
            "INSERT INTO token (id, user, position, label, method, type, algorithm, digits, \
             t0_ms, period_ms, key_version, secret, state, until_ms, reason, next, offset_ms, \
             created_ms, last_used_ms, expires_ms, share, share_by, share_since_ms, \
             share_until_ms, accepted, rejoin) \
             VALUES (:id, :user, :position, :label, :method, :type, :algorithm, :digits, \
             :t0_ms, :period_ms, :key_version, :secret, :state, :until_ms, :reason, :next, \
             :offset_ms, :created_ms, :last_used_ms, :expires_ms, :share, :share_by, \
             :share_since_ms, :share_until_ms, :accepted, :rejoin)"
        };
        save_token(connection, statement, user, position, token)?;
    }
    Ok(())
}

fn save_token(
    connection: &Connection,
    statement: &str,
    user: &str,
    position: usize,
    token: &TokenRecord,
) -> Result<()> {
    let (kind, t0_ms, period_ms) = match token.factor {
        Factor::Totp { t0_ms, period_ms } => ("totp", Some(t0_ms), Some(period_ms.cast_signed())),
        Factor::Hotp => ("hotp", None, None),
        Factor::OutOfBand(channel) => (channel.name(), None, None),
    };
    let (state, until_ms, reason) = match &token.state {
        State::Pending { until_ms } => ("pending", Some(*until_ms), None),
        State::Active => ("active", None, None),
        State::Disabled { until_ms, reason } => ("disabled", *until_ms, Some(reason)),
    };
    let (by, since_ms, until_share_ms) = match &token.share {
        Share::Showing { by, since_ms, until_ms } => (Some(by), Some(*since_ms), Some(*until_ms)),
        Share::Released | Share::Created | Share::Shared => (None, None, None),
    };
    let rejoin = match token.rejoin {
        Rejoin::Settled => None,
        Rejoin::Due => Some(0),
        Rejoin::Half { second } => Some(second.cast_signed()),
    };
    execute(
        connection,
        statement,
        named_params! {
            ":id": token.id,
            ":user": user,
            ":position": position as i64,
            ":label": token.label,
            ":method": token.method,
            ":type": kind,
            ":algorithm": seal::algorithm(token.algorithm),
            ":digits": token.digits,
            ":t0_ms": t0_ms,
            ":period_ms": period_ms,
            ":key_version": token.key_version,
            ":secret": token.secret,
            ":state": state,
            ":until_ms": until_ms,
            ":reason": reason,
            ":next": token.next.cast_signed(),
            ":offset_ms": token.offset_ms,
            ":created_ms": token.created_ms,
            ":last_used_ms": token.last_used_ms,
            ":expires_ms": token.expires_ms,
            ":share": token.share.name(),
            ":share_by": by,
            ":share_since_ms": since_ms,
            ":share_until_ms": until_share_ms,
            ":accepted": token.accepted.cast_signed(),
            ":rejoin": rejoin,
        },
    )
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
