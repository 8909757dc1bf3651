//! The rows of issued codes and clients.

use otp_core::{
    client::{Client, Enabling, Remembered},
    issued::Reach,
    recovery::Digest,
};
use rusqlite::{Connection, Result, Row, named_params, params, types::FromSqlError};

use super::rows::execute;
use crate::store::register::IssuedRecord;

/// The statement that reads a user's issued codes.
pub(super) const ISSUED: &str = "SELECT * FROM issued WHERE user = ?1 ORDER BY position";
/// The statement that reads a user's clients.
pub(super) const CLIENTS: &str = "SELECT * FROM client WHERE user = ?1 ORDER BY position";
/// The statement that counts the registered clients of all users.
pub(super) const REGISTERED: &str = "SELECT count(*) FROM client WHERE until_ms IS NULL";

/// A row of the table issued.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn issued(row: &Row<'_>) -> Result<IssuedRecord> {
    let reach = Reach::from_name(row.get_ref("reach")?.as_str()?);
    Ok(IssuedRecord {
        id: row.get("id")?,
        digest: Digest(row.get("digest")?),
        digits: row.get("digits")?,
        code: row.get("code")?,
        issued_ms: row.get("issued_ms")?,
        expires_ms: row.get("expires_ms")?,
        uses_left: row.get("uses_left")?,
        service: row.get("service")?,
        reach: reach.ok_or(FromSqlError::InvalidType)?,
        reason: row.get("reason")?,
        issued_by: row.get("issued_by")?,
        client: row.get("client")?,
    })
}

/// A row of the table client.
///
/// # Errors
/// For values that this module does not write.
pub(super) fn client(row: &Row<'_>) -> Result<Client> {
    let enabling = row.get_ref("enabling")?.as_str()?;
    let enabling = Enabling::parse(enabling).map_err(|_| FromSqlError::InvalidType)?;
    let remembered = match row.get::<_, Option<i64>>("until_ms")? {
        Some(until_ms) => Some(Remembered {
            service: row.get("service")?,
            address: row.get("address")?,
            until_ms,
        }),
        None => None,
    };
    Ok(Client {
        id: row.get("id")?,
        description: row.get("description")?,
        identity: row.get("identity")?,
        enabling,
        push: row.get("push")?,
        created_ms: row.get("created_ms")?,
        last_ms: row.get("last_ms")?,
        last_source: row.get("last_source")?,
        remembered,
    })
}

/// Makes the issued codes of `before` those of `after`.
///
/// # Errors
/// As the file's.
pub(super) fn save_issued(
    connection: &Connection,
    user: &str,
    before: &[IssuedRecord],
    after: &[IssuedRecord],
) -> Result<()> {
    for (position, code) in after.iter().enumerate() {
        if before.get(position) == Some(code) {
            continue;
        }
        execute(
            connection,
            "INSERT OR REPLACE INTO issued (user, position, id, digest, digits, code, issued_ms, \
             expires_ms, uses_left, service, reach, reason, issued_by, client) \
             VALUES (:user, :position, :id, :digest, :digits, :code, :issued_ms, :expires_ms, \
             :uses_left, :service, :reach, :reason, :issued_by, :client)",
            named_params! {
                ":user": user,
                ":position": position as i64,
                ":id": code.id,
                ":digest": code.digest.0,
                ":digits": code.digits,
                ":code": code.code,
                ":issued_ms": code.issued_ms,
                ":expires_ms": code.expires_ms,
                ":uses_left": code.uses_left,
                ":service": code.service,
                ":reach": code.reach.name(),
                ":reason": code.reason,
                ":issued_by": code.issued_by,
                ":client": code.client,
            },
        )?;
    }
    drop_rest(connection, "issued", user, before.len(), after.len())
}

/// Makes the clients of `before` those of `after`.
///
/// # Errors
/// As the file's.
pub(super) fn save_clients(
    connection: &Connection,
    user: &str,
    before: &[Client],
    after: &[Client],
) -> Result<()> {
    for (position, client) in after.iter().enumerate() {
        if before.get(position) == Some(client) {
            continue;
        }
        let remembered = client.remembered.as_ref();
        execute(
            connection,
            "INSERT OR REPLACE INTO client (user, position, id, description, identity, enabling, \
             push, created_ms, last_ms, last_source, service, address, until_ms) \
             VALUES (:user, :position, :id, :description, :identity, :enabling, :push, \
             :created_ms, :last_ms, :last_source, :service, :address, :until_ms)",
            named_params! {
                ":user": user,
                ":position": position as i64,
                ":id": client.id,
                ":description": client.description,
                ":identity": client.identity,
                ":enabling": client.enabling.text(),
                ":push": client.push,
                ":created_ms": client.created_ms,
                ":last_ms": client.last_ms,
                ":last_source": client.last_source,
                ":service": remembered.map(|to| &to.service),
                ":address": remembered.map(|to| &to.address),
                ":until_ms": remembered.map(|to| to.until_ms),
            },
        )?;
    }
    drop_rest(connection, "client", user, before.len(), after.len())
}

/// Deletes the rows beyond the last one.
fn drop_rest(
    connection: &Connection,
    table: &'static str,
    user: &str,
    before: usize,
    after: usize,
) -> Result<()> {
    if before <= after {
        return Ok(());
    }
    let statement = format!("DELETE FROM {table} WHERE user = ?1 AND position >= ?2");
    execute(connection, &statement, params![user, after as i64])
}
