//! The key-encryption key and the keys that are derived from it.
//!
//! The key is 32 random bytes, kept as 64 hexadecimal digits and a newline, so that it can be
//! printed for a safe and a truncated copy is noticed. Nothing is sealed or authenticated with it
//! directly: HKDF-SHA-256 (RFC 5869) derives one key for each purpose. Which keys a machine has is
//! the [`Keyring`]'s to say; how one takes the place of another is in [`rotation`].

mod ring;
pub mod rotation;

use std::{
    fs::{Metadata, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use sha2::Sha256;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

pub use self::ring::{Keyring, Role, texts};
pub(crate) use self::ring::{found, new_file};

/// Name of the systemd credential.
pub const CREDENTIAL: &str = "otpd.kek";

const LENGTH: usize = 32;
const DIGITS: usize = 2 * LENGTH;

/// A key, on the heap or in a field of what is.
pub(crate) type Key = Zeroizing<[u8; LENGTH]>;

/// Why there is no key to work with. Each text says what to do; none repeats the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No source has a key.
    #[error(
        "the key {} is missing, and the service manager passes no credential {CREDENTIAL}: where a \
         store was initialised, restore the key from its backup (without it the store cannot be \
         read, and a new key does not help); on a new machine run `otpd init`",
        .0.display()
    )]
    Missing(PathBuf),
    /// A source has something that cannot be used.
    #[error("the key {} cannot be used: {reason}", path.display())]
    Unusable {
        /// Where.
        path: PathBuf,
        /// What is wrong with it and how to mend it.
        reason: String,
    },
}

/// The derived keys: one for each purpose, on the heap once and wiped when dropped.
pub struct Keys {
    derived: Box<Derived>,
    source: String,
}

struct Derived {
    seal: Key,
    record: Key,
    recovery: Key,
}

impl Keys {
    /// Makes a new key in a temporary file of mode 0400 beside where `file` is to be, synced to
    /// disk; the caller gives it its name.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when the file cannot be written or the kernel has no random bytes.
    pub(crate) fn create(file: &Path) -> Result<(NamedTempFile, Self), KeyError> {
        let written = NamedTempFile::new_in(folder(file));
        let written =
            written.map_err(|error| unusable(file, format!("it cannot be written: {error}")))?;
        Self::create_in(written, file)
    }

    /// The same in a temporary file that is there.
    fn create_in(
        mut written: NamedTempFile,
        file: &Path,
    ) -> Result<(NamedTempFile, Self), KeyError> {
        let failed = |error: io::Error| unusable(file, format!("it cannot be written: {error}"));
        let mut kek = Key::default();
        getrandom::fill(kek.as_mut())
            .map_err(|error| unusable(file, format!("no random bytes: {error}")))?;
        written.write_all(text(&kek).as_ref()).map_err(failed)?;
        written.as_file().set_permissions(Permissions::from_mode(0o400)).map_err(failed)?;
        written.as_file().sync_all().map_err(failed)?;
        let keys = derive(&kek, in_file(file), file)?;
        Ok((written, keys))
    }

    /// The key in `text`, which is what a key file holds; `source` says where it came from, for
    /// people.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when it is no key.
    pub fn given(text: &[u8], source: &str) -> Result<Self, KeyError> {
        let path = Path::new(source);
        derive(&*parse(text, path)?, source.to_owned(), path)
    }

    /// Where the key came from, for people.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// For sealing secrets.
    pub(crate) fn seal(&self) -> &[u8; LENGTH] {
        &self.derived.seal
    }

    /// For the MACs of records.
    pub(crate) fn record(&self) -> &[u8; LENGTH] {
        &self.derived.record
    }

    /// For the digests of recovery codes and issued codes, in a store whose first key this is.
    pub(crate) fn recovery(&self) -> &[u8; LENGTH] {
        &self.derived.recovery
    }

    /// Whether it is the same key, wherever both came from.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.derived.seal == other.derived.seal
    }
}

fn derive(kek: &[u8; LENGTH], source: String, path: &Path) -> Result<Keys, KeyError> {
    let hkdf = Hkdf::<Sha256>::new(Some(b"otpd/v1"), kek);
    let mut derived = Box::new(Derived {
        seal: Key::default(),
        record: Key::default(),
        recovery: Key::default(),
    });
    for (purpose, key) in [
        ("seal", &mut derived.seal),
        ("record-mac", &mut derived.record),
        ("recovery-digest", &mut derived.recovery),
    ] {
        hkdf.expand(purpose.as_bytes(), key.as_mut())
            .map_err(|error| unusable(path, error.to_string()))?;
    }
    Ok(Keys { derived, source })
}

/// The key at `path`, `None` when nothing is there. `forbidden` are the permission bits that it
/// must not have.
fn read(path: &Path, owner: u32, forbidden: u32) -> Result<Option<Key>, KeyError> {
    let failed = |error: io::Error| unusable(path, format!("it cannot be read: {error}"));
    // Without O_NONBLOCK a FIFO in the key's place would hang the start.
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {
            return Err(unusable(path, "it is a symbolic link; put the key itself there".into()));
        }
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    check(&metadata, owner, forbidden).map_err(|reason| unusable(path, reason))?;
    // Room enough that reading never reallocates and leaves a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(4 * DIGITS));
    file.take(DIGITS as u64 + 2).read_to_end(&mut text).map_err(failed)?;
    parse(&text, path).map(Some)
}

fn check(metadata: &Metadata, owner: u32, forbidden: u32) -> Result<(), String> {
    if !metadata.is_file() {
        return Err("it is not a regular file".into());
    }
    if metadata.mode() & forbidden != 0 {
        return Err(format!(
            "its mode is {:04o}, others could read or replace it; set it to 0400 and consider the \
             key known to them",
            metadata.mode() & 0o7777
        ));
    }
    if metadata.uid() != 0 && metadata.uid() != owner {
        return Err(format!(
            "it belongs to user id {}; it must belong to root or to user id {owner}",
            metadata.uid()
        ));
    }
    Ok(())
}

/// What the file of a key holds.
fn text(kek: &Key) -> Zeroizing<[u8; DIGITS + 1]> {
    let mut text = Zeroizing::new([b'\n'; DIGITS + 1]);
    if let [digits @ .., _] = text.as_mut() {
        HEXLOWER.encode_mut(kek.as_ref(), digits);
    }
    text
}

fn parse(text: &[u8], path: &Path) -> Result<Key, KeyError> {
    let mut kek = Key::default();
    match text {
        [digits @ .., b'\n']
            if digits.len() == DIGITS
                && HEXLOWER_PERMISSIVE.decode_mut(digits, kek.as_mut()).is_ok() =>
        {
            Ok(kek)
        }
        _ => Err(unusable(
            path,
            "it is not 64 hexadecimal digits and a newline; restore it from its backup".into(),
        )),
    }
}

/// The folder that a key file is in.
fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// The source of a key that is in `file`, for people.
fn in_file(file: &Path) -> String {
    format!("the key file {}", file.display())
}

fn unusable(path: &Path, reason: String) -> KeyError {
    KeyError::Unusable { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
