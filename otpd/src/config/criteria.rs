//! `match` of a `[[policy]]`: which logins it is for.

use otp_core::{
    account::check_text,
    policy::{Client, Criteria, Network, Origin, Terminal},
    schedule::Schedule,
};

use super::{
    error::ConfigError,
    section::Section,
    settings::{LOGIN_NAME, PLAIN_NAME, login_name, plain_name},
};

const NAME: &str = "allowed is a text of 1 to 128 bytes without control characters";
const TERMINAL: &str =
    "allowed are a terminal, such as \"tty1\", and the beginning of one, such as \"pts/*\"";
const FINGERPRINT: &str =
    "allowed after SHA256: are the 43 characters of base64 that ssh-keygen -l shows";

/// An empty list would match every login, which nobody means who writes one.
pub(super) fn read(mut section: Section) -> Result<Criteria, ConfigError> {
    let services =
        section.list("service", 1, format!("PAM services, each {PLAIN_NAME}"), plain_name)?;
    let users = section.list("user", 1, format!("users, each {LOGIN_NAME}"), login_name)?;
    let groups = section.texts("group", false, name)?;
    let sources = section.texts("source", false, |text| match text {
        "local" => Ok(Origin::Local),
        network => network.parse::<Network>().map(Origin::Network),
    })?;
    let terminals =
        section.texts("terminal", false, |text| Terminal::parse(text).ok_or(TERMINAL))?;
    let clients = section.texts("client", false, client)?;
    let times = section.texts("time", true, str::parse::<Schedule>)?;
    section.end()?;
    Ok(Criteria {
        services: services.unwrap_or_default(),
        users: users.unwrap_or_default(),
        groups: groups.unwrap_or_default(),
        sources: sources.unwrap_or_default(),
        terminals: terminals.unwrap_or_default(),
        clients: clients.unwrap_or_default(),
        times: times.unwrap_or_default(),
    })
}

/// Of a group or a client: directories other than the system's own allow nearly everything.
fn name(text: &str) -> Result<String, &'static str> {
    let fits = !text.trim().is_empty() && check_text(text).is_ok();
    if fits { Ok(text.to_owned()) } else { Err(NAME) }
}

fn client(text: &str) -> Result<Client, &'static str> {
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    match (text, text.strip_prefix("SHA256:")) {
        ("known", _) => Ok(Client::Known),
        ("unknown", _) => Ok(Client::Unknown),
        (_, Some(digest)) if digest.len() != 43 || !digest.chars().all(base64) => Err(FINGERPRINT),
        (identity, _) => name(identity).map(Client::Identity),
    }
}
