//! A store in memory: the same store, and no other one.

use otp_core::account::Account;

use super::*;
use crate::store::{
    Asked, Work,
    contract::{full, message, token, wait},
    decide,
    sqlite::image::{self, Image},
};

const NUMBER: &str = "+491701234581";

fn owner() -> u32 {
    geteuid().as_raw()
}

fn home() -> Home {
    let home = Home::new();
    let store = home.open().unwrap();
    for (user, account) in
        [("alice", full()), ("bob", Account { tokens: vec![token("b")], ..Account::default() })]
    {
        wait(decide(&store, user, move |work| work.account = Some(account))).unwrap();
    }
    wait(decide(&store, "alice", |work| work.outbox.push(message("waits", NUMBER, 1)))).unwrap();
    home
}

fn bytes(home: &Home) -> Vec<u8> {
    image::copy(&home.store(), owner()).unwrap()
}

fn refusal(home: &Home, bytes: &[u8]) -> String {
    let opened = Image::read(bytes).and_then(|image| image.unlock(&home.keys()));
    opened.map(|_| ()).expect_err("refused").to_string()
}

#[test]
fn a_copy_has_what_was_committed_a_moment_ago() {
    let home = home();
    let store = home.open().unwrap();
    let other = |id| Account { tokens: vec![token(id)], ..Account::default() };
    wait(decide(&store, "carol", move |work| work.account = Some(other("c")))).unwrap();
    assert!(home.directory.path().join("otpd.db-wal").metadata().unwrap().len() > 0);
    let image = Image::read(&bytes(&home)).unwrap();
    let census = image.census().unwrap();
    assert_eq!((census.users, census.schema, census.key_version), (3, 5, 1));
    image.unlock(&home.keys()).unwrap();
    wait(decide(&store, "dave", move |work| work.account = Some(other("d")))).unwrap();
}

#[test]
fn revised_it_is_a_store_again() {
    let home = home();
    let image = Image::read(&bytes(&home)).unwrap().unlock(&home.keys()).unwrap();
    image.revise(|_, account| account.recovery.clear()).unwrap();
    image.record(&AuditEvent { event: "restore".into(), ..AuditEvent::default() }).unwrap();
    std::fs::write(home.store(), image.into_bytes().unwrap()).unwrap();
    let store = home.open().unwrap();
    let account = |work: &mut Work<'_>| work.account.take().unwrap();
    let expected = Account { recovery: Vec::new(), ..full() };
    let found = wait(decide(&store, "alice", account));
    assert_eq!(format!("{:?}", found.unwrap()), format!("{expected:?}"));
    assert!(wait(store.queued()).unwrap().is_empty(), "what waited is settled");
    let asked = |work: &mut Work<'_>| work.ledger.count(Asked::By("alice"), 0).unwrap();
    assert_eq!(wait(decide(&store, "alice", asked)).unwrap(), 1, "and was asked for");
    let events = wait(store.audit(AuditQuery { limit: 10, ..AuditQuery::default() })).unwrap();
    assert_eq!(events.last().unwrap().1.event, "restore");
}

#[test]
fn what_is_not_as_it_was_left_is_refused() {
    for (sql, why) in [
        ("UPDATE token SET next = next + 1 WHERE user = 'bob'", "the record of user bob"),
        ("UPDATE account SET administrator = 1 WHERE user = 'bob'", "the record of user bob"),
        (
            "DELETE FROM token WHERE user = 'bob'; DELETE FROM account WHERE user = 'bob'",
            "1 accounts",
        ),
        ("DELETE FROM meta", "no meta row"),
        ("UPDATE meta SET accounts = 3", "the store's meta row"),
        ("UPDATE meta SET store = zeroblob(16)", "is not the key of this store"),
        ("PRAGMA user_version = 6", "schema version 6"),
        ("PRAGMA application_id = 7", "not a store of otpd"),
        ("DROP TABLE token", "the store's table token was changed"),
    ] {
        let home = home();
        home.rows().execute_batch(sql).unwrap();
        let refused = refusal(&home, &bytes(&home));
        assert!(refused.contains(why), "{sql}: {refused}");
    }
    let (home, other) = (home(), Home::new());
    assert!(refusal(&other, &bytes(&home)).contains("is not the key of this store"));
}

/// Cut off or with any byte changed it is refused, or it is the same store all the same.
#[test]
fn damage_is_found_or_does_no_harm() {
    let home = home();
    let bytes = bytes(&home);
    for length in (0..bytes.len()).step_by(512) {
        assert!(!refusal(&home, &bytes[..length]).is_empty(), "{length}");
    }
    for at in (0..bytes.len()).step_by(61) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let Ok(image) = Image::read(&changed) else { continue };
        let Ok(image) = image.unlock(&home.keys()) else { continue };
        let mut users = Vec::new();
        image.revise(|user, account| users.push((user.to_owned(), account.tokens.len()))).unwrap();
        assert_eq!(users, [("alice".to_owned(), full().tokens.len()), ("bob".to_owned(), 1)]);
    }
}

#[test]
fn what_is_in_the_place_of_a_store_is_told() {
    let home = home();
    let look = || image::present(&home.store(), owner()).unwrap();
    assert!(matches!(look(), image::Present::Store(census) if census.users == 2));
    assert!(!home.directory.path().join("otpd.db-wal").exists(), "and nothing is left");
    std::fs::write(home.store(), [0xa5; 5000]).unwrap();
    assert!(matches!(look(), image::Present::Unreadable(_)));
    std::fs::write(home.store(), "").unwrap();
    assert!(matches!(look(), image::Present::Unreadable(_)));
    std::fs::remove_file(home.store()).unwrap();
    assert_eq!(look(), image::Present::Missing);
    std::fs::create_dir(home.store()).unwrap();
    assert!(matches!(look(), image::Present::Unreadable(_)));
}
