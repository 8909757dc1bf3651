//! A text file of root's, one user a line: `name:mobile:mail:groups:state`.

use std::{
    collections::HashMap,
    io::Read,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use otp_core::account::UserName;

use super::{DirectoryError, Record, Source, Standing, record::contacts};
use crate::{config, store::Pending};

/// Largest file in bytes: some 500,000 users.
const LARGEST: u64 = 64 * 1024 * 1024;

/// `type = "file"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// The country of numbers that are written without one.
    pub country: Option<String>,
}

/// What tells that a file is another one than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The users of a file, by name.
type Users = HashMap<String, Record>;

/// The file as it was read last.
struct Contents {
    stamp: Stamp,
    /// Or what is wrong with it.
    users: Result<Arc<Users>, String>,
}

/// A file of users. It is read again when it has changed; a change that cannot be read makes the
/// directory fail until it is mended, because the line that is wrong may be one that locks out.
pub struct File {
    reader: Arc<Reader>,
}

struct Reader {
    directory: String,
    settings: Settings,
    contents: Mutex<Option<Contents>>,
}

impl File {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(directory: &str, settings: Settings) -> Self {
        let directory = directory.to_owned();
        Self { reader: Arc::new(Reader { directory, settings, contents: Mutex::new(None) }) }
    }

    async fn users(&self) -> Result<Arc<Users>, DirectoryError> {
        let reader = Arc::clone(&self.reader);
        let read = tokio::task::spawn_blocking(move || reader.users()).await;
        read.unwrap_or_else(|error| Err(error.to_string())).map_err(DirectoryError)
    }
}

impl Reader {
    /// The users of the file as it is now.
    fn users(&self) -> Result<Arc<Users>, String> {
        let path = &self.settings.path;
        let unreadable =
            |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
        let file = config::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(format!("{}: is not a regular file", path.display()));
        }
        config::vet(path, &metadata).map_err(|error| error.to_string())?;
        let stamp = Stamp {
            inode: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = contents.as_ref().filter(|known| known.stamp == stamp) {
            return known.users.clone();
        }
        let users = read(file).and_then(|text| self.parse(&text)).map(Arc::new);
        let users = users.map_err(|why| format!("{}:{why}", path.display()));
        *contents = Some(Contents { stamp, users: users.clone() });
        users
    }

    /// Reads every line; the first that is wrong is the error, with its number.
    fn parse(&self, text: &str) -> Result<Users, String> {
        let mut users = Users::new();
        for (at, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let parsed = self.user(line).and_then(|(name, record)| {
                let twice = users.insert(name.clone(), record).is_some();
                if twice { Err(format!("{name} is there twice")) } else { Ok(()) }
            });
            parsed.map_err(|why| format!("{}: {why}", at.saturating_add(1)))?;
        }
        Ok(users)
    }

    fn user(&self, line: &str) -> Result<(String, Record), String> {
        let fields: Vec<_> = line.split(':').map(str::trim).collect();
        let [name, mobile, mail, groups, state] = fields.as_slice() else {
            let count = fields.len();
            return Err(format!("{count} fields: allowed are 5, name:mobile:mail:groups:state"));
        };
        let name = UserName::parse(name).map_err(|error| format!("name: {error}"))?;
        let name = name.as_str().to_owned();
        let country = self.settings.country.as_deref();
        let contacts = contacts(&self.directory, &name, Some(*mobile), Some(*mail), country);
        if contacts.mobile.is_none() && !mobile.is_empty() {
            return Err("mobile: no telephone number with its country".to_owned());
        }
        if contacts.mail.is_none() && !mail.is_empty() {
            return Err("mail: no mail address".to_owned());
        }
        let groups = groups.split(',').map(str::trim).filter(|group| !group.is_empty());
        let groups = groups.map(str::to_owned).collect();
        let mut record = Record { contacts, groups, ..Record::default() };
        if !state.is_empty() {
            let allowed = "state: allowed are active, disabled, expired and nothing";
            record.set(Standing::parse(state).ok_or(allowed)?);
        }
        Ok((name, record))
    }
}

fn read(file: std::fs::File) -> Result<String, String> {
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| format!(" cannot be read: {error}"))?;
    if text.len() as u64 > LARGEST {
        return Err(format!(" is larger than the {LARGEST} bytes that are allowed"));
    }
    Ok(text)
}

impl Source for File {
    fn look_up<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<Record>, DirectoryError>> {
        Box::pin(async move { Ok(self.users().await?.get(name).cloned()) })
    }

    fn check<'a>(&'a self) -> Pending<'a, Vec<String>> {
        Box::pin(async { self.users().await.err().map(|error| error.0).into_iter().collect() })
    }
}

#[cfg(test)]
mod tests;
