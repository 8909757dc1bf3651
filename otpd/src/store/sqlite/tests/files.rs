//! The files: who may have them, what is in them, what `init` makes of them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
};

use otp_core::account::Account;

use super::*;
use crate::keys::rotation::Owner;
use crate::store::{
    Work,
    contract::{contacts, message, token, wait},
    decide,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn init_makes_both_once() {
    let home = Home::new();
    assert_eq!((mode(&home.store()), mode(&home.key())), (0o600, 0o400));
    let bytes = || (fs::read(home.store()).unwrap(), fs::read(home.key()).unwrap());
    let before = bytes();
    assert_eq!(init(&home.store(), &home.key(), None, 2).unwrap(), Initialised::Existing);
    assert!(bytes() == before);
    let store = home.open().unwrap();
    // While the daemon runs as well.
    assert_eq!(init(&home.store(), &home.key(), None, 2).unwrap(), Initialised::Existing);
    for suffix in ["-wal", "-shm"] {
        let beside = home.directory.path().join(format!("otpd.db{suffix}"));
        assert_eq!(mode(&beside), 0o600, "{suffix}");
    }
    drop(store);
    let mut names: Vec<_> =
        fs::read_dir(&home.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["kek", "otpd.db"]);
}

#[test]
fn init_never_makes_one_without_the_other() {
    let again = |home: &Home| match init(&home.store(), &home.key(), None, 2) {
        Ok(done) => panic!("{done:?}"),
        Err(error) => error.to_string(),
    };
    let home = Home::new();
    fs::remove_file(home.store()).unwrap();
    assert!(again(&home).contains("restore the store from a backup"));
    assert!(!home.store().exists());
    let home = Home::new();
    fs::remove_file(home.key()).unwrap();
    assert!(again(&home).contains("restore the key from its backup"));
    assert!(!home.key().exists());
    let (home, other) = (Home::new(), Home::new());
    fs::copy(other.store(), home.store()).unwrap();
    assert!(again(&home).contains("is not the key of this store"));
    // A dangling link is something, not nothing.
    let home = Home::new();
    fs::remove_file(home.store()).unwrap();
    symlink("/nonexistent", home.store()).unwrap();
    assert!(again(&home).contains("symbolic link"));
}

#[test]
fn init_gives_the_files_to_their_owner() {
    if !geteuid().is_root() {
        return; // Only root can give a file away; the build machines run this as root too.
    }
    let directory = tempfile::tempdir().unwrap();
    let (store, key) = (directory.path().join("otpd.db"), directory.path().join("kek"));
    let owner = Some(Owner { uid: 65534, gid: 65533 });
    assert_eq!(init(&store, &key, owner, 1).unwrap(), Initialised::Created);
    assert_eq!(init(&store, &key, owner, 1).unwrap(), Initialised::Existing);
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (65534, 65533), "{entry:?}");
    }
    assert!(init(&store, &key, None, 1).unwrap_err().to_string().contains("user id 65534"));
}

#[test]
fn the_wrong_file_is_refused() {
    let home = Home::new();
    let (path, aside) = (home.store(), home.directory.path().join("aside"));
    fs::rename(&path, &aside).unwrap();
    assert!(home.refusal().contains("missing where one was initialised: restore it"));
    symlink(&aside, &path).unwrap();
    assert!(home.refusal().contains("is a symbolic link"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(home.refusal().contains("not a regular file"));
    fs::remove_dir(&path).unwrap();
    for text in [&b""[..], b"SQLite format 3\0", &[0xff; 8192]] {
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        let refusal = home.refusal();
        assert!(
            refusal.contains("not a store of otpd") || refusal.contains("damaged"),
            "{refusal}"
        );
    }
    fs::rename(&aside, &path).unwrap();
    home.open().unwrap();
    let options = Options { owner: geteuid().as_raw(), audit_rows: 1 };
    let relative = SqliteStore::open(Path::new("otpd.db"), &home.keys(), options);
    assert!(matches!(relative, Err(StoreError::Setup(what)) if what.contains("absolute")));
}

#[test]
fn rights_that_let_others_in_are_refused() {
    let home = Home::new();
    for bits in [0o640, 0o604, 0o620, 0o602, 0o777] {
        set_mode(&home.store(), bits);
        assert!(home.refusal().contains("must have mode 0600"), "{bits:o}");
    }
    set_mode(&home.store(), 0o600);
    for bits in [0o770, 0o707, 0o1777] {
        set_mode(home.directory.path(), bits);
        assert!(home.refusal().contains("lets others replace the store"), "{bits:o}");
    }
    set_mode(home.directory.path(), 0o755);
    home.open().unwrap();
    if geteuid().is_root() {
        chown(home.store(), Some(65534), None).unwrap();
        assert!(home.refusal().contains("belongs to user id 65534"));
        chown(home.store(), Some(0), None).unwrap();
        chown(home.directory.path(), Some(65534), None).unwrap();
        assert!(home.refusal().contains("lets others replace the store"));
    }
}

#[test]
fn a_wrong_key_and_a_newer_schema_are_refused() {
    let (home, other) = (Home::new(), Home::new());
    fs::remove_file(home.key()).unwrap();
    fs::copy(other.key(), home.key()).unwrap();
    assert!(home.refusal().contains("is not the key of this store"));
    other.rows().pragma_update(None, "user_version", 6).unwrap();
    assert!(other.refusal().contains("schema version 6"));
}

#[test]
fn the_meta_row_cannot_be_changed() {
    for change in [
        "UPDATE meta SET accounts = 1",
        "UPDATE meta SET names = randomblob(32)",
        "UPDATE meta SET created_ms = 2",
        "UPDATE meta SET mac = zeroblob(32)",
        "UPDATE meta SET store = zeroblob(16)",
        "UPDATE meta SET key_check = zeroblob(32)",
        "DELETE FROM meta",
    ] {
        let home = Home::new();
        home.rows().execute_batch(change).unwrap();
        assert!(home.refusal().contains("restore"), "{change}");
    }
}

#[test]
fn what_an_edited_schema_says_is_not_run() {
    let home = Home::new();
    home.rows()
        .execute_batch("CREATE TRIGGER t AFTER INSERT ON account BEGIN DELETE FROM audit; END")
        .unwrap();
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| work.audit.push(AuditEvent::default()))).unwrap();
    wait(decide(&store, "alice", |work| work.account = Some(Account::default()))).unwrap();
    let query = AuditQuery { limit: 9, ..AuditQuery::default() };
    assert_eq!(wait(store.audit(query)).unwrap().len(), 1);
}

#[test]
fn no_secret_is_in_the_clear() {
    let home = Home::new();
    let secret = token("secret").secret;
    let message = message("m", "+12025550143", 1);
    assert!(message.payload.ends_with(b"428913"));
    let hidden: [&[u8]; 7] = [
        secret.expose(),
        b"1701234581",
        b"2025550143",
        b"alice.smith",
        b"example.com",
        b"Your code",
        b"428913",
    ];
    let found = |wanted: &[u8]| {
        fs::read_dir(&home.directory).unwrap().any(|entry| {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        })
    };
    let clear = |place: &str| {
        assert!(found(b"the user"), "the search finds what is there");
        for wanted in hidden {
            assert!(!found(wanted), "{place}: {}", String::from_utf8_lossy(wanted));
        }
    };
    let store = home.open().unwrap();
    wait(decide(&store, "the user", |work| {
        work.account = Some(Account {
            tokens: vec![token("secret")],
            contacts: contacts(Some("+491701234581"), Some("alice.smith@example.com")),
            ..Account::default()
        });
        work.outbox.push(message);
    }))
    .unwrap();
    clear("in the log");
    drop(store);
    clear("in the file");
    let store = home.open().unwrap();
    wait(decide(&store, "the user", |work| work.settled.push("m".into()))).unwrap();
    clear("in the log, settled");
}

#[test]
fn what_is_settled_leaves_no_trace() {
    let home = Home::new();
    let store = home.open().unwrap();
    let queue = |work: &mut Work<'_>| work.outbox.push(message("m", "+12025550143", 1));
    wait(decide(&store, "alice", queue)).unwrap();
    let sealed = "SELECT payload FROM message";
    let sealed: Vec<u8> = home.rows().query_row(sealed, [], |row| row.get(0)).unwrap();
    let found = || {
        let bytes = fs::read(home.store()).unwrap();
        bytes.windows(24).any(|window| window == &sealed[..24])
    };
    drop(store);
    assert!(found());
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| work.settled.push("m".into()))).unwrap();
    drop(store);
    assert!(!found());
}
