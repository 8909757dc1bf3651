//! What otpd's own program does with the store beside the daemon, for otpctl: it is told on its
//! standard input what to do ([`otp_ipc::maintenance`]), and root alone may have it done.

mod archive;
mod backup;
mod export;
mod import;
mod restore;
mod rotate;

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use nix::unistd::{User, geteuid};
use otp_ipc::maintenance::{READY, REQUEST, read_frame};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{
    config::{Config, Loaded},
    journal,
    keys::{KeyError, Keyring},
    process,
    store::{
        StoreError,
        sqlite::{Options, bulk::Bulk},
    },
};

/// What a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Take tokens over from other programs.
    Import,
    /// Give tokens to other programs.
    Export,
    /// Write the store to an encrypted file.
    Backup,
    /// Put such a file in the store's place.
    Restore,
    /// Give the store a new key.
    Rotate,
}

/// Why it was not done; the text says what to do.
pub type Failure = Box<dyn std::error::Error>;

/// Where the store and its keys are, and whose they are.
struct Site {
    loaded: Loaded,
    account: User,
    /// Where the service manager put the credentials.
    credentials: Option<PathBuf>,
}

impl Site {
    fn store(&self) -> &Path {
        &self.loaded.config.store.path
    }

    fn key_file(&self) -> &Path {
        &self.loaded.config.key_file
    }

    /// The user id that owns the store.
    fn owner(&self) -> u32 {
        self.account.uid.as_raw()
    }

    /// The keys that the daemon takes; to be read before privileges are dropped.
    fn keyring(&self) -> Result<Keyring, KeyError> {
        Keyring::load(self.credentials.as_deref(), self.key_file(), self.owner())
    }

    /// The store beside the daemon, for many accounts at a time.
    fn bulk(&self, ring: &Keyring) -> Result<Bulk, StoreError> {
        let options =
            Options { owner: self.owner(), audit_rows: self.loaded.config.store.audit_rows };
        Bulk::open(self.store(), ring, options)
    }

    /// Becomes the daemon's own user for good.
    fn drop_privileges(&self) -> Result<(), Failure> {
        Ok(process::drop_privileges(&self.account)?)
    }
}

/// Does `task` as the request on the standard input says.
///
/// # Errors
/// What is wrong and what to do about it.
pub fn run(task: Task, file: &Path, credentials: Option<PathBuf>) -> Result<(), Failure> {
    process::harden()?;
    if !geteuid().is_root() {
        return Err("only root may do this".into());
    }
    journal::init(false, log::LevelFilter::Info)?;
    let loaded = Config::load_beside(file, credentials.as_deref())?;
    let account = process::daemon_account(&loaded.config.user)?;
    let site = Site { loaded, account, credentials };
    match task {
        Task::Import => import::run(&site),
        Task::Export => export::run(&site),
        Task::Backup => backup::run(&site),
        Task::Restore => restore::run(&site),
        Task::Rotate => rotate::run(&site),
    }
}

/// Says that the daemon may end: what its credentials hold has been read.
fn ready() -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(&READY)?;
    out.flush()
}

/// The request, which is the first frame of the standard input.
fn request<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, Failure> {
    let frame = read_frame(from, REQUEST)?;
    let frame = frame.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    // The parser's own words may repeat what it read.
    serde_json::from_slice(&frame).map_err(|_| "this is no request of otpctl's".into())
}

/// The next frame of the standard input, at most `longest` bytes.
fn frame(from: &mut impl Read, longest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    read_frame(from, longest)?.ok_or_else(|| "this is not all of otpctl's request".into())
}
