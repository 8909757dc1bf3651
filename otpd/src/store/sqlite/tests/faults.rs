//! Disks that fill up and files that rot.

use std::{fs, os::unix::fs::FileExt};

use otp_core::account::Account;

use super::*;
use crate::store::{
    contract::{message, token, wait},
    decide,
};

fn account() -> Account {
    Account { tokens: vec![token("a")], ..Account::default() }
}

#[test]
fn a_full_disk_refuses_and_recovers_without_a_restart() {
    let home = Home::new();
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| work.account = Some(account()))).unwrap();
    let limit = |pages: i64| {
        wait(store.change(Box::new(move |database| {
            Ok(database.connection.pragma_update(None, "max_page_count", pages)?)
        })))
        .unwrap();
    };
    // SQLite takes no limit below the present size: from now on the file cannot grow.
    limit(1);
    let long = || AuditEvent { detail: Some("x".repeat(100_000)), ..AuditEvent::default() };
    let login = || {
        wait(decide(&store, "alice", move |work| {
            work.account.as_mut().unwrap().tokens[0].next += 1;
            work.outbox.push(message("m", "+15550000", 1));
            work.audit.push(long());
        }))
    };
    for _ in 0..3 {
        match login() {
            Err(StoreError::Unavailable(what)) => {
                assert!(what.contains("otpd.db: the disk is full; free space"), "{what}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(wait(store.enrolment("alice")).unwrap().is_some());
    limit(1 << 30);
    assert!(wait(store.queued()).unwrap().is_empty());
    login().unwrap();
    assert_eq!(wait(store.queued()).unwrap().len(), 1);
    wait(decide(&store, "alice", |work| {
        assert_eq!(work.account.as_ref().unwrap().tokens[0].next, 1);
    }))
    .unwrap();
}

#[test]
fn tokens_without_their_account_are_not_nobody() {
    let home = Home::new();
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| work.account = Some(account()))).unwrap();
    home.rows().execute("DELETE FROM account", []).unwrap();
    assert!(matches!(wait(store.enrolment("alice")), Err(StoreError::Integrity(_))));
    assert!(matches!(wait(decide(&store, "alice", |_| ())), Err(StoreError::Integrity(_))));
}

/// All rows are there and intact, but a search does not find them.
#[test]
fn accounts_out_of_order_are_noticed() {
    let home = Home::new();
    let store = home.open().unwrap();
    for user in ["alice", "bob"] {
        wait(decide(&store, user, |work| work.account = Some(Account::default()))).unwrap();
    }
    drop(store);
    let (page, size): (u64, u64) = home
        .rows()
        .query_row(
            "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = 'account'",
            [],
            |row| Ok((row.get::<_, u32>(0)?.into(), row.get::<_, u32>(1)?.into())),
        )
        .unwrap();
    // The pointers to a leaf's cells follow its header of 8 bytes, 2 bytes each.
    let pointers = (page - 1) * size + 8;
    let file = fs::OpenOptions::new().read(true).write(true).open(home.store()).unwrap();
    let mut cells = [0; 4];
    file.read_exact_at(&mut cells, pointers).unwrap();
    cells.rotate_left(2);
    file.write_all_at(&cells, pointers).unwrap();
    let missed = "SELECT count(*) FROM account WHERE user = 'alice'";
    assert_eq!(home.rows().query_row(missed, [], |row| row.get::<_, u32>(0)), Ok(0));
    assert!(home.refusal().contains("changed or damaged"));
}

/// Whatever is damaged: no panic, nobody counts as unenrolled, no secret but the right one.
#[test]
fn a_damaged_file_never_says_less_than_it_did() {
    let home = Home::new();
    let users = ["alice", "bob", "carol", "dave"];
    let store = home.open().unwrap();
    for user in users {
        let tokens = vec![token(user)];
        let put = Account { tokens, ..Account::default() };
        wait(decide(&store, user, |work| {
            work.account = Some(put);
            work.audit.push(AuditEvent::default());
        }))
        .unwrap();
    }
    drop(store);
    let intact = fs::read(home.store()).unwrap();
    let keys = home.keys();
    let options = Options { owner: geteuid().as_raw(), audit_rows: 100 };
    let verify = |what: &str| {
        let (mut right, mut refused) = (0, 0);
        let store = match SqliteStore::open(&home.store(), &keys, options) {
            Ok(store) => store,
            Err(_) => return,
        };
        for user in users {
            match wait(store.enrolment(user)) {
                Ok(found) => {
                    assert!(found.is_some_and(|found| found.enrolled), "{what}: {user}");
                    right += 1;
                }
                Err(_) => refused += 1,
            }
            let read = wait(decide(&store, user, move |work| {
                work.account.as_ref().map(|account| account.tokens == [token(user)])
            }));
            assert!(matches!(read, Ok(Some(true)) | Err(_)), "{what}: {user}: {read:?}");
        }
        assert_eq!(right + refused, users.len());
        drop(store);
    };
    verify("intact");
    let file = fs::OpenOptions::new().write(true).open(home.store()).unwrap();
    let restore = || {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(home.directory.path().join(format!("otpd.db{suffix}")));
        }
        file.set_len(0).unwrap();
        file.write_all_at(&intact, 0).unwrap();
    };
    for at in (0..intact.len()).step_by(61) {
        restore();
        file.write_all_at(&[intact[at] ^ (1 << (at % 8))], at as u64).unwrap();
        verify(&format!("byte {at}"));
    }
    for length in (0..intact.len()).step_by(512) {
        restore();
        file.set_len(length as u64).unwrap();
        verify(&format!("cut to {length}"));
    }
}
