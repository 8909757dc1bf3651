//! Lists, filters, pages and look-ups.

use super::*;

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
        method: None,
        offset,
        limit,
        ..TokenQuery::default()
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
        assert_eq!((&row.share, row.accepted), (&token.share, token.accepted));
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
    let of = |user: Option<&str>, method: &str| {
        let method = Some(method.to_owned());
        list(TokenQuery { method, ..some(user, None, 0, 10) })
    };
    let mut methods: Vec<_> = full().tokens.into_iter().map(|t| t.method).collect();
    methods.extend(["' OR 1 --".to_owned(), token("b1").method.to_uppercase()]);
    for method in methods {
        let stored = [("alice", full().tokens), ("bob", vec![token("b2"), token("b1")])];
        for user in [None, Some("alice"), Some("bob")] {
            let of_user = stored.iter().filter(|(name, _)| user.is_none_or(|user| user == *name));
            let tokens = of_user.flat_map(|(_, tokens)| tokens).filter(|t| t.method == method);
            let expected: Vec<_> = tokens.map(|token| token.id.clone()).collect();
            let count = expected.len() as u64;
            assert_eq!(of(user, &method), (expected, count), "{user:?} {method}");
        }
    }
    let showing = |user| TokenQuery { showing: true, ..some(user, None, 0, 10) };
    assert_eq!(list(showing(None)), (ids(&["full-2"]), 1));
    assert_eq!(list(showing(Some("bob"))), (ids(&[]), 0));
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
    assert_eq!(wait(store.enrolment("alice")).unwrap(), None);
    let cases = [
        (vec![], false),
        (vec![pending()], false),
        (vec![disabled()], true),
        (vec![pending(), disabled()], true),
        (vec![pending(), active("a", 8), active("b", 6)], true),
        (full().tokens, true),
    ];
    for (tokens, enrolled) in cases {
        let outline = |token: &Token| Outline {
            method: token.method.clone(),
            factor: token.factor,
            digits: token.digits,
            state: token.state.clone(),
            expires_ms: token.expires_ms,
        };
        let outlines = tokens.iter().map(outline).collect();
        let replaced = tokens.iter().any(Token::replaced);
        let throttle = Throttle { failures: 3, locked_until_ms: Some(9) };
        let (clients, administrator) = (vec![client("c")], enrolled);
        let expected = Enrolment {
            enrolled,
            replaced,
            uid: Some(7),
            throttle,
            administrator,
            clients: clients.clone(),
            tokens: outlines,
        };
        let account = Account {
            uid: Some(7),
            throttle,
            administrator,
            clients,
            tokens,
            ..Account::default()
        };
        put(&*store, "alice", account);
        assert_eq!(wait(store.enrolment("alice")).unwrap(), Some(expected));
    }
}
