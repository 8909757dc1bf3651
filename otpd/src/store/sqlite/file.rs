//! Where the store's file may be and whose it must be.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::setup;
use crate::store::StoreError;

/// The file's place with every symbolic link of its directory resolved.
///
/// # Errors
/// [`StoreError::Setup`] when the path has no directory or no file name, or when others than
/// `owner` and root may replace what is in the directory.
pub(super) fn place(path: &Path, owner: u32) -> Result<PathBuf, StoreError> {
    let (Some(directory), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute())
    else {
        return Err(setup(format!("{} is not the absolute path of a file", path.display())));
    };
    let failed = |error| setup(format!("the directory {}: {error}", directory.display()));
    let directory = directory.canonicalize().map_err(failed)?;
    let metadata = fs::metadata(&directory).map_err(failed)?;
    if metadata.mode() & 0o022 != 0 || (metadata.uid() != 0 && metadata.uid() != owner) {
        return Err(setup(format!(
            "the directory {} (mode {:04o}, user id {}) lets others replace the store; it must \
             belong to root or to user id {owner} and be writable by its owner only",
            directory.display(),
            metadata.mode() & 0o7777,
            metadata.uid()
        )));
    }
    Ok(directory.join(name))
}

/// Refuses a file that is missing, a symbolic link, not a regular file, accessible to others or
/// not `owner`'s. The file is not opened: closing it would drop the locks that SQLite holds.
///
/// # Errors
/// [`StoreError::Setup`] with what is wrong and what to do.
pub(super) fn check(path: &Path, owner: u32) -> Result<(), StoreError> {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(setup(format!(
                "the store {shown} is missing where one was initialised: restore it from a \
                 backup; an empty one would make every user unenrolled. On a new machine run \
                 `otpd init`"
            )));
        }
        Err(error) => return Err(setup(format!("the store {shown}: {error}"))),
    };
    if metadata.is_symlink() {
        return Err(setup(format!(
            "the store {shown} is a symbolic link; configure the path of the file itself"
        )));
    }
    if !metadata.is_file() {
        return Err(setup(format!("the store {shown} is not a regular file")));
    }
    if metadata.mode() & 0o077 != 0 || metadata.uid() != owner {
        return Err(setup(format!(
            "the store {shown} has mode {:04o} and belongs to user id {}; it must have mode 0600 \
             and belong to user id {owner}",
            metadata.mode() & 0o7777,
            metadata.uid()
        )));
    }
    Ok(())
}
