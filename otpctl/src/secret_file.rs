//! Files that receive a secret: new, for whom it is meant only, and gone again if nothing came of
//! it.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use otp_ipc::names;

use crate::failure::Failure;

/// A file that was made for a secret which is not there yet. It is made before the daemon is
/// asked, because a secret is told once: no full disk or wrong name may lose it afterwards.
pub(crate) struct SecretFile {
    file: File,
    path: PathBuf,
    written: bool,
}

impl SecretFile {
    /// Makes the file with mode 0600; never takes one that exists, nor follows a link.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::failed(format!(
                "{}: the file exists and is never overwritten; name another",
                path.display()
            )),
            _ => Failure::write(path.display(), &error),
        })?;
        Ok(Self { file, path: path.to_owned(), written: false })
    }

    /// The same with mode 0640 and the daemon's group, where there is that group and the caller may
    /// give files to it; else only its owner can read it.
    pub(crate) fn create_for_daemon(path: &Path) -> Result<Self, Failure> {
        let made = Self::create(path)?;
        let group = Group::from_name(names::DAEMON_USER).ok().flatten();
        let given = group.is_some_and(|group| {
            std::os::unix::fs::fchown(&made.file, None, Some(group.gid.as_raw())).is_ok()
        });
        if given {
            let readable = made.file.set_permissions(Permissions::from_mode(0o640));
            readable.map_err(|error| Failure::write(path.display(), &error))?;
        }
        Ok(made)
    }

    /// Writes all of it to the disk.
    pub(crate) fn write(mut self, content: &[u8]) -> Result<PathBuf, Failure> {
        self.file
            .write_all(content)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Failure::write(self.path.display(), &error))?;
        self.written = true;
        Ok(self.path.clone())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_new_and_private_and_stays_only_when_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        drop(SecretFile::create(&path).unwrap());
        assert!(!path.exists());
        SecretFile::create(&path).unwrap().write(b"x").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SecretFile::create(&path).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(SecretFile::create(&link).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"x");
    }
}
