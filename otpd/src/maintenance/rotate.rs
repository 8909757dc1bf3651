//! `otpctl key rotate`: another key takes the place of the one that the store is sealed with.
//!
//! The new key is on the disk before the store has it, and the store is changed in one transaction.
//! At every moment one of the two keys opens it, and the daemon takes whichever does. What was done
//! is passed over, so that a rotation that was killed is finished by the next one.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use otp_ipc::maintenance::{
    read_frame,
    rotation::{KEY, Request, Rotated, Source, Step},
};
use zeroize::Zeroizing;

use super::{Failure, Site, ready, request};
use crate::{
    audit::{Journal, Origin},
    clock::{Clock, SystemClock},
    keys::{
        KeyError, Keyring, Keys, Role,
        rotation::{Owner, introduce, promote, retire, withdraw},
    },
    process,
    store::{
        StoreError,
        sqlite::{Resealing, Sealed, lock::Lock, reseal, sealed, sweep},
    },
};

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let asked: Request = request(&mut input)?;
    let credential = match asked.source {
        Source::File => None,
        Source::Credential => read_frame(&mut input, KEY)?,
    };
    ready()?;
    let _alone = Lock::exclusive(site.store())?;
    let rotation = Rotation { site, source: asked.source, credential };
    match asked.step {
        Step::Replace => {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, &rotation.replace()?)?;
            Ok(out.flush()?)
        }
        Step::Withdraw => rotation.withdraw(),
    }
}

struct Rotation<'a> {
    site: &'a Site,
    source: Source,
    /// The text of the present key, where it is a credential.
    credential: Option<Zeroizing<Vec<u8>>>,
}

impl Rotation<'_> {
    /// The keys as they are on the disk at this moment.
    fn ring(&self) -> Result<Keyring, KeyError> {
        let (file, owner) = (self.site.key_file(), self.site.owner());
        match &self.credential {
            Some(text) => Keyring::of_credential(text, file, owner),
            None => Keyring::load(None, file, owner),
        }
    }

    /// Does with the store what must not be done as root.
    fn with_store<R>(&self, work: impl FnOnce() -> Result<R, StoreError>) -> Result<R, Failure> {
        Ok(process::as_user(&self.site.account, work)??)
    }

    fn sealed(&self, ring: &Keyring) -> Result<Sealed, Failure> {
        self.with_store(|| sealed(self.site.store(), self.site.owner(), ring))
    }

    /// Gives the store the new key, and the file of the key as well where that is the source.
    fn replace(&self) -> Result<Rotated, Failure> {
        let ring = self.ring()?;
        let was = self.sealed(&ring)?;
        if let Some(error) = ring.unusable().first() {
            return Err(format!(
                "{error}. The store does not have this key: remove it, and run `otpctl key \
                 rotate` again"
            )
            .into());
        }
        let resumed = ring.get(Role::New).is_some();
        let (users, key_version) = if was.role == Role::New || introduced(&ring) {
            self.with_store(|| sweep(self.site.store(), self.site.owner(), &ring))
                .map_err(unfinished)?;
            (None, was.key_version)
        } else {
            self.reseal(&ring, resumed, was)?
        };
        let before = key_version.saturating_sub(1).max(1);
        let (key, kept) = self.rename(&ring, before).map_err(unfinished)?;
        Ok(Rotated {
            resumed,
            users,
            key_version,
            key: key.display().to_string(),
            kept: kept.map(|path| path.display().to_string()),
        })
    }

    fn reseal(
        &self,
        ring: &Keyring,
        resumed: bool,
        was: Sealed,
    ) -> Result<(Option<u64>, u32), Failure> {
        let key_version = was.key_version.saturating_add(1);
        let new = self.introduce()?;
        let mut event = Origin::default().event("rotate", "ok", "", SystemClock.now_ms());
        event.detail = Some(format!("the store has key version {key_version}"));
        let resealing = Resealing {
            from: ring,
            to: &new,
            key_version: Some(key_version),
            audit: std::slice::from_ref(&event),
        };
        let (store, owner) = (self.site.store(), self.site.owner());
        match self.with_store(|| reseal(store, owner, &resealing, |_, _| ())) {
            Ok(done) => {
                Journal::default().write(&event);
                Ok((Some(done.accounts), done.key_version))
            }
            Err(failure) => Err(self.failed(failure, resumed)),
        }
    }

    fn introduce(&self) -> Result<Keys, KeyError> {
        let account = &self.site.account;
        let owner = Owner { uid: account.uid.as_raw(), gid: account.gid.as_raw() };
        introduce(self.site.key_file(), owner)
    }

    /// What is to be said of a store that was not sealed anew, or not swept after that. A new key
    /// that nothing is sealed with goes.
    fn failed(&self, failure: Failure, resumed: bool) -> Failure {
        let now = self.ring().map_err(Failure::from).and_then(|ring| self.sealed(&ring));
        match now {
            Ok(Sealed { role: Role::Present, .. }) => {
                let left = if resumed { Ok(()) } else { withdraw(self.site.key_file()) };
                let left = left.err().map(|error| format!("; {error}")).unwrap_or_default();
                format!("{failure}; nothing was changed, the key is the one from before{left}")
                    .into()
            }
            _ => unfinished(failure),
        }
    }

    /// The last step where the key is a file; where it is a credential that is otpctl's.
    fn rename(&self, ring: &Keyring, before: u32) -> Result<(PathBuf, Option<PathBuf>), KeyError> {
        let file = self.site.key_file();
        if self.source == Source::Credential {
            return Ok((crate::keys::new_file(file), None));
        }
        let keep = ring.get(Role::Present).is_some() && !introduced(ring);
        let kept = if keep { Some(retire(file, before)?) } else { None };
        promote(file)?;
        Ok((file.to_owned(), kept))
    }

    /// Removes the file of the new key, where the credential is that key.
    fn withdraw(&self) -> Result<(), Failure> {
        let ring = self.ring()?;
        let other = ring.get(Role::New).is_some() && !introduced(&ring);
        if self.source == Source::File || other || self.sealed(&ring)?.role != Role::Present {
            return Err("the credential is not the key of the store; nothing was removed".into());
        }
        Ok(withdraw(self.site.key_file())?)
    }
}

/// Whether the new key is the present one already.
fn introduced(ring: &Keyring) -> bool {
    let both = ring.get(Role::Present).zip(ring.get(Role::New));
    both.is_some_and(|(present, new)| present.same(new))
}

fn unfinished(failure: impl Into<Failure>) -> Failure {
    let failure = failure.into();
    format!(
        "{failure}; the store has the new key and logins work, but not all is done: run `otpctl key \
         rotate` again when that is mended"
    )
    .into()
}
