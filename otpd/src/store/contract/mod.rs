//! The suite that every store passes: `contract_suite!` makes one test of each case.

mod fixture;
mod lists;
mod messages;
mod model;
mod register;
mod tampering;

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use otp_core::{
    account::Account,
    client::{Client, Enabling, Remembered},
    contact::{Channel, Contacts},
    issued::{IssuedCode, Reach},
    recovery::Digest,
    share::Share,
    throttle::{Pace, Throttle},
    token::{Algorithm, Factor, Rejoin, Standing, State, Token},
};

use self::fixture::{challenge, digits, event, secret};
use super::{
    Asked, AuditEvent, AuditQuery, ClientQuery, CodeQuery, Enrolment, LEDGER_MS, LONGEST_PAYLOAD,
    Outgoing, Outline, StoreError, TokenQuery, TokenStore, UserQuery, Work, decide,
};

/// A store that can be closed, changed behind its back and opened again.
pub(crate) trait Backend {
    /// Opens the store. Whatever was opened before has been dropped.
    fn open(&self) -> Result<Arc<dyn TokenStore>, StoreError>;
    /// Changes the closed store as someone with write access to its rows, but without its key.
    fn tamper(&self, change: &Tamper);
}

/// Makes an empty store.
pub(crate) type New<'a> = &'a dyn Fn() -> Box<dyn Backend>;

/// One test for each case, on backends that the function `$new` makes.
macro_rules! contract_suite {
    ($new:expr) => {
        contract_suite!($new; round_trip, none_creates_and_removes, audit_with_the_change,
            a_panic_leaves_nothing, state_survives, one_user_is_serialised, many_users_at_once,
            reads_see_whole_changes,
            token_lists, user_lists, usable_is_active, audit_lists, owners, enrolments,
            tampering_is_refused, accounts_that_come_or_go_are_noticed, equals_a_model,
            contacts_of_users, messages_wait_until_settled, a_reset_settles_and_still_counts,
            messages_are_counted, the_ledger_forgets, messages_with_the_change,
            tampered_messages_are_not_sent, code_lists, client_lists, clients_are_counted,
            administrators_are_listed);
    };
    ($new:expr; $($case:ident),+) => {
        $(#[test]
        fn $case() {
            crate::store::contract::$case(&$new);
        })+
    };
}
pub(crate) use self::{
    fixture::{client, contacts, full, issued, message, token},
    lists::{audit_lists, enrolments, owners, token_lists, usable_is_active, user_lists},
    messages::{
        a_reset_settles_and_still_counts, contacts_of_users, messages_are_counted,
        messages_wait_until_settled, messages_with_the_change, the_ledger_forgets,
    },
    model::equals_a_model,
    register::{administrators_are_listed, client_lists, clients_are_counted, code_lists},
    tampering::{
        Tamper, accounts_that_come_or_go_are_noticed, tampered_messages_are_not_sent,
        tampering_is_refused,
    },
};
pub(crate) use contract_suite;

/// Runs a future to its end.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn put(store: &dyn TokenStore, user: &str, account: Account) {
    wait(decide(store, user, move |work| work.account = Some(account))).unwrap();
}

/// Asserts that the store has exactly this account.
fn expect(store: &dyn TokenStore, user: &str, account: Option<Account>) {
    let name = user.to_owned();
    wait(decide(store, user, move |work| assert_eq!(work.account, account, "{name}"))).unwrap();
}

fn remembered(service: &str, address: &str, until_ms: i64) -> Remembered {
    Remembered { service: service.into(), address: address.into(), until_ms }
}

fn change(store: &dyn TokenStore, user: &str, f: impl FnOnce(&mut Account) + Send + 'static) {
    wait(decide(store, user, |work| f(work.account.as_mut().unwrap()))).unwrap();
}

fn queue(store: &dyn TokenStore, user: &str, message: Outgoing) {
    wait(decide(store, user, |work| work.outbox.push(message))).unwrap();
}

fn settle(store: &dyn TokenStore, user: &str, id: &str) {
    let id = id.to_owned();
    wait(decide(store, user, |work| work.settled.push(id))).unwrap();
}

fn queued(store: &dyn TokenStore) -> Vec<(String, Outgoing)> {
    wait(store.queued()).unwrap()
}

fn details(store: &dyn TokenStore, query: AuditQuery) -> Vec<String> {
    let records = wait(store.audit(query)).unwrap();
    assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0));
    records.into_iter().map(|(_, event)| event.detail.unwrap()).collect()
}

pub(crate) fn round_trip(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    expect(&*store, "alice", Some(full()));
    // Each change of one field alone is written: update, not only insert.
    let changes: &[fn(&mut Account)] = &[
        |account| account.uid = None,
        |account| account.throttle.failures = 0,
        |account| account.throttle.locked_until_ms = None,
        |account| account.last_success_ms = None,
        |account| account.pace = Some(Pace { at_ms: 7, ..account.pace.unwrap() }),
        |account| account.pace = Some(Pace { interval_ms: 0, ..account.pace.unwrap() }),
        |account| account.pace = Some(Pace { attempts: 0, ..account.pace.unwrap() }),
        |account| account.pace = None,
        |account| account.pace = Some(Pace::new(3, 30_000)),
        |account| account.tokens[0].label = "new".into(),
        |account| account.tokens[0].method = "hotp".into(),
        |account| account.tokens[0].factor = Factor::Hotp,
        |account| account.tokens[1].factor = Factor::Totp { t0_ms: 1, period_ms: 2 },
        |account| account.tokens[0].algorithm = Algorithm::Sha1,
        |account| account.tokens[0].digits = 7,
        |account| account.tokens[0].secret = secret(9, 30),
        |account| account.tokens[0].state = State::Active,
        |account| account.tokens[1].state = State::Pending { until_ms: 6 },
        |account| account.tokens[0].share = Share::Shared,
        |account| account.tokens[0].share = Share::Released,
        |account| {
            account.tokens[1].share =
                Share::Showing { by: ":1.7".into(), since_ms: 1, until_ms: 2 };
        },
        |account| account.tokens[0].accepted = 0,
        |account| account.tokens[0].next = 1 << 63,
        |account| account.tokens[0].offset_ms = 30_000,
        |account| account.tokens[0].rejoin = Rejoin::Half { second: 1 },
        |account| account.tokens[0].rejoin = Rejoin::Due,
        |account| account.tokens[1].rejoin = Rejoin::Settled,
        |account| account.tokens[0].created_ms = 0,
        |account| account.tokens[0].last_used_ms = None,
        |account| account.tokens[0].expires_ms = None,
        |account| account.tokens.swap(0, 3),
        |account| account.tokens.push(token("another")),
        |account| drop(account.tokens.remove(1)),
        |account| account.recovery.retain(|digest| digest.0 != [0xff; 32]),
        |account| account.recovery.push(Digest([1; 32])),
        |account| account.recovery.clear(),
        |account| account.tokens[1].factor = Factor::OutOfBand(Channel::Email),
        |account| account.challenges[0].tries = 2,
        |account| account.challenges[0].token = "another".into(),
        |account| account.challenges[0].service = "sudo".into(),
        |account| account.challenges[0].digest = Digest([5; 32]),
        |account| account.challenges[0].sent_ms = 7,
        |account| account.challenges[0].expires_ms = 8,
        |account| drop(account.challenges.remove(1)),
        |account| account.challenges.push(challenge(9)),
        |account| account.challenges.swap(0, 2),
        |account| account.contacts.mail = None,
        |account| account.contacts = contacts(None, Some("a@b")),
        |account| account.contacts = Contacts::default(),
        |account| account.challenges.clear(),
        |account| account.issued[0].digest = Digest([5; 32]),
        |account| account.issued[0].digits = 6,
        |account| account.issued[0].code = Some(digits("123456")),
        |account| account.issued[0].expires_ms = 5,
        |account| account.issued[0].issued_ms = 4,
        |account| account.issued[0].uses_left = 0,
        |account| account.issued[0].service = None,
        |account| account.issued[0].reach = Reach::Both,
        |account| account.issued[0].reason = String::new(),
        |account| account.issued[0].issued_by = 0,
        |account| account.issued[0].client = None,
        |account| account.issued[0].code = None,
        |account| account.issued.swap(0, 2),
        |account| drop(account.issued.remove(0)),
        |account| account.issued.push(issued("i9")),
        |account| account.issued[0].id = "i8".into(),
        |account| account.issued.clear(),
        |account| account.clients[0].description = String::new(),
        |account| account.clients[0].identity = None,
        |account| account.clients[0].enabling = Enabling::Always,
        |account| account.clients[0].push = false,
        |account| account.clients[0].created_ms = 1,
        |account| account.clients[0].last_ms = None,
        |account| account.clients[0].last_source = None,
        |account| account.clients[0].remembered = Some(remembered("sshd", "::1", 9)),
        |account| account.clients[1].remembered = None,
        |account| account.clients.swap(0, 2),
        |account| drop(account.clients.remove(0)),
        |account| account.clients.push(client("c9")),
        |account| account.clients[0].id = "c8".into(),
        |account| account.clients.clear(),
        |account| account.administrator = false,
        |account| account.tokens.clear(),
    ];
    let mut model = full();
    for (number, apply) in changes.iter().enumerate() {
        apply(&mut model);
        let apply = *apply;
        change(&*store, "alice", apply);
        let mut expected = full();
        changes[..=number].iter().for_each(|apply| apply(&mut expected));
        assert_eq!(model, expected);
        expect(&*store, "alice", Some(expected));
    }
    expect(&*store, "Alice", None);
    expect(&*store, "alice ", None);
}

pub(crate) fn none_creates_and_removes(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    expect(&*store, "alice", None);
    put(&*store, "alice", Account::default());
    expect(&*store, "alice", Some(Account::default()));
    put(&*store, "alice", full());
    wait(decide(&*store, "alice", |work| work.account = None)).unwrap();
    expect(&*store, "alice", None);
    assert_eq!(wait(store.tokens(TokenQuery { limit: 9, ..TokenQuery::default() })).unwrap().1, 0);
    assert_eq!(wait(store.status(0)).unwrap().users, 0);
    put(&*store, "alice", full());
    expect(&*store, "alice", Some(full()));
}

pub(crate) fn audit_with_the_change(new: New<'_>) {
    let backend = new();
    let complete = AuditEvent {
        time_ms: i64::MIN,
        event: "e".into(),
        result: "r".into(),
        user: "u".into(),
        service: Some("sshd".into()),
        source: Some("192.0.2.1".into()),
        tty: Some("ssh".into()),
        method: Some("totp".into()),
        token: Some("t".into()),
        failures: Some(u32::MAX),
        session: Some("s".into()),
        caller: Some(u32::MAX),
        detail: Some("d".into()),
    };
    let (minimal, expected) = (AuditEvent::default(), complete.clone());
    let store = backend.open().unwrap();
    wait(decide(&*store, "alice", move |work| {
        work.account = Some(full());
        work.audit.extend([complete, minimal]);
    }))
    .unwrap();
    // An audit record without a change of the account is kept as well.
    wait(decide(&*store, "nobody", |work| work.audit.push(event("nobody", "x")))).unwrap();
    let read = wait(store.audit(AuditQuery { limit: 10, ..AuditQuery::default() })).unwrap();
    let events: Vec<_> = read.into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, [expected, AuditEvent::default(), event("nobody", "x")]);
    expect(&*store, "nobody", None);
    // A token's id is unique over all users: the second user's change and its record are void.
    let taken = decide(&*store, "bob", |work| {
        work.account = Some(full());
        work.audit.push(event("bob", "never"));
    });
    assert!(wait(taken).is_err());
    expect(&*store, "bob", None);
    let all = AuditQuery { limit: 10, ..AuditQuery::default() };
    assert_eq!(wait(store.audit(all)).unwrap().len(), 3);
    assert_eq!(wait(store.status(0)).unwrap().users, 1);
}

pub(crate) fn a_panic_leaves_nothing(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    queue(&*store, "alice", message("m", "+15550000", 1));
    let broken = wait(decide(&*store, "alice", |work: &mut Work<'_>| {
        work.account.as_mut().unwrap().tokens.clear();
        work.audit.push(event("alice", "never"));
        work.outbox.push(message("never", "+15550000", 1));
        work.settled.push("m".into());
        panic!("on purpose");
    }));
    assert!(matches!(broken, Err(StoreError::Unavailable(_))));
    // Afterwards the store is closed for good, or it goes on: never half a change.
    let later = catch_unwind(AssertUnwindSafe(|| expect(&*store, "alice", Some(full()))));
    if later.is_err() {
        assert!(wait(decide(&*store, "alice", |_| ())).is_err());
    }
    drop(store);
    let store = backend.open().unwrap();
    expect(&*store, "alice", Some(full()));
    assert!(details(&*store, AuditQuery { limit: 9, ..AuditQuery::default() }).is_empty());
    assert_eq!(queued(&*store), [("alice".into(), message("m", "+15550000", 1))]);
}

pub(crate) fn state_survives(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    change(&*store, "alice", |account| {
        account.throttle = Throttle { failures: 7, locked_until_ms: Some(99) };
        account.tokens[3].next = 57;
        account.last_success_ms = Some(3);
    });
    drop(store);
    let store = backend.open().unwrap();
    let mut expected = full();
    expected.throttle = Throttle { failures: 7, locked_until_ms: Some(99) };
    expected.tokens[3].next = 57;
    expected.last_success_ms = Some(3);
    expect(&*store, "alice", Some(expected));
}

pub(crate) fn one_user_is_serialised(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", Account { tokens: vec![token("t")], ..Account::default() });
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..25 {
                    change(&*store, "alice", |account| {
                        account.tokens[0].next += 1;
                        account.throttle.failures += 1;
                    });
                }
            });
        }
    });
    let throttle = Throttle { failures: 400, locked_until_ms: None };
    let tokens = vec![Token { next: 400, ..token("t") }];
    expect(&*store, "alice", Some(Account { throttle, tokens, ..Account::default() }));
}

pub(crate) fn reads_see_whole_changes(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", Account { tokens: vec![token("t")], ..Account::default() });
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..300 {
                change(&*store, "alice", |account| account.tokens[0].next += 1);
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            assert!(wait(store.enrolment("alice")).unwrap().unwrap().enrolled);
        }
    });
}

pub(crate) fn many_users_at_once(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..10 {
                    let user = format!("user-{thread}-{number}");
                    let tokens = vec![token(&user)];
                    put(&**store, &user, Account { tokens, ..Account::default() });
                    change(&**store, &user, |account| account.tokens[0].next = 9);
                }
            });
        }
    });
    assert_eq!(wait(store.status(0)).unwrap().users, 160);
    drop(store);
    let store = backend.open().unwrap();
    for (thread, number) in (0..16).flat_map(|thread| (0..10).map(move |number| (thread, number))) {
        let user = format!("user-{thread}-{number}");
        let tokens = vec![Token { next: 9, ..token(&user) }];
        expect(&*store, &user, Some(Account { tokens, ..Account::default() }));
    }
}
