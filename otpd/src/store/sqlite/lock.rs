//! Who uses the store at all: many programs at the same time, or one that replaces it. The lock is
//! one of flock(2) on the store's folder, so that it is gone with whoever held it.

use std::{fs::File, path::Path, time::Duration};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::store::StoreError;

/// How long a program that uses the store waits for one that replaces it: less than the service
/// manager waits for otpd to start.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long one that replaces it waits for those that use it: longer than otpd takes to end.
const NOTICE: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_millis(50);

/// A share of the store, or the whole of it, until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holds the lock")] File);

impl Lock {
    /// For using the store at `store`, which stays what it is for as long as this is held. Blocks
    /// while it is being replaced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when that takes longer than otpd may take to start,
    /// [`StoreError::Setup`] where the folder cannot be opened.
    pub fn shared(store: &Path) -> Result<Self, StoreError> {
        take(store, FlockOperation::NonBlockingLockShared, PATIENCE, || {
            StoreError::Unavailable(
                "it is being restored or given a new key; wait until that has ended".into(),
            )
        })
    }

    /// For replacing the store at `store`: nobody else uses it. Waits a while for those that do.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when otpd or another program goes on using it,
    /// [`StoreError::Setup`] where the folder cannot be opened.
    pub fn exclusive(store: &Path) -> Result<Self, StoreError> {
        take(store, FlockOperation::NonBlockingLockExclusive, NOTICE, || {
            StoreError::Unavailable(
                "otpd or another program is using the store; stop it first: `systemctl stop \
                 otpd.service`"
                    .into(),
            )
        })
    }
}

fn take(
    store: &Path,
    operation: FlockOperation,
    patience: Duration,
    busy: impl FnOnce() -> StoreError,
) -> Result<Lock, StoreError> {
    let folder = store.parent().unwrap_or(Path::new("/"));
    let failed = |error: std::io::Error| {
        StoreError::Setup(format!("the directory {}: {error}", folder.display()))
    };
    let file = File::open(folder).map_err(failed)?;
    let mut waited = Duration::ZERO;
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(Lock(file)),
            Err(Errno::WOULDBLOCK) if waited < patience => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(Errno::WOULDBLOCK) => return Err(busy()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_use_it_or_one_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("otpd.db");
        let try_both = || {
            let one = |operation| {
                take(&store, operation, Duration::ZERO, || StoreError::Setup(String::new()))
            };
            // Each is dropped before the next is tried.
            let shared = one(FlockOperation::NonBlockingLockShared).is_ok();
            (shared, one(FlockOperation::NonBlockingLockExclusive).is_ok())
        };
        assert_eq!(try_both(), (true, true));
        let (first, second) = (Lock::shared(&store).unwrap(), Lock::shared(&store).unwrap());
        assert_eq!(try_both(), (true, false));
        drop(first);
        assert_eq!(try_both(), (true, false));
        drop(second);
        let whole = Lock::exclusive(&store).unwrap();
        assert_eq!(try_both(), (false, false));
        drop(whole);
        assert_eq!(try_both(), (true, true));
    }
}
