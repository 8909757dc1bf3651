//! `otpctl restore`: a store that a backup holds takes the place of the present one.
//!
//! All of it is decrypted, verified and revised in memory. The first thing that is written is the
//! whole new store, under another name; one renaming makes it the store.

use std::io::{self, Read, Write};

use jiff::Timestamp;
use otp_core::{
    account::Account,
    restore::{overtaken, restored},
    token::{Factor, Rejoin},
};
use otp_ipc::maintenance::{
    restore::{LONGEST, Offer, Present, Request, Restored, SECRET},
    write_frame,
};
use serde::Serialize;

use super::{
    Failure, Site,
    archive::{Archive, Header, Opener},
    frame, request,
};
use crate::{
    audit::{Journal, Origin},
    clock::{Clock, SystemClock},
    config::Config,
    keys::{KeyError, Keyring, Keys, Role, rotation::Owner},
    process,
    store::{
        AuditEvent,
        sqlite::{
            self, Resealing,
            image::{self, Census, Image, Unlocked},
            lock::Lock,
            replace::replace,
        },
    },
};

/// How far the machine's clock may be behind the one that a backup was made by, in milliseconds.
const CLOCK_SKEW_MS: i64 = 5 * 60 * 1000;
/// What a key is called that came out of a backup.
const BACKUP_KEY: &str = "the key in the backup";

pub(super) fn run(site: &Site) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let request: Request = request(&mut input)?;
    let opener = frame(&mut input, SECRET)?;
    let file = frame(&mut input, LONGEST)?;
    process::make_folder(site.store(), &site.account)?;
    if request.make_key {
        let owner = Owner { uid: site.owner(), gid: site.account.gid.as_raw() };
        sqlite::make_key(site.store(), site.key_file(), owner)?;
    }
    let own = own_keys(site)?;
    site.drop_privileges()?;
    let opener =
        if request.identity { Opener::identities(&opener) } else { Opener::passphrase(&opener) };
    let archive = Archive::open(&file, &opener?)?;
    drop(file);
    let backup = Backup::read(site, archive, own)?;
    let present = backup.place(site, &request)?;
    answer(&backup.offer(present))?;
    if backup.needs_key {
        return Ok(());
    }
    // Whoever asked may have thought better of it.
    if input.read(&mut [0; 8])? != 8 {
        return Err("nothing was changed".into());
    }
    let whole = Lock::exclusive(site.store())?;
    let present = backup.place(site, &request)?;
    answer(&backup.restore(site, &request, &present, &whole)?)
}

fn answer(document: &impl Serialize) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    write_frame(&mut out, &serde_json::to_vec(document)?)?;
    Ok(out.flush()?)
}

/// The keys of this machine; `None` where it has none.
fn own_keys(site: &Site) -> Result<Option<Keyring>, KeyError> {
    let (file, owner) = (site.key_file(), site.owner());
    match site.keyring() {
        Ok(ring) => ring.with_retired(file, owner).map(Some),
        Err(KeyError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A backup that was opened and verified.
struct Backup {
    header: Header,
    census: Census,
    store: Unlocked,
    ring: Keyring,
    /// The machine has no key, and no store that has lost one.
    needs_key: bool,
}

impl Backup {
    /// Verifies all that the archive holds, by the first key that fits.
    fn read(site: &Site, archive: Archive, own: Option<Keyring>) -> Result<Self, Failure> {
        let given = archive.key.as_ref().map(|key| Keys::given(key, BACKUP_KEY)).transpose()?;
        let needs_key = own.is_none();
        let ring = match (own, given) {
            (Some(own), Some(given)) => own.with(given),
            (Some(own), None) => own,
            (None, Some(given)) => Keyring::of_backup(given),
            (None, None) => return Err(no_key(site)),
        };
        let image = Image::read(&archive.image).map_err(within)?;
        let census = image.census().map_err(within)?;
        let header = archive.header;
        if header.store != census.store {
            return Err("the backup says that it is of another store than it holds".into());
        }
        let store = image.unlock(&ring).map_err(|error| {
            format!(
                "the backup: {error}. A copy of its key goes to {}.1 (owner {}, mode 0400); or \
                 take a backup that was made with --with-key",
                site.key_file().display(),
                site.account.name
            )
        })?;
        let behind = header.made_ms.saturating_sub(SystemClock.now_ms());
        if behind > CLOCK_SKEW_MS {
            return Err(format!(
                "the backup was made at {}, and this machine's clock is {} s behind that: set it \
                 first, because codes that were used are told by the time",
                time(header.made_ms),
                behind / 1000
            )
            .into());
        }
        Ok(Self { header, census, store, ring, needs_key })
    }

    /// What is in the place of the store, which this backup may replace.
    fn place(&self, site: &Site, request: &Request) -> Result<image::Present, Failure> {
        let (store, key) = (site.store().display(), site.key_file().display());
        let present = image::present(site.store(), site.owner())?;
        if self.needs_key && present != image::Present::Missing {
            return Err(format!(
                "the key {key} is missing and the store {store} is there: put the key back from \
                 its copy. If there is none, the store cannot be read any more: move it away, then \
                 restore again"
            )
            .into());
        }
        match &present {
            image::Present::Store(found)
                if found.users > 0 && self.other(found) && !request.replace =>
            {
                Err(format!(
                    "the store {store} has {} users and is another one than the backup is of, or \
                     has lost its key; with --replace the backup takes its place all the same",
                    found.users
                )
                .into())
            }
            _ => Ok(present),
        }
    }

    /// Whether the store that was found is another one: by its identity, which everybody can copy,
    /// or because none of this machine's keys opens the backup.
    fn other(&self, found: &Census) -> bool {
        found.store != self.census.store || self.store.role() == Role::Given
    }

    fn offer(&self, present: image::Present) -> Offer {
        let present = match present {
            image::Present::Missing => Present::Missing,
            image::Present::Unreadable(_) => Present::Unreadable,
            image::Present::Store(found) => {
                Present::Store { users: found.users, other: self.other(&found) }
            }
        };
        Offer {
            made_ms: self.header.made_ms,
            users: self.census.users,
            tokens: self.census.tokens,
            sealed_with: match self.store.role() {
                Role::Present | Role::New => None,
                Role::Retired => Some("a key that was replaced".to_owned()),
                Role::Given => Some(BACKUP_KEY.to_owned()),
            },
            present,
            needs_key: self.needs_key,
        }
    }

    /// Makes it the store. The daemon does not run any more, so that no code is accepted after the
    /// present that is meant here.
    fn restore(
        self,
        site: &Site,
        request: &Request,
        present: &image::Present,
        whole: &Lock,
    ) -> Result<Restored, Failure> {
        let now_ms = SystemClock.now_ms();
        let mut done = Restored {
            made_ms: self.header.made_ms,
            users: self.census.users,
            tokens: self.census.tokens,
            ..Restored::default()
        };
        let config = &site.loaded.config;
        let keep = request.keep_recovery_codes;
        let replaced = self.knows_more(site, present);
        self.store.revise(|user, account| {
            revise(user, account, config, keep, now_ms, &mut done);
            let known = replaced.as_ref().and_then(|store| store.account(user).ok().flatten());
            known.iter().for_each(|known| overtaken(account, known));
        })?;
        done.resealed = self.reseal(present)?;
        let event = event(&done, now_ms);
        self.store.record(&event)?;
        let bytes = self.store.into_bytes()?;
        let replaced = replace(site.store(), &bytes, site.owner(), whole)?;
        Journal::default().write(&event);
        done.replaced = replaced.map(|path| path.display().to_string());
        Ok(done)
    }

    /// The store that is replaced, where it is the same one and intact: it knows which codes were
    /// used since the backup.
    fn knows_more(&self, site: &Site, present: &image::Present) -> Option<Unlocked> {
        let image::Present::Store(found) = present else { return None };
        if self.other(found) {
            return None;
        }
        let copied = image::copy(site.store(), site.owner());
        let opened = copied.and_then(|bytes| Image::read(&bytes)?.unlock(&self.ring));
        opened.inspect_err(|error| log::warn!("restore: the store that is replaced: {error}")).ok()
    }

    /// Seals the store with this machine's key, where it is not; whether it was not.
    fn reseal(&self, present: &image::Present) -> Result<bool, Failure> {
        if matches!(self.store.role(), Role::Present | Role::New) {
            return Ok(false);
        }
        let to = self.ring.get(Role::Present).or_else(|| self.ring.get(Role::New));
        let to = to.ok_or("this machine has no key; run `otpd init`")?;
        // What the key is called in the store that it has been the key of.
        let key_version = match present {
            image::Present::Store(found) if !self.other(found) => Some(found.key_version),
            _ => None,
        };
        self.store.reseal(&Resealing { from: &self.ring, to, key_version, audit: &[] })?;
        Ok(true)
    }
}

/// Makes an account fit for use again, and counts what its user has to know.
fn revise(
    user: &str,
    account: &mut Account,
    config: &Config,
    keep_recovery: bool,
    now_ms: i64,
    done: &mut Restored,
) {
    let had_recovery = !account.recovery.is_empty();
    done.issued += account.issued.len() as u64;
    restored(account, &|method| config.windows(method), keep_recovery, now_ms);
    let counters = account
        .tokens
        .iter()
        .filter(|token| token.factor == Factor::Hotp && token.rejoin != Rejoin::Settled);
    done.counters += counters.count() as u64;
    if had_recovery && account.recovery.is_empty() {
        done.recovery.push(user.to_owned());
    }
}

fn event(done: &Restored, now_ms: i64) -> AuditEvent {
    let mut event = Origin::default().event("restore", "ok", "", now_ms);
    let Restored { made_ms, users, tokens, .. } = done;
    event.detail =
        Some(format!("the backup of {}: {users} users, {tokens} tokens", time(*made_ms)));
    event
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

fn within(error: impl std::fmt::Display) -> Failure {
    format!("the store in the backup: {error}").into()
}

fn no_key(site: &Site) -> Failure {
    format!(
        "this machine has no key, and the backup was made without --with-key: put the copy of the \
         store's key at {} (owner {}, mode 0400), then restore again",
        site.key_file().display(),
        site.account.name
    )
    .into()
}
