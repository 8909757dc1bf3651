//! Many accounts at once, beside a daemon that serves the same file.

use otp_core::account::Account;

use super::*;
use crate::store::{
    AuditEvent, AuditQuery, UserQuery,
    sqlite::bulk::{Bulk, Verdict},
};

impl Home {
    fn bulk(&self) -> Bulk {
        let options = Options { owner: geteuid().as_raw(), audit_rows: 5 };
        Bulk::open(&self.store(), &self.keys(), options).unwrap()
    }
}

async fn counts(store: &SqliteStore) -> (u64, usize) {
    let users = store.users(UserQuery::default()).await.unwrap().1;
    let audit = store.audit(AuditQuery { limit: 100, ..AuditQuery::default() }).await.unwrap();
    (users, audit.len())
}

/// Makes an account for each of them and a record for all.
fn make(bulk: &Bulk, users: &[&str], writing: bool, keep: Option<bool>) -> Result<(), StoreError> {
    bulk.transact(writing, |accounts| {
        for user in users {
            accounts.transact(user, |work| {
                assert!(work.account.is_none(), "{user}");
                work.account = Some(Account { uid: Some(7), ..Account::default() });
            })?;
        }
        accounts.record(&AuditEvent { event: "import".into(), ..AuditEvent::default() })?;
        keep.map(|keep| ((), keep)).ok_or_else(|| setup("given up"))
    })
}

#[tokio::test]
async fn all_accounts_are_changed_or_none() {
    let home = Home::new();
    let (daemon, bulk) = (home.open().unwrap(), home.bulk());
    make(&bulk, &["alice", "bob"], true, Some(false)).unwrap();
    make(&bulk, &["alice", "bob"], false, Some(true)).unwrap();
    let given_up = make(&bulk, &["alice", "bob"], true, None).unwrap_err();
    assert!(given_up.to_string().contains("given up"), "{given_up}");
    assert_eq!(counts(&daemon).await, (0, 0));
    make(&bulk, &["alice", "bob"], true, Some(true)).unwrap();
    assert_eq!(counts(&daemon).await, (2, 1));
    // The daemon goes on with them, and the store is one that opens.
    crate::store::decide(&daemon, "bob", |work| work.account = None).await.unwrap();
    make(&bulk, &["carol"], true, Some(true)).unwrap();
    drop(daemon);
    assert_eq!(counts(&home.open().unwrap()).await, (2, 2));
}

#[tokio::test]
async fn one_account_that_was_tampered_with_stops_all() {
    let home = Home::new();
    let bulk = home.bulk();
    make(&bulk, &["alice"], true, Some(true)).unwrap();
    let other = Connection::open(home.store()).unwrap();
    other.execute("UPDATE account SET uid = 8", []).unwrap();
    let refused = bulk.transact(true, |accounts| {
        accounts.transact("bob", |work| work.account = Some(Account::default()))?;
        accounts.transact("alice", |_| ())?;
        Ok(((), true))
    });
    assert!(matches!(refused, Err(StoreError::Integrity(user)) if user == "alice"));
    assert_eq!(other.query_row("SELECT count(*) FROM account", [], |row| row.get(0)), Ok(1));
}

#[tokio::test]
async fn it_keeps_no_more_audit_records_than_are_wanted() {
    let home = Home::new();
    let (daemon, bulk) = (home.open().unwrap(), home.bulk());
    for _ in 0..8 {
        make(&bulk, &[], true, Some(true)).unwrap();
    }
    assert_eq!(counts(&daemon).await, (0, 5));
}

/// Whoever changes an account between the work and the writing is not overwritten.
#[tokio::test]
async fn what_changes_meanwhile_is_worked_on_again() {
    let home = Home::new();
    let (daemon, bulk, other) = (home.open().unwrap(), home.bulk(), home.bulk());
    make(&other, &["alice", "bob"], true, Some(true)).unwrap();
    let uid = |user: &'static str, bulk: &Bulk| {
        let look = |work: &mut crate::store::Work<'_>| work.account.as_ref().and_then(|a| a.uid);
        bulk.transact(false, |accounts| Ok((accounts.transact(user, look)?, false))).unwrap()
    };
    let (turn, asked) = (std::cell::Cell::new(0), std::cell::RefCell::new(Vec::new()));
    let results = bulk
        .change(
            &["alice", "bob", "carol", "dora"],
            &|place, work| {
                asked.borrow_mut().push(place);
                let account = work.account.get_or_insert_with(Account::default);
                account.uid = account.uid.map_or(Some(1), |uid| Some(uid * 10));
                account.uid
            },
            &|results| {
                turn.set(turn.get() + 1);
                if turn.get() == 1 {
                    assert_eq!(results, [Some(70), Some(70), Some(1), Some(1)]);
                    let changed = other.change(
                        &["bob", "carol"],
                        &|_, work| {
                            work.account.get_or_insert_with(Account::default).uid = Some(8);
                        },
                        &|_| Verdict { keep: true, audit: Vec::new() },
                    );
                    changed.unwrap();
                }
                Verdict { keep: true, audit: Vec::new() }
            },
        )
        .unwrap();
    assert_eq!(results, [Some(70), Some(80), Some(80), Some(1)]);
    assert_eq!(*asked.borrow(), [0, 1, 2, 3, 1, 2]);
    for (user, expected) in [("alice", 70), ("bob", 80), ("carol", 80), ("dora", 1)] {
        assert_eq!(uid(user, &bulk), Some(expected), "{user}");
    }
    drop(daemon);
    assert_eq!(counts(&home.open().unwrap()).await.0, 4, "their number is right");
}

#[tokio::test]
async fn nothing_is_kept_against_the_last_verdict() {
    let home = Home::new();
    let (daemon, bulk) = (home.open().unwrap(), home.bulk());
    let event = AuditEvent { event: "import".into(), ..AuditEvent::default() };
    for (verdicts, kept) in [([false, true], 0), ([true, false], 0), ([true, true], 1)] {
        let turn = std::cell::Cell::new(0);
        let judge = |_: &[()]| {
            turn.set(turn.get() + 1);
            Verdict { keep: verdicts[turn.get() - 1], audit: vec![event.clone()] }
        };
        let change = |_, work: &mut crate::store::Work<'_>| {
            work.account = Some(Account { uid: Some(7), ..Account::default() });
        };
        bulk.change(&["alice"], &change, &judge).unwrap();
        assert_eq!(counts(&daemon).await, (kept, usize::try_from(kept).unwrap()), "{verdicts:?}");
    }
}
