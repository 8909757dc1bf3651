//! What is listed, counted and looked up: reads that decide nothing and verify nothing.

use otp_core::{
    throttle::Throttle,
    token::{self, Standing},
};
use rusqlite::{Connection, OptionalExtension, Result, Row, ToSql, params_from_iter};

use super::{register, tokens as stored};
use crate::store::{
    AuditEvent, AuditQuery, ClientQuery, ClientRow, CodeQuery, StoreStatus, TokenQuery, TokenRow,
    UserQuery, UserRow, register::IssuedRecord,
};

/// Conditions that all hold, with their values. The texts are this file's own; only values come
/// from outside, and only as parameters.
#[derive(Default)]
struct Filter<'a> {
    conditions: Vec<&'static str>,
    values: Vec<&'a dyn ToSql>,
}

impl<'a> Filter<'a> {
    fn add(&mut self, condition: &'static str, value: &'a dyn ToSql) {
        self.conditions.push(condition);
        self.values.push(value);
    }

    fn wanted<T: ToSql>(&mut self, condition: &'static str, value: &'a Option<T>) {
        if let Some(value) = value {
            self.add(condition, value);
        }
    }

    fn sql(&self, before: &str, after: &str) -> String {
        let condition =
            if self.conditions.is_empty() { "1".to_owned() } else { self.conditions.join(" AND ") };
        format!("{before} WHERE {condition} {after}")
    }

    fn total(&self, connection: &Connection, table: &str) -> Result<u64> {
        let sql = self.sql(&format!("SELECT count(*) FROM {table}"), "");
        let count: i64 = connection
            .prepare_cached(&sql)?
            .query_row(params_from_iter(&self.values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn rows<T>(
        &self,
        connection: &Connection,
        before: &str,
        after: &str,
        row: fn(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        connection
            .prepare_cached(&self.sql(before, after))?
            .query_map(params_from_iter(&self.values), row)?
            .collect()
    }
}

/// The user who owns a token.
///
/// # Errors
/// As the file's.
pub(super) fn owner(connection: &Connection, token: &str) -> Result<Option<String>> {
    connection.prepare_cached(OWNER)?.query_row([token], |row| row.get(0)).optional()
}

/// The statement behind [`owner`].
pub(super) const OWNER: &str = "SELECT user FROM token WHERE id = ?1";

/// Tokens that match, by user name and age, and how many match in all.
///
/// # Errors
/// As the file's, or for a row that is not as it was written.
pub(super) fn tokens(connection: &Connection, query: &TokenQuery) -> Result<(Vec<TokenRow>, u64)> {
    let mut filter = Filter::default();
    filter.wanted("user = ?", &query.user);
    filter.wanted("id = ?", &query.id);
    filter.wanted("method = ?", &query.method);
    if query.showing {
        filter.conditions.push(SHOWING);
    }
    let total = filter.total(connection, "token")?;
    filter.values.extend([&query.limit as &dyn ToSql, &query.offset]);
    let rows = filter.rows(
        connection,
        "SELECT * FROM token",
        "ORDER BY user, position LIMIT ? OFFSET ?",
        |row| {
            Ok(TokenRow {
                user: row.get("user")?,
                id: row.get("id")?,
                label: row.get("label")?,
                method: row.get("method")?,
                factor: stored::factor(row)?,
                algorithm: stored::algorithm(row)?,
                digits: row.get("digits")?,
                state: stored::state(row)?,
                share: stored::share(row)?,
                rejoin: stored::rejoin(row)?,
                accepted: row.get::<_, i64>("accepted")?.cast_unsigned(),
                created_ms: row.get("created_ms")?,
                last_used_ms: row.get("last_used_ms")?,
                expires_ms: row.get("expires_ms")?,
            })
        },
    )?;
    Ok((rows, total))
}

/// The condition of the index token_showing, verbatim, so that it is used.
pub(super) const SHOWING: &str = "share = 'showing'";

const USERS: &str = "SELECT user, uid, failures, locked_until_ms, last_success_ms, administrator, \
    (SELECT count(*) FROM recovery WHERE recovery.user = account.user) AS recovery FROM account";

/// The condition of the index account_throttled, verbatim, so that it is used.
pub(super) const THROTTLED: &str = "(failures > 0 OR locked_until_ms IS NOT NULL)";

/// The condition of the index account_administrator, verbatim, so that it is used.
pub(super) const ADMINISTRATORS: &str = "administrator = 1";

/// Users that match, by name, and how many match in all.
///
/// # Errors
/// As the file's, or for a row that is not as it was written.
pub(super) fn users(connection: &Connection, query: &UserQuery) -> Result<(Vec<UserRow>, u64)> {
    let mut filter = Filter::default();
    filter.wanted("user = ?", &query.user);
    // Not LIKE: nothing in the text is a wildcard.
    filter.wanted("instr(user, ?) > 0", &query.search);
    if query.administrators {
        filter.conditions.push(ADMINISTRATORS);
    }
    if query.locked {
        filter.conditions.push(THROTTLED);
        match &query.disable_after {
            Some(failures) => {
                filter.add("(locked_until_ms > ? OR failures >= ?)", &query.now_ms);
                filter.values.push(failures);
            }
            None => filter.add("locked_until_ms > ?", &query.now_ms),
        }
    }
    let total = filter.total(connection, "account")?;
    filter.values.extend([&query.limit as &dyn ToSql, &query.offset]);
    let mut rows = filter.rows(connection, USERS, "ORDER BY user LIMIT ? OFFSET ?", |row| {
        Ok(UserRow {
            user: row.get("user")?,
            uid: row.get("uid")?,
            tokens: 0,
            usable: 0,
            recovery: row.get("recovery")?,
            throttle: Throttle {
                failures: row.get("failures")?,
                locked_until_ms: row.get("locked_until_ms")?,
            },
            last_success_ms: row.get("last_success_ms")?,
            administrator: row.get("administrator")?,
        })
    })?;
    for row in &mut rows {
        (row.tokens, row.usable) = tokens_of(connection, &row.user, query.now_ms)?;
    }
    Ok((rows, total))
}

/// How many tokens a user has, and how many of them are accepted at `now_ms`.
fn tokens_of(connection: &Connection, user: &str, now_ms: i64) -> Result<(u32, u32)> {
    let mut statement = connection
        .prepare_cached("SELECT state, until_ms, reason, expires_ms FROM token WHERE user = ?1")?;
    let mut found = statement.query([user])?;
    let (mut tokens, mut usable) = (0, 0);
    while let Some(row) = found.next()? {
        tokens += 1;
        let standing = token::standing(&stored::state(row)?, row.get("expires_ms")?, now_ms);
        usable += u32::from(standing == Standing::Active);
    }
    Ok((tokens, usable))
}

/// Issued codes that match, by user name and age, sealed, and how many match in all.
///
/// # Errors
/// As the file's, or for a row that is not as it was written.
pub(super) fn codes(
    connection: &Connection,
    query: &CodeQuery,
) -> Result<(Vec<(String, IssuedRecord)>, u64)> {
    let mut filter = Filter::default();
    filter.wanted("user = ?", &query.user);
    filter.wanted("id = ?", &query.id);
    // The condition of the index issued_kept, verbatim.
    filter.wanted("code IS NOT NULL AND expires_ms <= ?", &query.kept_beyond_ms);
    let total = filter.total(connection, "issued")?;
    filter.values.extend([&query.limit as &dyn ToSql, &query.offset]);
    let row = |row: &Row<'_>| Ok((row.get("user")?, register::issued(row)?));
    let order = "ORDER BY user, position LIMIT ? OFFSET ?";
    Ok((filter.rows(connection, "SELECT * FROM issued", order, row)?, total))
}

/// Clients that match, by user name and age, and how many match in all.
///
/// # Errors
/// As the file's, or for a row that is not as it was written.
pub(super) fn clients(
    connection: &Connection,
    query: &ClientQuery,
) -> Result<(Vec<ClientRow>, u64)> {
    let mut filter = Filter::default();
    filter.wanted("user = ?", &query.user);
    filter.wanted("id = ?", &query.id);
    // Not LIKE: nothing in the text is a wildcard.
    if let Some(text) = &query.search {
        filter.add(
            if query.search_identities {
                "(instr(user, ?) > 0 OR instr(description, ?) > 0 OR \
                 instr(coalesce(identity, ''), ?) > 0)"
            } else {
                "(instr(user, ?) > 0 OR instr(description, ?) > 0)"
            },
            text,
        );
        filter.values.push(text);
        if query.search_identities {
            filter.values.push(text);
        }
    }
    let total = filter.total(connection, "client")?;
    filter.values.extend([&query.limit as &dyn ToSql, &query.offset]);
    let all = "SELECT *, (SELECT administrator FROM account WHERE account.user = client.user) AS \
        administrator FROM client";
    let rows = filter.rows(connection, all, "ORDER BY user, position LIMIT ? OFFSET ?", |row| {
        Ok(ClientRow {
            user: row.get("user")?,
            client: register::client(row)?,
            administrator: row.get("administrator")?,
        })
    })?;
    Ok((rows, total))
}

/// Audit records that match: the newest `limit`, oldest first, with their numbers.
///
/// # Errors
/// As the file's.
pub(super) fn audit(connection: &Connection, query: &AuditQuery) -> Result<Vec<(i64, AuditEvent)>> {
    let mut filter = Filter::default();
    filter.wanted("user = ?", &query.user);
    filter.wanted("time_ms >= ?", &query.since_ms);
    filter.wanted("id > ?", &query.after);
    filter.values.push(&query.limit);
    let mut rows =
        filter.rows(connection, "SELECT * FROM audit", "ORDER BY id DESC LIMIT ?", |row| {
            let event = AuditEvent {
                time_ms: row.get("time_ms")?,
                event: row.get("event")?,
                result: row.get("result")?,
                user: row.get("user")?,
                service: row.get("service")?,
                source: row.get("source")?,
                tty: row.get("tty")?,
                method: row.get("method")?,
                token: row.get("token")?,
                failures: row.get("failures")?,
                session: row.get("session")?,
                caller: row.get("caller")?,
                detail: row.get("detail")?,
            };
            Ok((row.get("id")?, event))
        })?;
    rows.reverse();
    Ok(rows)
}

/// Counts; the schema's version and the description are the caller's.
///
/// # Errors
/// As the file's.
pub(super) fn counts(connection: &Connection) -> Result<StoreStatus> {
    let count = |sql: &str| {
        let count: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok::<_, rusqlite::Error>(count.unsigned_abs())
    };
    Ok(StoreStatus {
        users: count("SELECT accounts FROM meta")?,
        tokens: count("SELECT count(*) FROM token")?,
        clients: count(register::REGISTERED)?,
        ..StoreStatus::default()
    })
}
