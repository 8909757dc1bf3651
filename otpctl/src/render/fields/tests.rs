use super::*;
use crate::render::{AuditDocument, List, Status, Token, User, json};

fn out(terminal: bool) -> Output {
    let zone = TimeZone::posix("CET-1").unwrap();
    Output { json: false, quiet: false, terminal, zone }
}

fn a_token() -> TokenDocument {
    TokenDocument {
        id: "3f2a91bc5d6e7f8091a2b3c4d5e6f708".into(),
        user: "alice".into(),
        label: "phone".into(),
        method: "totp".into(),
        kind: "totp".into(),
        state: "active".into(),
        algorithm: "sha1".into(),
        digits: 6,
        period_ms: Some(30_000),
        created: 1_767_225_599_000,
        last_used: Some(1_767_312_000_000),
        ..TokenDocument::default()
    }
}

fn other_token() -> TokenDocument {
    TokenDocument {
        id: "77aa0011223344556677889900aabbcc".into(),
        user: "a-user-with-a-long-name@directory.example.org".into(),
        label: "the red key fob\u{1b}[31m from the drawer".into(),
        method: "acme.hotp.1".into(),
        kind: "hotp".into(),
        state: "disabled".into(),
        algorithm: "sha256".into(),
        digits: 8,
        rejoin: Some("due".into()),
        created: 1_767_225_599_000,
        expires: Some(1_798_761_600_000),
        disabled_until: Some(1_767_400_000_000),
        reason: Some("left at home".into()),
        ..TokenDocument::default()
    }
}

fn a_user() -> UserDocument {
    UserDocument {
        user: "alice".into(),
        uid: Some(1000),
        tokens: 2,
        usable: 1,
        recovery: 7,
        failures: 6,
        lock: "locked".into(),
        locked_until: Some(1_767_312_060_000),
        administrator: true,
        last_success: Some(1_767_312_000_000),
        mobile: Some("+49*****81".into()),
        mail: Some("a*****@example.com".into()),
    }
}

fn new_user() -> UserDocument {
    UserDocument { user: "bob".into(), tokens: 1, lock: "open".into(), ..UserDocument::default() }
}

fn records() -> [AuditRecord; 2] {
    [
        AuditRecord {
            id: 41,
            time: 1_767_312_000_000,
            event: "login".into(),
            result: "wrong".into(),
            user: "alice".into(),
            service: Some("sshd".into()),
            source: Some("192.0.2.7".into()),
            tty: Some("ssh".into()),
            failures: Some(3),
            session: Some("9f31".into()),
            caller: Some(0),
            detail: Some("a\nb".into()),
            ..AuditRecord::default()
        },
        AuditRecord {
            id: 42,
            time: 1_767_312_030_000,
            event: "reload".into(),
            result: "ok".into(),
            failures: Some(0),
            token: Some("3f2a91bc5d6e7f8091a2b3c4d5e6f708".into()),
            method: Some("totp".into()),
            ..AuditRecord::default()
        },
    ]
}

fn a_status() -> StatusDocument {
    StatusDocument {
        version: "0.1.0".into(),
        health: "degraded".into(),
        problems: vec!["the store is read-only: /var/lib/otpd/otpd.db".into()],
        since: 1_767_225_599_000,
        users: 12,
        tokens: 15,
        locked: 1,
        clients: 4,
        clients_most: 999,
        last_client: Some("SHA256:8CUNSmOSkpl5EmG7Fy3xHppBa0fnrb/jsZ1rEGt04vQ".into()),
        last_client_source: Some("192.168.3.118".into()),
        sessions: 3,
        store: "sqlite /var/lib/otpd/otpd.db".into(),
        schema: 1,
        key: "/etc/otpd/kek".into(),
        configuration: vec!["/etc/otpd/otpd.toml".into(), "/etc/otpd/otpd.d/a.toml".into()],
    }
}

/// Compares with a file of `tests/golden`.
macro_rules! golden {
    ($name:literal, $text:expr) => {
        let golden = include_str!(concat!("../../../tests/golden/", $name));
        assert_eq!(&*$text, golden.trim_end_matches('\n').to_owned() + "\n", $name);
    };
}

#[test]
fn lists_on_a_terminal() {
    let text = tokens(&[a_token(), other_token()], &out(true));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    golden!("tokens.txt", text);
    golden!("users.txt", users(&[a_user(), new_user()], &out(true)));
    assert_eq!(tokens(&[], &out(true)).lines().count(), 1);
}

#[test]
fn lists_for_programs() {
    golden!("tokens.tsv", tokens(&[a_token(), other_token()], &out(false)));
    golden!("users.tsv", users(&[a_user(), new_user()], &out(false)));
    assert_eq!(tokens(&[], &out(false)), "");
}

#[test]
fn fields_of_one() {
    let zone = out(true).zone;
    golden!("token.txt", token(&a_token(), &zone) + "\n" + &token(&other_token(), &zone));
    golden!("user.txt", user(&a_user(), &zone) + "\n" + &user(&new_user(), &zone));
    golden!("status.txt", status(&a_status(), &zone));
}

#[test]
fn decisions() {
    let zone = out(true).zone;
    let lines = records().each_ref().map(|record| audit_line(record, &zone) + "\n");
    golden!("audit.txt", lines.concat());
    let user = r#"x" ok source=local"#.to_owned();
    let line = audit_line(&AuditRecord { user, ..records()[1].clone() }, &zone);
    assert!(line.contains(r#" "x\" ok source=local" method"#), "{line}");
}

#[test]
fn documents() {
    let (first, second) = (a_token(), other_token());
    let items = vec![Token::from(&first), Token::from(&second)];
    golden!("tokens.json", json(&List { items, total: 2 }).unwrap().to_string() + "\n");
    let (first, second) = (a_user(), new_user());
    let items = vec![User::from(&first), User::from(&second)];
    golden!("users.json", json(&List { items, total: 153 }).unwrap().to_string() + "\n");
    let records = records();
    let items = records.iter().map(AuditDocument::from).collect();
    golden!("audit.json", json(&List { items, total: 2 }).unwrap().to_string() + "\n");
    golden!("status.json", json(&Status::from(&a_status())).unwrap().to_string() + "\n");
}
