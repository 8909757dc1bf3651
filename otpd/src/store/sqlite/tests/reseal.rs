//! Another key: everything is as it was, under another seal, and of the old one nothing is left.

use std::{collections::HashSet, fs};

use otp_core::{account::Account, contact::Channel, share::Share};

use super::*;
use crate::{
    keys::{
        Keys, Role,
        rotation::{Owner, introduce},
    },
    store::{
        Asked, Work,
        contract::{full, message, token, wait},
        decide,
    },
};

const NUMBER: &str = "+491701234581";

fn put(store: &SqliteStore, user: &str, account: Account) {
    wait(decide(store, user, |work| work.account = Some(account))).unwrap();
}

fn asked(store: &SqliteStore) -> u32 {
    let count =
        |work: &mut Work<'_>| work.ledger.count(Asked::For(Channel::Sms, NUMBER), 0).unwrap();
    wait(decide(store, "anybody", count)).unwrap()
}

/// Users of all kinds, a message that waits and one that is over.
fn home() -> Home {
    let home = Home::new();
    let store = home.open().unwrap();
    put(&store, "alice", full());
    put(&store, "bob", Account { tokens: vec![token("b")], ..Account::default() });
    put(&store, "nobody yet", Account::default());
    wait(decide(&store, "alice", |work| {
        work.outbox.extend([message("waits", NUMBER, 1), message("over", NUMBER, 2)]);
        work.settled.push("over".into());
        work.audit.push(AuditEvent { event: "first".into(), ..AuditEvent::default() });
    }))
    .unwrap();
    home
}

fn owner() -> Owner {
    Owner { uid: geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
}

fn reseal_to(home: &Home, to: &Keys, audit: &[AuditEvent]) -> Result<Resealed, StoreError> {
    let (from, key_version) = (&home.keys(), None);
    let resealing = Resealing { from, to, key_version, audit };
    reseal(&home.store(), geteuid().as_raw(), &resealing, |_, _| ())
}

/// All that is sealed, and what tells the key.
fn sealed_bytes(home: &Home) -> Vec<Vec<u8>> {
    let sealed = "SELECT secret FROM token UNION ALL SELECT contacts FROM account UNION ALL \
        SELECT code FROM issued UNION ALL SELECT payload FROM message UNION ALL \
        SELECT digest_keys FROM meta UNION ALL SELECT key_check FROM meta UNION ALL \
        SELECT mac FROM account";
    let rows = home.rows();
    let mut statement = rows.prepare(sealed).unwrap();
    let all = statement.query_map([], |row| row.get::<_, Option<Vec<u8>>>(0)).unwrap();
    all.filter_map(Result::unwrap).collect()
}

/// How many of them are found in the files, whole or in part.
fn found(home: &Home, sealed: &[Vec<u8>]) -> usize {
    let files = fs::read_dir(&home.directory).unwrap().map(|entry| entry.unwrap().path());
    let bytes: Vec<_> = files.map(|file| fs::read(file).unwrap()).collect();
    let parts: HashSet<_> = bytes.iter().flat_map(|bytes| bytes.windows(16)).collect();
    let found = |sealed: &&Vec<u8>| {
        parts.contains(&sealed[..16]) || parts.contains(&sealed[sealed.len() - 16..])
    };
    sealed.iter().filter(found).count()
}

fn expect_all(store: &SqliteStore) {
    wait(decide(store, "alice", |work| assert_eq!(work.account, Some(full())))).unwrap();
    wait(decide(store, "bob", |work| {
        assert_eq!(work.account.as_ref().unwrap().tokens, [token("b")]);
    }))
    .unwrap();
    let waiting = [("alice".to_owned(), message("waits", NUMBER, 1))];
    assert_eq!(wait(store.queued()).unwrap(), waiting);
    assert_eq!(wait(store.status(1)).unwrap().users, 3);
    assert_eq!(asked(store), 2, "messages to a number that are over still count");
}

#[test]
fn all_is_as_it_was_under_every_further_key() {
    let home = home();
    let recovery = home.open().unwrap().recovery_key();
    let mut before = home.keys();
    for version in 2..5 {
        let old = sealed_bytes(&home);
        assert!(old.len() > 9 && found(&home, &old) == old.len(), "the search finds what is there");
        let new = introduce(&home.key(), owner()).unwrap();
        let event = AuditEvent { event: "rotate".into(), ..AuditEvent::default() };
        let done = reseal_to(&home, &new, &[event]).unwrap();
        assert_eq!(done, Resealed { accounts: 3, key_version: version });
        assert_eq!(found(&home, &old), 0, "what the old key opens is left");
        // Both names: the daemon takes the one that fits.
        let role = |ring: &Keyring| sealed(&home.store(), geteuid().as_raw(), ring);
        let now = Sealed { role: Role::New, key_version: version };
        assert_eq!(role(&home.keys()).unwrap(), now);
        fs::rename(home.directory.path().join("kek.new"), home.key()).unwrap();
        let refusal = role(&before).unwrap_err().to_string();
        assert!(refusal.contains("is not the key of this store"), "{refusal}");
        before = home.keys();
        let store = home.open().unwrap();
        expect_all(&store);
        assert_eq!(store.recovery_key(), recovery, "recovery codes have the digests that they had");
        let audit = wait(store.audit(AuditQuery { limit: 99, ..AuditQuery::default() })).unwrap();
        assert_eq!(audit.len(), version as usize);
    }
}

/// What is asked for with the same transaction: it is all there, or nothing is.
#[test]
fn accounts_may_change_on_the_way() {
    let home = home();
    let new = introduce(&home.key(), owner()).unwrap();
    let resealing = Resealing { from: &home.keys(), to: &new, key_version: Some(9), audit: &[] };
    let mut seen = Vec::new();
    let done = reseal(&home.store(), geteuid().as_raw(), &resealing, |user, account| {
        seen.push(user.to_owned());
        account.tokens.iter_mut().for_each(|token| token.share = Share::Created);
    });
    assert_eq!(done.unwrap().key_version, 9);
    assert_eq!(seen, ["alice", "bob", "nobody yet"]);
    let created = |work: &mut Work<'_>| {
        work.account.as_ref().unwrap().tokens.iter().all(|token| token.share == Share::Created)
    };
    let store = home.open().unwrap();
    assert!(wait(decide(&store, "alice", created)).unwrap());
}

#[test]
fn what_was_changed_by_other_hands_stops_it_and_nothing_is_changed() {
    for (change, named) in [
        ("UPDATE token SET next = next + 1 WHERE user = 'bob'", "bob"),
        ("UPDATE account SET failures = 0 WHERE user = 'alice'", "alice"),
        ("DELETE FROM recovery WHERE user = 'alice' AND position = 1", "alice"),
        ("UPDATE issued SET uses_left = 9 WHERE user = 'alice'", "alice"),
        ("UPDATE account SET contacts = NULL WHERE user = 'alice'", "alice"),
        ("UPDATE token SET user = 'mallory' WHERE user = 'bob'", "mallory"),
        ("UPDATE token SET user = 'bob' WHERE user = 'alice' AND position = 0", "alice"),
    ] {
        let home = home();
        home.rows().execute_batch(change).unwrap();
        let before = sealed_bytes(&home);
        let new = introduce(&home.key(), owner()).unwrap();
        match reseal_to(&home, &new, &[]) {
            Err(StoreError::Integrity(user)) => assert_eq!(user, named, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
        assert!(sealed_bytes(&home) == before, "{change}");
        let opened = sealed(&home.store(), geteuid().as_raw(), &home.keys()).unwrap();
        assert_eq!(opened, Sealed { role: Role::Present, key_version: 1 }, "{change}");
    }
}

#[test]
fn the_keys_of_digests_cannot_be_changed() {
    for change in [
        "UPDATE meta SET key_version = 3",
        "UPDATE meta SET key_version = 1, digest_keys = NULL",
        "UPDATE meta SET digest_keys = NULL",
        "UPDATE meta SET digest_keys = zeroblob(104)",
    ] {
        let home = home();
        reseal_to(&home, &introduce(&home.key(), owner()).unwrap(), &[]).unwrap();
        home.open().unwrap();
        home.rows().execute_batch(change).unwrap();
        assert!(home.refusal().contains("meta row was changed"), "{change}");
    }
}

/// A message that does not open is not sent by the daemon either.
#[test]
fn a_damaged_message_is_settled() {
    let home = home();
    home.rows().execute_batch("UPDATE message SET until_ms = 7").unwrap();
    let new = introduce(&home.key(), owner()).unwrap();
    reseal_to(&home, &new, &[]).unwrap();
    let store = home.open().unwrap();
    assert!(wait(store.queued()).unwrap().is_empty());
    assert_eq!(asked(&store), 2);
}

#[test]
fn no_key_that_fits_is_said_with_all_that_were_tried() {
    let (home, other) = (home(), Home::new());
    let new = home.directory.path().join("kek.new");
    fs::copy(other.key(), &new).unwrap();
    home.open().expect("the present key fits, whatever else is there");
    fs::write(&new, "short").unwrap();
    home.open().expect("nor does a key that cannot be used keep it from opening");
    fs::remove_file(&new).unwrap();
    fs::rename(home.key(), &new).unwrap();
    home.open().expect("the new key alone");
    fs::copy(other.key(), home.key()).unwrap();
    home.open().expect("the new key, where the present one is another store's");
    fs::copy(other.key(), &new).unwrap();
    let (key, directory) = (home.key(), home.directory.path().display());
    assert_eq!(
        home.refusal(),
        format!(
            "{directory}/otpd.db: none of these is the key of this store: the key file {}, the key \
             file {}; restore the key and the store that belong together, a new key does not help",
            key.display(),
            new.display()
        )
    );
}

/// Pages that were split and joined keep copies of rows in the gaps between those that count.
#[test]
fn nothing_is_left_in_the_gaps_of_a_store_that_grew_and_shrank() {
    let home = home();
    let store = home.open().unwrap();
    let user = |n: u32| format!("user{:03}", n * 7919 % 600);
    for n in 0..600 {
        let tokens = vec![token(&user(n))];
        put(&store, &user(n), Account { tokens, ..Account::default() });
    }
    let mut old = sealed_bytes(&home);
    for n in (0..600).filter(|n| n % 3 != 0) {
        wait(decide(&store, &user(n), |work| work.account = None)).unwrap();
    }
    for n in (0..600).filter(|n| n % 3 == 1) {
        let tokens = vec![token(&user(n)), token(&format!("{n} more"))];
        put(&store, &user(n), Account { tokens, ..Account::default() });
    }
    drop(store);
    old.extend(sealed_bytes(&home));
    reseal_to(&home, &introduce(&home.key(), owner()).unwrap(), &[]).unwrap();
    assert_eq!(found(&home, &old), 0);
}
