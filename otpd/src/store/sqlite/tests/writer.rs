//! The thread that writes: batches, failures, the audit ring, and what a login costs.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::{Context, Poll, Waker},
};

use otp_core::account::Account;
use rusqlite::params_from_iter;

use super::*;
use crate::store::{
    Work,
    contract::{contacts, token, wait},
    decide,
};

fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn account(id: &str) -> Account {
    Account { tokens: vec![token(id)], ..Account::default() }
}

/// A change that says that it runs and then waits until it is let go.
fn gate(store: &SqliteStore) -> (impl Future<Output = Result<(), StoreError>>, Gate) {
    let ((running, runs), (go, going)) = (mpsc::channel(), mpsc::channel::<()>());
    let change = store.change(Box::new(move |_| {
        running.send(()).unwrap();
        // The sender is dropped to let go.
        let _ = going.recv();
        Ok(())
    }));
    (change, Gate { runs, _go: go })
}

struct Gate {
    runs: mpsc::Receiver<()>,
    _go: mpsc::Sender<()>,
}

#[test]
fn what_arrives_together_is_committed_together_and_told_afterwards() {
    let home = Home::new();
    let store = home.open().unwrap();
    let (first, first_gate) = gate(&store);
    let mut first = pin!(first);
    assert!(poll(first.as_mut()).is_pending());
    first_gate.runs.recv().unwrap();
    // These queue up behind the first and form one batch.
    let mut alice = pin!(decide(&store, "alice", |work| work.account = Some(account("a"))));
    let mut taken = pin!(decide(&store, "bob", |work| work.account = Some(account("a"))));
    let mut carol = pin!(decide(&store, "carol", |work| work.account = Some(account("c"))));
    let (last, last_gate) = gate(&store);
    let mut last = pin!(last);
    assert!(poll(alice.as_mut()).is_pending());
    assert!(poll(taken.as_mut()).is_pending());
    assert!(poll(carol.as_mut()).is_pending());
    assert!(poll(last.as_mut()).is_pending());
    drop(first_gate);
    last_gate.runs.recv().unwrap();
    // All but the last have run; nothing is visible and nobody was told.
    assert_eq!(wait(store.enrolment("alice")).unwrap(), None);
    assert!(poll(alice.as_mut()).is_pending());
    assert!(poll(taken.as_mut()).is_pending());
    drop(last_gate);
    wait(first).unwrap();
    wait(last).unwrap();
    wait(alice).unwrap();
    wait(carol).unwrap();
    // The one that failed has its own error and left nothing behind.
    assert!(matches!(wait(taken), Err(StoreError::Unavailable(_))));
    assert!(wait(store.enrolment("alice")).unwrap().is_some());
    assert_eq!(wait(store.enrolment("bob")).unwrap(), None);
    assert!(wait(store.enrolment("carol")).unwrap().is_some());
}

#[test]
fn a_panic_voids_its_batch_and_ends_the_store() {
    let home = Home::new();
    let store = home.open().unwrap();
    a_panic_in_a_batch(&store);
    assert!(wait(store.status(0)).is_err());
    drop(store);
    assert_eq!(wait(home.open().unwrap().status(0)).unwrap().users, 0);
}

fn a_panic_in_a_batch(store: &SqliteStore) {
    let (first, first_gate) = gate(store);
    let mut first = pin!(first);
    let mut closed = pin!(store.closed());
    assert!(poll(first.as_mut()).is_pending());
    first_gate.runs.recv().unwrap();
    let mut before = pin!(decide(store, "alice", |work| work.account = Some(account("a"))));
    let mut broken = pin!(decide(store, "bob", |_| panic!("on purpose")));
    let mut after = pin!(decide(store, "carol", |work| work.account = Some(account("c"))));
    assert!(poll(before.as_mut()).is_pending());
    assert!(poll(broken.as_mut()).is_pending());
    assert!(poll(after.as_mut()).is_pending());
    assert!(poll(closed.as_mut()).is_pending());
    drop(first_gate);
    wait(first).unwrap();
    for result in [wait(before), wait(broken), wait(after)] {
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    }
    wait(closed);
    let later = wait(decide(store, "dave", |work| work.account = Some(account("d"))));
    assert!(matches!(later, Err(StoreError::Unavailable(what)) if what.contains("restarted")));
}

#[test]
fn dropping_the_store_finishes_what_is_queued() {
    let home = Home::new();
    let store = home.open().unwrap();
    for number in 0..50 {
        let user = format!("user-{number}");
        let put = decide(&store, &user, move |work| work.account = Some(Account::default()));
        // Queued, then forgotten by who asked.
        assert!(poll(pin!(put)).is_pending());
    }
    drop(store);
    assert_eq!(wait(home.open().unwrap().status(0)).unwrap().users, 50);
}

#[test]
fn a_full_queue_is_waited_for() {
    let home = Home::new();
    let store = home.open().unwrap();
    let (first, first_gate) = gate(&store);
    let mut first = pin!(first);
    assert!(poll(first.as_mut()).is_pending());
    first_gate.runs.recv().unwrap();
    let mut waiting: Vec<_> = (0..1100)
        .map(|number| {
            let put = move |work: &mut Work<'_>| work.account = Some(Account::default());
            let user = format!("user-{number}");
            let store = &store;
            Box::pin(async move { decide(store, &user, put).await })
        })
        .collect();
    assert!(waiting.iter_mut().all(|put| poll(put.as_mut()).is_pending()));
    drop(first_gate);
    waiting.into_iter().for_each(|put| wait(put).unwrap());
    assert_eq!(wait(store.status(0)).unwrap().users, 1100);
}

#[test]
fn the_audit_record_is_a_ring() {
    let home = Home::new();
    let append = |store: &SqliteStore, count: usize| {
        let events = vec![AuditEvent::default(); count];
        wait(decide(store, "alice", |work| work.audit = events)).unwrap();
    };
    let ids = |store: &SqliteStore| {
        let query = AuditQuery { limit: 1000, ..AuditQuery::default() };
        wait(store.audit(query)).unwrap().into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let store = home.open_keeping(10).unwrap();
    (0..25).for_each(|_| append(&store, 1));
    assert_eq!(ids(&store), (16..=25).collect::<Vec<_>>());
    append(&store, 15);
    assert_eq!(ids(&store), (31..=40).collect::<Vec<_>>());
    drop(store);
    let store = home.open_keeping(3).unwrap();
    append(&store, 1);
    assert_eq!(ids(&store), [39, 40, 41]);
    drop(store);
    let store = home.open_keeping(0).unwrap();
    append(&store, 1);
    assert_eq!(ids(&store), [42]);
}

#[test]
fn a_login_writes_three_rows() {
    let home = Home::new();
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| {
        let tokens = vec![token("a"), token("b"), token("c")];
        let recovery = vec![otp_core::recovery::Digest([1; 32]); 10];
        let contacts = contacts(Some("+491701234581"), None);
        work.account = Some(Account { tokens, recovery, contacts, ..Account::default() });
    }))
    .unwrap();
    let changes = || {
        let (reply, count) = mpsc::channel();
        let task: Task = Box::new(move |database| {
            reply.send(database.connection.total_changes()).unwrap();
            Ok(())
        });
        wait(store.change(task)).unwrap();
        count.recv().unwrap()
    };
    let before = changes();
    wait(decide(&store, "alice", |work| {
        let account = work.account.as_mut().unwrap();
        account.tokens[1].next = 7;
        account.last_success_ms = Some(1);
        work.audit.push(AuditEvent::default());
    }))
    .unwrap();
    assert_eq!(changes() - before, 3);
    // What changes nothing writes nothing.
    let before = changes();
    wait(decide(&store, "alice", |_| ())).unwrap();
    assert_eq!(changes() - before, 0);
}

#[test]
fn no_statement_of_a_login_scans_a_table() {
    let home = Home::new();
    let rows = home.rows();
    let locked =
        format!("SELECT count(*) FROM account WHERE {} AND locked_until_ms > ?1", lists::THROTTLED);
    let administrators = format!("SELECT * FROM account WHERE {}", lists::ADMINISTRATORS);
    let kept = "SELECT * FROM issued WHERE code IS NOT NULL AND expires_ms <= ?1";
    let code = "SELECT * FROM issued WHERE id = ?1";
    let client = "SELECT * FROM client WHERE id = ?1";
    for statement in [
        rows::ACCOUNT,
        tokens::TOKENS,
        rows::RECOVERY,
        rows::CHALLENGES,
        register::ISSUED,
        register::CLIENTS,
        register::REGISTERED,
        &administrators,
        kept,
        code,
        client,
        rows::UPDATE_ACCOUNT,
        tokens::UPDATE_TOKEN,
        rows::PRUNE,
        messages::BY,
        messages::FOR,
        messages::OVER,
        messages::SETTLE,
        messages::SETTLE_ALL,
        messages::PRUNE,
        lists::OWNER,
        &format!("SELECT * FROM token WHERE {}", lists::SHOWING),
        &locked,
    ] {
        let mut explain = rows.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let values = vec![rusqlite::types::Null; explain.parameter_count()];
        let plan: Vec<String> = explain
            .query_map(params_from_iter(values), |row| row.get("detail"))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let good = |step: &String| {
            step.starts_with("SEARCH")
                || step.starts_with("SCALAR SUBQUERY")
                || step.contains("USING INDEX account_throttled")
                || step.contains("USING COVERING INDEX account_throttled")
                || step.contains("USING INDEX client_registered")
                || step.contains("USING INDEX account_administrator")
        };
        assert!(!plan.is_empty() && plan.iter().all(good), "{statement}: {plan:?}");
    }
}
