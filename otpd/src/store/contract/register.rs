//! Issued codes and clients: lists, counts and who may issue.

use super::*;

pub(crate) fn code_lists(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "bob", Account { issued: vec![issued("b1")], ..Account::default() });
    put(&*store, "alice", full());
    let list = |query: CodeQuery| {
        let (rows, total) = wait(store.codes(query)).unwrap();
        (rows.into_iter().map(|row| row.issued.id).collect::<Vec<_>>().join(" "), total)
    };
    let page = |offset, limit| CodeQuery { offset, limit, ..CodeQuery::default() };
    let (rows, _) = wait(store.codes(page(0, 10))).unwrap();
    let codes = full().issued.into_iter().map(|code| ("alice", code));
    for (row, (user, code)) in rows.into_iter().zip(codes.chain([("bob", issued("b1"))])) {
        let (owner, row) = (row.user, row.issued);
        assert_eq!((owner.as_str(), row.id, row.code), (user, code.id, code.code));
        assert_eq!((row.issued_ms, row.expires_ms), (code.issued_ms, code.expires_ms));
        assert_eq!((row.uses_left, row.service), (code.uses_left, code.service));
        assert_eq!((row.reach, row.reason), (code.reach, code.reason));
        assert_eq!((row.issued_by, row.client), (code.issued_by, code.client));
    }
    assert_eq!(list(page(0, 10)), ("i2 i1 i3 b1".into(), 4));
    assert_eq!(list(page(1, 2)), ("i1 i3".into(), 4));
    assert_eq!(list(page(0, 0)), (String::new(), 4));
    let of = |user: &str| list(CodeQuery { user: Some(user.into()), ..page(0, 10) });
    assert_eq!(of("bob"), ("b1".into(), 1));
    assert_eq!(of("b%"), (String::new(), 0));
    let only = |id: &str| list(CodeQuery { id: Some(id.into()), ..page(0, 10) });
    assert_eq!(only("i3"), ("i3".into(), 1));
    assert_eq!(only("' OR 1 --"), (String::new(), 0));
    // What is kept too long: i1 is not kept, i2 never ends.
    let end = 1_700_007_200_000;
    let kept = |at_ms| list(CodeQuery { kept_beyond_ms: Some(at_ms), ..page(0, 10) });
    assert_eq!(kept(end - 1), (String::new(), 0));
    assert_eq!(kept(end), ("i3 b1".into(), 2));
    change(&*store, "bob", |account| account.issued[0].code = None);
    assert_eq!(kept(end), ("i3".into(), 1));
}

pub(crate) fn client_lists(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "b_b", Account { clients: vec![client("b1")], ..Account::default() });
    put(&*store, "alice", full());
    let list = |query: ClientQuery| {
        let (rows, total) = wait(store.clients(query)).unwrap();
        (rows.into_iter().map(|row| row.client.id).collect::<Vec<_>>().join(" "), total)
    };
    let page = |offset, limit| ClientQuery { offset, limit, ..ClientQuery::default() };
    let (rows, _) = wait(store.clients(page(0, 10))).unwrap();
    let clients = full().clients.into_iter().map(|client| ("alice", client, true));
    for (row, expected) in rows.into_iter().zip(clients.chain([("b_b", client("b1"), false)])) {
        assert_eq!((row.user.as_str(), row.client, row.administrator), expected);
    }
    assert_eq!(list(page(0, 10)), ("c2 c1 c3 b1".into(), 4));
    assert_eq!(list(page(3, 10)), ("b1".into(), 4));
    assert_eq!(list(page(0, 0)), (String::new(), 4));
    let of = |user: &str| list(ClientQuery { user: Some(user.into()), ..page(0, 10) });
    assert_eq!(of("alice").1, 3);
    let only = |id: &str| list(ClientQuery { id: Some(id.into()), ..page(0, 10) });
    assert_eq!(only("c3"), ("c3".into(), 1));
    let search = |text: &str, search_identities| {
        list(ClientQuery { search: Some(text.into()), search_identities, ..page(0, 10) }).0
    };
    for (text, found, with_identities) in [
        ("alice", "c2 c1 c3", "c2 c1 c3"),
        ("_", "c2 b1", "c2 b1"),
        ("%", "c2", "c2"),
        ("description of", "c1 c3 b1", "c1 c3 b1"),
        ("identity of", "", "c3 b1"),
        ("identity of b1", "", "b1"),
        ("IDENTITY", "", ""),
        ("'", "c2", "c2"),
        ("' OR 1 --", "", ""),
    ] {
        assert_eq!(search(text, false), found, "{text}");
        assert_eq!(search(text, true), with_identities, "{text}");
    }
}

pub(crate) fn clients_are_counted(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let count =
        |user: &str| wait(decide(&*store, user, |work| work.ledger.clients().unwrap())).unwrap();
    assert_eq!(count("alice"), 0);
    // c1 is remembered.
    put(&*store, "alice", full());
    assert_eq!(count("bob"), 2);
    put(&*store, "bob", Account { clients: vec![client("b1")], ..Account::default() });
    assert_eq!(count("alice"), 3);
    assert_eq!(wait(store.status(0)).unwrap().clients, 3);
    // Many at once: each sees the ones that were committed before it.
    let most = 10;
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..5 {
                    let user = format!("user-{thread}-{number}");
                    let add = move |work: &mut Work<'_>| {
                        if work.ledger.clients().unwrap() < most {
                            let clients = vec![client("x")];
                            work.account = Some(Account { clients, ..Account::default() });
                        }
                    };
                    wait(decide(&**store, &user, add)).unwrap();
                }
            });
        }
    });
    assert_eq!(count("alice"), most);
    change(&*store, "bob", |account| account.clients.clear());
    assert_eq!(count("alice"), most - 1);
}

pub(crate) fn administrators_are_listed(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    put(&*store, "bob", Account::default());
    let list = || {
        let query = UserQuery { administrators: true, limit: 9, ..UserQuery::default() };
        wait(store.users(query)).unwrap().0.into_iter().map(|row| row.user).collect::<Vec<_>>()
    };
    assert_eq!(list(), ["alice"]);
    change(&*store, "bob", |account| account.administrator = true);
    change(&*store, "alice", |account| account.administrator = false);
    assert_eq!(list(), ["bob"]);
    assert!(wait(store.enrolment("bob")).unwrap().unwrap().administrator);
    assert!(!wait(store.enrolment("alice")).unwrap().unwrap().administrator);
}
