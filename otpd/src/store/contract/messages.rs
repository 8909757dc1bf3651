//! Contacts, the messages that wait and the count of those that were asked for.

use zeroize::Zeroizing;

use super::*;

/// A number that a message goes to.
const NUMBER: &str = "+491701234581";

pub(crate) fn contacts_of_users(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let known = |user: &str| wait(store.contacts(user)).unwrap();
    assert_eq!(known("alice"), Contacts::default());
    for contacts in [
        contacts(Some(NUMBER), None),
        contacts(None, Some("alice@example.com")),
        contacts(Some("+12025550143"), Some("a@b")),
        Contacts::default(),
    ] {
        let expected = contacts.clone();
        put(&*store, "alice", Account { contacts, ..full() });
        assert_eq!(known("alice"), expected);
        assert_eq!(known("bob"), Contacts::default());
    }
    put(&*store, "bob", Account { contacts: contacts(Some(NUMBER), None), ..Account::default() });
    wait(decide(&*store, "bob", |work| work.account = None)).unwrap();
    assert_eq!(known("bob"), Contacts::default());
}

pub(crate) fn messages_wait_until_settled(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let by_mail = || Outgoing {
        channel: Channel::Email,
        recipient: "alice@example.com".into(),
        time_ms: 5,
        until_ms: i64::MIN,
        payload: Zeroizing::new(vec![0xff; LONGEST_PAYLOAD]),
        ..message("b", "", 0)
    };
    let silent = || Outgoing {
        recipient: String::new(),
        payload: Zeroizing::default(),
        ..message("c", "", 5)
    };
    // Neither an account nor an audit record is needed.
    queue(&*store, "bob", message("a", NUMBER, 9));
    wait(decide(&*store, "alice", move |work| work.outbox.extend([by_mail(), silent()]))).unwrap();
    let (a, b, c) = (
        || ("bob".to_owned(), message("a", NUMBER, 9)),
        || ("alice".to_owned(), by_mail()),
        || ("alice".to_owned(), silent()),
    );
    assert_eq!(queued(&*store), [a(), b(), c()]);
    drop(store);
    let store = backend.open().unwrap();
    assert_eq!(queued(&*store), [a(), b(), c()]);
    // Only a user's own messages, and only those that are there.
    settle(&*store, "bob", "b");
    settle(&*store, "alice", "none");
    settle(&*store, "alice", "b");
    settle(&*store, "alice", "b");
    assert_eq!(queued(&*store), [a(), c()]);
    // Asked for and over at once.
    wait(decide(&*store, "bob", |work| {
        work.outbox.push(message("d", NUMBER, 9));
        work.settled.extend(["d".to_owned(), "a".to_owned()]);
        assert_eq!(work.ledger.count(Asked::By("bob"), 0).unwrap(), 1);
    }))
    .unwrap();
    assert_eq!(queued(&*store), [c()]);
    assert_eq!(count(&*store, Asked::By("bob"), 0), 2);
}

pub(crate) fn a_reset_settles_and_still_counts(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    queue(&*store, "alice", message("a", NUMBER, 5));
    queue(&*store, "bob", message("b", NUMBER, 5));
    wait(decide(&*store, "alice", |work| {
        work.account = None;
        work.outbox.push(message("c", NUMBER, 5));
    }))
    .unwrap();
    assert_eq!(queued(&*store), [("bob".to_owned(), message("b", NUMBER, 5))]);
    assert_eq!(count(&*store, Asked::By("alice"), 0), 2);
    put(&*store, "alice", Account::default());
    expect(&*store, "alice", Some(Account::default()));
    assert_eq!(count(&*store, Asked::By("alice"), 0), 2);
}

/// What the ledger of the next transition says.
fn count(store: &dyn TokenStore, asked: Asked<'static>, since_ms: i64) -> u32 {
    wait(decide(store, "anybody", move |work| work.ledger.count(asked, since_ms))).unwrap().unwrap()
}

pub(crate) fn messages_are_counted(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let by_mail = |id, recipient, time_ms| Outgoing {
        channel: Channel::Email,
        ..message(id, recipient, time_ms)
    };
    for (user, message) in [
        ("alice", message("a", "+15550001", 10)),
        ("alice", message("b", "+15550001", 20)),
        ("bob", message("c", "+15550001", 20)),
        ("bob", message("d", "+15550002", 30)),
        ("bob", by_mail("e", "+15550001", 40)),
        ("bob", by_mail("f", "bob@example.com", 10)),
    ] {
        queue(&*store, user, message);
    }
    settle(&*store, "alice", "b");
    settle(&*store, "bob", "e");
    drop(store);
    let store = backend.open().unwrap();
    for (asked, since_ms, expected) in [
        (Asked::By("alice"), 0, 2),
        (Asked::By("alice"), 10, 1),
        (Asked::By("alice"), 19, 1),
        (Asked::By("alice"), 20, 0),
        (Asked::By("bob"), i64::MIN, 4),
        (Asked::By("bob"), 10, 3),
        (Asked::By("bo"), 0, 0),
        (Asked::For(Channel::Sms, "+15550001"), 0, 3),
        (Asked::For(Channel::Sms, "+15550001"), 10, 2),
        (Asked::For(Channel::Email, "+15550001"), 0, 1),
        (Asked::For(Channel::Sms, "+15550002"), 0, 1),
        (Asked::For(Channel::Sms, "+15550003"), 0, 0),
        (Asked::For(Channel::Sms, ""), 0, 0),
        (Asked::Over(Channel::Sms), 0, 4),
        (Asked::Over(Channel::Sms), 20, 1),
        (Asked::Over(Channel::Email), 0, 2),
        // The clock was set back: what lies ahead counts.
        (Asked::Over(Channel::Email), -1_000_000, 2),
        (Asked::Over(Channel::Email), 40, 0),
        (Asked::Over(Channel::Email), i64::MAX, 0),
    ] {
        assert_eq!(count(&*store, asked, since_ms), expected, "{asked:?} since {since_ms}");
    }
}

pub(crate) fn the_ledger_forgets(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    let now_ms = 1_700_000_000_000;
    let by_mail = |id, time_ms| Outgoing { channel: Channel::Email, ..message(id, "a@b", time_ms) };
    queue(&*store, "alice", message("over", NUMBER, now_ms - LEDGER_MS - 1));
    queue(&*store, "alice", by_mail("over too", now_ms - LEDGER_MS - 1));
    queue(&*store, "bob", message("old", NUMBER, now_ms - LEDGER_MS));
    queue(&*store, "bob", by_mail("ahead", now_ms - 1));
    assert_eq!(queued(&*store).len(), 4);
    queue(&*store, "bob", message("new", NUMBER, now_ms));
    let ids = |store| queued(store).into_iter().map(|(_, message)| message.id).collect::<Vec<_>>();
    assert_eq!(ids(&*store), ["old", "ahead", "new"]);
    assert_eq!(count(&*store, Asked::By("alice"), i64::MIN), 0);
    assert_eq!(count(&*store, Asked::By("bob"), i64::MIN), 3);
    // The clock is set back by less than a day, then by more.
    queue(&*store, "bob", message("back", NUMBER, now_ms - LEDGER_MS));
    assert_eq!(count(&*store, Asked::By("bob"), now_ms - LEDGER_MS - 60_000), 4);
    queue(&*store, "bob", message("far back", NUMBER, now_ms - LEDGER_MS - 1));
    assert_eq!(ids(&*store), ["old", "ahead", "back", "far back"]);
    // Any time can be asked for.
    queue(&*store, "bob", message("first", NUMBER, i64::MIN));
    queue(&*store, "bob", message("last", NUMBER, i64::MAX));
    assert_eq!(ids(&*store), ["last"]);
}

pub(crate) fn messages_with_the_change(new: New<'_>) {
    let backend = new();
    let store = backend.open().unwrap();
    put(&*store, "alice", full());
    queue(&*store, "alice", message("a", NUMBER, 1));
    let refused = |user: &str, account: Option<Account>, outbox: Vec<Outgoing>| {
        let result = wait(decide(&*store, user, move |work| {
            work.account = account;
            work.audit.push(event("never", "never"));
            work.outbox = outbox;
            work.settled.push("a".into());
        }));
        assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
        assert_eq!(queued(&*store), [("alice".into(), message("a", NUMBER, 1))]);
        expect(&*store, "alice", Some(full()));
        expect(&*store, "bob", None);
        assert!(details(&*store, AuditQuery { limit: 9, ..AuditQuery::default() }).is_empty());
        assert_eq!(count(&*store, Asked::Over(Channel::Sms), 0), 1);
    };
    // A token's id that is taken, a message's id that is taken, a payload that is too long.
    refused("bob", Some(full()), vec![message("b", NUMBER, 1)]);
    refused("bob", Some(Account::default()), vec![message("b", NUMBER, 1), message("a", "", 1)]);
    let payload = Zeroizing::new(vec![b'x'; LONGEST_PAYLOAD + 1]);
    refused("alice", None, vec![Outgoing { payload, ..message("b", NUMBER, 1) }]);
}
