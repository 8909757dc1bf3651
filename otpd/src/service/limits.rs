//! Calls in flight: so many for each user, so many in all; one more is told "busy", not queued.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use otp_ipc::ErrorKind;

use super::error::{Error, Result};

/// Calls in flight that all users but root may have together.
const TOTAL: usize = 64;

/// Counts the calls in flight on the system bus. Root is not counted: its logins have a lane of
/// their own and nobody else can fill it.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<u32, usize>>>);

/// One call; it is over when this is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    calls: InFlight,
    uid: u32,
}

impl InFlight {
    /// Admits a call of `uid` while it has fewer than `limit` in flight.
    pub(super) fn admit(&self, uid: u32, limit: u32) -> Result<Permit> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let others: usize = calls.iter().filter(|(uid, _)| **uid != 0).map(|(_, n)| n).sum();
        let own = calls.entry(uid).or_default();
        if uid != 0 && (*own >= limit as usize || others >= TOTAL) {
            return Err(Error::new(ErrorKind::Busy, "too many calls at once; try again"));
        }
        *own += 1;
        Ok(Permit { calls: self.clone(), uid })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut calls = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = calls.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                calls.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_so_many_and_root_is_not_counted() {
        let calls = InFlight::default();
        let held: Vec<_> = (0..4).map(|_| calls.admit(1000, 4).unwrap()).collect();
        assert!(calls.admit(1000, 4).is_err());
        assert!(calls.admit(1001, 4).is_ok());
        let _root: Vec<_> = (0..200).map(|_| calls.admit(0, 4).unwrap()).collect();
        drop(held);
        assert!(calls.admit(1000, 4).is_ok());
    }

    #[test]
    fn all_users_together_have_so_many() {
        let calls = InFlight::default();
        let uids = 1000..1000 + u32::try_from(TOTAL).unwrap();
        let held: Vec<_> = uids.map(|uid| calls.admit(uid, 4).unwrap()).collect();
        assert!(calls.admit(5000, 4).is_err());
        assert!(calls.admit(0, 4).is_ok());
        drop(held);
        assert!(calls.admit(5000, 4).is_ok());
    }
}
