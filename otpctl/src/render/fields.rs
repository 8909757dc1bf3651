//! Tokens, users, decisions and the status, as text.

use std::fmt::Write;

use jiff::tz::TimeZone;
use otp_ipc::{
    AuditRecord, DirectoryDocument, DirectoryTestDocument, ProviderDocument, StatusDocument,
    TokenDocument, UserDocument,
};

use super::{Output, printable};
use crate::commands::token::short;
use crate::time::{brief, local};

const NONE: &str = "-";

/// A list of tokens.
pub(crate) fn tokens(tokens: &[TokenDocument], out: &Output) -> String {
    let rows: Vec<_> = tokens
        .iter()
        .map(|token| {
            [
                if out.terminal { short(&token.id).to_owned() } else { token.id.clone() },
                token.user.clone(),
                token.label.clone(),
                token.method.clone(),
                state(token),
                time(token.last_used, out),
            ]
        })
        .collect();
    let headings = ["ID", "USER", "LABEL", "METHOD", "STATE", "LAST USED"];
    out.table(headings, &["USER", "LABEL", "METHOD"], &rows)
}

/// The state, and of a token that nobody has confirmed how far it has been shared.
fn state(token: &TokenDocument) -> String {
    match &token.share {
        Some(share) if token.state == "pending" => format!("pending, {share}"),
        _ => token.state.clone(),
    }
}

/// A list of users.
pub(crate) fn users(users: &[UserDocument], out: &Output) -> String {
    let rows: Vec<_> = users
        .iter()
        .map(|user| {
            [
                user.user.clone(),
                format!("{}/{}", user.usable, user.tokens),
                user.recovery.to_string(),
                user.lock.clone(),
                user.failures.to_string(),
                time(user.last_success, out),
            ]
        })
        .collect();
    let headings = ["USER", "USABLE", "RECOVERY", "LOCK", "FAILURES", "LAST LOGIN"];
    out.table(headings, &["USER"], &rows)
}

/// A list of providers.
pub(crate) fn providers(providers: &[ProviderDocument], out: &Output) -> String {
    let rows: Vec<_> = providers
        .iter()
        .map(|provider| {
            [
                provider.id.clone(),
                provider.kind.clone(),
                provider.order.map_or_else(|| NONE.to_owned(), |order| order.to_string()),
                provider.state.clone(),
                time(provider.failed_at, out),
                provider.last_failure.clone().unwrap_or_else(|| NONE.to_owned()),
            ]
        })
        .collect();
    let headings = ["ID", "TYPE", "ORDER", "STATE", "FAILED", "WHY"];
    out.table(headings, &["ID", "WHY"], &rows)
}

/// A list of directories.
pub(crate) fn directories(directories: &[DirectoryDocument], out: &Output) -> String {
    let rows: Vec<_> = directories
        .iter()
        .map(|directory| {
            [
                directory.name.clone(),
                directory.kind.clone(),
                directory.state.clone(),
                time(directory.failed_at, out),
                directory.last_failure.clone().unwrap_or_else(|| NONE.to_owned()),
            ]
        })
        .collect();
    out.table(["NAME", "TYPE", "STATE", "FAILED", "WHY"], &["NAME", "WHY"], &rows)
}

/// What a directory knows of a user, or that it can be used.
pub(crate) fn directory_test(test: &DirectoryTestDocument) -> String {
    if test.found.is_none() {
        return format!("{} can be used.", test.name);
    }
    fields(&[
        ("Directory", Some(test.name.clone())),
        ("State", test.state.clone()),
        ("Mobile", test.mobile.clone()),
        ("Mail", test.mail.clone()),
        (
            "Groups",
            test.groups.as_ref().map(|groups| match groups.as_slice() {
                [] => "none".to_owned(),
                groups => groups.join(", "),
            }),
        ),
    ])
}

fn time(ms: Option<i64>, out: &Output) -> String {
    let shown = if out.terminal { brief } else { local };
    ms.map_or_else(|| NONE.to_owned(), |ms| shown(ms, &out.zone))
}

/// All of one token.
pub(crate) fn token(token: &TokenDocument, zone: &TimeZone) -> String {
    let at = |ms: i64| local(ms, zone);
    let period = token.period_ms.map(|ms| format!("{ms} ms"));
    fields(&[
        ("Id", Some(token.id.clone())),
        ("User", Some(token.user.clone())),
        ("Label", Some(token.label.clone())),
        ("Method", Some(token.method.clone())),
        ("Type", Some(token.kind.clone())),
        ("State", Some(token.state.clone())),
        ("Needs", token.rejoin.as_deref().map(owed)),
        ("Sharing", token.share.clone()),
        ("Sharing ends", token.share_until.map(at)),
        ("Until", token.disabled_until.map(at)),
        ("Reason", token.reason.clone()),
        ("Algorithm", Some(token.algorithm.clone())),
        ("Digits", Some(token.digits.to_string())),
        ("Period", period),
        ("Created", Some(at(token.created))),
        ("Codes", token.accepted.map(|count| format!("{count} accepted"))),
        ("Last used", Some(token.last_used.map_or_else(|| "never".to_owned(), at))),
        ("Expires", token.expires.map(at)),
    ])
}

/// What a counter that was restored needs.
fn owed(rejoin: &str) -> String {
    match rejoin {
        "due" => "two codes in a row: its store was restored",
        "half" => "the code after the last one: its store was restored",
        other => other,
    }
    .to_owned()
}

/// All of one user.
pub(crate) fn user(user: &UserDocument, zone: &TimeZone) -> String {
    let at = |ms: i64| local(ms, zone);
    fields(&[
        ("User", Some(user.user.clone())),
        ("User id", user.uid.map(|uid| uid.to_string())),
        ("Tokens", Some(format!("{}, {} usable now", user.tokens, user.usable))),
        ("Recovery codes", Some(format!("{} left", user.recovery))),
        ("Issues codes", user.administrator.then(|| "yes".to_owned())),
        ("Mobile", user.mobile.clone()),
        ("Mail", user.mail.clone()),
        ("Failures", Some(format!("{} in a row", user.failures))),
        ("Lock", Some(user.lock.clone())),
        ("Locked until", user.locked_until.map(at)),
        ("Last login", Some(user.last_success.map_or_else(|| "never".to_owned(), at))),
    ])
}

/// How the daemon is.
pub(crate) fn status(status: &StatusDocument, zone: &TimeZone) -> String {
    let problems = status.problems.iter().map(|problem| ("Problem", Some(problem.clone())));
    let files = status.configuration.iter().map(|file| ("Configuration", Some(file.clone())));
    let mut all = vec![
        ("Health", Some(status.health.clone())),
        ("Version", Some(status.version.clone())),
        ("Running since", Some(local(status.since, zone))),
        ("Users", Some(format!("{}, {} locked", status.users, status.locked))),
        ("Tokens", Some(status.tokens.to_string())),
        ("Clients", Some(status.clients.to_string())),
        ("Maximum allowed client", Some(status.clients_most.to_string())),
        ("Last connected client code", status.last_client.clone()),
        ("Last connected client IP", status.last_client_source.clone()),
        ("Waiting logins", Some(status.sessions.to_string())),
        ("Store", Some(format!("{} (schema {})", status.store, status.schema))),
        ("Key", Some(status.key.clone())),
    ];
    all.splice(1..1, problems);
    all.extend(files);
    fields(&all)
}

/// A decision on one line: when, what, how it ended, who, and whatever else is known.
pub(crate) fn audit_line(record: &AuditRecord, zone: &TimeZone) -> String {
    let number = |value: Option<u32>| value.map(|value| value.to_string());
    let token = record.token.as_deref().map(|id| short(id).to_owned());
    let mut line = format!(
        "{} {:8} {:11} {}",
        local(record.time, zone),
        record.event,
        record.result,
        if record.user.is_empty() { NONE.to_owned() } else { word(&record.user) }
    );
    for (name, value) in [
        ("service", record.service.clone()),
        ("source", record.source.clone()),
        ("tty", record.tty.clone()),
        ("method", record.method.clone()),
        ("token", token),
        ("failures", number(record.failures).filter(|failures| failures != "0")),
        ("session", record.session.clone()),
        ("caller", number(record.caller)),
        ("detail", record.detail.clone()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = write!(line, " {name}={}", word(&value));
        }
    }
    printable(&line)
}

/// A value that is taken for nothing else on its line: who tries to log in chooses the user's name.
fn word(value: &str) -> String {
    if value.contains([' ', '=', '"']) {
        format!("\"{}\"", value.replace('\\', r"\\").replace('"', r#"\""#))
    } else {
        value.to_owned()
    }
}

/// Names and values, one pair on a line; what has no value is left out.
pub(crate) fn fields(fields: &[(&str, Option<String>)]) -> String {
    let known = || fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let width = known().map(|(name, _)| name.len() + 1).max().unwrap_or_default();
    known().fold(String::new(), |mut out, (name, value)| {
        let _ = writeln!(out, "{:width$}  {}", format!("{name}:"), printable(value));
        out
    })
}

#[cfg(test)]
mod tests;
