//! The suite that every store passes: `contract_suite!` makes one test of each case.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use otp_core::{
    account::Account,
    recovery::Digest,
    secret::Secret,
    throttle::Throttle,
    token::{Algorithm, Factor, Standing, State, Token},
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{
    AuditEvent, AuditQuery, Enrolment, StoreError, TokenQuery, TokenStore, UserQuery, Work, decide,
};

/// A store that can be closed, changed behind its back and opened again.
pub(crate) trait Backend {
    /// Opens the store. Whatever was opened before has been dropped.
    fn open(&self) -> Result<Arc<dyn TokenStore>, StoreError>;
    /// Changes the closed store as someone with write access to its rows, but without its key.
    fn tamper(&self, change: &Tamper);
}

/// What an attacker does to the rows.
#[derive(Debug)]
pub(crate) enum Tamper {
    Failures { user: &'static str, failures: u32 },
    Unlock { user: &'static str },
    Next { token: &'static str, next: u64 },
    Digits { token: &'static str, digits: u8 },
    Activate { token: &'static str },
    DeleteToken { token: &'static str },
    GiveToken { token: &'static str, to: &'static str },
    SwapSecrets { one: &'static str, other: &'static str },
    DeleteRecovery { user: &'static str },
    DeleteAccount { user: &'static str },
    RenameAccount { user: &'static str, to: &'static str },
}

/// Makes an empty store.
pub(crate) type New<'a> = &'a dyn Fn() -> Box<dyn Backend>;

/// One test for each case, on backends that the function `$new` makes.
macro_rules! contract_suite {
    ($new:expr) => {
        contract_suite!($new; round_trip, none_creates_and_removes, audit_with_the_change,
            a_panic_leaves_nothing, state_survives, one_user_is_serialised, many_users_at_once,
            token_lists, user_lists, usable_is_active, audit_lists, owners, enrolments,
            tampering_is_refused, accounts_that_come_or_go_are_noticed, equals_a_model);
    };
    ($new:expr; $($case:ident),+) => {
        $(#[test]
        fn $case() {
            crate::store::contract::$case(&$new);
        })+
    };
}
pub(crate) use contract_suite;

/// Runs a future to its end.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A token of no particular kind.
pub(crate) fn token(id: &str) -> Token {
    Token {
        id: id.into(),
        label: format!("label of {id}"),
        method: "totp".into(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: secret(id.bytes().next().unwrap_or(0), 20),
        state: State::Active,
        next: 0,
        created_ms: 1_700_000_000_000,
        last_used_ms: None,
        expires_ms: None,
    }
}

fn secret(byte: u8, length: usize) -> Secret {
    Secret::new(Zeroizing::new(vec![byte; length])).unwrap()
}

/// Tokens and an account in which every field has been given an extreme or unusual value.
fn full() -> Account {
    let unusual = "ключ 🔑 'quote' \"double\" %_\\";
    Account {
        uid: Some(u32::MAX),
        throttle: Throttle { failures: u32::MAX, locked_until_ms: Some(i64::MIN) },
        tokens: vec![
            Token {
                label: unusual.into(),
                method: String::new(),
                factor: Factor::Totp { t0_ms: i64::MIN, period_ms: u64::MAX },
                algorithm: Algorithm::Sha512,
                digits: 8,
                secret: secret(0, otp_core::secret::LONGEST),
                state: State::Disabled { until_ms: Some(i64::MAX), reason: unusual.into() },
                next: u64::MAX,
                created_ms: i64::MIN,
                last_used_ms: Some(i64::MAX),
                expires_ms: Some(-1),
                ..token("full-2")
            },
            Token {
                factor: Factor::Hotp,
                algorithm: Algorithm::Sha256,
                digits: 4,
                secret: secret(255, otp_core::secret::SHORTEST),
                state: State::Pending { until_ms: 5 },
                ..token("full-1")
            },
            Token {
                state: State::Disabled { until_ms: None, reason: String::new() },
                ..token("full-3")
            },
            token("full-0"),
        ],
        recovery: vec![Digest([0xff; 32]), Digest([0; 32]), Digest([7; 32])],
        last_success_ms: Some(0),
    }
}

fn event(user: &str, detail: impl ToString) -> AuditEvent {
    AuditEvent {
        time_ms: 1,
        event: "login".into(),
        result: "ok".into(),
        user: user.into(),
        detail: Some(detail.to_string()),
        ..AuditEvent::default()
    }
}

fn put(store: &dyn TokenStore, user: &str, account: Account) {
    wait(decide(store, user, move |work| work.account = Some(account))).unwrap();
}

/// Asserts that the store has exactly this account.
fn expect(store: &dyn TokenStore, user: &str, account: Option<Account>) {
    let name = user.to_owned();
    wait(decide(store, user, move |work| assert_eq!(work.account, account, "{name}"))).unwrap();
}

fn change(store: &dyn TokenStore, user: &str, f: impl FnOnce(&mut Account) + Send + 'static) {
    wait(decide(store, user, |work| f(work.account.as_mut().unwrap()))).unwrap();
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
        |account| account.tokens[0].label = "new".into(),
        |account| account.tokens[0].method = "hotp".into(),
        |account| account.tokens[0].factor = Factor::Hotp,
        |account| account.tokens[1].factor = Factor::Totp { t0_ms: 1, period_ms: 2 },
        |account| account.tokens[0].algorithm = Algorithm::Sha1,
        |account| account.tokens[0].digits = 7,
        |account| account.tokens[0].secret = secret(9, 30),
        |account| account.tokens[0].state = State::Active,
        |account| account.tokens[1].state = State::Pending { until_ms: 6 },
        |account| account.tokens[0].next = 1 << 63,
        |account| account.tokens[0].created_ms = 0,
        |account| account.tokens[0].last_used_ms = None,
        |account| account.tokens[0].expires_ms = None,
        |account| account.tokens.swap(0, 3),
        |account| account.tokens.push(token("another")),
        |account| drop(account.tokens.remove(1)),
        |account| account.recovery.retain(|digest| digest.0 != [0xff; 32]),
        |account| account.recovery.push(Digest([1; 32])),
        |account| account.recovery.clear(),
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
    let broken = wait(decide(&*store, "alice", |work: &mut Work| {
        work.account.as_mut().unwrap().tokens.clear();
        work.audit.push(event("alice", "never"));
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

pub(crate) fn token_lists(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let list = |query: TokenQuery| {
        let (rows, total) = wait(store.tokens(query)).unwrap();
        (rows.into_iter().map(|row| row.id).collect::<Vec<_>>(), total)
    };
    let some = |user: Option<&str>, id: Option<&str>, offset, limit| TokenQuery {
        user: user.map(Into::into),
        id: id.map(Into::into),
        offset,
        limit,
    };
    put(&*store, "bob", Account { tokens: vec![token("b2"), token("b1")], ..Account::default() });
    put(&*store, "alice", full());
    let all = ["full-2", "full-1", "full-3", "full-0", "b2", "b1"];
    let (rows, total) = wait(store.tokens(some(None, None, 0, 10))).unwrap();
    assert_eq!(total, 6);
    let accounts = [("alice", full().tokens), ("bob", vec![token("b2"), token("b1")])];
    let stored = accounts.iter().flat_map(|(user, tokens)| tokens.iter().map(move |t| (user, t)));
    for (row, (user, token)) in rows.iter().zip(stored) {
        assert_eq!((row.user.as_str(), &row.id, &row.label), (*user, &token.id, &token.label));
        assert_eq!((&row.method, row.factor), (&token.method, token.factor));
        assert_eq!((row.algorithm, row.digits), (token.algorithm, token.digits));
        assert_eq!((&row.state, row.created_ms), (&token.state, token.created_ms));
        assert_eq!((row.last_used_ms, row.expires_ms), (token.last_used_ms, token.expires_ms));
    }
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    assert_eq!(list(some(None, None, 0, 10)), (ids(&all), 6));
    assert_eq!(list(some(None, None, 3, 2)), (ids(&all[3..5]), 6));
    assert_eq!(list(some(None, None, 6, 2)), (ids(&[]), 6));
    assert_eq!(list(some(None, None, 0, 0)), (ids(&[]), 6));
    assert_eq!(list(some(Some("bob"), None, 0, 10)), (ids(&["b2", "b1"]), 2));
    assert_eq!(list(some(Some("bob"), Some("b1"), 0, 10)), (ids(&["b1"]), 1));
    assert_eq!(list(some(Some("alice"), Some("b1"), 0, 10)), (ids(&[]), 0));
    assert_eq!(list(some(None, Some("full-0"), 0, 10)), (ids(&["full-0"]), 1));
    assert_eq!(list(some(Some("' OR 1 --"), None, 0, 10)), (ids(&[]), 0));
}

pub(crate) fn user_lists(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let names = ["100%", "a_b", "acb", "o'brien", "Zoe", "ärger", "x\"y"];
    for (number, name) in (0_u32..).zip(names) {
        let locked_until_ms = (number % 2 == 0).then_some(i64::from(number) * 100);
        let throttle = Throttle { failures: number, locked_until_ms };
        put(&*store, name, Account { throttle, ..Account::default() });
    }
    let list = |query: UserQuery| {
        let (rows, total) = wait(store.users(query)).unwrap();
        (rows.into_iter().map(|row| row.user).collect::<Vec<_>>().join(" "), total)
    };
    let page = |offset, limit| UserQuery { offset, limit, ..UserQuery::default() };
    assert_eq!(list(page(0, 10)), ("100% Zoe a_b acb o'brien x\"y ärger".into(), 7));
    assert_eq!(list(page(1, 2)), ("Zoe a_b".into(), 7));
    assert_eq!(list(page(7, 2)), (String::new(), 7));
    assert_eq!(list(page(0, 0)), (String::new(), 7));
    let search = |text: &str| list(UserQuery { search: Some(text.into()), ..page(0, 10) });
    for (text, found) in [
        ("%", "100%"),
        ("_", "a_b"),
        ("'", "o'brien"),
        ("\"", "x\"y"),
        ("rge", "ärger"),
        ("b", "a_b acb o'brien"),
        ("zoe", ""),
        ("\\", ""),
        ("*", ""),
        ("", "100% Zoe a_b acb o'brien x\"y ärger"),
    ] {
        let count = found.split_whitespace().count() as u64;
        assert_eq!(search(text), (found.into(), count), "{text}");
    }
    let exactly = |text: &str| list(UserQuery { user: Some(text.into()), ..page(0, 10) });
    assert_eq!(exactly("a_b"), ("a_b".into(), 1));
    assert_eq!(exactly("a%"), (String::new(), 0));
    let locked = |now_ms, disable_after| {
        list(UserQuery { locked: true, now_ms, disable_after, ..page(0, 10) })
    };
    // Locked until 0, 200, 400 and 600; failures 0 to 6.
    assert_eq!(locked(-1, None), ("100% Zoe acb x\"y".into(), 4));
    assert_eq!(locked(399, None), ("Zoe x\"y".into(), 2));
    assert_eq!(locked(400, None), ("x\"y".into(), 1));
    assert_eq!(locked(400, Some(5)), ("x\"y ärger".into(), 2));
    assert_eq!(locked(600, Some(7)), (String::new(), 0));
    assert_eq!(wait(store.status(399)).unwrap().locked, 2);
    put(&*store, "full", full());
    let row = wait(store.users(UserQuery { user: Some("full".into()), ..page(0, 1) })).unwrap().0;
    assert_eq!((row[0].uid, row[0].tokens, row[0].recovery), (Some(u32::MAX), 4, 3));
    assert_eq!((row[0].throttle, row[0].last_success_ms), (full().throttle, Some(0)));
}

pub(crate) fn usable_is_active(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let disabled = |until_ms| State::Disabled { until_ms, reason: "r".into() };
    let states =
        [State::Pending { until_ms: 10 }, State::Active, disabled(None), disabled(Some(10))];
    let tokens = || {
        let all = states.iter().flat_map(|state| {
            [None, Some(5), Some(15)].map(|expires_ms| Token {
                state: state.clone(),
                expires_ms,
                ..token(&format!("{state:?}{expires_ms:?}"))
            })
        });
        all.collect::<Vec<_>>()
    };
    put(&*store, "alice", Account { tokens: tokens(), ..Account::default() });
    for now_ms in [4, 5, 6, 9, 10, 11, 14, 15, 16] {
        let usable = tokens().iter().filter(|t| t.standing(now_ms) == Standing::Active).count();
        let query = UserQuery { now_ms, limit: 1, ..UserQuery::default() };
        assert_eq!(wait(store.users(query)).unwrap().0[0].usable as usize, usable, "at {now_ms}");
    }
}

pub(crate) fn audit_lists(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    for number in 0..10_i64 {
        let user = if number % 2 == 0 { "even" } else { "odd" };
        let record = AuditEvent { time_ms: number * 10, ..event(user, number) };
        wait(decide(&*store, user, move |work| work.audit.push(record))).unwrap();
    }
    let query = |limit| AuditQuery { limit, ..AuditQuery::default() };
    let user = |name: &str| Some(name.to_owned());
    assert_eq!(details(&*store, query(3)), ["7", "8", "9"]);
    assert_eq!(details(&*store, query(0)).len(), 0);
    assert_eq!(details(&*store, AuditQuery { user: user("odd"), ..query(2) }), ["7", "9"]);
    assert_eq!(details(&*store, AuditQuery { user: user("od_"), ..query(2) }).len(), 0);
    assert_eq!(details(&*store, AuditQuery { since_ms: Some(80), ..query(9) }), ["8", "9"]);
    let eighth = wait(store.audit(query(3))).unwrap()[0].0;
    let after = AuditQuery { after: Some(eighth), ..query(9) };
    assert_eq!(details(&*store, after), ["8", "9"]);
    assert_eq!(details(&*store, AuditQuery { after: Some(i64::MAX), ..query(9) }).len(), 0);
}

pub(crate) fn owners(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    let owner = |id: &str| wait(store.owner(id)).unwrap();
    assert_eq!(owner("full-1").as_deref(), Some("alice"));
    assert_eq!(owner("FULL-1"), None);
    assert_eq!(owner(""), None);
    change(&*store, "alice", |account| drop(account.tokens.remove(1)));
    assert_eq!(owner("full-1"), None);
}

pub(crate) fn enrolments(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let pending = || Token { state: State::Pending { until_ms: i64::MAX }, ..token("p") };
    let disabled =
        || Token { state: State::Disabled { until_ms: None, reason: "r".into() }, ..token("d") };
    let active = |id, digits| Token { digits, ..token(id) };
    let enrolment = |enrolled, digits| Some(Enrolment { enrolled, uid: Some(7), digits });
    assert_eq!(wait(store.enrolment("alice")).unwrap(), None);
    let cases = [
        (vec![], enrolment(false, None)),
        (vec![pending()], enrolment(false, None)),
        (vec![disabled()], enrolment(true, None)),
        (vec![pending(), disabled()], enrolment(true, None)),
        (vec![pending(), active("a", 8), active("b", 6)], enrolment(true, Some(8))),
    ];
    for (tokens, expected) in cases {
        let account = Account { uid: Some(7), tokens, ..Account::default() };
        put(&*store, "alice", account);
        assert_eq!(wait(store.enrolment("alice")).unwrap(), expected);
    }
}

/// Alice's and Bob's accounts, as they are before somebody changes them.
fn victims() -> [(&'static str, Account); 2] {
    let alice = Account {
        throttle: Throttle { failures: 9, locked_until_ms: Some(i64::MAX) },
        tokens: vec![
            Token { next: 5, ..token("a1") },
            Token { secret: secret(3, 20), ..token("a2") },
            Token { state: State::Pending { until_ms: 0 }, ..token("a3") },
        ],
        recovery: vec![Digest([1; 32])],
        ..Account::default()
    };
    [("alice", alice), ("bob", Account { tokens: vec![token("b1")], ..Account::default() })]
}

fn tampered(new: New<'_>, change: &Tamper) -> Box<dyn Backend> {
    let backend = new();
    let store = backend.open().unwrap();
    for (user, account) in victims() {
        put(&*store, user, account);
    }
    put(&*store, "untouched", full());
    drop(store);
    backend.tamper(change);
    backend
}

pub(crate) fn tampering_is_refused(new: New<'_>) {
    for change in [
        Tamper::Failures { user: "alice", failures: 0 },
        Tamper::Unlock { user: "alice" },
        Tamper::Next { token: "a1", next: 0 },
        Tamper::Digits { token: "a1", digits: 4 },
        Tamper::Activate { token: "a3" },
        Tamper::DeleteToken { token: "a1" },
        Tamper::GiveToken { token: "a1", to: "bob" },
        Tamper::SwapSecrets { one: "a1", other: "b1" },
        Tamper::SwapSecrets { one: "a1", other: "a2" },
        Tamper::DeleteRecovery { user: "alice" },
    ] {
        let backend = tampered(new, &change);
        let store = backend.open().unwrap();
        let refused = |result: Result<(), StoreError>| {
            assert!(
                matches!(&result, Err(StoreError::Integrity(user)) if user == "alice"),
                "{change:?}: {result:?}"
            );
        };
        refused(wait(decide(&*store, "alice", |_| panic!("ran"))));
        refused(wait(store.enrolment("alice")).map(drop));
        expect(&*store, "untouched", Some(full()));
    }
}

pub(crate) fn accounts_that_come_or_go_are_noticed(new: New<'_>) {
    for change in [
        Tamper::DeleteAccount { user: "alice" },
        Tamper::RenameAccount { user: "alice", to: "mallory" },
    ] {
        match tampered(new, &change).open() {
            Err(StoreError::Setup(what)) => assert!(what.contains("restore"), "{what}"),
            Err(other) => panic!("{change:?}: {other:?}"),
            Ok(_) => panic!("{change:?}: opened"),
        }
    }
}

/// What a random history is made of.
#[derive(Clone, Debug)]
enum Step {
    Create,
    Remove,
    AddToken { hotp: bool, key: u8 },
    RemoveToken(usize),
    MoveOn { token: usize, by: u64 },
    Rekey { token: usize, key: u8 },
    Disable { token: usize, until_ms: Option<i64> },
    Fail { locked_until_ms: Option<i64> },
    Succeed,
    Issue(Vec<u8>),
    Recover(usize),
    Nothing,
}

impl Step {
    fn apply(&self, number: usize, account: &mut Option<Account>) {
        match (self, account) {
            (Self::Create, account @ None) => *account = Some(Account::default()),
            (Self::Remove, account) => *account = None,
            (_, None) => {}
            (step, Some(account)) => step.change(number, account),
        }
    }

    fn change(&self, number: usize, account: &mut Account) {
        let count = account.tokens.len().max(1);
        match *self {
            Self::AddToken { hotp, key } => account.tokens.push(Token {
                factor: if hotp { Factor::Hotp } else { token("").factor },
                secret: secret(key, 20),
                ..token(&format!("token-{number}"))
            }),
            Self::RemoveToken(at) if at < account.tokens.len() => drop(account.tokens.remove(at)),
            Self::Succeed => account.throttle = Throttle::default(),
            Self::Fail { locked_until_ms } => {
                account.throttle.failures += 1;
                account.throttle.locked_until_ms = locked_until_ms;
            }
            Self::Issue(ref codes) => {
                account.recovery = codes.iter().map(|byte| Digest([*byte; 32])).collect();
            }
            Self::Recover(at) if at < account.recovery.len() => {
                account.recovery.remove(at);
            }
            Self::MoveOn { token, by } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.next += by;
                    token.last_used_ms = Some(number as i64);
                }
            }
            Self::Rekey { token, key } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.secret = secret(key, 20);
                }
            }
            Self::Disable { token, until_ms } => {
                if let Some(token) = account.tokens.get_mut(token % count) {
                    token.state = State::Disabled { until_ms, reason: format!("r{number}") };
                }
            }
            _ => {}
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let time = || proptest::option::of(any::<i64>());
    prop_oneof![
        4 => Just(Step::Create),
        1 => Just(Step::Remove),
        4 => (any::<bool>(), any::<u8>()).prop_map(|(hotp, key)| Step::AddToken { hotp, key }),
        1 => (0..4_usize).prop_map(Step::RemoveToken),
        4 => (0..4_usize, 0..1000_u64).prop_map(|(token, by)| Step::MoveOn { token, by }),
        1 => (0..4_usize, any::<u8>()).prop_map(|(token, key)| Step::Rekey { token, key }),
        1 => (0..4_usize, time()).prop_map(|(token, until_ms)| Step::Disable { token, until_ms }),
        2 => time().prop_map(|locked_until_ms| Step::Fail { locked_until_ms }),
        1 => Just(Step::Succeed),
        1 => proptest::collection::vec(any::<u8>(), 0..10).prop_map(Step::Issue),
        2 => (0..10_usize).prop_map(Step::Recover),
        1 => Just(Step::Nothing),
    ]
}

/// A random history of three users, with the store closed and opened in between (`None`).
fn history() -> impl Strategy<Value = Vec<Option<(usize, Step)>>> {
    proptest::collection::vec(proptest::option::weighted(0.9, (0..3_usize, step())), 1..40)
}

pub(crate) fn equals_a_model(new: New<'_>) {
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() };
    proptest!(config, |(history in history())| {
        const USERS: [&str; 3] = ["alice", "bob", "alic"];
        let backend = new();
        let mut store = backend.open().unwrap();
        let mut model: [Option<Account>; 3] = Default::default();
        for (number, entry) in history.iter().enumerate() {
            let Some((user, step)) = entry else {
                drop(store);
                store = backend.open().unwrap();
                continue;
            };
            step.apply(number, &mut model[*user]);
            let step = step.clone();
            wait(decide(&*store, USERS[*user], move |work| {
                step.apply(number, &mut work.account);
                work.audit.push(event("history", number));
            }))
            .unwrap();
        }
        let done = history.iter().flatten().count();
        let audit = AuditQuery { limit: 1000, ..AuditQuery::default() };
        prop_assert_eq!(details(&*store, audit).len(), done);
        let users = model.iter().flatten().count() as u64;
        prop_assert_eq!(wait(store.status(0)).unwrap().users, users);
        for (user, account) in USERS.into_iter().zip(model) {
            expect(&*store, user, account);
        }
    });
}
