//! Tokens as rows.

use otp_core::{
    contact::Channel,
    share::Share,
    token::{Algorithm, Factor, Rejoin, State},
};
use rusqlite::{Connection, Result, Row, named_params, types::FromSqlError};

use super::rows::execute;
use crate::store::{record::TokenRecord, seal};

/// The statement that reads a user's tokens.
pub(super) const TOKENS: &str = "SELECT * FROM token WHERE user = ?1 ORDER BY position";
/// The statement that changes a token.
pub(super) const UPDATE_TOKEN: &str = "UPDATE token SET position = :position, label = :label, \
    method = :method, type = :type, algorithm = :algorithm, digits = :digits, t0_ms = :t0_ms, \
    period_ms = :period_ms, key_version = :key_version, secret = :secret, state = :state, \
    until_ms = :until_ms, reason = :reason, next = :next, offset_ms = :offset_ms, \
    created_ms = :created_ms, last_used_ms = :last_used_ms, expires_ms = :expires_ms, \
    share = :share, share_by = :share_by, share_since_ms = :share_since_ms, \
    share_until_ms = :share_until_ms, accepted = :accepted, rejoin = :rejoin \
    WHERE id = :id AND user = :user";

/// The token of a row, its secret sealed.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn token(row: &Row<'_>) -> Result<TokenRecord> {
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

/// Makes the rows of `before` those of `after`. Writes only what differs.
///
/// # Errors
/// As the file's.
pub(super) fn save(
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
