//! What somebody without the key does to the rows is refused.

use super::*;

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
