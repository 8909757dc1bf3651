//! The keys that a machine has, and which of them opens a store.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{CREDENTIAL, KeyError, Keys, derive, folder, in_file, parse, read, text, unusable};

/// What a key is to its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The one that the store is sealed with, but for a rotation that was not finished.
    Present,
    /// The one that a rotation introduces: beside the key file, with `.new` after its name.
    New,
    /// One that was replaced, for backups from before: with `.` and its version after the name.
    Retired,
    /// One that came with a backup.
    Given,
}

/// The keys that may open a store, in the order in which they are tried. There is at least one.
pub struct Keyring {
    keys: Vec<(Role, Keys)>,
    /// Keys that are there and cannot be used.
    unusable: Vec<KeyError>,
    /// The file of the present key, where there is no such key.
    missing: Option<PathBuf>,
}

impl Keyring {
    /// The keys that the daemon takes: the present one, [`CREDENTIAL`] in the `credentials`
    /// directory (the service manager's `CREDENTIALS_DIRECTORY`), else `file`; then the new one of
    /// a rotation that was not finished. A present key that is there but unusable is an error,
    /// never a reason to take another source.
    ///
    /// A file must be a regular file, no symbolic link, mode 0400 or 0600, owned by root or by the
    /// user id that the daemon runs as (`owner`), with exactly 64 hexadecimal digits and a newline.
    /// A credential may be readable by its group: the service manager grants access by an ACL,
    /// whose mask shows there.
    ///
    /// # Errors
    /// [`KeyError::Missing`] when there is none, [`KeyError::Unusable`] for anything else.
    pub fn load(credentials: Option<&Path>, file: &Path, owner: u32) -> Result<Self, KeyError> {
        let path = credentials.map(|folder| folder.join(CREDENTIAL));
        let passed = match &path {
            Some(path) => read(path, owner, 0o037)?.map(|kek| derive(&kek, credential(), path)),
            None => None,
        };
        match passed.transpose()? {
            Some(keys) => Self::with_new(Some(keys), file, owner),
            None => Self::with_new(in_place(file, owner)?, file, owner),
        }
    }

    /// The same where the credential's text was handed over.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_credential(text: &[u8], file: &Path, owner: u32) -> Result<Self, KeyError> {
        let path = Path::new(CREDENTIAL);
        let kek = parse(text, path)?;
        let keys = derive(&kek, credential(), path)?;
        Self::with_new(Some(keys), file, owner)
    }

    fn with_new(present: Option<Keys>, file: &Path, owner: u32) -> Result<Self, KeyError> {
        let missing = present.is_none().then(|| file.to_owned());
        let mut ring = Self { keys: Vec::new(), unusable: Vec::new(), missing };
        ring.keys.extend(present.map(|keys| (Role::Present, keys)));
        match in_place(&new_file(file), owner) {
            Ok(new) => ring.keys.extend(new.map(|keys| (Role::New, keys))),
            // Where there is another key that opens the store, nobody is locked out by this one.
            Err(error) if ring.keys.is_empty() => return Err(error),
            Err(error) => ring.unusable.push(error),
        }
        if ring.keys.is_empty() { Err(KeyError::Missing(file.to_owned())) } else { Ok(ring) }
    }

    /// With the keys that were replaced, newest first: for what is older than the present key.
    ///
    /// # Errors
    /// [`KeyError::Unusable`] when the folder of `file` cannot be read.
    pub fn with_retired(mut self, file: &Path, owner: u32) -> Result<Self, KeyError> {
        for path in retired_files(file)? {
            match in_place(&path, owner) {
                Ok(keys) => self.keys.extend(keys.map(|keys| (Role::Retired, keys))),
                Err(error) => self.unusable.push(error),
            }
        }
        Ok(self)
    }

    /// With one more, which is tried last.
    #[must_use]
    pub fn with(mut self, keys: Keys) -> Self {
        self.keys.push((Role::Given, keys));
        self
    }

    /// The first key of this role.
    #[must_use]
    pub fn get(&self, role: Role) -> Option<&Keys> {
        self.keys.iter().find(|(other, _)| *other == role).map(|(_, keys)| keys)
    }

    /// The keys that are there and cannot be used.
    #[must_use]
    pub fn unusable(&self) -> &[KeyError] {
        &self.unusable
    }

    /// The first key that fits.
    ///
    /// # Errors
    /// A text that names every key that was tried and says what to do.
    pub(crate) fn find(
        &self,
        mut fits: impl FnMut(&Keys) -> bool,
    ) -> Result<(Role, &Keys), String> {
        let found = self.keys.iter().find(|(_, keys)| fits(keys));
        found.map(|(role, keys)| (*role, keys)).ok_or_else(|| {
            let tried: Vec<_> = self.keys.iter().map(|(_, keys)| keys.source()).collect();
            let what = match tried.as_slice() {
                [one] => format!("{one} is not the key of this store"),
                many => format!("none of these is the key of this store: {}", many.join(", ")),
            };
            let unusable = self.unusable.iter().map(|error| format!("; {error}"));
            let missing =
                self.missing.iter().map(|file| format!("; {} is missing", file.display()));
            format!(
                "{what}{}; restore the key and the store that belong together, a new key does not \
                 help",
                unusable.chain(missing).collect::<String>()
            )
        })
    }
}

impl Keyring {
    /// The one key that came with a backup, on a machine that has none.
    #[must_use]
    pub fn of_backup(keys: Keys) -> Self {
        Self { keys: vec![(Role::Given, keys)], unusable: Vec::new(), missing: None }
    }
}

/// The keys that [`Keyring::load`] takes as their files hold them, for a backup that has the key
/// inside.
///
/// # Errors
/// As [`Keyring::load`].
pub fn texts(
    credentials: Option<&Path>,
    file: &Path,
    owner: u32,
) -> Result<Vec<Zeroizing<Vec<u8>>>, KeyError> {
    let passed = credentials.map(|folder| read(&folder.join(CREDENTIAL), owner, 0o037));
    let mut present = passed.transpose()?.flatten();
    if present.is_none() {
        present = read(file, owner, 0o077)?;
    }
    let new = read(&new_file(file), owner, 0o077);
    let new = if present.is_some() { new.unwrap_or(None) } else { new? };
    let all = present.into_iter().chain(new);
    Ok(all.map(|kek| Zeroizing::new(text(&kek).to_vec())).collect())
}

impl From<Keys> for Keyring {
    /// A ring of one key, the present one.
    fn from(keys: Keys) -> Self {
        Self { keys: vec![(Role::Present, keys)], unusable: Vec::new(), missing: None }
    }
}

/// The key in a file, `None` when nothing is there.
pub(super) fn in_place(file: &Path, owner: u32) -> Result<Option<Keys>, KeyError> {
    read(file, owner, 0o077)?.map(|kek| derive(&kek, in_file(file), file)).transpose()
}

/// Where the key is that takes the place of the one in `file`.
pub(crate) fn new_file(file: &Path) -> PathBuf {
    beside(file, "new")
}

/// Where the key of `version` is kept after it was replaced.
pub(super) fn retired_file(file: &Path, version: u32) -> PathBuf {
    beside(file, &version.to_string())
}

/// The files that there are of keys that were replaced, newest first.
fn retired_files(file: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let failed = |error| unusable(folder(file), format!("it cannot be read: {error}"));
    let mut versions = Vec::new();
    for entry in fs::read_dir(folder(file)).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let version = path.extension().and_then(|end| end.to_str()?.parse::<u32>().ok());
        versions.extend(version.filter(|version| path == retired_file(file, *version)));
    }
    versions.sort_unstable_by(|one, other| other.cmp(one));
    Ok(versions.into_iter().map(|version| retired_file(file, version)).collect())
}

/// A file of a key, present, new or replaced, where there is any.
///
/// # Errors
/// [`KeyError::Unusable`] when it cannot be found out.
pub(crate) fn found(file: &Path) -> Result<Option<PathBuf>, KeyError> {
    for path in [file.to_owned(), new_file(file)] {
        match fs::symlink_metadata(&path) {
            Ok(_) => return Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(&path, error.to_string())),
        }
    }
    Ok(retired_files(file)?.into_iter().next())
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

fn credential() -> String {
    format!("the systemd credential {CREDENTIAL}")
}
