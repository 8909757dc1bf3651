//! Stores of older versions.

use otp_core::{
    account::Account,
    code::Reply,
    consume::{Rules, Scope, consume},
    contact::{Channel, Contacts},
    hotp,
    issued::Terms,
    recovery::Digest,
    share::Share,
    throttle::{Lockout, Pace},
    token::{Factor, Rejoin, State, Token},
    window::Windows,
};

use super::*;
use crate::store::{
    contract::{client, contacts, issued, message, token, wait},
    decide,
};

/// Tokens of all kinds and states of version 1.
fn accounts() -> [(&'static str, Account); 3] {
    let disabled = State::Disabled { until_ms: Some(7), reason: "lost".into() };
    let alice = Account {
        uid: Some(1000),
        tokens: vec![
            Token { factor: Factor::Hotp, next: 5, ..token("a1") },
            Token { state: State::Pending { until_ms: 9 }, expires_ms: Some(8), ..token("a2") },
        ],
        recovery: vec![Digest([1; 32]), Digest([2; 32])],
        last_success_ms: Some(3),
        ..Account::default()
    };
    let bob = Account {
        tokens: vec![Token { state: disabled, last_used_ms: Some(4), ..token("b1") }],
        ..Account::default()
    };
    [("alice", alice), ("bob", bob), ("carol", Account::default())]
}

/// The tables of each version.
const VERSIONS: [(&str, &[&str]); 4] = [
    (include_str!("../../schema/0001.sql"), &["meta", "account", "token", "recovery", "audit"]),
    (
        include_str!("../../schema/0002.sql"),
        &["meta", "account", "token", "recovery", "audit", "challenge", "message"],
    ),
    (
        include_str!("../../schema/0003.sql"),
        &["meta", "account", "token", "recovery", "audit", "challenge", "message"],
    ),
    (
        include_str!("../../schema/0004.sql"),
        &[
            "meta",
            "account",
            "token",
            "recovery",
            "audit",
            "challenge",
            "message",
            "issued",
            "client",
        ],
    ),
];

/// Takes the store back to `version`: its schema, and the rows that it has columns for. Without
/// what is newer these are what that version wrote, byte for byte.
fn make_old(home: &Home, version: usize) {
    let old = home.directory.path().join("old.db");
    let rows = Connection::open(&old).unwrap();
    for (schema, _) in &VERSIONS[..version] {
        rows.execute_batch(schema).unwrap();
    }
    rows.pragma_update(None, "application_id", 0x6f74_7064).unwrap();
    rows.pragma_update(None, "user_version", version as u32).unwrap();
    rows.execute("ATTACH ?1 AS new", [home.store().to_str()]).unwrap();
    for table in VERSIONS[version - 1].1 {
        let columns = "SELECT group_concat(name) FROM pragma_table_info(?1, 'main')";
        let columns: String = rows.query_row(columns, [table], |row| row.get(0)).unwrap();
        let copy =
            format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}");
        rows.execute_batch(&copy).unwrap();
    }
    rows.close().unwrap();
    // The file that is there keeps its rights.
    std::fs::write(home.store(), std::fs::read(&old).unwrap()).unwrap();
    std::fs::remove_file(&old).unwrap();
}

fn user_version(home: &Home) -> u32 {
    home.rows().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

fn old_home() -> Home {
    let home = Home::new();
    let store = home.open().unwrap();
    for (user, account) in accounts() {
        wait(decide(&store, user, move |work| {
            work.account = Some(account);
            work.audit.push(AuditEvent { user: user.into(), ..AuditEvent::default() });
        }))
        .unwrap();
    }
    drop(store);
    make_old(&home, 1);
    assert_eq!(user_version(&home), 1);
    home
}

#[test]
fn a_store_of_version_1_opens_and_its_users_log_in() {
    let home = old_home();
    let store = home.open().unwrap();
    assert_eq!(wait(store.status(0)).unwrap().schema, 5);
    let audit = wait(store.audit(AuditQuery { limit: 9, ..AuditQuery::default() })).unwrap();
    assert_eq!(audit.len(), 3);
    for (user, account) in accounts() {
        assert_eq!(wait(store.contacts(user)).unwrap(), Contacts::default());
        wait(decide(&store, user, move |work| assert_eq!(work.account, Some(account)))).unwrap();
    }
    let login = || {
        let code = hotp::value(&token("a1").secret, token("a1").algorithm, 5, 6);
        let decided = decide(&store, "alice", move |work| {
            let rules = Rules {
                lockout: &Lockout { after: 5, first_ms: 1, longest_ms: 1, disable_after: 9 },
                windows: &|_| Some(Windows::default()),
                recovery_key: &[0; 32],
                recovery: false,
                service: "sshd",
                issued: Terms::default(),
            };
            let reply = Reply::parse(code.expose());
            consume(work.account.as_mut(), &reply, Scope::Login, &rules, 1_000)
        });
        wait(decided).unwrap()
    };
    assert!(login().is_ok());
    assert!(login().is_err());
    // What only version 2 has.
    wait(decide(&store, "bob", |work| {
        let factor = Factor::OutOfBand(Channel::Email);
        work.account.as_mut().unwrap().tokens.push(Token { factor, ..token("b2") });
        work.outbox.push(message("m", "+15550000", 1));
    }))
    .unwrap();
    drop(store);
    assert_eq!(user_version(&home), 5);
    let store = home.open().unwrap();
    assert_eq!(wait(store.queued()).unwrap().len(), 1);
    let bob = wait(store.enrolment("bob")).unwrap().unwrap();
    assert_eq!(bob.tokens[1].factor, Factor::OutOfBand(Channel::Email));
}

#[test]
fn a_store_of_version_2_opens_with_what_was_told_at_enrolment() {
    let home = Home::new();
    let factor = Factor::OutOfBand(Channel::Sms);
    let account = move || Account {
        tokens: vec![token("a1"), Token { factor, next: 4, ..token("a2") }],
        contacts: contacts(Some("+15550000"), None),
        ..Account::default()
    };
    let store = home.open().unwrap();
    wait(decide(&store, "alice", move |work| {
        work.account = Some(account());
        work.outbox.push(message("m", "+15550000", 1));
    }))
    .unwrap();
    drop(store);
    make_old(&home, 2);
    assert_eq!(user_version(&home), 2);
    let store = home.open().unwrap();
    assert_eq!(wait(store.queued()).unwrap().len(), 1);
    wait(decide(&store, "alice", move |work| {
        assert_eq!(work.account, Some(account()));
        let token = &mut work.account.as_mut().unwrap().tokens[0];
        assert_eq!((&token.share, token.accepted), (&Share::Released, 0));
        token.share = Share::Shared;
    }))
    .unwrap();
    drop(store);
    assert_eq!(user_version(&home), 5);
    wait(decide(&home.open().unwrap(), "alice", |work| {
        assert_eq!(work.account.as_ref().unwrap().tokens[0].share, Share::Shared);
    }))
    .unwrap();
}

#[test]
fn an_upgrade_mends_nothing_that_was_changed() {
    let home = old_home();
    home.rows().execute("UPDATE token SET next = 0 WHERE id = 'a1'", []).unwrap();
    let store = home.open().unwrap();
    assert!(matches!(wait(store.enrolment("alice")), Err(StoreError::Integrity(_))));
    assert!(wait(store.enrolment("bob")).unwrap().is_some());
}

#[test]
fn a_store_of_version_3_opens_and_codes_are_issued() {
    let home = Home::new();
    let account = || Account {
        tokens: vec![Token { share: Share::Shared, accepted: 7, ..token("a1") }],
        contacts: contacts(Some("+15550000"), Some("alice@example.com")),
        ..Account::default()
    };
    let store = home.open().unwrap();
    wait(decide(&store, "alice", move |work| work.account = Some(account()))).unwrap();
    wait(decide(&store, "bob", |work| work.account = Some(Account::default()))).unwrap();
    drop(store);
    make_old(&home, 3);
    assert_eq!(user_version(&home), 3);
    let store = home.open().unwrap();
    assert_eq!(wait(store.status(0)).unwrap().schema, 5);
    wait(decide(&store, "alice", move |work| {
        assert_eq!(work.account, Some(account()));
        let account = work.account.as_mut().unwrap();
        account.issued.push(issued("i"));
        account.clients.push(client("c"));
        account.administrator = true;
    }))
    .unwrap();
    drop(store);
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| {
        let account = work.account.as_ref().unwrap();
        assert_eq!((&account.issued, &account.clients), (&vec![issued("i")], &vec![client("c")]));
        assert!(account.administrator);
    }))
    .unwrap();
    assert_eq!(wait(store.enrolment("bob")).unwrap().unwrap().clients, []);
}

#[test]
fn a_store_of_version_4_opens_and_counters_prove_where_they_are() {
    let home = Home::new();
    let account = || Account {
        tokens: vec![
            Token { factor: Factor::Hotp, next: 5, accepted: 5, ..token("a1") },
            Token { share: Share::Shared, ..token("a2") },
        ],
        contacts: contacts(Some("+15550000"), None),
        issued: vec![issued("i")],
        clients: vec![client("c")],
        administrator: true,
        recovery: vec![Digest([1; 32])],
        ..Account::default()
    };
    let store = home.open().unwrap();
    wait(decide(&store, "alice", move |work| work.account = Some(account()))).unwrap();
    drop(store);
    make_old(&home, 4);
    assert_eq!(user_version(&home), 4);
    let store = home.open().unwrap();
    assert_eq!(wait(store.status(0)).unwrap().schema, 5);
    wait(decide(&store, "alice", move |work| {
        assert_eq!(work.account, Some(account()));
        let account = work.account.as_mut().unwrap();
        account.tokens[0].rejoin = Rejoin::Due;
        account.pace = Some(Pace::new(3, 30_000));
    }))
    .unwrap();
    drop(store);
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| {
        let account = work.account.as_ref().unwrap();
        assert_eq!(account.tokens[0].rejoin, Rejoin::Due);
        assert_eq!(account.pace, Some(Pace::new(3, 30_000)));
    }))
    .unwrap();
}
