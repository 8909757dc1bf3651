use std::{fs, os::unix::fs::PermissionsExt};

use super::*;
use crate::directory::Record;

struct Folder {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Folder {
    fn new(statements: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("people.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(statements).unwrap();
        Self { path, _folder: folder }
    }

    fn source(&self, query: &str) -> Box<dyn Source> {
        let settings = Settings {
            database: Database::Sqlite(self.path.clone()),
            query: query.to_owned(),
            country: Some("49".to_owned()),
            timeout: Duration::from_millis(300),
        };
        open("d", &settings).unwrap()
    }

    fn ask(&self, query: &str, name: &str) -> Result<Option<Record>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(self.source(query).look_up(name));
        answer.map_err(|error| error.0.replace(self.path.to_str().unwrap(), "FILE"))
    }

    fn check(&self, query: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(self.source(query).check())
    }
}

const PEOPLE: &str = "CREATE TABLE p (l TEXT, m, e, g, s);
    INSERT INTO p VALUES ('alice', '0170 1234581', 'a@b.de', 'x, y', 'active');
    INSERT INTO p VALUES ('bob', 491701234582, NULL, NULL, 'disabled');
    INSERT INTO p VALUES ('carol', NULL, NULL, '', 'gone');
    INSERT INTO p VALUES ('dave', X'00', NULL, NULL, NULL);
    INSERT INTO p VALUES ('eve', NULL, NULL, NULL, NULL), ('eve', NULL, NULL, NULL, NULL);";
const QUERY: &str =
    "SELECT m AS mobile, e AS mail, g AS groups, s AS state, l AS name FROM p WHERE l = ?1";

#[test]
fn a_row_is_a_user() {
    let folder = Folder::new(PEOPLE);
    let alice = folder.ask(QUERY, "alice").unwrap().unwrap();
    assert_eq!(alice.contacts.mobile.as_ref().unwrap().as_str(), "+491701234581");
    assert_eq!(alice.contacts.mail.as_ref().unwrap().as_str(), "a@b.de");
    assert_eq!((alice.groups.len(), alice.disabled), (2, false));
    assert!(folder.ask(QUERY, "bob").unwrap().unwrap().disabled);
    for nobody in ["", "Alice", "alice ", "*", "' OR '1'='1", "alice'--", "'; DROP TABLE p; --"] {
        assert_eq!(folder.ask(QUERY, nobody), Ok(None), "{nobody}");
    }
    assert!(folder.ask(QUERY, "alice").unwrap().is_some());
}

#[test]
fn what_is_no_clear_answer_is_an_error() {
    let folder = Folder::new(PEOPLE);
    let loose = QUERY.replace("l = ?1", "lower(l) = lower(?1)");
    for (query, name, why) in [
        (QUERY, "eve", "FILE: the query finds more than one row"),
        (
            QUERY,
            "carol",
            "FILE: the row's state is another word: allowed are active, disabled and expired",
        ),
        (QUERY, "dave", "FILE: the query's column mobile is no text"),
        (loose.as_str(), "ALICE", "FILE: the row's name is not the one that was asked for"),
        (
            "SELECT m FROM p WHERE l = ?1",
            "alice",
            "FILE: the query's column m means nothing: allowed are name, mobile, mail, groups, state; use AS",
        ),
        (
            "SELECT m AS mobile FROM p WHERE l = ?1 OR l = ?2",
            "alice",
            "FILE: the query must have exactly one parameter, ?1",
        ),
        (
            "SELECT m AS mobile FROM q WHERE l = ?1",
            "alice",
            "FILE: the query fails: no such table: q",
        ),
        ("DELETE FROM p WHERE l = ?1", "alice", "FILE: the query changes the database"),
    ] {
        let error = folder.ask(query, name).unwrap_err();
        assert!(error.starts_with(why), "{query}: {error}");
    }
    assert!(folder.ask(QUERY, "alice").unwrap().is_some(), "nothing was deleted");
    assert_eq!(folder.check(QUERY), Vec::<String>::new());
    assert!(folder.check("SELECT 1")[0].contains("exactly one parameter"));
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let folder = Folder::new(PEOPLE);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT ?1 AS mobile FROM n WHERE i < 0";
    let began = crate::clock::Clock::monotonic_ms(&crate::clock::SystemClock);
    let error = folder.ask(endless, "alice").unwrap_err();
    assert_eq!(error, "FILE: no answer within 300ms");
    // The runtime has waited for the thread, which was interrupted.
    assert!(crate::clock::Clock::monotonic_ms(&crate::clock::SystemClock) - began < 5_000);
}

#[test]
fn a_file_that_others_may_change_is_not_believed() {
    let folder = Folder::new(PEOPLE);
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o646)).unwrap();
    assert!(folder.ask(QUERY, "alice").unwrap_err().contains("others may write it"));
    fs::remove_file(&folder.path).unwrap();
    assert!(folder.ask(QUERY, "alice").unwrap_err().contains("cannot be read"));
}
