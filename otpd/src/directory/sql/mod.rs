//! A database: one query, which is given the name and nothing else, and answers with one row.

mod postgresql;
mod row;
mod sqlite;
#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use otp_delivery::Hidden;

use super::Source;

/// `type = "sql"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub database: Database,
    /// Finds a user: its only parameter is the name.
    pub query: String,
    /// The country of numbers that are written without one.
    pub country: Option<String>,
    /// How long one look-up may take in all.
    pub timeout: Duration,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file, opened for reading.
    Sqlite(PathBuf),
    /// A server.
    Postgresql(Server),
}

/// A PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, or the folder of its socket.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// Who asks.
    pub user: String,
    /// How that one shows who it is.
    pub password: Option<Hidden>,
    /// Whether everything is encrypted; never on a socket.
    pub tls: bool,
    /// Certificates in PEM that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
}

impl Database {
    /// How the query writes its parameter.
    #[must_use]
    pub fn parameter(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "?1",
            Self::Postgresql(_) => "$1",
        }
    }
}

/// The way to a database. Connects to nobody yet.
///
/// # Errors
/// A file of certificates that cannot be used.
pub(super) fn open(name: &str, settings: &Settings) -> Result<Box<dyn Source>, String> {
    Ok(match &settings.database {
        Database::Sqlite(path) => Box::new(sqlite::Sqlite::new(name, path, settings)),
        Database::Postgresql(server) => {
            Box::new(postgresql::Postgresql::new(name, server, settings)?)
        }
    })
}
