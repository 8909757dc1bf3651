//! The sections that hold one value for each key.

use std::path::{Component, Path, PathBuf};

use otp_core::{
    account::{UserName, check_text},
    throttle::Lockout,
};
use otp_ipc::names;

use super::{
    Bus, Caller, Enrolment, Limits, Qr, Store,
    duration::{DAY, HOUR, MINUTE, SECOND},
    error::{ConfigError, Place},
    section::{Section, text},
    tree::Value,
};

type Result<T> = std::result::Result<T, ConfigError>;

/// What [`login_name`] takes.
pub(super) const LOGIN_NAME: &str = "a login name of 1 to 256 bytes without '/', ':', control characters, '-' in front and white space at its ends";

pub(super) fn login_name(value: &Value) -> Option<String> {
    text(value).filter(|name| UserName::parse(name).is_ok()).map(str::to_owned)
}

pub(super) fn daemon(mut section: Section) -> Result<String> {
    let user = section.value("user", LOGIN_NAME, login_name)?;
    section.end()?;
    Ok(user.map_or_else(|| names::DAEMON_USER.to_owned(), |(user, _)| user))
}

pub(super) fn bus(mut section: Section) -> Result<Bus> {
    let address =
        section.value("address", "\"unix:path=/…\", a socket by its absolute path", |value| {
            // In a D-Bus address ',' begins another key, ';' another address and '%' an escape.
            let path = text(value)?.strip_prefix("unix:path=")?;
            let plain = path.starts_with('/')
                && !path.contains(|c: char| matches!(c, ',' | ';' | '%') || c.is_control());
            plain.then(|| format!("unix:path={path}"))
        })?;
    let login_socket = path(&mut section, "login_socket")?;
    let allowed = format!("user ids from 0 to {} and login names, each {LOGIN_NAME}", u32::MAX - 1);
    let trusted_callers = section.list("trusted_callers", 0, allowed, |value| match value {
        Value::Whole(uid) => {
            u32::try_from(*uid).ok().filter(|uid| *uid != u32::MAX).map(Caller::Uid)
        }
        name => login_name(name).map(Caller::Name),
    })?;
    section.end()?;
    Ok(Bus {
        address: address.map_or_else(
            || format!("unix:path={}", names::SYSTEM_BUS_SOCKET),
            |(address, _)| address,
        ),
        login_socket: login_socket.map_or_else(|| names::LOGIN_SOCKET.into(), |(path, _)| path),
        trusted_callers: trusted_callers.unwrap_or_default(),
    })
}

/// The store and the file of its key.
pub(super) fn storage(mut store: Section, mut keys: Section) -> Result<(Store, PathBuf)> {
    let (store_path, store_place) = split(path(&mut store, "path")?, "/var/lib/otpd/otpd.db");
    let audit_rows = store.whole("audit_rows", 1000..=100_000_000, 100_000)?;
    store.end()?;
    let (key_file, key_place) = split(path(&mut keys, "file")?, "/etc/otpd/kek");
    keys.end()?;
    let folder = store_path.parent().unwrap_or(&store_path);
    if let Some(place) = key_place.or(store_place).filter(|_| key_file.starts_with(folder)) {
        let (key, folder) = (key_file.display(), folder.display());
        let message = format!(
            "keys.file {key} lies in the store's folder {folder}: allowed is any other folder, so that no copy of one holds both"
        );
        return Err(place.error(message));
    }
    Ok((Store { path: store_path, audit_rows }, key_file))
}

fn split(given: Option<(PathBuf, Place)>, default: &str) -> (PathBuf, Option<Place>) {
    given.map_or_else(|| (default.into(), None), |(path, place)| (path, Some(place)))
}

/// What [`absolute`] takes.
pub(super) const ABSOLUTE: &str = "an absolute path of a file, without \"..\"";

pub(super) fn absolute(value: &Value) -> Option<PathBuf> {
    let path = Path::new(text(value)?);
    let plain = path.is_absolute()
        && path.file_name().is_some()
        && !text(value)?.contains(char::is_control);
    (plain && !path.components().any(|part| part == Component::ParentDir)).then(|| path.to_owned())
}

fn path(section: &mut Section, key: &'static str) -> Result<Option<(PathBuf, Place)>> {
    section.value(key, ABSOLUTE, absolute)
}

/// A preset changes what is default and what is allowed: PCI DSS 4.0.1 section 8.3.4 wants a lock
/// after at most 10 failures and for at least 30 minutes.
pub(super) fn lockout(mut section: Section) -> Result<Lockout> {
    let pci = section.choice("preset", &[("standard", false), ("pci", true)], false)?;
    let (most, shortest) = if pci { (10, 30 * MINUTE) } else { (100, SECOND) };
    let after = section.whole("after", 1..=most, if pci { 10 } else { 5 })?;
    let first_ms = section.duration("first", shortest..=DAY, shortest.max(MINUTE))?;
    let longest_ms = section.duration("longest", first_ms..=30 * DAY, first_ms.max(15 * MINUTE))?;
    let disable_after = section.whole("disable_after", after..=1000, 100)?;
    section.end()?;
    Ok(Lockout { after, first_ms, longest_ms, disable_after })
}

pub(super) fn enrolment(mut section: Section) -> Result<Enrolment> {
    let issuer =
        section.value("issuer", "1 to 64 bytes without ':' and control characters", |value| {
            let issuer = text(value)?;
            let plain = (1..=64).contains(&issuer.len())
                && !issuer.contains(|c: char| c == ':' || c.is_control());
            (plain && issuer.trim() == issuer).then(|| issuer.to_owned())
        })?;
    let pending_ms = section.duration("pending", MINUTE..=7 * DAY, 10 * MINUTE)?;
    let at_login_ms = section.duration("at_login", 10 * SECOND..=HOUR, 5 * MINUTE)?;
    let qr = section.choice("qr", &Qr::ALL, Qr::Dark)?;
    let label = section.value("label", TITLE, title)?;
    let registration_uri = section.value(
        "registration_uri",
        "https:// and up to 192 characters of ASCII, without white space",
        |value| {
            let uri = text(value)?;
            let plain = uri.len() <= 200 && uri.chars().all(|c| c.is_ascii_graphic());
            let named = uri.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
            (plain && named).then(|| uri.to_owned())
        },
    )?;
    section.end()?;
    Ok(Enrolment {
        issuer: issuer.map(|(issuer, _)| issuer),
        pending_ms,
        at_login_ms,
        qr,
        label: label.map(|(label, _)| label),
        registration_uri: registration_uri.map(|(uri, _)| uri),
    })
}

pub(super) fn limits(mut section: Section) -> Result<Limits> {
    let limits = Limits {
        sessions: section.whole("sessions", 1..=65_536, 4096)?,
        sessions_per_user: section.whole("sessions_per_user", 1..=1024, 8)?,
        calls_per_user: section.whole("calls_per_user", 1..=64, 4)?,
        prompt_lifetime_ms: section.duration("prompt_lifetime", 10 * SECOND..=HOUR, 5 * MINUTE)?,
        connections: section.whole("connections", 1..=65_536, 4096)?,
    };
    section.end()?;
    Ok(limits)
}

/// What [`plain_name`] takes.
pub(super) const PLAIN_NAME: &str =
    "1 to 64 of the characters a-z, A-Z, 0-9, '.', '_' and '-', not starting with '-' or '.'";

/// A name of a method or of a PAM service.
pub(super) fn plain_name(value: &Value) -> Option<String> {
    let name = text(value)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let fits =
        (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '.']);
    fits.then(|| name.to_owned())
}

/// What [`title`] takes.
pub(super) const TITLE: &str = "a text of 1 to 128 bytes without control characters";

/// A text that people read.
pub(super) fn title(value: &Value) -> Option<String> {
    text(value)
        .filter(|text| !text.trim().is_empty() && check_text(text).is_ok())
        .map(str::to_owned)
}
