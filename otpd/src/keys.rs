//! The key-encryption key and the keys that are derived from it.
//!
//! The key is 32 random bytes, kept as 64 hexadecimal digits and a newline, so that it can be
//! printed for a safe and a truncated copy is noticed. It comes from the systemd credential
//! `otpd.kek` where there is one, else from the key file. Nothing is sealed or authenticated with
//! it directly: HKDF-SHA-256 (RFC 5869) derives one key for each purpose.

use std::{
    fs::{File, Metadata, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hkdf::Hkdf;
use sha2::Sha256;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Name of the systemd credential.
pub const CREDENTIAL: &str = "otpd.kek";
/// Version of the key that new secrets are sealed with.
pub const VERSION: u32 = 1;

const LENGTH: usize = 32;
const DIGITS: usize = 2 * LENGTH;

type Key = Zeroizing<[u8; LENGTH]>;

/// Why there is no key to work with. Each text says what to do; none repeats the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Neither source has a key.
    #[error(
        "the key {} is missing: where a store was initialised, restore the key from its backup \
         (without it the store cannot be read, and a new key does not help); on a new machine run \
         `otpd init`",
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
    fingerprint: Key,
}

impl Keys {
    /// Reads the key: [`CREDENTIAL`] in the `credentials` directory (the service manager's
    /// `CREDENTIALS_DIRECTORY`), else `file`. A credential that is there but unusable is an error,
    /// never a reason to take the file.
    ///
    /// The file must be a regular file, no symbolic link, mode 0400 or 0600, owned by root or by
    /// the user id that the daemon runs as (`owner`), with exactly 64 hexadecimal digits and a newline. A credential may be
    /// readable by its group: the service manager grants access by an ACL, whose mask shows there.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when neither exists, [`KeyError::Unusable`] for anything else.
    pub fn load(credentials: Option<&Path>, file: &Path, owner: u32) -> Result<Self, KeyError> {
        if let Some(directory) = credentials {
            let path = directory.join(CREDENTIAL);
            if let Some(kek) = read(&path, owner, 0o037)? {
                return derive(&kek, format!("the systemd credential {CREDENTIAL}"), &path);
            }
        }
        match read(file, owner, 0o077)? {
            Some(kek) => derive(&kek, format!("the key file {}", file.display()), file),
            None => Err(KeyError::Missing(file.to_owned())),
        }
    }

    /// Makes a new key in a temporary file of mode 0400 beside where `file` is to be, synced to
    /// disk; the caller gives it its name.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when the file cannot be written or the kernel has no random bytes.
    pub(crate) fn create(file: &Path) -> Result<(NamedTempFile, Self), KeyError> {
        let failed = |error: io::Error| unusable(file, format!("it cannot be written: {error}"));
        let mut kek = Key::default();
        getrandom::fill(kek.as_mut())
            .map_err(|error| unusable(file, format!("no random bytes: {error}")))?;
        let mut text = Zeroizing::new([b'\n'; DIGITS + 1]);
        if let [digits @ .., _] = text.as_mut() {
            HEXLOWER.encode_mut(kek.as_ref(), digits);
        }
        let directory = file.parent().unwrap_or(Path::new("/"));
        let mut written = NamedTempFile::new_in(directory).map_err(failed)?;
        written.write_all(text.as_ref()).map_err(failed)?;
        written.as_file().set_permissions(Permissions::from_mode(0o400)).map_err(failed)?;
        written.as_file().sync_all().map_err(failed)?;
        let keys = derive(&kek, format!("the key file {}", file.display()), file)?;
        Ok((written, keys))
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

    /// For the digests of recovery codes.
    #[must_use]
    pub fn recovery(&self) -> &[u8; LENGTH] {
        &self.derived.recovery
    }

    /// For fingerprints by which a secret is recognised without being shown.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; LENGTH] {
        &self.derived.fingerprint
    }
}

fn derive(kek: &[u8; LENGTH], source: String, path: &Path) -> Result<Keys, KeyError> {
    let hkdf = Hkdf::<Sha256>::new(Some(b"otpd/v1"), kek);
    let mut derived = Box::new(Derived {
        seal: Key::default(),
        record: Key::default(),
        recovery: Key::default(),
        fingerprint: Key::default(),
    });
    for (purpose, key) in [
        ("seal", &mut derived.seal),
        ("record-mac", &mut derived.record),
        ("recovery-digest", &mut derived.recovery),
        ("fingerprint", &mut derived.fingerprint),
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
    parse(file, path).map(Some)
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

fn parse(file: File, path: &Path) -> Result<Key, KeyError> {
    // Room enough that reading never reallocates and leaves a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(4 * DIGITS));
    file.take(DIGITS as u64 + 2)
        .read_to_end(&mut text)
        .map_err(|error| unusable(path, format!("it cannot be read: {error}")))?;
    let mut kek = Key::default();
    match text.as_slice() {
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

fn unusable(path: &Path, reason: String) -> KeyError {
    KeyError::Unusable { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::unistd::geteuid;

    use super::*;

    const TEXT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";

    fn write(path: &Path, text: &[u8], mode: u32) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn refusal(credentials: Option<&Path>, file: &Path) -> String {
        match Keys::load(credentials, file, geteuid().as_raw()) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn keys_differ_by_purpose_and_depend_on_nothing_but_the_key() {
        let directory = tempfile::tempdir().unwrap();
        let (file, credential) = (directory.path().join("kek"), directory.path().join(CREDENTIAL));
        write(&file, TEXT.as_bytes(), 0o400);
        let from_file = Keys::load(Some(directory.path()), &file, geteuid().as_raw()).unwrap();
        write(&credential, TEXT.as_bytes(), 0o440);
        let from_credential =
            Keys::load(Some(directory.path()), Path::new("/nonexistent"), geteuid().as_raw())
                .unwrap();
        assert!(from_file.source().contains("key file"));
        assert!(from_credential.source().contains("credential"));
        // Computed with Python's hmac from RFC 5869's definition.
        assert_eq!(
            HEXLOWER.encode(from_file.seal()),
            "21055aad01916289c8785fadbf9beb12886ff36a830c80d4b75386adeca1cbc1"
        );
        let all =
            [from_file.seal(), from_file.record(), from_file.recovery(), from_file.fingerprint()];
        for (i, key) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != key));
        }
        assert_eq!(from_file.record(), from_credential.record());
    }

    #[test]
    fn only_exact_content_is_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        let digits = TEXT.trim_end();
        for text in [
            String::new(),
            "\n".into(),
            digits.into(),
            format!("{digits}\r\n"),
            format!("{digits}\n\n"),
            format!(" {digits}\n"),
            format!("{}\n", &digits[1..]),
            format!("{}\n", &digits[2..]),
            format!("{digits}00\n"),
            format!("{}zz\n", &digits[2..]),
        ] {
            write(&file, text.as_bytes(), 0o600);
            assert!(refusal(None, &file).contains("64 hexadecimal digits"), "{text:?}");
        }
    }

    #[test]
    fn rights_kind_and_absence() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        assert!(refusal(None, &file).contains("restore the key from its backup"));
        for mode in [0o440, 0o404, 0o620, 0o602, 0o644, 0o777] {
            write(&file, TEXT.as_bytes(), mode);
            assert!(refusal(None, &file).contains("its mode is"), "{mode:o}");
        }
        write(&file, TEXT.as_bytes(), 0o400);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(refusal(None, &link).contains("symbolic link"));
        assert!(refusal(None, directory.path()).contains("not a regular file"));
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(refusal(None, &fifo).contains("not a regular file"));
    }

    #[test]
    fn a_bad_credential_is_not_passed_over_for_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        write(&file, TEXT.as_bytes(), 0o400);
        write(&directory.path().join(CREDENTIAL), b"garbage\n", 0o400);
        assert!(refusal(Some(directory.path()), &file).contains("64 hexadecimal digits"));
        for mode in [0o444, 0o460, 0o420] {
            write(&directory.path().join(CREDENTIAL), TEXT.as_bytes(), mode);
            assert!(refusal(Some(directory.path()), &file).contains("its mode is"), "{mode:o}");
        }
    }

    #[test]
    fn a_foreign_owner_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        write(&file, TEXT.as_bytes(), 0o400);
        if !geteuid().is_root() {
            return; // Only root can give a file away; the build machines run this as root too.
        }
        std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
        assert!(refusal(None, &file).contains("must belong to root"));
    }

    #[test]
    fn a_made_key_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kek");
        let (written, made) = Keys::create(&file).unwrap();
        written.persist_noclobber(&file).unwrap();
        let read = Keys::load(None, &file, geteuid().as_raw()).unwrap();
        assert_eq!(made.seal(), read.seal());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o400);
        let (_again, other) = Keys::create(&file).unwrap();
        assert_ne!(made.seal(), other.seal());
    }
}
