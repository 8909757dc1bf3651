//! Files that receive a secret: new, for whom it is meant only, and gone again if nothing came of
//! it.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Group;
use otp_ipc::names;
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::failure::Failure;

/// A file that was made for a secret which is not there yet. It is made before the daemon is
/// asked, because a secret is told once: no full disk or wrong name may lose it afterwards.
pub(crate) struct SecretFile {
    file: File,
    path: PathBuf,
    /// It has its name only when all of it is written.
    unnamed: bool,
    written: bool,
}

impl SecretFile {
    /// Makes the file with mode 0600; never takes one that exists, nor follows a link.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| refused(path, &error))?;
        Ok(Self { file, path: path.to_owned(), unnamed: false, written: false })
    }

    /// The same for what can be written again: it has its name only when all of it is on the disk,
    /// so that nobody ever takes a half for the whole. Where the file system has no files without
    /// a name, it has it at once.
    pub(crate) fn create_whole(path: &Path) -> Result<Self, Failure> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = match path.symlink_metadata() {
            Ok(_) => None,
            Err(_) => {
                rustix::fs::open(folder.unwrap_or(Path::new(".")), flags, Mode::RUSR | Mode::WUSR)
                    .ok()
            }
        };
        match file {
            Some(file) => {
                Ok(Self { file: file.into(), path: path.to_owned(), unnamed: true, written: false })
            }
            // Which says what is wrong, if anything is.
            None => Self::create(path),
        }
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
            .and_then(|()| self.name())
            .map_err(|error| refused(&self.path, &error))?;
        self.written = true;
        Ok(self.path.clone())
    }
}

impl SecretFile {
    /// Gives it its name where it has none yet, which nothing else may have.
    fn name(&self) -> std::io::Result<()> {
        if !self.unnamed {
            return Ok(());
        }
        let open = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::linkat(CWD, open, CWD, &self.path, AtFlags::SYMLINK_FOLLOW)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        if !self.written && !self.unnamed {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::failed(format!(
            "{}: the file exists and is never overwritten; name another",
            path.display()
        )),
        _ => Failure::write(path.display(), error),
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
