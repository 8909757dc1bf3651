//! Definitions of tables that other hands have changed.

use otp_core::account::Account;

use super::*;
use crate::store::{
    contract::wait,
    decide,
    sqlite::image::{self, Image},
};

/// Each says that a change of an account or a token is to be passed over in silence: no failure
/// would count, and no code would be used up.
const CHANGES: [&str; 4] = [
    "ALTER TABLE account ADD COLUMN x INTEGER NOT NULL ON CONFLICT IGNORE \
     AS (CASE WHEN failures > 0 THEN NULL ELSE 1 END)",
    "ALTER TABLE token ADD COLUMN x INTEGER NOT NULL ON CONFLICT IGNORE \
     AS (CASE WHEN next > 7 THEN NULL ELSE 1 END)",
    "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, \
     'failures INTEGER NOT NULL', 'failures INTEGER DEFAULT 0') WHERE name = 'account'",
    "DROP TABLE recovery; CREATE TABLE recovery (user, position, digest)",
];

fn home() -> Home {
    let home = Home::new();
    let store = home.open().unwrap();
    wait(decide(&store, "alice", |work| work.account = Some(Account::default()))).unwrap();
    home
}

fn failures(home: &Home) -> u32 {
    home.rows().query_row("SELECT failures FROM account", [], |row| row.get(0)).unwrap()
}

/// What the first change would do.
#[test]
fn a_definition_can_swallow_what_is_written() {
    let home = home();
    let store = home.open().unwrap();
    home.rows().execute_batch(CHANGES[0]).unwrap();
    for _ in 0..3 {
        let charge = |work: &mut crate::store::Work<'_>| {
            work.account.iter_mut().for_each(|account| account.throttle.failures += 1);
        };
        wait(decide(&store, "alice", charge)).unwrap();
    }
    assert_eq!(failures(&home), 0);
}

#[test]
fn tables_that_otpd_did_not_define_are_refused() {
    for change in CHANGES {
        let home = home();
        home.rows().execute_batch(change).unwrap();
        let refusal = home.refusal();
        assert!(refusal.contains("by other hands"), "{change}: {refusal}");
        let bytes = image::copy(&home.store(), geteuid().as_raw()).unwrap();
        let image = Image::read(&bytes).map(drop).unwrap_err().to_string();
        assert!(image.contains("by other hands"), "{change}: {image}");
    }
}

/// What changes nothing about a row is an administrator's own affair.
#[test]
fn another_index_or_table_is_no_harm() {
    let home = home();
    let more = "CREATE INDEX mine ON audit (user, time_ms); CREATE TABLE notes (text); ANALYZE";
    home.rows().execute_batch(more).unwrap();
    home.open().unwrap();
}
