//! What somebody without the key does to the rows is refused.

use super::*;

/// What an attacker does to the rows.
#[derive(Debug)]
pub(crate) enum Tamper {
    Failures {
        user: &'static str,
        failures: u32,
    },
    Unlock {
        user: &'static str,
    },
    Next {
        token: &'static str,
        next: u64,
    },
    Digits {
        token: &'static str,
        digits: u8,
    },
    Activate {
        token: &'static str,
    },
    /// As before anybody was shown it.
    Unshare {
        token: &'static str,
    },
    /// As shown to another session, for ever.
    ShowTo {
        token: &'static str,
        by: &'static str,
    },
    Accepted {
        token: &'static str,
        accepted: u64,
    },
    /// As if nothing had to be proved.
    Settle {
        token: &'static str,
    },
    Second {
        token: &'static str,
        second: u64,
    },
    /// As if the user had no limit of their own.
    DropPace {
        user: &'static str,
    },
    PaceAttempts {
        user: &'static str,
        attempts: u32,
    },
    PaceInterval {
        user: &'static str,
        interval_ms: u64,
    },
    PaceAt {
        user: &'static str,
        at_ms: i64,
    },
    DeleteToken {
        token: &'static str,
    },
    GiveToken {
        token: &'static str,
        to: &'static str,
    },
    SwapSecrets {
        one: &'static str,
        other: &'static str,
    },
    DeleteRecovery {
        user: &'static str,
    },
    DeleteAccount {
        user: &'static str,
    },
    RenameAccount {
        user: &'static str,
        to: &'static str,
    },
    DeleteContacts {
        user: &'static str,
    },
    CopyContacts {
        from: &'static str,
        to: &'static str,
    },
    DeleteChallenges {
        user: &'static str,
    },
    /// Swaps the first two.
    SwapChallenges {
        user: &'static str,
    },
    ChallengeTries {
        user: &'static str,
        tries: u8,
    },
    ChallengeExpires {
        user: &'static str,
        expires_ms: i64,
    },
    ChallengeDigest {
        user: &'static str,
        digest: u8,
    },
    ChallengeService {
        user: &'static str,
        service: &'static str,
    },
    Administrator {
        user: &'static str,
    },
    DeleteIssued {
        user: &'static str,
    },
    GiveIssued {
        code: &'static str,
        to: &'static str,
    },
    IssuedUses {
        code: &'static str,
        uses_left: u8,
    },
    IssuedExpires {
        code: &'static str,
        expires_ms: i64,
    },
    IssuedDigest {
        code: &'static str,
        digest: u8,
    },
    IssuedReach {
        code: &'static str,
        reach: &'static str,
    },
    IssuedService {
        code: &'static str,
    },
    IssuedClient {
        code: &'static str,
        client: &'static str,
    },
    SwapCodes {
        one: &'static str,
        other: &'static str,
    },
    DeleteClients {
        user: &'static str,
    },
    GiveClient {
        client: &'static str,
        to: &'static str,
    },
    ClientIdentity {
        client: &'static str,
        identity: &'static str,
    },
    ClientEnabling {
        client: &'static str,
        enabling: &'static str,
    },
    ClientUntil {
        client: &'static str,
        until_ms: i64,
    },
    ClientAddress {
        client: &'static str,
        address: &'static str,
    },
    ClientCreated {
        client: &'static str,
        created_ms: i64,
    },
    /// Makes a remembered client a registered one.
    RegisterClient {
        client: &'static str,
    },
    SwapPayloads {
        one: &'static str,
        other: &'static str,
    },
    DamagePayload {
        message: &'static str,
    },
    GiveMessage {
        message: &'static str,
        to: &'static str,
    },
    RenameMessage {
        message: &'static str,
        to: &'static str,
    },
    MessageChannel {
        message: &'static str,
        channel: &'static str,
    },
    MessageTime {
        message: &'static str,
        time_ms: i64,
    },
    MessageUntil {
        message: &'static str,
        until_ms: i64,
    },
    CopyRecipient {
        from: &'static str,
        to: &'static str,
    },
}

/// Alice's and Bob's accounts, as they are before somebody changes them.
fn victims() -> [(&'static str, Account); 2] {
    let alice = Account {
        throttle: Throttle { failures: 9, locked_until_ms: Some(i64::MAX) },
        pace: Some(Pace { attempts: 3, interval_ms: 30_000, at_ms: 1_700_000_000_000 }),
        tokens: vec![
            Token { next: 5, ..token("a1") },
            Token { secret: secret(3, 20), ..token("a2") },
            Token { state: State::Pending { until_ms: 0 }, ..token("a3") },
            Token { share: Share::Shared, accepted: 7, ..token("a4") },
            Token {
                share: Share::Showing { by: "one".into(), since_ms: 1, until_ms: 2 },
                state: State::Pending { until_ms: 9 },
                ..token("a5")
            },
            Token { rejoin: Rejoin::Due, factor: Factor::Hotp, next: 9, ..token("a6") },
            Token { rejoin: Rejoin::Half { second: 9 }, factor: Factor::Hotp, ..token("a7") },
        ],
        recovery: vec![Digest([1; 32])],
        challenges: vec![challenge(1), challenge(2)],
        contacts: contacts(Some("+491701234581"), None),
        issued: vec![issued("alice-1"), IssuedCode { uses_left: 0, ..issued("alice-2") }],
        clients: vec![
            Client { enabling: Enabling::Disabled, ..client("alice-c") },
            Client { remembered: Some(remembered("sshd", "192.0.2.1", 5)), ..client("alice-d") },
        ],
        ..Account::default()
    };
    let bob = Account {
        tokens: vec![token("b1")],
        contacts: contacts(Some("+15550000"), None),
        issued: vec![issued("bob-1")],
        clients: vec![client("bob-c")],
        ..Account::default()
    };
    [("alice", alice), ("bob", bob)]
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
        Tamper::Unshare { token: "a1" },
        Tamper::Unshare { token: "a4" },
        Tamper::Unshare { token: "a5" },
        Tamper::ShowTo { token: "a3", by: "two" },
        Tamper::ShowTo { token: "a5", by: "two" },
        Tamper::Accepted { token: "a1", accepted: 1 },
        Tamper::Accepted { token: "a4", accepted: 0 },
        Tamper::Settle { token: "a6" },
        Tamper::Settle { token: "a7" },
        Tamper::Second { token: "a1", second: 0 },
        Tamper::Second { token: "a6", second: 9 },
        Tamper::Second { token: "a7", second: 0 },
        Tamper::Second { token: "a7", second: 8 },
        Tamper::DropPace { user: "alice" },
        Tamper::PaceAttempts { user: "alice", attempts: 100 },
        Tamper::PaceInterval { user: "alice", interval_ms: 1 },
        Tamper::PaceAt { user: "alice", at_ms: 0 },
        Tamper::DeleteToken { token: "a1" },
        Tamper::GiveToken { token: "a1", to: "bob" },
        Tamper::SwapSecrets { one: "a1", other: "b1" },
        Tamper::SwapSecrets { one: "a1", other: "a2" },
        Tamper::DeleteRecovery { user: "alice" },
        Tamper::DeleteContacts { user: "alice" },
        Tamper::CopyContacts { from: "bob", to: "alice" },
        Tamper::DeleteChallenges { user: "alice" },
        Tamper::SwapChallenges { user: "alice" },
        Tamper::ChallengeTries { user: "alice", tries: 200 },
        Tamper::ChallengeExpires { user: "alice", expires_ms: i64::MAX },
        Tamper::ChallengeDigest { user: "alice", digest: 7 },
        Tamper::ChallengeService { user: "alice", service: "sudo" },
        Tamper::Administrator { user: "alice" },
        Tamper::DeleteIssued { user: "alice" },
        Tamper::GiveIssued { code: "bob-1", to: "alice" },
        Tamper::IssuedUses { code: "alice-2", uses_left: 9 },
        Tamper::IssuedExpires { code: "alice-1", expires_ms: i64::MAX },
        Tamper::IssuedDigest { code: "alice-1", digest: 7 },
        Tamper::IssuedReach { code: "alice-1", reach: "remote" },
        Tamper::IssuedService { code: "alice-1" },
        Tamper::IssuedClient { code: "alice-1", client: "alice-c" },
        Tamper::SwapCodes { one: "alice-1", other: "bob-1" },
        Tamper::SwapCodes { one: "alice-1", other: "alice-2" },
        Tamper::DeleteClients { user: "alice" },
        Tamper::GiveClient { client: "bob-c", to: "alice" },
        Tamper::ClientIdentity { client: "alice-d", identity: "192.0.2.2" },
        Tamper::ClientEnabling { client: "alice-c", enabling: "always" },
        Tamper::ClientUntil { client: "alice-d", until_ms: i64::MAX },
        Tamper::ClientAddress { client: "alice-d", address: "192.0.2.2" },
        Tamper::ClientCreated { client: "alice-d", created_ms: 1_800_000_000_000 },
        Tamper::RegisterClient { client: "alice-d" },
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
        refused(wait(store.contacts("alice")).map(drop));
        expect(&*store, "untouched", Some(full()));
        // The way on: without what cannot be believed.
        wait(store.forget("alice", event("alice", "reset"))).unwrap();
        expect(&*store, "alice", None);
        put(&*store, "alice", Account::default());
        drop(store);
        let store = backend.open().unwrap();
        expect(&*store, "alice", Some(Account::default()));
        let audit = AuditQuery { limit: 9, ..AuditQuery::default() };
        assert!(wait(store.audit(audit)).unwrap().iter().any(|(_, record)| record.user == "alice"));
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

pub(crate) fn tampered_messages_are_not_sent(new: New<'_>) {
    let (one, other) = (|| message("m1", "+15550001", 1), || message("m2", "+15550002", 2));
    let by_mail = || Outgoing { channel: Channel::Email, ..message("m3", "a@b", 3) };
    let cases: [(Tamper, &[&str]); 8] = [
        (Tamper::SwapPayloads { one: "m1", other: "m2" }, &["m3"]),
        (Tamper::DamagePayload { message: "m1" }, &["m2", "m3"]),
        (Tamper::GiveMessage { message: "m1", to: "bob" }, &["m2", "m3"]),
        (Tamper::RenameMessage { message: "m1", to: "m4" }, &["m2", "m3"]),
        (Tamper::MessageChannel { message: "m3", channel: "sms" }, &["m1", "m2"]),
        (Tamper::MessageTime { message: "m1", time_ms: 2 }, &["m2", "m3"]),
        (Tamper::MessageUntil { message: "m1", until_ms: i64::MAX }, &["m2", "m3"]),
        (Tamper::CopyRecipient { from: "m2", to: "m1" }, &["m2", "m3"]),
    ];
    for (change, intact) in cases {
        let backend = new();
        let store = backend.open().unwrap();
        queue(&*store, "alice", one());
        queue(&*store, "bob", other());
        queue(&*store, "alice", by_mail());
        drop(store);
        backend.tamper(&change);
        let ids = || {
            let store = backend.open().unwrap();
            queued(&*store).into_iter().map(|(_, message)| message.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(), intact, "{change:?}");
        // Settled for good: the same once more, which undoes a swap, brings no message back.
        backend.tamper(&change);
        assert!(ids().iter().all(|id| intact.contains(&id.as_str())), "{change:?}");
    }
}
