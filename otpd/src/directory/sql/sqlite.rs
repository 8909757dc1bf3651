//! A SQLite file, opened anew for each look-up, for reading only.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, InterruptHandle, OpenFlags, types::ValueRef};
use tokio::sync::{Semaphore, oneshot};

use super::{
    Settings,
    row::{Row, SEVERAL, check_columns},
};
use crate::{
    directory::{DirectoryError, Record, Source},
    store::Pending,
};

/// Look-ups that are under way at once, each on a thread; the others wait.
const AT_ONCE: usize = 4;

pub(super) struct Sqlite {
    directory: String,
    path: PathBuf,
    query: String,
    country: Option<String>,
    timeout: Duration,
    places: Semaphore,
}

impl Sqlite {
    pub(super) fn new(directory: &str, path: &Path, settings: &Settings) -> Self {
        Self {
            directory: directory.to_owned(),
            path: path.to_owned(),
            query: settings.query.clone(),
            country: settings.country.clone(),
            timeout: settings.timeout,
            places: Semaphore::new(AT_ONCE),
        }
    }

    /// Runs the query on a thread of its own and interrupts it when its time is over.
    async fn ask(&self, name: Option<&str>) -> Result<Option<Row>, String> {
        let late = || format!("no answer within {:?}", self.timeout);
        let _place =
            tokio::time::timeout(self.timeout, self.places.acquire()).await.map_err(|_| late())?;
        let (path, query) = (self.path.clone(), self.query.clone());
        let (name, timeout) = (name.map(str::to_owned), self.timeout);
        let (handle, stop) = oneshot::channel();
        let mut work = tokio::task::spawn_blocking(move || {
            let database = open(&path, timeout)?;
            let _ = handle.send(database.get_interrupt_handle());
            run(&database, &query, name.as_deref())
        });
        if let Ok(done) = tokio::time::timeout(self.timeout, &mut work).await {
            return done.map_err(|error| error.to_string())?;
        }
        let stop: Result<InterruptHandle, _> = stop.await;
        if let Ok(handle) = stop {
            handle.interrupt();
        }
        Err(late())
    }

    fn named(&self, why: &str) -> String {
        format!("{}: {why}", self.path.display())
    }
}

/// Opens the file, which must be nobody's to write but its owner's and its group's.
fn open(path: &Path, timeout: Duration) -> Result<Connection, String> {
    let metadata = path.metadata().map_err(|error| format!("cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if metadata.mode() & 0o002 != 0 {
        return Err("others may write it: chmod o-w".to_owned());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags);
    let database = opened.map_err(|error| format!("cannot be opened: {error}"))?;
    database.busy_timeout(timeout).map_err(|error| error.to_string())?;
    Ok(database)
}

/// The row of that name; of `None`, the query is prepared and not run.
fn run(database: &Connection, query: &str, name: Option<&str>) -> Result<Option<Row>, String> {
    let failed = |error: rusqlite::Error| format!("the query fails: {error}");
    let mut statement = database.prepare(query).map_err(failed)?;
    if !statement.readonly() {
        return Err("the query changes the database".to_owned());
    }
    if statement.parameter_count() != 1 {
        return Err("the query must have exactly one parameter, ?1".to_owned());
    }
    let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
    check_columns(columns.iter().map(String::as_str))?;
    let Some(name) = name else { return Ok(None) };
    let mut rows = statement.query([name]).map_err(failed)?;
    let Some(found) = rows.next().map_err(failed)? else { return Ok(None) };
    let mut row = Row::default();
    for (at, column) in columns.iter().enumerate() {
        match found.get_ref(at).map_err(failed)? {
            ValueRef::Null => {}
            ValueRef::Text(text) => row.set(column, String::from_utf8_lossy(text).into_owned()),
            ValueRef::Integer(number) if column == "mobile" => row.set(column, number.to_string()),
            _ => return Err(format!("the query's column {column} is no text")),
        }
    }
    match rows.next().map_err(failed)? {
        Some(_) => Err(SEVERAL.to_owned()),
        None => Ok(Some(row)),
    }
}

impl Source for Sqlite {
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        Box::pin(async move {
            let failed = |why: String| DirectoryError(self.named(&why));
            let row = self.ask(Some(name)).await.map_err(failed)?;
            let country = self.country.as_deref();
            row.map(|row| row.record(&self.directory, name, country)).transpose().map_err(failed)
        })
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async {
            self.ask(None).await.err().map(|why| self.named(&why)).into_iter().collect()
        })
    }
}
