use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use nix::unistd::geteuid;
use otp_core::{
    account::Account,
    token::{Algorithm, State},
};
use otp_ipc::maintenance::import::{Report, Source};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{gather::Found, *};
use crate::{
    import::Row,
    keys::Keyring,
    store::sqlite::{Options, init},
};

const NOW: i64 = 1_795_321_174_000;
const STEP: u64 = 59_844_039;

/// A store, its key and a configuration, and the users that the system knows.
struct House {
    folder: TempDir,
    config: Config,
    store: Bulk,
    people: People,
}

impl House {
    fn new(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let owner = geteuid().as_raw();
        std::fs::create_dir(at("state")).unwrap();
        init(&at("state/otpd.db"), &at("kek"), None, 1).unwrap();
        std::fs::write(at("otpd.toml"), configuration).unwrap();
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(at("otpd.toml"), mode).unwrap();
        let config = Config::load(&at("otpd.toml"), None).unwrap().config;
        let ring = Keyring::load(None, &at("kek"), owner).unwrap();
        let options = Options { owner, audit_rows: 10_000 };
        let store = Bulk::open(&at("state/otpd.db"), &ring, options).unwrap();
        let people = People::known([("alice", 1000), ("bob", 1001), ("carol", 1002)]);
        Self { folder, config, store, people }
    }

    fn import_with(&self, request: &Request, files: &[&str]) -> Report {
        let circumstances = Circumstances { now_ms: NOW, zone: TimeZone::UTC, key: None };
        let mut gathered = Gathered::default();
        for (number, text) in files.iter().enumerate() {
            let source = Source { path: format!("file-{number}"), ..Source::default() };
            gathered.read(source, text.as_bytes(), request, &circumstances);
        }
        self.apply(request, gathered)
    }

    fn apply(&self, request: &Request, gathered: Gathered) -> Report {
        let methods = Methods { config: &self.config, wanted: request.method.as_deref() };
        let import = Import {
            methods,
            recovery_key: self.store.recovery_key(),
            people: &self.people,
            request,
        };
        import.apply(&self.store, gathered, NOW).unwrap()
    }

    fn import(&self, text: &str) -> Report {
        self.import_with(&Request::default(), &[text])
    }

    /// One row of alice's.
    fn row(&self, change: impl FnOnce(&mut Row)) -> Report {
        let line = line("alice", 1, 5);
        let circumstances = Circumstances { now_ms: NOW, zone: TimeZone::UTC, key: None };
        let format = crate::import::Format::named("oath").unwrap();
        let mut row = format.read(line.as_bytes(), &circumstances).unwrap().rows.remove(0);
        change(&mut row);
        let tokens =
            BTreeMap::from([("alice".to_owned(), vec![Found { file: 0, row, own_word: false }])]);
        let gathered = Gathered { files: vec!["file".into()], tokens, refused: Vec::new() };
        self.apply(&Request::default(), gathered)
    }

    /// Looks at an account, or changes it.
    fn with<R>(&self, user: &str, look: impl FnOnce(&mut Option<Account>) -> R) -> R {
        let body = |accounts: &crate::store::sqlite::bulk::Accounts<'_>| {
            Ok((accounts.transact(user, |work| look(&mut work.account))?, true))
        };
        self.store.transact(true, body).unwrap()
    }

    /// What there is of each user: labels and watermarks.
    fn tokens(&self, user: &str) -> Vec<(String, u64)> {
        self.with(user, |account| {
            let tokens = account.iter().flat_map(|account| &account.tokens);
            tokens.map(|token| (token.label.clone(), token.next)).collect()
        })
    }

    fn records(&self) -> i64 {
        let file = self.folder.path().join("state/otpd.db");
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.query_row("SELECT count(*) FROM audit", [], |row| row.get(0)).unwrap()
    }
}

/// A line of a users file with a key of its own.
fn line(user: &str, key: u8, next: u64) -> String {
    format!("HOTP {user} - {} {next}\n", format!("{key:02x}").repeat(20))
}

fn counts(report: &Report) -> (usize, usize, usize, usize) {
    (report.added, report.known, report.raised, report.rejected)
}

fn label(label: &str, next: u64) -> (String, u64) {
    (label.to_owned(), next)
}

#[test]
fn twice_is_once_and_a_watermark_only_rises() {
    let house = House::new("");
    let text = line("alice", 1, 5) + &line("alice", 2, 6) + &line("bob", 1, 7);
    let report = house.import(&text);
    assert_eq!((counts(&report), report.users, report.applied), ((3, 0, 0, 0), 2, true));
    assert_eq!(house.records(), 4, "one for each and the sum");
    let again = house.import(&text);
    assert_eq!((counts(&again), again.users), ((0, 3, 0, 0), 2));
    assert_eq!(house.records(), 4, "nothing has changed");
    assert_eq!(counts(&house.import(&line("alice", 2, 3))), (0, 1, 0, 0));
    assert_eq!(counts(&house.import(&line("alice", 2, 9))), (0, 1, 1, 0));
    assert_eq!(house.tokens("alice"), [label("oath-1", 5), label("oath-2", 9)]);
    assert_eq!(house.tokens("bob"), [label("oath-1", 7)]);
    assert_eq!(house.with("alice", |account| account.as_ref().unwrap().uid), Some(1000));
    assert_eq!(house.records(), 6);
    let results: Vec<_> = report.tokens.iter().map(|token| (token.line, &*token.result)).collect();
    assert_eq!(results, [(1, "added"), (2, "added"), (3, "added")]);
    assert_eq!(report.methods.len(), 1);
    assert_eq!((report.methods[0].look_ahead, report.methods[0].before), (Some(10), None));
}

#[test]
fn all_is_taken_or_nothing_or_what_is_accepted() {
    let house = House::new("");
    let text = line("alice", 1, 5) + "junk\n" + &line("nobody", 2, 6) + &line("bob", 3, 7);
    let dry = Request { dry_run: true, accepted: true, ..Request::default() };
    let accepted = Request { accepted: true, ..Request::default() };
    for (request, applied) in [(Request::default(), false), (dry, true)] {
        let report = house.import_with(&request, &[&text]);
        assert_eq!((counts(&report), report.applied), ((2, 0, 0, 2), applied));
        let lines: Vec<_> = report.rejects.iter().map(|reject| reject.line).collect();
        assert_eq!(lines, [2, 3]);
        assert_eq!(report.rejects[1].user.as_deref(), Some("nobody"));
        assert!(house.tokens("alice").is_empty() && house.tokens("bob").is_empty());
        assert_eq!(house.records(), 0);
    }
    // What the account alone tells comes to light within the transaction.
    let many: String = (1..=21).map(|key| line("alice", key, 0)).collect();
    assert_eq!(counts(&house.import(&(many.clone() + &line("bob", 3, 7)))), (21, 0, 0, 1));
    assert!(house.tokens("alice").is_empty() && house.tokens("bob").is_empty());
    let report = house.import_with(&accepted, &[&text, "no format\n"]);
    assert_eq!((counts(&report), report.applied), ((2, 0, 0, 3), true));
    assert_eq!((&*report.rejects[2].file, report.rejects[2].line), ("file-1", 0));
    assert_eq!(house.tokens("bob"), [label("oath-1", 7)]);
}

#[test]
fn a_name_that_has_become_somebody_elses_gets_nothing() {
    let house = House::new("");
    house.with("alice", |account| {
        *account = Some(Account { uid: Some(4711), ..Account::default() });
    });
    let report = house.import(&line("alice", 1, 5));
    assert_eq!(counts(&report), (0, 0, 0, 1));
    assert!(report.rejects[0].reason.contains("user id 4711"), "{report:?}");
    assert!(house.tokens("alice").is_empty());
}

#[test]
fn a_token_is_what_the_file_says_of_it() {
    let house = House::new("");
    let report = house.row(|row| {
        row.factor = Factor::Totp { t0_ms: 0, period_ms: 60_000 };
        (row.algorithm, row.digits, row.next) = (Algorithm::Sha256, 8, STEP / 2);
        (row.offset_ms, row.expires_ms) = (-120_000, Some(NOW + 1));
        row.label = Some("\tmy phone ".into());
        row.pace = Some((3, 30_000));
        row.recovery = ["12345678", "87654321"].iter().filter_map(|code| digits(code)).collect();
        row.disabled = true;
    });
    assert_eq!(counts(&report), (1, 0, 0, 0), "{report:?}");
    assert_eq!((report.tokens[0].recovery, &*report.tokens[0].method), (2, "totp"));
    house.with("alice", |account| {
        let account = account.as_ref().unwrap();
        let token = &account.tokens[0];
        assert_eq!((&*token.label, &*token.method, token.digits), ("my phone", "totp", 8));
        assert_eq!(token.factor, Factor::Totp { t0_ms: 0, period_ms: 60_000 });
        assert_eq!((token.offset_ms, token.expires_ms), (-120_000, Some(NOW + 1)));
        assert!(matches!(token.state, State::Disabled { until_ms: None, .. }));
        assert_eq!(account.recovery.len(), 2);
        assert_eq!(account.pace.map(|pace| (pace.attempts, pace.interval_ms)), Some((3, 30_000)));
    });
}

fn digits(code: &str) -> Option<otp_core::code::Digits> {
    otp_core::code::Digits::from_ascii(code.as_bytes())
}

/// Recovery codes that were used here are not good again because of another import, and a limit
/// that is none is not kept.
#[test]
fn what_came_with_a_token_comes_once() {
    let house = House::new("");
    let import = || {
        house.row(|row| {
            row.recovery = digits("12345678").into_iter().collect();
            row.pace = Some((5, 30_000));
        })
    };
    let first = import();
    assert!(first.tokens[0].warnings[0].contains("5 attempts in 30 s"), "{first:?}");
    house.with("alice", |account| {
        let account = account.as_mut().unwrap();
        assert_eq!(account.pace, None);
        assert_eq!(account.recovery.len(), 1);
        account.recovery.clear();
    });
    let again = import();
    assert_eq!((counts(&again), again.tokens[0].recovery), ((0, 1, 0, 0), 0));
    assert!(house.with("alice", |account| account.as_ref().unwrap().recovery.is_empty()));
}

#[test]
fn what_cannot_be_a_token_here_is_rejected() {
    let house = House::new(
        "[[method]]\nname = \"off\"\ntype = \"hotp\"\nenabled = false\n\
         [[method]]\nname = \"nowhere\"\ntype = \"hotp\"\ndirectories = []\n",
    );
    for (method, why) in [
        ("none", "there is no method \"none\""),
        ("off", "is disabled"),
        ("nowhere", "linked to no directory"),
        ("totp", "is for other tokens than hotp"),
    ] {
        let request = Request { method: Some(method.into()), ..Request::default() };
        let report = house.import_with(&request, &[&line("alice", 1, 5)]);
        assert_eq!(counts(&report), (0, 0, 0, 1));
        assert!(report.rejects[0].reason.contains(why), "{report:?}");
    }
    for (change, why) in [
        (Box::new(|row: &mut Row| row.next = (1 << 40) + 1) as Box<dyn FnOnce(&mut Row)>, "beyond"),
        (
            Box::new(|row: &mut Row| {
                row.factor = Factor::Totp { t0_ms: 0, period_ms: 30_000 };
                row.offset_ms = 3_000_001;
            }),
            "100 steps",
        ),
        (Box::new(|row: &mut Row| row.digits = 9), "4 to 8 digits"),
    ] {
        let report = house.row(change);
        assert_eq!(counts(&report), (0, 0, 0, 1));
        assert!(report.rejects[0].reason.contains(why), "{report:?}");
    }
    assert!(house.with("alice", |account| account.is_none()), "nobody is made of it");
    house.import(&line("alice", 1, 5));
    let other = house.import(&line("alice", 1, 5).replace("HOTP", "HOTP/E/8"));
    assert!(other.rejects[0].reason.contains("other parameters"), "{other:?}");
}

#[test]
fn a_label_that_is_taken_gets_a_number() {
    let house = House::new("");
    house.import(&line("alice", 1, 0));
    house.import(&line("alice", 2, 0));
    house.row(|row| {
        row.secret = secret(3);
        row.label = Some("x".repeat(200));
    });
    house.row(|row| {
        row.secret = secret(4);
        row.label = None;
    });
    let labels: Vec<_> = house.tokens("alice").into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["oath-1", "oath-1 2", "hotp", "hotp 2"]);
}

fn secret(byte: u8) -> otp_core::secret::Secret {
    otp_core::secret::Secret::new(Zeroizing::new(vec![byte; 20])).unwrap()
}

#[test]
fn a_user_that_is_named_gets_what_is_theirs() {
    let house = House::new("");
    let request = Request { user: Some("bob".into()), ..Request::default() };
    let text = line("alice", 1, 0) + &line("bob", 2, 0) + "HOTP alice bad\n";
    let google = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n\" HOTP_COUNTER 4\n";
    assert_eq!(counts(&house.import_with(&request, &[&text, google])), (2, 0, 0, 0));
    assert_eq!(house.tokens("bob"), [label("oath-1", 0), label("hotp", 4)]);
    assert!(house.tokens("alice").is_empty());
    let nobodys = house.import(google);
    assert!(nobodys.rejects[0].reason.contains("--user"), "{nobodys:?}");
    let odd = Request { user: Some("../bob".into()), ..Request::default() };
    assert!(house.import_with(&odd, &[google]).rejects[0].reason.contains("user name"));
}

/// Users write what is in their homes.
#[test]
fn a_file_in_a_home_adds_to_no_other_user() {
    let uri = "otpauth://totp/alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n";
    let csv = "# version: 2\nalice, , , S1, 000102030405060708090a0b0c0d0e0f10111213, hotp, 6\n";
    let lines = line("alice", 1, 0) + &line("bob", 2, 0);
    for (format, text) in [(None, uri), (Some("otpauth"), uri), (None, csv), (Some("oath"), &lines)]
    {
        let house = House::new("");
        let source = Source {
            path: "/home/bob/x".into(),
            user: Some("bob".into()),
            format: format.map(str::to_owned),
            refused: None,
        };
        let circumstances = Circumstances { now_ms: NOW, zone: TimeZone::UTC, key: None };
        let mut gathered = Gathered::default();
        gathered.read(source, text.as_bytes(), &Request::default(), &circumstances);
        assert_eq!(gathered.tokens.get("bob").map_or(0, Vec::len), 1, "{text}");
        house.apply(&Request::default(), gathered);
        assert!(house.tokens("alice").is_empty(), "{text}");
        assert_eq!(house.tokens("bob").len(), 1, "{text}");
    }
}

/// A pending token could be confirmed later without the proof that the user can now give.
#[test]
fn pending_tokens_go_as_with_any_token_that_is_active_at_once() {
    let house = House::new("");
    house.import(&line("alice", 1, 0));
    house.with("alice", |account| {
        account.as_mut().unwrap().tokens[0].state = State::Pending { until_ms: NOW + 1000 };
    });
    house.import(&line("alice", 2, 0));
    assert_eq!(house.tokens("alice"), [label("oath-1 2", 0)]);
}

/// The trail has one record for each of the first users, and one for all in any case.
#[test]
fn the_audit_trail_is_bounded() {
    let names: Vec<_> = (0..RECORDS + 50).map(|number| format!("user{number:04}")).collect();
    let mut house = House::new("");
    house.people = People::known(names.iter().map(|name| (name.as_str(), 7)));
    let text: String = names.iter().map(|name| line(name, 1, 0)).collect();
    assert_eq!(counts(&house.import(&text)), (names.len(), 0, 0, 0));
    assert_eq!(house.records(), i64::try_from(RECORDS).unwrap() + 1);
}

/// Who has moved is not enrolled anew by what a hijacked session puts into their home.
#[test]
fn a_file_in_a_home_adds_no_second_key() {
    let house = House::new("");
    let circumstances = Circumstances { now_ms: NOW, zone: TimeZone::UTC, key: None };
    let import = |user: Option<&str>, text: &str| {
        let request = Request { user: user.map(str::to_owned), ..Request::default() };
        let mut gathered = Gathered::default();
        let source = Source {
            path: "/home/alice/users.oath".to_owned(),
            user: Some("alice".to_owned()),
            ..Source::default()
        };
        gathered.read(source, text.as_bytes(), &request, &circumstances);
        house.apply(&request, gathered)
    };
    let both = line("alice", 1, 5) + &line("alice", 2, 6);
    assert_eq!(counts(&import(None, &both)), (2, 0, 0, 0), "the move itself");
    assert_eq!(counts(&import(None, &line("alice", 1, 8))), (0, 1, 1, 0), "used there since");
    let other = import(None, &line("alice", 3, 0));
    assert_eq!(counts(&other), (0, 0, 0, 1));
    assert!(other.rejects[0].reason.contains("another key"), "{:?}", other.rejects);
    assert_eq!(house.tokens("alice").len(), 2);
    assert_eq!(counts(&import(Some("alice"), &line("alice", 3, 0))), (1, 0, 0, 0));
}

/// What people call their accounts elsewhere makes nobody's token.
#[test]
fn an_app_does_not_say_whose_its_accounts_are() {
    let house = House::new("");
    let app = r#"[{"secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","label":"alice","digits":6,
        "type":"TOTP","algorithm":"SHA1","period":30}]"#;
    let report = house.import(app);
    assert_eq!(counts(&report), (0, 0, 0, 1));
    assert!(report.rejects[0].reason.contains("--user"), "{:?}", report.rejects);
    let request = Request { user: Some("alice".to_owned()), ..Request::default() };
    assert_eq!(counts(&house.import_with(&request, &[app])), (1, 0, 0, 0));
}
