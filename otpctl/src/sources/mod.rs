//! Files of other programs, opened as root where users may have put anything: only what was meant
//! is read, and never for long.

mod open;
mod template;
mod writer;

use std::ffi::OsStr;
use std::path::Path;

use nix::unistd::{Uid, User};
use otp_ipc::maintenance::{FILE, import::Source};
use zeroize::Zeroizing;

pub(crate) use open::read;
pub(crate) use template::{Resident, Template};

/// The file of pam_google_authenticator and the longest that it reads, in bytes.
const GOOGLE_AUTHENTICATOR: &str = "google-authenticator";
const DOT_FILE: &str = ".google_authenticator";
const LONGEST_DOT_FILE: u64 = 64 * 1024;

/// A file's bytes, or why it is refused.
pub(crate) type Bytes = Result<Zeroizing<Vec<u8>>, String>;

/// A file that the command line names: what is said of it, and its bytes.
pub(crate) fn named(path: &Path, format: Option<&str>, user: Option<&str>) -> (Source, Bytes) {
    let mut source = Source { path: path.display().to_string(), ..Source::default() };
    let dot_file = path.file_name() == Some(OsStr::new(DOT_FILE))
        && format.is_none_or(|format| format == GOOGLE_AUTHENTICATOR);
    let bytes = if dot_file {
        source.format = Some(GOOGLE_AUTHENTICATOR.to_owned());
        of_its_owner(path, user).map(|(owner, bytes)| {
            source.user = Some(owner);
            bytes
        })
    } else {
        let writer = writer::wait(path, format);
        writer.and_then(|_held| read(path, longest(format)))
    };
    refused(source, bytes)
}

fn longest(format: Option<&str>) -> u64 {
    if format == Some(GOOGLE_AUTHENTICATOR) { LONGEST_DOT_FILE } else { FILE }
}

fn refused(mut source: Source, bytes: Bytes) -> (Source, Bytes) {
    source.refused = bytes.as_ref().err().cloned();
    (source, bytes)
}

/// A file in a home, and whose it is: the user's who has the folder.
fn of_its_owner(path: &Path, user: Option<&str>) -> Result<(String, Zeroizing<Vec<u8>>), String> {
    let file = open::file(path)?;
    let (own, folder) = (open::owner(&file)?, open::owner_of_folder(path)?);
    let bytes = open::bytes(file, LONGEST_DOT_FILE)?;
    if let Some(user) = user {
        let known = User::from_name(user).map_err(|error| error.to_string())?;
        // Somebody whom the system does not know is refused later, with all others.
        if known.is_some_and(|known| own != known.uid.as_raw() && own != 0) {
            return Err(format!("it belongs to user id {own}, not to {user}"));
        }
        return Ok((user.to_owned(), bytes));
    }
    if own != folder {
        return Err(format!(
            "it belongs to user id {own}, its folder to {folder}; name the user with --user"
        ));
    }
    let owner = User::from_uid(Uid::from_raw(own)).map_err(|error| error.to_string())?;
    let owner = owner.ok_or_else(|| format!("its owner, user id {own}, has no name here"))?;
    Ok((owner.name, bytes))
}
