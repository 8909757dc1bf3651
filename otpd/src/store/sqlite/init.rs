//! `otpd init`: the key and the store of a new machine, together or not at all.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{PermissionsExt, fchown},
    path::Path,
};

use tempfile::NamedTempFile;

use super::{database::Database, file, locate, setup};
use crate::{
    keys::{self, Keyring, Keys, rotation::Owner},
    store::StoreError,
};

/// What [`init`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initialised {
    /// Both were made.
    Created,
    /// Both were there and belong together.
    Existing,
}

/// Makes the key at `key_file` and a store at `store`, both `owner`'s (where absent: this
/// process's user's), each complete and on the disk before it has its name, the key first. Both
/// directories must exist. A key of a rotation that was not finished is as good as the present one,
/// and so is one that was replaced as a sign that there was a store.
///
/// # Errors
/// [`StoreError::Setup`], with what to do: when only one of the two exists, when both exist and do
/// not belong together, when something cannot be written.
pub fn init(
    store: &Path,
    key_file: &Path,
    owner: Option<Owner>,
    now_ms: i64,
) -> Result<Initialised, StoreError> {
    let uid = owner.map_or(nix::unistd::geteuid().as_raw(), |owner| owner.uid);
    let store = file::place(store, uid)?;
    if exists(&store)? {
        let ring = Keyring::load(None, key_file, uid).map_err(|error| setup(error.to_string()))?;
        file::check(&store, uid)?;
        Database::probe(&store, &ring).map_err(|error| locate(&store, error))?;
        return Ok(Initialised::Existing);
    }
    match keys::found(key_file).map_err(|error| setup(error.to_string()))? {
        None => create(&store, key_file, owner, now_ms),
        Some(key) => Err(setup(format!(
            "the key {} exists and the store {} is missing: restore the store from a backup; it is \
             never recreated, because an empty one would make every user unenrolled. Where no \
             store was ever in use with this key, remove the key and run `otpd init` again",
            key.display(),
            store.display()
        ))),
    }
}

fn create(
    store: &Path,
    key_file: &Path,
    owner: Option<Owner>,
    now_ms: i64,
) -> Result<Initialised, StoreError> {
    let (key, keys) = Keys::create(key_file).map_err(|error| setup(error.to_string()))?;
    let failed = |error: io::Error| setup(format!("{}: {error}", store.display()));
    let directory = store.parent().unwrap_or(Path::new("/"));
    let database = NamedTempFile::new_in(directory).map_err(failed)?;
    Database::create(database.path(), &keys, now_ms).map_err(|error| locate(store, error))?;
    database.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    publish(key, key_file, owner)?;
    publish(database, store, owner).inspect_err(|_| {
        // Nothing was ever sealed with this key: without it `init` can be run again.
        let _ = fs::remove_file(key_file);
    })?;
    Ok(Initialised::Created)
}

/// Makes the key of a machine that has neither a key nor a store, to restore one.
///
/// # Errors
/// [`StoreError::Setup`] when there is either, or when it cannot be written.
pub fn make_key(store: &Path, key_file: &Path, owner: Owner) -> Result<(), StoreError> {
    let found = keys::found(key_file).map_err(|error| setup(error.to_string()))?;
    let there = if exists(store)? { Some(store.to_owned()) } else { found };
    if let Some(there) = there {
        return Err(setup(format!("{} exists; no key is made beside it", there.display())));
    }
    let (key, _) = Keys::create(key_file).map_err(|error| setup(error.to_string()))?;
    publish(key, key_file, Some(owner))
}

/// Gives a complete file its owner and its name, which nothing may have yet, durably.
fn publish(file: NamedTempFile, path: &Path, owner: Option<Owner>) -> Result<(), StoreError> {
    let failed = |error: io::Error| setup(format!("{}: {error}", path.display()));
    if let Some(owner) = owner {
        fchown(file.as_file(), Some(owner.uid), Some(owner.gid)).map_err(failed)?;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
}

fn exists(path: &Path) -> Result<bool, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(setup(format!("{}: {error}", path.display()))),
    }
}
