//! Issued codes and clients, as text and as documents.

use std::collections::HashMap;
use std::fmt::Write;

use otp_ipc::{ClientDocument, CodeDocument, StatusDocument};
use serde::Serialize;

use super::{Output, printable};
use crate::commands::token::short;
use crate::time::rfc3339;

/// An issued code, without the code.
#[derive(Serialize)]
pub(crate) struct Code<'a> {
    id: &'a str,
    user: &'a str,
    state: &'a str,
    issued: String,
    expires: String,
    left_ms: u64,
    uses_left: u32,
    service: Option<&'a str>,
    scope: &'a str,
    reason: Option<&'a str>,
    issued_by: u32,
    client: Option<&'a str>,
}

impl<'a> From<&'a CodeDocument> for Code<'a> {
    fn from(code: &'a CodeDocument) -> Self {
        Self {
            id: &code.id,
            user: &code.user,
            state: &code.state,
            issued: rfc3339(code.issued),
            expires: rfc3339(code.expires),
            left_ms: code.left_ms,
            uses_left: code.uses_left,
            service: code.service.as_deref(),
            scope: &code.scope,
            reason: code.reason.as_deref(),
            issued_by: code.issued_by,
            client: code.client.as_deref(),
        }
    }
}

/// An issued code with what it is.
#[derive(Serialize)]
pub(crate) struct ToldCode<'a> {
    #[serde(flatten)]
    pub(crate) entry: Code<'a>,
    pub(crate) code: &'a str,
}

/// An issued code, with what it is where the caller may read it on a terminal.
#[derive(Serialize)]
pub(crate) struct ReadCode<'a> {
    #[serde(flatten)]
    entry: Code<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> From<&'a CodeDocument> for ReadCode<'a> {
    fn from(code: &'a CodeDocument) -> Self {
        Self { entry: code.into(), code: readable(code) }
    }
}

fn readable(code: &CodeDocument) -> Option<&str> {
    code.code.as_deref().and_then(|bytes| str::from_utf8(bytes).ok())
}

/// How long a code is still good.
pub(crate) fn left(left_ms: u64) -> String {
    let seconds = left_ms / 1000;
    if left_ms == 0 {
        return "Code expired.".to_owned();
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("Code valid for: {hours:02} h. {minutes:02} min. {seconds:02} sec.")
}

/// What a pending entry is called: its code, where that may be read.
fn label(code: &CodeDocument) -> String {
    readable(code).map_or_else(|| "OTP: not shown".to_owned(), |text| format!("OTP: {text}"))
}

/// A list of issued codes.
pub(crate) fn codes(codes: &[CodeDocument], out: &Output) -> String {
    if !out.terminal {
        return codes.iter().fold(String::new(), |mut text, code| {
            let cells =
                [&code.id, &code.user, &code.state, &code.uses_left.to_string(), &code.scope];
            let cells = cells.map(|cell| printable(cell));
            let _ = writeln!(text, "{}", cells.join("\t"));
            text
        });
    }
    codes.iter().fold(String::new(), |mut text, code| {
        let (id, user) = (short(&code.id), printable(&code.user));
        let (label, rest) = match code.state.as_str() {
            "open" => (label(code), left(code.left_ms)),
            "used" => ("used".to_owned(), "Code used.".to_owned()),
            _ => ("expired".to_owned(), left(0)),
        };
        let _ = writeln!(text, "{id}  {user}  {}\n    {rest}", printable(&label));
        let service = code.service.as_ref().map(|service| format!(", at {service}"));
        let reason = code.reason.as_ref().map(|reason| format!(": {reason}"));
        let tail = [service, reason].into_iter().flatten().collect::<String>();
        let (uses, scope, by) = (code.uses_left, &code.scope, code.issued_by);
        let line = format!("{uses} uses left, {scope}, issued by user id {by}{tail}");
        let _ = writeln!(text, "    {}", printable(&line));
        text
    })
}

/// A client.
#[derive(Serialize)]
pub(crate) struct Client<'a> {
    id: &'a str,
    user: &'a str,
    description: &'a str,
    identity: &'a str,
    enabling: &'a str,
    enabled: bool,
    push: bool,
    admin: bool,
    created: String,
    last: Option<String>,
    last_source: Option<&'a str>,
    service: Option<&'a str>,
    until: Option<String>,
}

impl<'a> From<&'a ClientDocument> for Client<'a> {
    fn from(client: &'a ClientDocument) -> Self {
        Self {
            id: &client.id,
            user: &client.user,
            description: &client.description,
            identity: &client.identity,
            enabling: &client.enabling,
            enabled: client.enabled,
            push: client.push,
            admin: client.administrator,
            created: rfc3339(client.created),
            last: client.last.map(rfc3339),
            last_source: client.last_source.as_deref(),
            service: client.service.as_deref(),
            until: client.until.map(rfc3339),
        }
    }
}

/// When a client is let in, and whether it is notified.
pub(crate) fn enabled(client: &ClientDocument) -> String {
    let when = match client.enabling.as_str() {
        "always" => "Enabled always".to_owned(),
        "disabled" => "Disabled".to_owned(),
        times => format!("Enabled {times}"),
    };
    let push = if client.push { "enabled" } else { "disabled" };
    printable(&format!("{when}, push notifications are {push}."))
}

/// A list of clients; `pending` has the codes that are good, by the client that they enrol.
pub(crate) fn clients(
    clients: &[ClientDocument],
    pending: &HashMap<String, CodeDocument>,
    out: &Output,
) -> String {
    clients.iter().fold(String::new(), |mut text, client| {
        let code = pending.get(&client.id);
        let name = match code {
            Some(code) if out.terminal => label(code),
            _ => client.description.clone(),
        };
        if out.terminal {
            let (id, user) = (short(&client.id), printable(&client.user));
            let admin = if client.administrator { "  Admin" } else { "" };
            let _ = writeln!(text, "{id}  {user}  {}{admin}", printable(&name));
            let _ = writeln!(text, "    ID:\"{}\"", printable(&client.identity));
            let _ = writeln!(text, "    {}", enabled(client));
            if let Some(code) = code {
                let _ = writeln!(text, "    {}", left(code.left_ms));
            }
            if let (Some(service), Some(until)) = (&client.service, client.until) {
                let until = crate::time::local(until, &out.zone);
                let _ = writeln!(
                    text,
                    "    {}",
                    printable(&format!("Remembered at {service} until {until}"))
                );
            }
        } else {
            let cells = [&client.id, &client.user, &name, &client.identity, &client.enabling];
            let _ = writeln!(text, "{}", cells.map(|cell| printable(cell)).join("\t"));
        }
        text
    })
}

/// How full the register is, and who was there last.
pub(crate) fn register(status: &StatusDocument) -> String {
    let known = |text: &Option<String>| printable(text.as_deref().unwrap_or_default());
    let mut text = format!("Maximum allowed client: {}\n", status.clients_most);
    let _ = writeln!(text, "Last connected client code: {}", known(&status.last_client));
    let _ = writeln!(text, "Last connected client IP: {}", known(&status.last_client_source));
    text
}

#[cfg(test)]
mod tests;
