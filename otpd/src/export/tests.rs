use std::sync::LazyLock;

use jiff::tz::offset;
use otp_core::{
    hotp,
    secret::Secret,
    share::Share,
    token::{Algorithm, State},
    totp,
};
use proptest::prelude::*;

use super::*;
use crate::import::{self, Format};

const NOW_MS: i64 = 1_795_321_594_000;
/// A pre-shared key.
const KEY: &[u8] = b"12345678901234567890123456789012\n";

fn token(factor: Factor) -> Token {
    Token {
        id: "0123456789abcdef0123456789abcdef".into(),
        label: "phone".into(),
        method: "totp".into(),
        factor,
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: Secret::new(Zeroizing::new(b"12345678901234567890".to_vec())).unwrap(),
        state: State::Active,
        share: Share::Released,
        next: 0,
        rejoin: Rejoin::Settled,
        offset_ms: 0,
        accepted: 0,
        created_ms: NOW_MS,
        last_used_ms: None,
        expires_ms: None,
    }
}

const T30: Factor = Factor::Totp { t0_ms: 0, period_ms: 30_000 };

fn circumstances(key: Option<&[u8]>) -> Circumstances {
    Circumstances {
        issuer: "ACME & Söhne".into(),
        zone: TimeZone::fixed(offset(1)),
        key: key.map(|key| Zeroizing::new(key.to_vec())),
    }
}

fn written(format: &str, tokens: &[(&str, &Token)]) -> Result<String, LeftOut> {
    let key = Some(KEY).filter(|_| format == "pskc");
    let mut writer = writer(format, circumstances(key)).unwrap();
    for (user, token) in tokens {
        writer.add(user, token)?;
    }
    Ok(String::from_utf8(writer.finish().to_vec()).unwrap())
}

fn read(format: &str, file: &str, key: Option<&[u8]>) -> import::Contents {
    let circumstances = import::Circumstances {
        now_ms: NOW_MS,
        zone: TimeZone::fixed(offset(1)),
        key: key.map(|key| Zeroizing::new(key.to_vec())),
    };
    let contents = Format::named(format).unwrap().read(file.as_bytes(), &circumstances).unwrap();
    assert_eq!(contents.rejects, [], "{file}");
    contents
}

#[test]
fn users_oath_is_as_pam_oath_writes_it() {
    let hotp = |next| Token { next, ..token(Factor::Hotp) };
    let totp = |next, digits| Token { next, digits, ..token(T30) };
    let key = "3132333435363738393031323334353637383930";
    for (token, line) in [
        (hotp(0), format!("HOTP/E/6\talice\t-\t{key}\n")),
        // The counter of the last accepted code, and that code (RFC 4226 appendix D).
        (hotp(10), format!("HOTP/E/6\talice\t-\t{key}\t9\t520489\t2026-11-22T05:26:34L\n")),
        (totp(0, 8), format!("HOTP/T30/8\talice\t-\t{key}\n")),
        // RFC 6238 appendix B: 59 s.
        (totp(2, 8), format!("HOTP/T30/8\talice\t-\t{key}\t0\t94287082\t1970-01-01T01:00:30L\n")),
    ] {
        assert_eq!(written("oath", &[("alice", &token)]).unwrap(), line);
    }
}

#[test]
fn what_users_oath_cannot_tell_is_left_out() {
    let long = Secret::new(Zeroizing::new(vec![1; 33])).unwrap();
    let far = |steps: i64| Token { offset_ms: steps * 30_000, ..token(T30) };
    for (user, token, reason) in [
        ("a b", token(T30), "space"),
        ("alice", Token { secret: long, ..token(T30) }, "32 bytes"),
        ("alice", Token { algorithm: Algorithm::Sha256, ..token(T30) }, "SHA1"),
        ("alice", Token { digits: 5, ..token(T30) }, "6, 7 and 8"),
        ("alice", token(Factor::Totp { t0_ms: 0, period_ms: 20_000 }), "30 and 60 s"),
        ("alice", token(Factor::Totp { t0_ms: 1, period_ms: 30_000 }), "30 and 60 s"),
        ("alice", far(6), "180 s ahead"),
        ("alice", far(-6), "-180 s ahead"),
        ("alice", Token { next: u64::MAX, ..token(T30) }, "out of all time"),
    ] {
        let left_out = written("oath", &[(user, &token)]).unwrap_err();
        assert!(left_out.contains(reason), "{left_out}");
    }
    assert!(written("oath", &[("alice", &far(5))]).is_ok());
}

#[test]
fn only_what_is_accepted_here_leaves() {
    let disabled = State::Disabled { until_ms: None, reason: String::new() };
    let sms = Factor::OutOfBand(otp_core::contact::Channel::Sms);
    for (token, reason) in [
        (token(sms), "delivered"),
        (Token { state: State::Pending { until_ms: NOW_MS + 1 }, ..token(T30) }, "first code"),
        (Token { state: disabled, ..token(T30) }, "disabled"),
        (Token { expires_ms: Some(NOW_MS), ..token(T30) }, "expired"),
        (Token { rejoin: Rejoin::Due, ..token(Factor::Hotp) }, "restored"),
    ] {
        assert!(check(&token, NOW_MS).unwrap_err().contains(reason));
    }
    assert_eq!(check(&token(T30), NOW_MS), Ok(()));
}

#[test]
fn keys_leave_encrypted_where_they_can_be() {
    let refusal = |format, key| writer(format, circumstances(key)).err().unwrap();
    assert!(refusal("pskc", None).contains("--key-file"));
    assert!(refusal("oath", Some(KEY)).contains("leave out --key-file"));
    assert!(refusal("otpauth", Some(KEY)).contains("leave out --key-file"));
    assert!(refusal("aegis", None).contains("no format"));
    for weak in [&b""[..], b"\n", b"hunter2", b"12345678901\n", b"1234567890123\x01"] {
        assert!(refusal("pskc", Some(weak)).contains("passphrase of at least 12"), "{weak:?}");
    }
    let file = written("pskc", &[("alice", &token(T30))]).unwrap();
    for secret in ["MTIzNDU2Nzg5", "GEZDGNBV", "3132333435"] {
        assert!(!file.contains(secret), "{file}");
    }
    // Nothing is encrypted twice with the same key stream.
    assert_ne!(file, written("pskc", &[("alice", &token(T30))]).unwrap());
}

#[test]
fn a_passphrase_opens_what_it_closed() {
    static PASSPHRASE: &[u8] = b"correct horse battery staple\n";
    static FILE: LazyLock<String> = LazyLock::new(|| {
        let mut writer = writer("pskc", circumstances(Some(PASSPHRASE))).unwrap();
        writer.add("alice", &token(T30)).unwrap();
        String::from_utf8(writer.finish().to_vec()).unwrap()
    });
    assert!(FILE.contains("600000") && !FILE.contains("horse"));
    let contents = read("pskc", &FILE, Some(PASSPHRASE));
    assert_eq!(contents.rows[0].secret, token(T30).secret);
    // 16 characters are a passphrase, never the key itself.
    let (_, described) = (0, writer("pskc", circumstances(Some(b"sixteen letters!"))).unwrap());
    let file = String::from_utf8(described.finish().to_vec()).unwrap();
    assert!(file.contains("PBKDF2"));
    let raw = writer("pskc", circumstances(Some(&[7; 16]))).unwrap();
    assert!(!String::from_utf8(raw.finish().to_vec()).unwrap().contains("PBKDF2"));
}

fn any_token() -> impl Strategy<Value = Token> {
    let factor = prop_oneof![
        Just(Factor::Hotp),
        prop_oneof![Just(30_u64), Just(60), 1..=86_400_u64]
            .prop_map(|seconds| Factor::Totp { t0_ms: 0, period_ms: seconds * 1000 }),
    ];
    let algorithm =
        prop_oneof![Just(Algorithm::Sha1), Just(Algorithm::Sha256), Just(Algorithm::Sha512)];
    let secret = proptest::collection::vec(1..=255_u8, 10..=128);
    let used = prop_oneof![Just(0_u64), 1..1_000_000_u64];
    let end = proptest::option::of(NOW_MS / 1000 + 1..NOW_MS / 1000 + 1_000_000_000);
    (factor, algorithm, 4..=8_u8, secret, used, -99..=99_i64, end, "\\PC{1,32}").prop_map(
        |(factor, algorithm, digits, secret, used, drift, end, label)| {
            let (next, offset_ms) = match factor {
                Factor::Totp { period_ms, .. } => {
                    let offset_ms = drift * period_ms as i64;
                    let step = totp::step(NOW_MS + offset_ms, 0, period_ms).unwrap_or_default();
                    (if used == 0 { 0 } else { step.saturating_sub(used % 4) + 1 }, offset_ms)
                }
                _ => (used, 0),
            };
            Token {
                algorithm,
                digits,
                secret: Secret::new(Zeroizing::new(secret)).unwrap(),
                next,
                offset_ms,
                expires_ms: end.map(|seconds| seconds * 1000),
                label,
                ..token(factor)
            }
        },
    )
}

proptest! {
    /// What is written is read again: the same token, and nothing that was used is accepted.
    #[test]
    fn what_is_written_is_read_again(
        token in any_token(),
        user in "[a-zA-Z0-9_ü][-a-zA-Z0-9_.@$ ,+\"\\\\<>;=#&'ü]{0,20}[a-z0-9$]",
        format in proptest::sample::select(vec!["otpauth", "pskc", "oath"]),
    ) {
        let Ok(file) = written(format, &[(&user, &token)]) else {
            prop_assert_eq!(format, "oath");
            return Ok(());
        };
        let contents = read(format, &file, Some(KEY).filter(|_| format == "pskc"));
        let [row] = contents.rows.as_slice() else { panic!("{contents:?}") };
        prop_assert_eq!(row.user.as_deref(), Some(user.as_str()));
        prop_assert_eq!(&row.secret, &token.secret);
        prop_assert_eq!((row.factor, row.algorithm, row.digits), (token.factor, token.algorithm, token.digits));
        // A URI does not tell that the device's clock is ahead.
        let ahead = format == "otpauth" && token.offset_ms > 0;
        prop_assert!(ahead || row.next >= token.next, "{} {}", row.next, token.next);
        if token.factor == Factor::Hotp {
            prop_assert_eq!(row.next, token.next);
        }
        if format == "pskc" {
            prop_assert_eq!(row.offset_ms, token.offset_ms);
            prop_assert_eq!(row.expires_ms, token.expires_ms);
            prop_assert_eq!(row.label.as_deref(), Some(token.id.as_str()));
        }
    }

    /// The last used code stands in users.oath and no other.
    #[test]
    fn users_oath_has_the_last_used_code(token in any_token()) {
        let Ok(file) = written("oath", &[("alice", &token)]) else { return Ok(()) };
        let fields: Vec<_> = file.split_whitespace().collect();
        if token.next == 0 {
            prop_assert_eq!(fields.len(), 4);
        } else {
            let code = hotp::value(&token.secret, token.algorithm, token.next - 1, token.digits);
            prop_assert_eq!(fields[5].as_bytes(), code.expose());
        }
    }
}
