//! Passwords, tokens and keys: in the file itself, in a file of their own, or as a credential of
//! the service manager. No message repeats one.

use std::{
    collections::BTreeMap,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use otp_delivery::Hidden;
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::{
    error::{ConfigError, Place},
    file,
    section::Section,
    settings::{ABSOLUTE, PLAIN_NAME, absolute, plain_name},
    show::Text,
    tree::{Node, Value},
};

type Result<T> = std::result::Result<T, ConfigError>;

/// What is shown in place of a secret.
const MASK: &str = "••••";
/// Largest secret in bytes.
const LARGEST: u64 = 4096;
/// Nobody but the owner may write a secret's file, and others may not read it.
const FORBIDDEN: u32 = 0o037;
const ALLOWED: &str = "a text, { file = \"/…\" } and { credential = \"…\" }";

/// Stands for a credential that is not there and not needed.
const UNREAD: &str = "unread";

/// The credentials of the service manager.
#[derive(Clone, Copy, Debug)]
pub(super) enum Credentials<'a> {
    /// They are in this folder.
    Passed(&'a Path),
    /// There are none: one that is named is an error.
    Missing,
    /// They are there while the daemon runs, and nothing is done that needs one.
    Needless,
}

/// Where secrets come from that are not in the configuration's own files.
pub(super) struct Vault<'a> {
    /// The service manager's credentials.
    pub(super) credentials: Credentials<'a>,
    /// The account that otpd runs as, whose files are trusted as root's are.
    pub(super) user: &'a str,
}

impl Vault<'_> {
    /// A secret.
    pub(super) fn secret(
        &self,
        section: &mut Section,
        key: &'static str,
    ) -> Result<Option<Hidden>> {
        self.hidden(section, key, |_| true)
    }

    /// A text that holds a secret where `secret` says so.
    pub(super) fn hidden(
        &self,
        section: &mut Section,
        key: &'static str,
        secret: impl Fn(&str) -> bool,
    ) -> Result<Option<Hidden>> {
        let Some(node) = section.take(key) else { return Ok(None) };
        let (value, shown) = self.read(&format!("{}{key}", section.path()), &node, secret)?;
        section.show(key, shown);
        Ok(Some(value))
    }

    /// A table of secrets.
    pub(super) fn secrets(
        &self,
        section: &mut Section,
        key: &'static str,
    ) -> Result<BTreeMap<String, Hidden>> {
        let Some(node) = section.take(key) else { return Ok(BTreeMap::new()) };
        let path = format!("{}{key}", section.path());
        let Value::Table(entries) = node.value else {
            let message = format!("{path} = {MASK}: allowed are a table of names and texts");
            return Err(node.place.error(message));
        };
        let (mut values, mut shown) = (BTreeMap::new(), Vec::new());
        for (name, entry) in entries {
            let path = format!("{path}.{}", Text(&name));
            let (value, text) = self.read(&path, &entry.node, |_| true)?;
            shown.push(format!("{} = {text}", Text(&name)));
            values.insert(name, value);
        }
        section.show(key, format!("{{ {} }}", shown.join(", ")));
        Ok(values)
    }

    /// The value, and what is shown of it.
    fn read(
        &self,
        path: &str,
        node: &Node,
        secret: impl Fn(&str) -> bool,
    ) -> Result<(Hidden, String)> {
        let wrong = || node.place.error(format!("{path} = {MASK}: allowed are {ALLOWED}"));
        let table = match &node.value {
            Value::Text(text) if !secret(text) => {
                return Ok((Hidden::from(text.as_str()), Text(text).to_string()));
            }
            Value::Text(text) => {
                vet_own_file(path, &node.place)?;
                return Ok((Hidden::from(text.as_str()), Text(MASK).to_string()));
            }
            Value::Table(table) => table,
            _ => return Err(wrong()),
        };
        let mut entries = table.iter();
        let (Some((kind, entry)), None) = (entries.next(), entries.next()) else {
            return Err(wrong());
        };
        let place = &entry.node.place;
        let refused = |allowed| {
            let excerpt = entry.node.excerpt();
            place.error(format!("{path}.{kind} = {excerpt}: allowed are {allowed}"))
        };
        let file = match kind.as_str() {
            "file" => absolute(&entry.node.value).ok_or_else(|| refused(ABSOLUTE))?,
            "credential" => {
                let name = plain_name(&entry.node.value).ok_or_else(|| refused(PLAIN_NAME))?;
                if matches!(self.credentials, Credentials::Needless) {
                    return Ok((Hidden::from(UNREAD), node.toml()));
                }
                self.credential(&name).map_err(|why| place.error(format!("{path}: {why}")))?
            }
            _ => return Err(wrong()),
        };
        let value = self.open(&file);
        let value =
            value.map_err(|why| place.error(format!("{path}: {} {why}", file.display())))?;
        Ok((value, node.toml()))
    }

    fn credential(&self, name: &str) -> std::result::Result<PathBuf, String> {
        let missing = || {
            format!(
                "the service manager has passed no credentials: add LoadCredential={name}:/… to \
                 otpd.service (only the service itself can read it)"
            )
        };
        match self.credentials {
            Credentials::Passed(folder) => Ok(folder.join(name)),
            Credentials::Missing | Credentials::Needless => Err(missing()),
        }
    }

    /// A regular file of root's or the daemon's that others cannot read, at most 4 KiB of UTF-8;
    /// one newline at its end is dropped.
    fn open(&self, path: &Path) -> std::result::Result<Hidden, String> {
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        let file = file::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err("is not a regular file".to_owned());
        }
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        if owner != 0 && owner != geteuid().as_raw() && !self.runs_as(owner) {
            let user = self.user;
            return Err(format!("belongs to user id {owner}: allowed are root and {user}"));
        }
        if mode & FORBIDDEN != 0 {
            return Err(format!(
                "has mode {mode:04o}: allowed are at most 0640 (chmod 0640, and chgrp to otpd's group)"
            ));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LARGEST as usize));
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST {
            return Err(format!("is larger than the {LARGEST} bytes that are allowed"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?;
        Ok(Hidden::from(text.strip_suffix('\n').unwrap_or(text)))
    }

    fn runs_as(&self, owner: u32) -> bool {
        let owner = nix::unistd::User::from_uid(owner.into());
        owner.ok().flatten().is_some_and(|account| account.name == self.user)
    }
}

/// A file that holds a secret is not for others to read.
fn vet_own_file(path: &str, place: &Place) -> Result<()> {
    let mode = place.source.mode;
    if mode & 0o004 == 0 {
        return Ok(());
    }
    let file = place.source.path.display();
    Err(place.error(format!(
        "{path} is a secret, and others can read this file (mode {mode:04o}): chmod 0640 {file} and \
         chgrp otpd {file}, or use {{ file = \"/…\" }} or {{ credential = \"…\" }}"
    )))
}
