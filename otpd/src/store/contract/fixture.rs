//! Accounts, tokens and messages that the cases share.

use otp_core::{
    account::Account,
    client::{Client, Enabling, Remembered},
    code::Digits,
    contact::{Channel, Contacts, MailAddress, PhoneNumber},
    issued::{IssuedCode, Reach},
    out_of_band::Challenge,
    recovery::Digest,
    secret::Secret,
    share::Share,
    throttle::{Pace, Throttle},
    token::{Algorithm, Factor, Rejoin, State, Token},
};
use zeroize::Zeroizing;

use crate::store::{AuditEvent, Outgoing};

/// A token of no particular kind.
pub(crate) fn token(id: &str) -> Token {
    Token {
        id: id.into(),
        label: format!("label of {id}"),
        method: "totp".into(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: secret(id.bytes().next().unwrap_or(0), 20),
        state: State::Active,
        share: Share::Released,
        next: 0,
        offset_ms: 0,
        rejoin: Rejoin::Settled,
        accepted: 0,
        created_ms: 1_700_000_000_000,
        last_used_ms: None,
        expires_ms: None,
    }
}

pub(super) fn secret(byte: u8, length: usize) -> Secret {
    Secret::new(Zeroizing::new(vec![byte; length])).unwrap()
}

/// Tokens and an account in which every field has been given an extreme or unusual value.
pub(crate) fn full() -> Account {
    let unusual = "ключ 🔑 'quote' \"double\" %_\\";
    Account {
        uid: Some(u32::MAX),
        throttle: Throttle { failures: u32::MAX, locked_until_ms: Some(i64::MIN) },
        pace: Some(Pace { attempts: u32::MAX, interval_ms: u64::MAX, at_ms: i64::MIN }),
        tokens: vec![
            Token {
                label: unusual.into(),
                method: String::new(),
                factor: Factor::Totp { t0_ms: i64::MIN, period_ms: u64::MAX },
                algorithm: Algorithm::Sha512,
                digits: 8,
                secret: secret(0, otp_core::secret::LONGEST),
                state: State::Disabled { until_ms: Some(i64::MAX), reason: unusual.into() },
                share: Share::Showing {
                    by: unusual.into(),
                    since_ms: i64::MIN,
                    until_ms: i64::MAX,
                },
                next: u64::MAX,
                offset_ms: i64::MIN,
                accepted: u64::MAX,
                created_ms: i64::MIN,
                last_used_ms: Some(i64::MAX),
                expires_ms: Some(-1),
                ..token("full-2")
            },
            Token {
                factor: Factor::Hotp,
                algorithm: Algorithm::Sha256,
                digits: 4,
                secret: secret(255, otp_core::secret::SHORTEST),
                state: State::Pending { until_ms: 5 },
                share: Share::Created,
                rejoin: Rejoin::Half { second: u64::MAX },
                accepted: 1,
                ..token("full-1")
            },
            Token {
                factor: Factor::OutOfBand(Channel::Sms),
                state: State::Disabled { until_ms: None, reason: String::new() },
                ..token("full-3")
            },
            token("full-0"),
        ],
        recovery: vec![Digest([0xff; 32]), Digest([0; 32]), Digest([7; 32])],
        challenges: vec![
            challenge(0xff),
            Challenge {
                token: String::new(),
                service: unusual.into(),
                digest: Digest([0; 32]),
                sent_ms: i64::MIN,
                expires_ms: i64::MAX,
                tries: u8::MAX,
            },
            Challenge { tries: 0, ..challenge(1) },
        ],
        contacts: contacts(Some("+491701234581"), Some("alice@example.com")),
        issued: vec![
            IssuedCode {
                digest: Digest([0xff; 32]),
                digits: 12,
                code: Some(digits("000000000000")),
                issued_ms: i64::MIN,
                expires_ms: i64::MAX,
                uses_left: u8::MAX,
                service: Some(String::new()),
                reach: Reach::Local,
                reason: unusual.into(),
                issued_by: u32::MAX,
                client: Some("c1".into()),
                ..issued("i2")
            },
            IssuedCode { code: None, service: None, reach: Reach::Remote, ..issued("i1") },
            issued("i3"),
        ],
        clients: vec![
            Client {
                description: unusual.into(),
                identity: Some(unusual.into()),
                enabling: Enabling::Schedule("Mon..Fri 08:00-18:00".into()),
                push: true,
                created_ms: i64::MIN,
                last_ms: Some(i64::MAX),
                last_source: Some(String::new()),
                ..client("c2")
            },
            Client {
                identity: None,
                enabling: Enabling::Disabled,
                remembered: Some(Remembered {
                    service: String::new(),
                    address: unusual.into(),
                    until_ms: i64::MIN,
                }),
                ..client("c1")
            },
            client("c3"),
        ],
        administrator: true,
        last_success_ms: Some(0),
    }
}

pub(super) fn digits(text: &str) -> Digits {
    Digits::from_ascii(text.as_bytes()).unwrap()
}

/// An issued code of no particular kind.
pub(crate) fn issued(id: &str) -> IssuedCode {
    IssuedCode {
        id: id.into(),
        digest: Digest([id.bytes().next().unwrap_or(0); 32]),
        digits: 8,
        code: Some(digits("77244244")),
        issued_ms: 1_700_000_000_000,
        expires_ms: 1_700_007_200_000,
        uses_left: 1,
        service: Some("sshd".into()),
        reach: Reach::Both,
        reason: "phone lost".into(),
        issued_by: 0,
        client: None,
    }
}

/// A registered client of no particular kind.
pub(crate) fn client(id: &str) -> Client {
    Client {
        id: id.into(),
        description: format!("description of {id}"),
        identity: Some(format!("identity of {id}")),
        enabling: Enabling::Always,
        push: false,
        created_ms: 1_700_000_000_000,
        last_ms: None,
        last_source: None,
        remembered: None,
    }
}

pub(super) fn event(user: &str, detail: impl ToString) -> AuditEvent {
    AuditEvent {
        time_ms: 1,
        event: "login".into(),
        result: "ok".into(),
        user: user.into(),
        detail: Some(detail.to_string()),
        ..AuditEvent::default()
    }
}

/// Challenge number `byte` of the token `full-3`.
pub(super) fn challenge(byte: u8) -> Challenge {
    Challenge {
        token: "full-3".into(),
        service: "sshd".into(),
        digest: Digest([byte; 32]),
        sent_ms: 1_700_000_000_000,
        expires_ms: 1_700_000_300_000,
        tries: 3,
    }
}

pub(crate) fn contacts(mobile: Option<&str>, mail: Option<&str>) -> Contacts {
    Contacts {
        mobile: mobile.map(|number| PhoneNumber::parse(number, None).unwrap()),
        mail: mail.map(|address| MailAddress::parse(address).unwrap()),
    }
}

/// A message over SMS to `recipient`.
pub(crate) fn message(id: &str, recipient: &str, time_ms: i64) -> Outgoing {
    Outgoing {
        id: id.into(),
        channel: Channel::Sms,
        recipient: recipient.into(),
        time_ms,
        until_ms: time_ms.saturating_add(300_000),
        payload: Zeroizing::new(format!("Your code of message {id} is 428913").into_bytes()),
    }
}
