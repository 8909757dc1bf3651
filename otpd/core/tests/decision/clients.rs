//! The register of clients, and what is remembered.

use otp_core::{
    account::Account,
    client::{
        Client, Enabling, MOST_REMEMBERED, Standing, Visit, bind, forget, recall, register,
        remember, remove, seen, standing,
    },
    code::Digits,
    error::Error,
    issued::{self, NewCode, Reach},
};

use crate::fixture::{KEY, NOW};

const KEY_ID: &str = "SHA256:Hf3JmYbCbCwVnQ0n5zq0Ew0sGk3vE8t4m1j8pVq0mXk";
const HOURS_8: u64 = 8 * 3_600_000;

fn client(id: &str, identity: Option<&str>) -> Client {
    Client {
        id: id.to_owned(),
        description: "Windows_10_(10.0)".to_owned(),
        identity: identity.map(str::to_owned),
        enabling: Enabling::Always,
        push: false,
        created_ms: NOW,
        last_ms: None,
        last_source: None,
        remembered: None,
    }
}

fn never(_: &str) -> bool {
    false
}

#[test]
fn t10_only_a_client_that_is_registered_and_enabled_is_known() {
    let times = Enabling::parse("Mon..Fri 08:00-18:00").unwrap();
    let mut account = Account::default();
    register(&mut account, client("a", Some("tablet"))).unwrap();
    let off = Client { enabling: Enabling::Disabled, ..client("b", Some("screen")) };
    register(&mut account, off).unwrap();
    register(&mut account, Client { enabling: times, ..client("c", Some("pc")) }).unwrap();
    register(&mut account, client("d", None)).unwrap();
    let at_work = |times: &str| times == "Mon..Fri 08:00-18:00";
    for (identity, expected) in [
        (Some("tablet"), [Standing::Enabled; 2]),
        (Some("screen"), [Standing::Disabled; 2]),
        (Some("pc"), [Standing::Enabled, Standing::Disabled]),
        (Some("other"), [Standing::Unknown; 2]),
        (Some("Tablet"), [Standing::Unknown; 2]),
        (Some(""), [Standing::Unknown; 2]),
        (None, [Standing::Unknown; 2]),
    ] {
        let now = standing(&account.clients, identity, &at_work);
        let night = standing(&account.clients, identity, &never);
        assert_eq!([now, night], expected, "{identity:?}");
        if let Some(identity) = identity {
            assert_eq!(account.known(identity, &never), night == Standing::Enabled);
        }
    }
}

#[test]
fn t14_an_id_is_neither_empty_nor_there_twice() {
    let mut account = Account::default();
    register(&mut account, client("a", Some("tablet"))).unwrap();
    for identity in ["", " tablet", "tab\nlet", "\0", &"x".repeat(129)] {
        let refused = register(&mut account, client("b", Some(identity)));
        assert_eq!(refused, Err(Error::Identity), "{identity:?}");
    }
    let twice = register(&mut account, client("b", Some("tablet")));
    assert!(matches!(twice, Err(Error::State(_))));
    assert_eq!(account.clients.len(), 1);
    register(&mut account, client("b", Some("x"))).unwrap();
    // Clients that are not bound yet have no ID that could be the same.
    register(&mut account, client("c", None)).unwrap();
    register(&mut account, client("d", None)).unwrap();
}

#[test]
fn t19_a_client_is_bound_once() {
    let mut account = Account::default();
    register(&mut account, client("a", None)).unwrap();
    register(&mut account, client("b", None)).unwrap();
    assert!(bind(&mut account, "z", "tablet").is_err());
    bind(&mut account, "a", "tablet").unwrap();
    assert!(bind(&mut account, "a", "other").is_err());
    assert!(bind(&mut account, "b", "tablet").is_err());
    assert_eq!(account.clients[0].identity.as_deref(), Some("tablet"));
    assert_eq!(account.clients[1].identity, None);
    seen(&mut account, "tablet", "192.168.3.118", NOW + 5);
    assert_eq!(account.clients[0].last_ms, Some(NOW + 5));
    assert_eq!(account.clients[0].last_source.as_deref(), Some("192.168.3.118"));
    assert_eq!(account.clients[1].last_ms, None);
}

#[test]
fn t17_a_client_takes_its_pending_code_along() {
    let mut account = Account::default();
    register(&mut account, client("a", None)).unwrap();
    register(&mut account, client("b", None)).unwrap();
    for id in ["a", "b"] {
        let new = NewCode {
            id: format!("code of {id}"),
            validity_ms: 1000,
            uses: 1,
            service: None,
            reach: Reach::Both,
            reason: String::new(),
            issued_by: 0,
            client: Some(id.to_owned()),
            keep: true,
        };
        issued::issue(&mut account, new, Digits::random(&[7; 16], 8), &KEY, NOW).unwrap();
    }
    remove(&mut account, "a").unwrap();
    assert!(remove(&mut account, "a").is_err());
    let left: Vec<_> = account.issued.iter().map(|code| code.id.as_str()).collect();
    assert_eq!(left, ["code of b"]);
}

fn visit<'a>(identity: &'a str, address: &'a str) -> Visit<'a> {
    Visit { service: "sshd", identity, address }
}

#[test]
fn a_remembered_client_counts_for_its_key_address_service_and_time() {
    let mut account = Account::default();
    let own = visit(KEY_ID, "192.0.2.1");
    remember(&mut account, "r".to_owned(), &own, HOURS_8, NOW);
    let hit = |visit: &Visit<'_>, for_ms, at_ms| {
        recall(&account.clients, visit, for_ms, NOW + at_ms).is_some()
    };
    for (visit, expected) in [
        (own, true),
        (visit(KEY_ID, "192.0.2.2"), false),
        (visit("SHA256:another", "192.0.2.1"), false),
        (visit("192.0.2.1", "192.0.2.1"), false),
        (Visit { service: "sudo", ..own }, false),
    ] {
        assert_eq!(hit(&visit, HOURS_8, 0), expected, "{visit:?}");
    }
    for (for_ms, at_ms, expected) in [
        (HOURS_8, 0, true),
        (HOURS_8, HOURS_8 as i64 - 1, true),
        (HOURS_8, HOURS_8 as i64, false),
        (2 * HOURS_8, HOURS_8 as i64, false),
        // The administrator has made it shorter since.
        (60_000, 59_999, true),
        (60_000, 60_000, false),
        // The clock was set back.
        (HOURS_8, -60_000, true),
        (HOURS_8, -60_001, false),
    ] {
        assert_eq!(hit(&own, for_ms, at_ms), expected, "{for_ms} {at_ms}");
    }
    // It is no registered client.
    assert!(!account.known(KEY_ID, &never));
    account.clients[0].enabling = Enabling::Disabled;
    assert!(recall(&account.clients, &own, HOURS_8, NOW).is_none());
    forget(&mut account);
    assert!(account.clients.is_empty());
}

#[test]
fn remembered_clients_are_bounded_and_registered_ones_stay() {
    let mut account = Account::default();
    register(&mut account, client("a", Some("192.0.2.1"))).unwrap();
    for number in 0..30 {
        let address = format!("192.0.2.{number}");
        remember(&mut account, number.to_string(), &visit(&address, &address), HOURS_8, NOW);
    }
    assert_eq!(account.clients.len(), 1 + MOST_REMEMBERED);
    assert_eq!(account.clients[1].id, "10");
    // Once more is not one more, and what is over goes.
    remember(&mut account, "x".to_owned(), &visit("192.0.2.29", "192.0.2.29"), 1, NOW);
    assert_eq!(account.clients.len(), 1 + MOST_REMEMBERED);
    let late = NOW + HOURS_8 as i64;
    remember(&mut account, "y".to_owned(), &visit("::1", "::1"), HOURS_8, late);
    assert_eq!(account.clients.len(), 2);
}
