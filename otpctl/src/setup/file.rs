//! The files that a setup changes: read, and replaced as a whole.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Mode of a file that was not there before.
const MODE: u32 = 0o644;
/// Extended attributes that a file keeps, by how their names begin.
const KEPT: [&str; 4] = ["security.selinux", "security.SMACK64", "system.posix_acl_", "user."];
/// In front of the name of a file that is not finished. No program reads such names.
const UNFINISHED: &str = ".otpctl-";

/// A file before and after; `None` where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) before: Option<Vec<u8>>,
    pub(super) after: Option<Vec<u8>>,
}

/// The content of a file, `None` where there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::write(path.display(), &error)),
    }
}

/// The same as text.
pub(super) fn read_text(path: &Path) -> Result<Option<String>, Failure> {
    let Some(content) = read(path)? else { return Ok(None) };
    String::from_utf8(content)
        .map(Some)
        .map_err(|_| Failure::failed(format!("{}: is no text in UTF-8", path.display())))
}

/// Puts a file into place as a whole or not at all, on the disk. Owner, mode and extended
/// attributes (labels, access lists) are those of `like`, where there is such a file; a new one is
/// root's. A symbolic link stays, and the file it leads to is replaced.
pub(super) fn write(path: &Path, content: &[u8], like: Option<&Path>) -> Result<(), Failure> {
    let path = target(path)?;
    replace(&path, content, like).map_err(|error| Failure::write(path.display(), &error))
}

/// Where a file is while it is being written.
fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{UNFINISHED}{name}"))
}

/// Takes away what a program that was killed has left beside a file. Where there is nothing, a folder
/// that cannot be written is no fault.
pub(super) fn clear(path: &Path) -> Result<(), Failure> {
    let left = unfinished(&target(path)?);
    if left.symlink_metadata().is_ok() { remove(&left) } else { Ok(()) }
}

/// Where the file really is.
fn target(path: &Path) -> Result<PathBuf, Failure> {
    match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(Failure::write(path.display(), &error)),
    }
}

fn replace(path: &Path, content: &[u8], like: Option<&Path>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let unfinished = unfinished(path);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = fill(file, content, like).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written.and_then(|()| sync(folder))
}

fn fill(mut file: File, content: &[u8], like: Option<&Path>) -> io::Result<()> {
    file.write_all(content)?;
    match like.map(File::open).transpose() {
        Ok(Some(like)) => take_after(&file, &like)?,
        Ok(None) => file.set_permissions(Permissions::from_mode(MODE))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            file.set_permissions(Permissions::from_mode(MODE))?;
        }
        Err(error) => return Err(error),
    }
    file.sync_all()
}

/// Gives `file` the owner, the attributes and the mode of another.
fn take_after(file: &File, like: &File) -> io::Result<()> {
    let (ours, theirs): (Metadata, Metadata) = (file.metadata()?, like.metadata()?);
    if (ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid()) {
        fchown(file, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    for name in attributes(like) {
        let mut value = vec![0; 64 * 1024];
        let length = rustix::fs::fgetxattr(like, &name, &mut value)?;
        value.truncate(length);
        match rustix::fs::fsetxattr(file, &name, &value, rustix::fs::XattrFlags::empty()) {
            // Between two file systems: an attribute that the other one does not know.
            Err(rustix::io::Errno::NOTSUP) => {}
            set => set?,
        }
    }
    file.set_permissions(Permissions::from_mode(theirs.mode() & 0o7777))
}

/// The names of the extended attributes that say who may use a file; none where the file system has
/// no such thing. Those that vouch for a content (IMA, EVM) are not for another one.
fn attributes(file: &File) -> Vec<String> {
    let mut names = vec![0; 64 * 1024];
    let length = rustix::fs::flistxattr(file, &mut names).unwrap_or(0);
    names.truncate(length);
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.filter_map(|name| String::from_utf8(name.to_vec()).ok());
    names.filter(|name| KEPT.iter().any(|kept| name.starts_with(kept))).collect()
}

/// Takes a file away, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::write(path.display(), &error)),
        Ok(()) => sync(path.parent().unwrap_or(Path::new("/")))
            .map_err(|error| Failure::write(path.display(), &error)),
    }
}

/// Brings the names in a folder to the disk.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_what_it_is_like_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "old").unwrap();
        fs::set_permissions(at("file"), Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        let labelled = rustix::fs::setxattr(at("file"), "user.label", b"x", flags).is_ok();
        write(&at("link"), b"new", Some(&at("link"))).unwrap();
        assert!(at("link").is_symlink());
        assert_eq!(fs::read(at("file")).unwrap(), b"new");
        assert_eq!(at("file").metadata().unwrap().mode() & 0o7777, 0o640);
        let mut label = [0; 8];
        let kept = rustix::fs::getxattr(at("file"), "user.label", &mut label);
        assert!(!labelled || kept == Ok(1), "{kept:?}");
        write(&at("fresh"), b"x", None).unwrap();
        assert_eq!(at("fresh").metadata().unwrap().mode() & 0o7777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_was_left_unfinished_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sshd");
        fs::write(folder.path().join(".otpctl-sshd"), "half").unwrap();
        write(&path, b"whole", None).unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"whole");
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        assert!(write(&folder.path().join("missing/file"), b"x", None).is_err());
    }
}
