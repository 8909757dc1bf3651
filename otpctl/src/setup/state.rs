//! What setup knows of its own doing, in `/var/lib/otpctl`.
//!
//! A setup is a folder with a record and the files before and after. It is `new` while it is being
//! written, `pending` once it is complete and before anything is changed, and `kept/SERVICE` when it
//! was confirmed; it leaves as `old`. Each step is one rename, so that whatever ends the program,
//! `pending` says what may have been changed and holds what is needed to undo it.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::authselect::Switch;
use super::file::{self, Change};
use super::stack::First;
use crate::failure::{Exit, Failure};

/// The folder of the state.
pub(super) const FOLDER: &str = "/var/lib/otpctl";
const RECORD: &str = "record.json";

/// A setup that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Tells this setup from any other.
    pub(super) id: String,
    pub(super) service: String,
    /// What was asked for, for the person: `sshd --first key`.
    pub(super) request: String,
    /// When it began, in Unix milliseconds, and when it is undone unless it is kept.
    pub(super) begun: i64,
    pub(super) undo_at: i64,
    /// What sshd is to ask for before the code, where it is concerned.
    pub(super) sshd: Option<First>,
    /// A program that takes the setup out where its files were changed by others since.
    pub(super) otherwise: Option<Vec<String>>,
    /// What authselect was told to do, after the files.
    pub(super) authselect: Option<Switch>,
    pub(super) files: Vec<Place>,
}

/// A file of a setup; its content is beside the record, as `N.before` and `N.after`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    /// Whether it was there before, and is there after.
    pub(super) before: bool,
    pub(super) after: bool,
}

/// The state, which this process alone may change.
pub(super) struct State {
    folder: PathBuf,
    _lock: File,
}

/// A setup in its folder.
pub(super) struct Setup {
    pub(super) folder: PathBuf,
    pub(super) record: Record,
}

impl State {
    /// Locks the state, and makes it where there is none.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let failed = |error: &io::Error| Failure::write(folder.display(), error);
        DirBuilder::new().mode(0o700).recursive(true).create(folder).map_err(|e| failed(&e))?;
        let lock = File::options().create(true).append(true).open(folder.join("lock"));
        let lock = lock.map_err(|error| failed(&error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = "another otpctl setup is running; wait for it to end";
                return Err(Failure::new(Exit::Failed, "Busy", message));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let state = Self { folder: folder.to_owned(), _lock: lock };
        for left in ["new", "old", "scratch"] {
            state.discard(&state.folder.join(left))?;
        }
        Ok(state)
    }

    /// Where a plan is worked out.
    pub(super) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// The setup that waits to be kept or undone.
    pub(super) fn pending(&self) -> Result<Option<Setup>, Failure> {
        Setup::read(self.folder.join("pending"))
    }

    /// Whether it is this setup that waits.
    pub(super) fn awaits(&self, setup: &Setup) -> Result<bool, Failure> {
        Ok(self.pending()?.is_some_and(|pending| pending.record.id == setup.record.id))
    }

    /// Those that were kept, by service.
    pub(super) fn kept(&self) -> Result<Vec<Setup>, Failure> {
        let folders = match fs::read_dir(self.folder.join("kept")) {
            Ok(folders) => folders,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::write(self.folder.display(), &error)),
        };
        let mut folders: Vec<_> = folders.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        folders.into_iter().filter_map(|folder| Setup::read(folder).transpose()).collect()
    }

    /// Writes down a setup before anything of it is done.
    pub(super) fn begin(&self, record: Record, changes: &[Change]) -> Result<Setup, Failure> {
        let (new, pending) = (self.folder.join("new"), self.folder.join("pending"));
        let failed = |error: io::Error| Failure::write(new.display(), &error);
        DirBuilder::new().mode(0o700).create(&new).map_err(failed)?;
        for (n, change) in changes.iter().enumerate() {
            if let Some(before) = &change.before {
                file::write(&new.join(format!("{n}.before")), before, Some(&change.path))?;
            }
            if let Some(after) = &change.after {
                file::write(&new.join(format!("{n}.after")), after, None)?;
            }
        }
        let text = serde_json::to_vec_pretty(&record).map_err(|e| failed(e.into()))?;
        file::write(&new.join(RECORD), &text, None)?;
        fs::rename(&new, &pending).map_err(failed)?;
        file::sync(&self.folder).map_err(failed)?;
        Ok(Setup { folder: pending, record })
    }

    /// Makes the pending setup one that stays.
    pub(super) fn keep(&self, setup: &Setup) -> Result<(), Failure> {
        let kept = self.folder.join("kept");
        let failed = |error: io::Error| Failure::write(kept.display(), &error);
        DirBuilder::new().mode(0o700).recursive(true).create(&kept).map_err(failed)?;
        fs::rename(&setup.folder, kept.join(&setup.record.service)).map_err(failed)?;
        file::sync(&kept).and_then(|()| file::sync(&self.folder)).map_err(failed)
    }

    /// Forgets a setup of which nothing is left.
    pub(super) fn forget(&self, setup: &Setup) -> Result<(), Failure> {
        let old = self.folder.join("old");
        let failed = |error: io::Error| Failure::write(old.display(), &error);
        fs::rename(&setup.folder, &old).map_err(failed)?;
        file::sync(&self.folder).map_err(failed)?;
        self.discard(&old)
    }

    fn discard(&self, folder: &Path) -> Result<(), Failure> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::write(folder.display(), &error))
            }
            _ => Ok(()),
        }
    }
}

impl Setup {
    fn read(folder: PathBuf) -> Result<Option<Self>, Failure> {
        let path = folder.join(RECORD);
        let Some(text) = file::read(&path)? else { return Ok(None) };
        let record = serde_json::from_slice(&text).map_err(|error| {
            Failure::failed(format!(
                "{}: {error}; the files as they were are beside it, as N.before",
                path.display()
            ))
        })?;
        Ok(Some(Self { folder, record }))
    }

    /// File number `n` as it was.
    pub(super) fn before(&self, n: usize) -> PathBuf {
        self.folder.join(format!("{n}.before"))
    }

    /// What setup made of file number `n`.
    pub(super) fn after(&self, n: usize) -> PathBuf {
        self.folder.join(format!("{n}.after"))
    }

    /// Makes the changes of the files that are meant.
    pub(super) fn apply(&self, meant: impl Fn(&Path) -> bool) -> Result<(), Failure> {
        let files = self.record.files.iter().enumerate();
        for (n, place) in files.filter(|(_, place)| meant(&place.path)) {
            match file::read(&self.after(n))? {
                Some(content) => file::write(&place.path, &content, Some(&place.path))?,
                None => file::remove(&place.path)?,
            }
        }
        Ok(())
    }

    /// Has the programs make theirs.
    pub(super) fn run(&self) -> Result<(), Failure> {
        self.record.authselect.as_ref().map_or(Ok(()), Switch::apply)
    }
}
