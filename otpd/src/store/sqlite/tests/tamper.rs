//! What an attacker does, as SQL.

use super::*;

/// The tables with a user's rows, the account last.
const TABLES: [&str; 6] = ["client", "issued", "challenge", "recovery", "token", "account"];

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
        Tamper::Settle { token } => {
            format!("UPDATE token SET rejoin = NULL WHERE id = '{token}'")
        }
        Tamper::Second { token, second } => {
            format!("UPDATE token SET rejoin = {second} WHERE id = '{token}'")
        }
        Tamper::DropPace { user } => format!(
            "UPDATE account SET pace_attempts = NULL, pace_interval_ms = NULL, pace_at_ms = NULL \
             WHERE user = '{user}'"
        ),
        Tamper::PaceAttempts { user, attempts } => {
            format!("UPDATE account SET pace_attempts = {attempts} WHERE user = '{user}'")
        }
        Tamper::PaceInterval { user, interval_ms } => {
            format!("UPDATE account SET pace_interval_ms = {interval_ms} WHERE user = '{user}'")
        }
        Tamper::PaceAt { user, at_ms } => {
            format!("UPDATE account SET pace_at_ms = {at_ms} WHERE user = '{user}'")
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
        Tamper::Administrator { user } => {
            format!("UPDATE account SET administrator = 1 WHERE user = '{user}'")
        }
        Tamper::DeleteIssued { user } => format!("DELETE FROM issued WHERE user = '{user}'"),
        Tamper::GiveIssued { code, to } => {
            format!("UPDATE issued SET user = '{to}', position = 99 WHERE id = '{code}'")
        }
        Tamper::IssuedUses { code, uses_left } => {
            format!("UPDATE issued SET uses_left = {uses_left} WHERE id = '{code}'")
        }
        Tamper::IssuedExpires { code, expires_ms } => {
            format!("UPDATE issued SET expires_ms = {expires_ms} WHERE id = '{code}'")
        }
        Tamper::IssuedDigest { code, digest } => {
            let digest = format!("{digest:02x}").repeat(32);
            format!("UPDATE issued SET digest = x'{digest}' WHERE id = '{code}'")
        }
        Tamper::IssuedReach { code, reach } => {
            format!("UPDATE issued SET reach = '{reach}' WHERE id = '{code}'")
        }
        Tamper::IssuedService { code } => {
            format!("UPDATE issued SET service = NULL WHERE id = '{code}'")
        }
        Tamper::IssuedClient { code, client } => {
            format!("UPDATE issued SET client = '{client}' WHERE id = '{code}'")
        }
        Tamper::SwapCodes { one, other } => swap("issued", "code", one, other),
        Tamper::DeleteClients { user } => format!("DELETE FROM client WHERE user = '{user}'"),
        Tamper::GiveClient { client, to } => {
            format!("UPDATE client SET user = '{to}', position = 99 WHERE id = '{client}'")
        }
        Tamper::ClientIdentity { client, identity } => {
            format!("UPDATE client SET identity = '{identity}' WHERE id = '{client}'")
        }
        Tamper::ClientEnabling { client, enabling } => {
            format!("UPDATE client SET enabling = '{enabling}' WHERE id = '{client}'")
        }
        Tamper::ClientUntil { client, until_ms } => {
            format!("UPDATE client SET until_ms = {until_ms} WHERE id = '{client}'")
        }
        Tamper::ClientAddress { client, address } => {
            format!("UPDATE client SET address = '{address}' WHERE id = '{client}'")
        }
        Tamper::ClientCreated { client, created_ms } => {
            format!("UPDATE client SET created_ms = {created_ms} WHERE id = '{client}'")
        }
        Tamper::RegisterClient { client } => format!(
            "UPDATE client SET until_ms = NULL, service = NULL, address = NULL WHERE id = '{client}'"
        ),
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
