use otp_core::token::Algorithm;

use super::*;

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
        next: 5,
        offset_ms: 0,
        created_ms: 1,
        last_used_ms: None,
        expires_ms: None,
    }
}

fn record() -> AccountRecord {
    AccountRecord {
        challenges: Vec::new(),
        contacts: None,
        uid: None,
        throttle: Throttle { failures: 1, locked_until_ms: None },
        last_success_ms: None,
        tokens: vec![token("a"), token("b")],
        recovery: vec![Digest([1; 32]), Digest([2; 32])],
    }
}

#[test]
fn the_mac_is_over_everything() {
    let disabled = |until_ms, reason: &str| State::Disabled { until_ms, reason: reason.into() };
    let keys = keys();
    let vault = Vault::new(&keys, [7; 16]);
    let mac = vault.record_mac("alice", &record());
    assert!(vault.verify("alice", &record(), &mac).is_ok());
    assert!(vault.verify("alicf", &record(), &mac).is_err());
    assert!(vault.verify("alice", &record(), &mac[..31]).is_err());
    assert!(vault.verify("alice", &record(), &[]).is_err());
    assert!(Vault::new(&keys, [8; 16]).verify("alice", &record(), &mac).is_err());
    assert!(Vault::new(&self::keys(), [7; 16]).verify("alice", &record(), &mac).is_err());
    let changes: &[&dyn Fn(&mut AccountRecord)] = &[
        &|record| record.uid = Some(0),
        &|record| record.throttle.failures = 0,
        &|record| record.throttle.locked_until_ms = Some(0),
        &|record| record.last_success_ms = Some(0),
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
        &|record| record.tokens[0].next = 4,
        &|record| record.tokens[0].offset_ms = 1,
        &|record| record.tokens[0].created_ms = 0,
        &|record| record.tokens[0].last_used_ms = Some(0),
        &|record| record.tokens[0].expires_ms = Some(0),
        &|record| record.recovery.truncate(1),
        &|record| record.recovery.swap(0, 1),
        &|record| record.recovery.push(Digest([3; 32])),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = record();
        change(&mut changed);
        let verified = vault.verify("alice", &changed, &mac);
        assert!(matches!(verified, Err(StoreError::Integrity(_))), "change {number}");
    }
}
