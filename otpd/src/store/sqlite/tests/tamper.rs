//! What an attacker does, as SQL.

use super::*;

/// The tables with a user's rows, the account last.
const TABLES: [&str; 4] = ["challenge", "recovery", "token", "account"];

/// The statements that do it.
pub(super) fn sql(change: &Tamper) -> String {
    match change {
        Tamper::Failures { user, failures } => {
            format!("UPDATE account SET failures = {failures} WHERE user = '{user}'")
        }
        Tamper::Unlock { user } => {
            format!("UPDATE account SET locked_until_ms = NULL WHERE user = '{user}'")
        }
        Tamper::Next { token, next } => {
            format!("UPDATE token SET next = {next} WHERE id = '{token}'")
        }
        Tamper::Digits { token, digits } => {
            format!("UPDATE token SET digits = {digits} WHERE id = '{token}'")
        }
        Tamper::Activate { token } => {
            format!("UPDATE token SET state = 'active', until_ms = NULL WHERE id = '{token}'")
        }
        Tamper::Unshare { token } => format!(
            "UPDATE token SET share = 'created', share_by = NULL, share_since_ms = NULL, \
             share_until_ms = NULL WHERE id = '{token}'"
        ),
        Tamper::ShowTo { token, by } => format!(
            "UPDATE token SET share = 'showing', share_by = '{by}', share_since_ms = 1, \
             share_until_ms = 9000000000000 WHERE id = '{token}'"
        ),
        Tamper::Accepted { token, accepted } => {
            format!("UPDATE token SET accepted = {accepted} WHERE id = '{token}'")
        }
        Tamper::DeleteToken { token } => format!("DELETE FROM token WHERE id = '{token}'"),
        Tamper::GiveToken { token, to } => {
            format!("UPDATE token SET user = '{to}' WHERE id = '{token}'")
        }
        Tamper::SwapSecrets { one, other } => swap("token", "secret", one, other),
        Tamper::DeleteRecovery { user } => {
            format!("DELETE FROM recovery WHERE user = '{user}'")
        }
        Tamper::DeleteAccount { user } => {
            TABLES.map(|table| format!("DELETE FROM {table} WHERE user = '{user}';")).concat()
        }
        Tamper::RenameAccount { user, to } => TABLES
            .map(|table| format!("UPDATE {table} SET user = '{to}' WHERE user = '{user}';"))
            .concat(),
        Tamper::DeleteContacts { user } => {
            format!("UPDATE account SET contacts = NULL WHERE user = '{user}'")
        }
        Tamper::CopyContacts { from, to } => format!(
            "UPDATE account SET contacts = (SELECT contacts FROM account WHERE user = \
             '{from}') WHERE user = '{to}'"
        ),
        Tamper::DeleteChallenges { user } => {
            format!("DELETE FROM challenge WHERE user = '{user}'")
        }
        Tamper::SwapChallenges { user } => {
            let step = |set| format!("UPDATE challenge SET position = {set} AND user = '{user}';");
            [
                step("9 WHERE position = 0"),
                step("0 WHERE position = 1"),
                step("1 WHERE position = 9"),
            ]
            .concat()
        }
        Tamper::ChallengeTries { user, tries } => {
            format!("UPDATE challenge SET tries = {tries} WHERE user = '{user}'")
        }
        Tamper::ChallengeExpires { user, expires_ms } => {
            format!("UPDATE challenge SET expires_ms = {expires_ms} WHERE user = '{user}'")
        }
        Tamper::ChallengeDigest { user, digest } => {
            let digest = format!("{digest:02x}").repeat(32);
            format!("UPDATE challenge SET digest = x'{digest}' WHERE user = '{user}'")
        }
        Tamper::ChallengeService { user, service } => {
            format!("UPDATE challenge SET service = '{service}' WHERE user = '{user}'")
        }
        Tamper::SwapPayloads { one, other } => swap("message", "payload", one, other),
        Tamper::DamagePayload { message } => format!(
            "UPDATE message SET payload = CAST(substr(payload, 2) || x'00' AS BLOB) WHERE id = '{message}' \
             AND payload IS NOT NULL"
        ),
        Tamper::GiveMessage { message, to } => {
            format!("UPDATE message SET user = '{to}' WHERE id = '{message}'")
        }
        Tamper::RenameMessage { message, to } => {
            format!("UPDATE message SET id = '{to}' WHERE id = '{message}'")
        }
        Tamper::MessageChannel { message, channel } => {
            format!("UPDATE message SET channel = '{channel}' WHERE id = '{message}'")
        }
        Tamper::MessageTime { message, time_ms } => {
            format!("UPDATE message SET time_ms = {time_ms} WHERE id = '{message}'")
        }
        Tamper::MessageUntil { message, until_ms } => {
            format!("UPDATE message SET until_ms = {until_ms} WHERE id = '{message}'")
        }
        Tamper::CopyRecipient { from, to } => format!(
            "UPDATE message SET recipient = (SELECT recipient FROM message WHERE id = \
             '{from}') WHERE id = '{to}'"
        ),
    }
}

/// Exchanges one column of two rows. The values are read before any is written.
fn swap(table: &str, column: &str, one: &str, other: &str) -> String {
    format!(
        "UPDATE {table} SET {column} = source.{column} FROM (SELECT id, {column} FROM {table}) AS \
         source WHERE {table}.id IN ('{one}', '{other}') AND source.id IN ('{one}', '{other}') \
         AND source.id <> {table}.id AND {table}.{column} IS NOT NULL"
    )
}
