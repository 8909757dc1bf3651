//! pam_oath and mod_authn_otp write their file anew at each login, and hold a lock on another one
//! meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

/// How long a login may take to write.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until nobody writes the users file at `path`, and keeps it so until what this returns is
/// dropped. Where the lock's file is missing nobody does: it is there for as long as somebody
/// writes, and a new file comes in the old one's place as a whole.
///
/// # Errors
/// Where somebody goes on writing.
pub(super) fn wait(path: &Path, format: Option<&str>) -> Result<Option<File>, String> {
    if format.is_some_and(|format| format != "oath") {
        return Ok(None);
    }
    let place = lock_of(path);
    let flags = O_NOFOLLOW | O_NONBLOCK;
    let file = match File::options().read(true).write(true).custom_flags(flags).open(&place) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("its lock {}: {error}", place.display())),
    };
    let mut waited = Duration::ZERO;
    loop {
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::AGAIN | Errno::ACCESS) if waited < PATIENCE => {
                sleep(PAUSE);
                waited += PAUSE;
            }
            Err(Errno::AGAIN | Errno::ACCESS) => {
                return Err(format!("somebody holds its lock {}; try again", place.display()));
            }
            Err(Errno::INTR) => {}
            Err(error) => {
                return Err(format!("its lock {}: {}", place.display(), io::Error::from(error)));
            }
        }
    }
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_file_is_read_while_nobody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.oath");
        assert!(wait(&path, None).unwrap().is_none(), "nobody has written");
        assert!(!lock_of(&path).exists(), "and nothing is left behind");
        File::create(lock_of(&path)).unwrap();
        assert!(wait(&path, Some("oath")).unwrap().is_some());
        assert!(wait(&path, Some("pskc")).unwrap().is_none(), "that has no such lock");
        std::fs::remove_file(lock_of(&path)).unwrap();
        std::os::unix::fs::symlink("/dev/null", lock_of(&path)).unwrap();
        assert!(wait(&path, None).is_err());
    }
}
