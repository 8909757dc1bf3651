//! One store takes the place of another: no log is replayed into it, and none is lost.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt, path::Path};

use rusqlite::params;

use super::*;
use crate::store::sqlite::{image, replace::replace};

fn owner() -> u32 {
    geteuid().as_raw()
}

/// A store whose last audit record is of `event`, which is in the log alone; its files are as
/// kill -9 leaves them.
fn killed(home: &Home, event: &str) {
    let rows = home.rows();
    rows.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let insert = "INSERT INTO audit (time_ms, event, result, user) VALUES (1, ?1, 'ok', '')";
    rows.execute(insert, params![event]).unwrap();
    let aside = tempfile::tempdir().unwrap();
    let names = ["otpd.db", "otpd.db-wal", "otpd.db-shm"];
    for name in names {
        fs::copy(home.directory.path().join(name), aside.path().join(name)).unwrap();
    }
    drop(rows);
    for name in names {
        fs::copy(aside.path().join(name), home.directory.path().join(name)).unwrap();
    }
}

/// The bytes of a store with this event.
fn incoming(event: &str) -> (Home, Vec<u8>) {
    let home = Home::new();
    killed(&home, event);
    let bytes = image::copy(&home.store(), owner()).unwrap();
    (home, bytes)
}

fn put(home: &Home, bytes: &[u8]) -> Result<Option<PathBuf>, StoreError> {
    let whole = Lock::exclusive(&home.store()).unwrap();
    replace(&home.store(), bytes, owner(), &whole)
}

fn events(store: &Path) -> Vec<String> {
    let rows = Connection::open(store).unwrap();
    let mut statement = rows.prepare("SELECT event FROM audit ORDER BY id").unwrap();
    let events = statement.query_map([], |row| row.get(0)).unwrap();
    events.collect::<rusqlite::Result<_>>().unwrap()
}

fn names(home: &Home) -> BTreeSet<String> {
    let entries = fs::read_dir(home.directory.path()).unwrap().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn beside(home: &Home, end: &str) -> PathBuf {
    home.directory.path().join(format!("otpd.db{end}"))
}

#[test]
fn the_old_store_is_kept_with_what_was_in_its_log() {
    let home = Home::new();
    killed(&home, "old");
    let (_other, bytes) = incoming("new");
    let replaced = put(&home, &bytes).unwrap();
    assert_eq!(replaced, Some(beside(&home, ".replaced").canonicalize().unwrap()));
    assert_eq!(names(&home), named(&["kek", "otpd.db", "otpd.db.replaced"]));
    assert_eq!(events(&home.store()), ["new"]);
    assert_eq!(events(&beside(&home, ".replaced")), ["old"]);
    let found = fs::metadata(home.store()).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid(), found.nlink()), (0o600, owner(), 1));
    killed(&home, "newer");
    put(&home, &bytes).unwrap();
    assert_eq!(events(&beside(&home, ".replaced")), ["new", "newer"]);
}

/// The log of one store beside another one: SQLite would believe it.
#[test]
fn a_log_of_another_store_is_never_replayed() {
    let other = Home::new();
    killed(&other, "other");
    let (_new, bytes) = incoming("new");
    let log = fs::read(beside(&other, "-wal")).unwrap();
    for garbage in [Some(&[0xa5; 9000][..]), Some(b""), None] {
        for end in ["-wal", "-journal"] {
            let home = Home::new();
            match garbage {
                Some(garbage) => fs::write(home.store(), garbage).unwrap(),
                None => fs::remove_file(home.store()).unwrap(),
            }
            fs::write(beside(&home, end), &log).unwrap();
            fs::write(beside(&home, "-shm"), [1; 100]).unwrap();
            put(&home, &bytes).unwrap();
            assert_eq!(events(&home.store()), ["new"], "{garbage:?} {end}");
            assert!(!beside(&home, "-shm").exists());
            assert!(!beside(&home, end).exists());
            assert_eq!(beside(&home, ".replaced").exists(), garbage.is_some());
        }
    }
}

/// SQLite throws a log without a valid frame away itself; one that it cannot even open stays.
#[test]
fn what_cannot_be_opened_is_kept_with_its_log() {
    let home = Home::new();
    fs::write(home.store(), [0xa5; 9000]).unwrap();
    fs::create_dir(beside(&home, "-wal")).unwrap();
    fs::write(beside(&home, "-wal").join("frame"), "a frame").unwrap();
    let (_new, bytes) = incoming("new");
    put(&home, &bytes).unwrap();
    assert_eq!(fs::read(beside(&home, ".replaced")).unwrap(), [0xa5; 9000]);
    assert!(beside(&home, "-wal.replaced").join("frame").exists());
    assert_eq!(events(&home.store()), ["new"]);
}

/// Where it cannot be done, the store is what it was.
#[test]
fn a_replacement_that_fails_changes_nothing() {
    let (_new, bytes) = incoming("new");
    let home = Home::new();
    killed(&home, "old");
    let reader = home.rows();
    reader.execute_batch("BEGIN; SELECT * FROM audit").unwrap();
    let writer = home.rows();
    let insert = "INSERT INTO audit (time_ms, event, result, user) VALUES (1, 'last', 'ok', '')";
    writer.execute(insert, []).unwrap();
    let refused = put(&home, &bytes).unwrap_err().to_string();
    assert!(refused.contains("another process"), "{refused}");
    drop((reader, writer));
    assert_eq!(events(&home.store()), ["old", "last"]);
    assert!(!names(&home).iter().any(|name| name.contains("rest")), "{:?}", names(&home));

    fs::remove_file(home.store()).unwrap();
    fs::create_dir(home.store()).unwrap();
    let refused = put(&home, &bytes).unwrap_err().to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
    fs::remove_dir(home.store()).unwrap();
    std::os::unix::fs::symlink("/dev/null", home.store()).unwrap();
    let refused = put(&home, &bytes).unwrap_err().to_string();
    assert!(refused.contains("not a regular file"), "{refused}");
}

/// What a replacement that was killed has left goes at the next start.
#[test]
fn the_daemon_tidies_up() {
    let home = Home::new();
    fs::write(beside(&home, ".restoring"), "half").unwrap();
    fs::hard_link(home.store(), beside(&home, ".replaced")).unwrap();
    drop(home.open().unwrap());
    assert_eq!(names(&home), named(&["kek", "otpd.db"]));
    fs::write(beside(&home, ".replaced"), "what was there before").unwrap();
    drop(home.open().unwrap());
    assert_eq!(names(&home), named(&["kek", "otpd.db", "otpd.db.replaced"]));
}
