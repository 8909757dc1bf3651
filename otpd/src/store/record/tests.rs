use otp_core::{
    client::{Enabling, Remembered},
    issued::Reach,
    token::Algorithm,
};

use super::*;
use crate::{
    keys::Keys,
    store::{StoreError, vault::Vault},
};

fn keys() -> Keys {
    let home = tempfile::tempdir().unwrap();
    Keys::create(&home.path().join("kek")).unwrap().1
}

fn token(id: &str) -> TokenRecord {
    TokenRecord {
        id: id.into(),
        label: "label".into(),
        method: "method".into(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: 6,
        key_version: 1,
        secret: vec![1; 60],
        state: State::Disabled { until_ms: Some(1), reason: "reason".into() },
        share: Share::Released,
        next: 5,
        offset_ms: 0,
        rejoin: Rejoin::Settled,
        accepted: 0,
        created_ms: 1,
        last_used_ms: None,
        expires_ms: None,
    }
}

fn challenge(byte: u8) -> Challenge {
    Challenge {
        token: "a".into(),
        service: "sshd".into(),
        digest: Digest([byte; 32]),
        sent_ms: 1,
        expires_ms: 2,
        tries: 3,
    }
}

/// As it could be before there were contacts and challenges.
fn old_record() -> AccountRecord {
    AccountRecord {
        throttle: Throttle { failures: 1, locked_until_ms: None },
        tokens: vec![token("a"), token("b")],
        recovery: vec![Digest([1; 32]), Digest([2; 32])],
        ..AccountRecord::default()
    }
}

fn record() -> AccountRecord {
    AccountRecord {
        challenges: vec![challenge(1), challenge(2)],
        contacts: Some(vec![1; 60]),
        tokens: vec![
            TokenRecord { share: showing("one", 1, 2), accepted: 3, ..token("a") },
            TokenRecord { rejoin: Rejoin::Half { second: 7 }, ..token("b") },
        ],
        issued: vec![issued(1), issued(2)],
        clients: vec![client("c"), client("d")],
        pace: Some(pace(3)),
        ..old_record()
    }
}

fn pace(attempts: u32) -> Pace {
    Pace { attempts, interval_ms: 30_000, at_ms: 1 }
}

fn showing(by: &str, since_ms: i64, until_ms: i64) -> Share {
    Share::Showing { by: by.into(), since_ms, until_ms }
}

fn issued(byte: u8) -> IssuedRecord {
    IssuedRecord {
        id: "i".into(),
        digest: Digest([byte; 32]),
        digits: 8,
        code: Some(vec![1; 48]),
        issued_ms: 1,
        expires_ms: 2,
        uses_left: 1,
        service: Some("sshd".into()),
        reach: Reach::Both,
        reason: "reason".into(),
        issued_by: 1,
        client: Some("c".into()),
    }
}

fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        description: "client".into(),
        identity: Some("identity".into()),
        enabling: Enabling::Always,
        push: false,
        created_ms: 1,
        last_ms: Some(2),
        last_source: Some("192.0.2.1".into()),
        remembered: Some(Remembered {
            service: "sshd".into(),
            address: "192.0.2.1".into(),
            until_ms: 3,
        }),
    }
}

#[test]
fn the_mac_is_over_everything() {
    let disabled = |until_ms, reason: &str| State::Disabled { until_ms, reason: reason.into() };
    let keys = keys();
    let vault = Vault::new(&keys, [7; 16], 1);
    let mac = vault.record_mac("alice", &record());
    assert!(vault.verify("alice", &record(), &mac).is_ok());
    assert!(vault.verify("alicf", &record(), &mac).is_err());
    assert!(vault.verify("alice", &record(), &mac[..31]).is_err());
    assert!(vault.verify("alice", &record(), &[]).is_err());
    assert!(Vault::new(&keys, [8; 16], 1).verify("alice", &record(), &mac).is_err());
    assert!(Vault::new(&self::keys(), [7; 16], 1).verify("alice", &record(), &mac).is_err());
    let changes: &[&dyn Fn(&mut AccountRecord)] = &[
        &|record| record.uid = Some(0),
        &|record| record.throttle.failures = 0,
        &|record| record.throttle.locked_until_ms = Some(0),
        &|record| record.last_success_ms = Some(0),
        &|record| record.pace = None,
        &|record| record.pace = Some(pace(4)),
        &|record| record.pace = Some(Pace { interval_ms: 30_001, ..pace(3) }),
        &|record| record.pace = Some(Pace { at_ms: 0, ..pace(3) }),
        &|record| drop(record.tokens.pop()),
        &|record| record.tokens.push(token("c")),
        &|record| record.tokens.swap(0, 1),
        &|record| record.tokens[0].id = "c".into(),
        &|record| record.tokens[0].label = "labels".into(),
        &|record| record.tokens[0].method = "methods".into(),
        &|record| record.tokens[0].factor = Factor::Hotp,
        &|record| record.tokens[0].factor = Factor::Totp { t0_ms: 1, period_ms: 30_000 },
        &|record| record.tokens[0].factor = Factor::Totp { t0_ms: 0, period_ms: 30_001 },
        &|record| record.tokens[0].algorithm = Algorithm::Sha256,
        &|record| record.tokens[0].digits = 8,
        &|record| record.tokens[0].key_version = 2,
        &|record| record.tokens[0].secret[59] = 2,
        &|record| record.tokens[0].state = State::Active,
        &|record| record.tokens[0].state = State::Pending { until_ms: 1 },
        &|record| record.tokens[0].state = disabled(None, "reason"),
        &|record| record.tokens[0].state = disabled(Some(2), "reason"),
        &|record| record.tokens[0].state = disabled(Some(1), ""),
        &|record| record.tokens[0].share = Share::Released,
        &|record| record.tokens[0].share = Share::Created,
        &|record| record.tokens[0].share = Share::Shared,
        &|record| record.tokens[0].share = showing("two", 1, 2),
        &|record| record.tokens[0].share = showing("one", 2, 2),
        &|record| record.tokens[0].share = showing("one", 1, 3),
        &|record| record.tokens[1].share = Share::Shared,
        &|record| record.tokens[1].share = showing("one", 1, 2),
        &|record| record.tokens[0].accepted = 0,
        &|record| record.tokens[0].accepted = 4,
        &|record| record.tokens[1].accepted = 3,
        &|record| {
            let (one, other) = record.tokens.split_at_mut(1);
            std::mem::swap(&mut one[0].share, &mut other[0].share);
        },
        &|record| record.tokens[0].next = 4,
        &|record| record.tokens[0].offset_ms = 1,
        &|record| record.tokens[0].rejoin = Rejoin::Due,
        &|record| record.tokens[0].rejoin = Rejoin::Half { second: 7 },
        &|record| record.tokens[1].rejoin = Rejoin::Settled,
        &|record| record.tokens[1].rejoin = Rejoin::Due,
        &|record| record.tokens[1].rejoin = Rejoin::Half { second: 8 },
        &|record| record.tokens[0].created_ms = 0,
        &|record| record.tokens[0].last_used_ms = Some(0),
        &|record| record.tokens[0].expires_ms = Some(0),
        &|record| record.recovery.truncate(1),
        &|record| record.recovery.swap(0, 1),
        &|record| record.recovery.push(Digest([3; 32])),
        &|record| record.contacts = None,
        &|record| record.contacts = Some(Vec::new()),
        &|record| record.contacts = Some(vec![1; 59]),
        &|record| record.challenges.clear(),
        &|record| record.challenges.truncate(1),
        &|record| record.challenges.swap(0, 1),
        &|record| record.challenges.push(challenge(3)),
        &|record| record.challenges[0].token = "b".into(),
        &|record| record.challenges[0].service = "sudo".into(),
        &|record| record.challenges[0].digest = Digest([2; 32]),
        &|record| record.challenges[0].sent_ms = 0,
        &|record| record.challenges[0].expires_ms = 3,
        &|record| record.challenges[0].tries = 4,
        &|record| record.administrator = true,
        &|record| record.issued.clear(),
        &|record| record.issued.truncate(1),
        &|record| record.issued.swap(0, 1),
        &|record| record.issued.push(issued(3)),
        &|record| record.issued[0].id = "j".into(),
        &|record| record.issued[0].digest = Digest([9; 32]),
        &|record| record.issued[0].digits = 6,
        &|record| record.issued[0].code = None,
        &|record| record.issued[0].code = Some(vec![1; 47]),
        &|record| record.issued[0].issued_ms = 0,
        &|record| record.issued[0].expires_ms = 3,
        &|record| record.issued[0].uses_left = 2,
        &|record| record.issued[0].service = None,
        &|record| record.issued[0].service = Some(String::new()),
        &|record| record.issued[0].reach = Reach::Local,
        &|record| record.issued[0].reason = String::new(),
        &|record| record.issued[0].issued_by = 0,
        &|record| record.issued[0].client = None,
        &|record| record.clients.clear(),
        &|record| record.clients.truncate(1),
        &|record| record.clients.swap(0, 1),
        &|record| record.clients.push(client("e")),
        &|record| record.clients[0].id = "d".into(),
        &|record| record.clients[0].description = String::new(),
        &|record| record.clients[0].identity = None,
        &|record| record.clients[0].identity = Some(String::new()),
        &|record| record.clients[0].enabling = Enabling::Disabled,
        &|record| record.clients[0].push = true,
        &|record| record.clients[0].created_ms = 0,
        &|record| record.clients[0].last_ms = None,
        &|record| record.clients[0].last_source = None,
        &|record| record.clients[0].last_source = Some(String::new()),
        &|record| record.clients[0].remembered = None,
        &|record| record.clients[0].remembered.as_mut().unwrap().service = "sudo".into(),
        &|record| record.clients[0].remembered.as_mut().unwrap().address = "::1".into(),
        &|record| record.clients[0].remembered.as_mut().unwrap().until_ms = 4,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = record();
        change(&mut changed);
        let verified = vault.verify("alice", &changed, &mac);
        assert!(matches!(verified, Err(StoreError::Integrity(_))), "change {number}");
    }
}

#[test]
fn no_field_is_taken_for_another() {
    let fields = |record: &AccountRecord| record.encode("alice", Canonical::new("")).finish();
    let contacts = |sealed: &[u8]| AccountRecord { contacts: Some(sealed.into()), ..old_record() };
    let recovery = |digests: &[u8]| AccountRecord {
        recovery: digests.iter().map(|byte| Digest([*byte; 32])).collect(),
        ..record()
    };
    let challenges = |bytes: &[u8]| AccountRecord {
        challenges: bytes.iter().map(|byte| challenge(*byte)).collect(),
        ..old_record()
    };
    let used = |share: Share, accepted, other| AccountRecord {
        tokens: vec![
            TokenRecord { share, accepted, ..token("a") },
            TokenRecord { accepted: other, ..token("b") },
        ],
        ..old_record()
    };
    let owing = |rejoin, other| AccountRecord {
        tokens: vec![
            TokenRecord { rejoin, ..token("a") },
            TokenRecord { rejoin: other, ..token("b") },
        ],
        ..old_record()
    };
    let half = Rejoin::Half { second: 1 };
    let with_issued = |codes: &[u8]| AccountRecord {
        issued: codes.iter().map(|byte| issued(*byte)).collect(),
        ..old_record()
    };
    let with_clients = |ids: &[&str]| AccountRecord {
        clients: ids.iter().map(|id| client(id)).collect(),
        ..old_record()
    };
    let records = [
        used(Share::Created, 0, 0),
        used(Share::Shared, 0, 0),
        used(showing("", 1, 2), 0, 0),
        used(showing("accepted", 1, 2), 0, 0),
        used(Share::Released, 1, 0),
        used(Share::Released, 0, 1),
        used(Share::Released, 1, 1),
        used(Share::Created, 1, 0),
        used(Share::Created, 0, 1),
        owing(Rejoin::Due, Rejoin::Settled),
        owing(Rejoin::Settled, Rejoin::Due),
        owing(Rejoin::Due, Rejoin::Due),
        owing(half, Rejoin::Settled),
        owing(half, Rejoin::Due),
        owing(Rejoin::Settled, half),
        AccountRecord { pace: Some(pace(1)), ..old_record() },
        AccountRecord { pace: Some(pace(1)), ..owing(Rejoin::Settled, half) },
        AccountRecord { pace: Some(pace(1)), ..with_clients(&["c"]) },
        contacts(b"pace"),
        contacts(b"rejoin"),
        used(showing("rejoin", 1, 2), 0, 0),
        old_record(),
        record(),
        with_issued(&[1]),
        with_issued(&[1, 1]),
        with_clients(&["c"]),
        with_clients(&["c", "c"]),
        AccountRecord { administrator: true, ..old_record() },
        AccountRecord { administrator: true, ..with_clients(&["c"]) },
        contacts(b"issued"),
        contacts(b"client"),
        contacts(b"administrator"),
        recovery(&[]),
        recovery(&[1]),
        recovery(&[1, 2, 1]),
        challenges(&[1]),
        challenges(&[1, 2]),
        challenges(&[2, 1]),
        contacts(&[]),
        contacts(&[1; 32]),
        contacts(b"challenge"),
        AccountRecord { challenges: vec![challenge(1)], ..contacts(&[1; 32]) },
    ];
    let different: std::collections::HashSet<_> = records.iter().map(fields).collect();
    assert_eq!(different.len(), records.len());
}

/// The fields of version 1, written down once more: what it has authenticated stays valid.
#[test]
fn without_contacts_and_challenges_the_mac_is_that_of_version_1() {
    let vault = Vault::new(&keys(), [7; 16], 1);
    let token = |fields: Canonical, id: &str| {
        let fields = fields.text(id).text("label").text("method").text("totp");
        let fields = fields.number(30_000).number(0).text("sha1").number(6).number(1);
        let fields = fields.bytes(&[1; 60]).text("disabled").number(1).text("reason");
        fields.number(5).number(0).number(1).bytes(&[]).bytes(&[])
    };
    let mac = vault.tag("otpd/v1/account", |fields| {
        let fields = fields.text("alice").bytes(&[]).number(1).bytes(&[]).bytes(&[]).number(2);
        let fields = token(token(fields, "a"), "b");
        fields.bytes(&[1; 32]).bytes(&[2; 32])
    });
    vault.verify("alice", &old_record(), &mac).unwrap();
}
