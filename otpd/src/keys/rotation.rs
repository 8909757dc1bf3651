//! How one key takes the place of another: the files, each step complete and on the disk before
//! the next. A step that was done is passed over, so that a rotation that was killed goes on.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};

use super::{
    KeyError, Keys, folder,
    ring::{in_place, new_file, retired_file},
    unusable,
};

/// Whose a file is to be.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The user id that the daemon runs as.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// The key that is to take the place of the one in `file`: the one that is there, where a rotation
/// was begun, else one that is made now.
///
/// # Errors
/// [`KeyError::Unusable`] when it cannot be made, or when what is there is no key of `owner`'s.
pub fn introduce(file: &Path, owner: Owner) -> Result<Keys, KeyError> {
    let new = new_file(file);
    if let Some(keys) = in_place(&new, owner.uid)? {
        return Ok(keys);
    }
    let failed = |error: io::Error| unusable(&new, format!("it cannot be made: {error}"));
    // Always under the same name, so that a rotation that is killed leaves at most one.
    let temporary = ".tmp-kek.new";
    remove(&folder(file).join(temporary)).map_err(failed)?;
    let written =
        tempfile::Builder::new().prefix(temporary).rand_bytes(0).tempfile_in(folder(file));
    let (written, keys) = Keys::create_in(written.map_err(failed)?, &new)?;
    fchown(written.as_file(), Some(owner.uid), Some(owner.gid)).map_err(failed)?;
    written.as_file().sync_all().map_err(failed)?;
    written.persist_noclobber(&new).map_err(|error| failed(error.error))?;
    sync(file).map_err(failed)?;
    Ok(keys)
}

/// Keeps the key in `file`, of `version`, under a name of its own, for backups from before; where
/// that name is another key's, under the next one that is free. Returns where it is.
///
/// # Errors
/// [`KeyError::Unusable`] when it cannot be done.
pub fn retire(file: &Path, version: u32) -> Result<PathBuf, KeyError> {
    let failed = |error: io::Error| unusable(file, format!("it cannot be kept: {error}"));
    let present = fs::symlink_metadata(file).map_err(failed)?.ino();
    let mut version = version;
    loop {
        let kept = retired_file(file, version);
        match fs::hard_link(file, &kept) {
            Ok(()) => {}
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            Err(_) if fs::symlink_metadata(&kept).map_err(failed)?.ino() == present => {}
            Err(_) => {
                version = version.saturating_add(1);
                continue;
            }
        }
        sync(file).map_err(failed)?;
        return Ok(kept);
    }
}

/// Puts the new key in the place of the one in `file`.
///
/// # Errors
/// [`KeyError::Unusable`] when it cannot be done.
pub fn promote(file: &Path) -> Result<(), KeyError> {
    let failed = |error: io::Error| unusable(file, format!("it cannot be replaced: {error}"));
    fs::rename(new_file(file), file).and_then(|()| sync(file)).map_err(failed)
}

/// Removes the new key, which is elsewhere by now.
///
/// # Errors
/// [`KeyError::Unusable`] when it cannot be done.
pub fn withdraw(file: &Path) -> Result<(), KeyError> {
    let new = new_file(file);
    let failed = |error: io::Error| unusable(&new, format!("it cannot be removed: {error}"));
    remove(&new).and_then(|()| sync(file)).map_err(failed)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Has the names in the folder of `file` on the disk.
fn sync(file: &Path) -> io::Result<()> {
    File::open(folder(file))?.sync_all()
}
