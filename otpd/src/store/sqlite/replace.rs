//! Puts a restored store in the place of the present one.
//!
//! Two things must never happen: that the write-ahead log of the old store is replayed into the
//! new one, and that the old store loses its log, and with it the last codes that were used, while
//! it may still be opened. So the log of a store that SQLite can open is first taken into its file.
//! One that it cannot open, which no daemon can, leaves its place before its log does.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{file, lock::Lock, setup};
use crate::store::StoreError;

/// What the names of the files around the store at a path end with.
const INCOMING: &str = ".restoring";
const REPLACED: &str = ".replaced";
/// Where SQLite looks for what is not in the file yet, or to be taken back; it would believe
/// whatever is there of any file.
const LOGS: [&str; 2] = ["-wal", "-journal"];
const SHARED_MEMORY: &str = "-shm";

/// Makes `bytes`, which are a whole SQLite file, the store at `path`. Who is killed before leaves
/// the old store, who is killed after the new one, and nothing between but, where the old one could
/// not be opened anyway, none. What was there is kept; returns where.
///
/// # Errors
/// [`StoreError::Setup`] with what cannot be done; the store is what it was then.
pub fn replace(
    path: &Path,
    bytes: &[u8],
    owner: u32,
    _whole: &Lock,
) -> Result<Option<PathBuf>, StoreError> {
    let path = file::place(path, owner)?;
    tidy(&path);
    let place = Place { path: &path };
    let incoming = place.beside(INCOMING);
    let kept = place.write(&incoming, bytes).and_then(|()| {
        let kept = place.clear()?;
        place.sync()?;
        place.rename(&incoming, &path)?;
        Ok(kept)
    });
    let kept = kept.inspect_err(|_| drop(fs::remove_file(&incoming)))?;
    place.sync()?;
    Ok(kept)
}

/// Removes what a replacement that was killed has left: half a store, and a second name of the
/// present one. Nobody is replacing the store at `path` meanwhile.
pub(super) fn tidy(path: &Path) {
    let place = Place { path };
    // What cannot be removed is in the way of nobody but the next replacement, which says so.
    let _ = fs::remove_file(place.beside(INCOMING));
    let replaced = place.beside(REPLACED);
    let same = |one: &Path| fs::symlink_metadata(one).map(|file| (file.dev(), file.ino())).ok();
    if same(path).is_some_and(|store| Some(store) == same(&replaced)) {
        let _ = fs::remove_file(replaced);
    }
}

struct Place<'a> {
    path: &'a Path,
}

impl Place<'_> {
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(self.path);
        name.push(suffix);
        PathBuf::from(name)
    }

    /// Writes a new file, whole and on the disk.
    fn write(&self, to: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let written = File::options().write(true).create_new(true).mode(0o600).open(to);
        written
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|error| failed(to, &error))
    }

    /// Keeps what is in the store's place under another name, so that it may be replaced.
    fn clear(&self) -> Result<Option<PathBuf>, StoreError> {
        let replaced = self.beside(REPLACED);
        let there = match fs::symlink_metadata(self.path) {
            Ok(found) if found.is_file() => true,
            Ok(_) => {
                let what = "is not a regular file; move it away, then restore again";
                return Err(setup(format!("the store {} {what}", self.path.display())));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed(self.path, &error)),
        };
        if there {
            self.remove(&replaced)?;
            if self.settle()? {
                fs::hard_link(self.path, &replaced).map_err(|error| failed(&replaced, &error))?;
            } else {
                self.rename(self.path, &replaced)?;
                self.sync()?;
            }
        }
        for log in LOGS.map(|log| self.beside(log)) {
            if holds_something(&log) {
                self.rename(&log, &Place { path: &log }.beside(REPLACED))?;
            } else {
                self.remove(&log)?;
            }
        }
        self.remove(&self.beside(SHARED_MEMORY))?;
        Ok(there.then_some(replaced))
    }

    /// Has SQLite take the log of the store into its file; whether all of it is there now. It is
    /// not where SQLite cannot read the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can, and could do it at another time.
    fn settle(&self) -> Result<bool, StoreError> {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly};
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let settled = Connection::open_with_flags(self.path, flags).and_then(|connection| {
            // The log is not looked for before something is read.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = connection.query_row(checkpoint, [], |row| row.get::<_, bool>(0))?;
            connection.close().map_err(|(_, error)| error)?;
            Ok(!busy)
        });
        match settled {
            Ok(true) => Ok(!LOGS.iter().any(|log| holds_something(&self.beside(log)))),
            Ok(false) => Err(StoreError::Unavailable(
                "another process reads the store; end that process, then restore again".into(),
            )),
            Err(error) => match error.sqlite_error_code() {
                Some(DatabaseBusy | DatabaseLocked | DiskFull | OutOfMemory | ReadOnly) => {
                    Err(error.into())
                }
                _ => Ok(false),
            },
        }
    }

    fn remove(&self, path: &Path) -> Result<(), StoreError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        fs::rename(from, to).map_err(|error| failed(to, &error))
    }

    fn sync(&self) -> Result<(), StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| failed(folder, &error))
    }
}

/// Whether it may be more than an empty file; what cannot be told may.
fn holds_something(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(found) => found.len() > 0,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    setup(format!("{}: {error}", path.display()))
}
