//! What SQLite's errors mean to the administrator.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let what = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "the disk is full; free space on it",
            Some(ErrorCode::ReadOnly) => {
                "the file or its file system is read-only; mount it writable"
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                "a file of it cannot be opened; check the rights of its directory"
            }
            Some(ErrorCode::SystemIoFailure) => {
                "reading or writing failed; check the disk and the kernel's log"
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                "the file is damaged; restore it from a backup"
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process holds it; end that process"
            }
            Some(ErrorCode::ConstraintViolation) => "the change breaks a rule of the schema",
            _ => "SQLite refuses",
        };
        Self::Unavailable(format!("{what} ({error})"))
    }
}
