//! Many accounts at once, beside a daemon that serves the same file.

use otp_core::account::Account;

use super::*;
use crate::store::{AuditEvent, AuditQuery, UserQuery, sqlite::bulk::Bulk};

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
