//! What SQLite's store has to show beyond the contract.

mod bulk;
mod crash;
mod faults;
mod files;
mod image;
mod migration;
mod replace;
mod reseal;
mod schema;
mod tamper;
mod writer;

use std::{path::PathBuf, sync::Arc};

use nix::unistd::geteuid;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::contract::{Backend, Tamper, contract_suite};

/// A directory with a key and a store.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        let made = init(&home.store(), &home.key(), None, 1).unwrap();
        assert_eq!(made, Initialised::Created);
        home
    }

    fn store(&self) -> PathBuf {
        self.directory.path().join("otpd.db")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("kek")
    }

    fn keys(&self) -> Keyring {
        Keyring::load(None, &self.key(), geteuid().as_raw()).unwrap()
    }

    fn open(&self) -> Result<SqliteStore, StoreError> {
        self.open_keeping(1000)
    }

    fn open_keeping(&self, audit_rows: u32) -> Result<SqliteStore, StoreError> {
        let options = Options { owner: geteuid().as_raw(), audit_rows };
        SqliteStore::open(&self.store(), &self.keys(), options)
    }

    /// Why the store does not open.
    fn refusal(&self) -> String {
        match self.open() {
            Ok(_) => panic!("opened"),
            Err(error) => error.to_string(),
        }
    }

    /// The rows, for hands other than otpd's.
    fn rows(&self) -> Connection {
        let connection = Connection::open(self.store()).unwrap();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection
    }
}

impl Backend for Home {
    fn open(&self) -> Result<Arc<dyn TokenStore>, StoreError> {
        Ok(Arc::new(Home::open(self)?))
    }

    fn tamper(&self, change: &Tamper) {
        let rows = self.rows();
        rows.execute_batch(&tamper::sql(change)).unwrap();
        rows.close().unwrap();
    }
}

mod contract {
    use super::*;

    fn new() -> Box<dyn Backend> {
        Box::new(Home::new())
    }

    contract_suite!(new);
}
