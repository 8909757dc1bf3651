//! otpauth URIs, both ways.

use otp_core::{
    error::Error,
    secret::Secret,
    token::{Algorithm, Factor, Token},
    uri::{Detail, Parsed, check, parse, provisioning, spelled},
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::fixture::{hotp_token, totp_token};

fn hello() -> Secret {
    Secret::new(Zeroizing::new(b"Hello!\xde\xad\xbe\xef".to_vec())).unwrap()
}

fn hello_token() -> Token {
    Token { secret: hello(), ..totp_token("t") }
}

#[test]
fn g07_an_app_is_told_everything_with_spaces_as_percent_20() {
    let seconds = |period: u64| Factor::Totp { t0_ms: 0, period_ms: period * 1000 };
    for (token, issuer, account, uri) in [
        (
            hello_token(),
            "Issuer",
            "alice",
            "otpauth://totp/Issuer:alice?secret=JBSWY3DPEHPK3PXP&issuer=Issuer&algorithm=SHA1&digits=6&period=30",
        ),
        (
            Token { algorithm: Algorithm::Sha512, digits: 8, factor: seconds(60), ..hello_token() },
            "Gluu Inc",
            "alice@example.com",
            "otpauth://totp/Gluu%20Inc:alice%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc&algorithm=SHA512&digits=8&period=60",
        ),
        (
            Token { secret: hello(), algorithm: Algorithm::Sha256, next: 41, ..hotp_token("h", 0) },
            "a:b+c&d=e",
            "b:ö/?#%",
            "otpauth://hotp/ab%2Bc%26d%3De:b%C3%B6%2F%3F%23%25?secret=JBSWY3DPEHPK3PXP&issuer=ab%2Bc%26d%3De&algorithm=SHA256&digits=6&counter=41",
        ),
        (
            hello_token(),
            "",
            "alice",
            "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&period=30",
        ),
    ] {
        assert_eq!(provisioning(&token, issuer, account).unwrap().as_str(), uri);
    }
}

/// What is left out is what every reader, ours among them, takes where it is absent.
#[test]
fn shorter_uris_say_the_same() {
    let minute = Factor::Totp { t0_ms: 0, period_ms: 60_000 };
    for (token, short, shortest) in [
        (
            hello_token(),
            "otpauth://totp/Gluu%20Inc:alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc",
            "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc",
        ),
        (
            Token { algorithm: Algorithm::Sha256, digits: 8, factor: minute, ..hello_token() },
            "otpauth://totp/Gluu%20Inc:alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc&algorithm=SHA256&digits=8&period=60",
            "otpauth://totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc&algorithm=SHA256&digits=8&period=60",
        ),
        (
            Token { secret: hello(), ..hotp_token("h", 0) },
            "otpauth://hotp/Gluu%20Inc:alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc&counter=0",
            "otpauth://hotp/alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc&counter=0",
        ),
    ] {
        let full = parse(&provisioning(&token, "Gluu Inc", "alice").unwrap()).unwrap();
        for (detail, expected) in [(Detail::Short, short), (Detail::Shortest, shortest)] {
            let uri = spelled(&token, "Gluu Inc", "alice", detail).unwrap();
            assert_eq!(uri.as_str(), expected);
            assert_eq!(parse(&uri).unwrap(), full);
        }
    }
}

#[test]
fn u11_what_no_uri_can_tell_is_refused() {
    for (t0_ms, period_ms) in [(1, 30_000), (-1, 30_000), (0, 30_001), (0, 999), (0, 0)] {
        let token = Token { factor: Factor::Totp { t0_ms, period_ms }, ..hello_token() };
        assert!(check(token.factor).is_err());
        let refused = provisioning(&token, "Issuer", "alice");
        assert!(matches!(refused, Err(Error::Uri(_))), "{t0_ms} {period_ms}");
    }
}

#[test]
fn uris_of_other_programs_are_read() {
    let usual = || Parsed {
        issuer: Some("Issuer".to_owned()),
        account: "alice".to_owned(),
        factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
        algorithm: Algorithm::Sha1,
        digits: 6,
        secret: hello(),
        counter: 0,
    };
    let hotp = |counter| Parsed { factor: Factor::Hotp, counter, ..usual() };
    let issuer = |issuer: &str| Parsed { issuer: Some(issuer.to_owned()), ..usual() };
    let account = |account: &str| Parsed { account: account.to_owned(), ..usual() };
    for (rest, expected) in [
        ("totp/Issuer:alice?secret=JBSWY3DPEHPK3PXP", usual()),
        ("totp/Issuer:alice?secret=jbsw+y3dp%20ehpk-3pxp%3D%3D", usual()),
        ("totp/Issuer%3Aalice?secret=JBSWY3DPEHPK3PXP====", usual()),
        ("totp/Issuer:%20alice?secret=JBSWY3DPEHPK3PXP&period=30&digits=6&algorithm=SHA1", usual()),
        ("TOTP/alice?SECRET=JBSWY3DPEHPK3PXP&Issuer=Issuer&algorithm=sha1#x?y", usual()),
        ("totp/Other:alice?secret=JBSWY3DPEHPK3PXP&issuer=Issuer&image=http%3A%2F%2Fx&&", usual()),
        ("totp/alice?secret=JBSWY3DPEHPK3PXP", Parsed { issuer: None, ..usual() }),
        ("totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=", Parsed { issuer: None, ..usual() }),
        ("totp/Issuer:?secret=JBSWY3DPEHPK3PXP", account("")),
        ("totp/Issuer:a+b?secret=JBSWY3DPEHPK3PXP", account("a+b")),
        ("totp/Issuer:j%C3%BCrgen?secret=JBSWY3DPEHPK3PXP", account("jürgen")),
        ("totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu%20Inc", issuer("Gluu Inc")),
        ("totp/alice?secret=JBSWY3DPEHPK3PXP&issuer=Gluu+Inc%2B", issuer("Gluu Inc+")),
        (
            "totp/Issuer:alice?secret=JBSWY3DPEHPK3PXP&digits=8&period=1&algorithm=Sha256",
            Parsed {
                digits: 8,
                factor: Factor::Totp { t0_ms: 0, period_ms: 1000 },
                algorithm: Algorithm::Sha256,
                ..usual()
            },
        ),
        ("hotp/Issuer:alice?secret=JBSWY3DPEHPK3PXP&counter=0", hotp(0)),
        (
            "hotp/Issuer:alice?secret=JBSWY3DPEHPK3PXP&counter=18446744073709551614",
            hotp(u64::MAX - 1),
        ),
    ] {
        assert_eq!(parse(&format!("otpauth://{rest}")), Ok(expected), "{rest}");
    }
    assert!(parse("OTPAUTH://totp/a?secret=JBSWY3DPEHPK3PXP").is_ok());
}

#[test]
fn uris_that_cannot_be_used_are_refused() {
    let long = format!("totp/{}?secret=JBSWY3DPEHPK3PXP", "x".repeat(129));
    let longer = format!("totp/a?secret=JBSWY3DPEHPK3PXP&image={}", "x".repeat(2048));
    for (rest, error) in [
        ("totp/a", Error::Uri("the secret is missing")),
        ("totp/a?secret", Error::SecretLength),
        ("totp/a?secret=JBSWY3DPEHPK3PX1", Error::Base32),
        ("totp/a?secret=JBSWY3DPEHPK3PXR7", Error::Base32),
        ("totp/a?secret=JBSWY3DP", Error::SecretLength),
        (
            "totp/a?secret=JBSWY3DPEHPK3PXP&secret=JBSWY3DPEHPK3PXP",
            Error::Uri("a parameter is given twice"),
        ),
        (
            "totp/a?digits=6&secret=JBSWY3DPEHPK3PXP&DIGITS=8",
            Error::Uri("a parameter is given twice"),
        ),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&digits=3", Error::Uri("a code has 4 to 8 digits")),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&digits=9", Error::Uri("a code has 4 to 8 digits")),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&digits=262", Error::Uri("a code has 4 to 8 digits")),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&digits=%2B6", Error::Uri("a code has 4 to 8 digits")),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&period=0", Error::Uri("the period is 1 to 86400 seconds")),
        (
            "totp/a?secret=JBSWY3DPEHPK3PXP&period=-30",
            Error::Uri("the period is 1 to 86400 seconds"),
        ),
        (
            "totp/a?secret=JBSWY3DPEHPK3PXP&period=86401",
            Error::Uri("the period is 1 to 86400 seconds"),
        ),
        (
            "totp/a?secret=JBSWY3DPEHPK3PXP&algorithm=MD5",
            Error::Uri("the algorithm is SHA1, SHA256 or SHA512"),
        ),
        ("hotp/a?secret=JBSWY3DPEHPK3PXP", Error::Uri("hotp needs the counter")),
        ("hotp/a?secret=JBSWY3DPEHPK3PXP&counter=", Error::Uri("the counter is a number")),
        (
            "hotp/a?secret=JBSWY3DPEHPK3PXP&counter=18446744073709551615",
            Error::Uri("the counter is a number"),
        ),
        ("steam/a?secret=JBSWY3DPEHPK3PXP", Error::Uri("the type is totp or hotp")),
        ("", Error::Uri("the type is totp or hotp")),
        ("totp/%ff?secret=JBSWY3DPEHPK3PXP", Error::Uri("it is not UTF-8")),
        ("totp/a%0Ab?secret=JBSWY3DPEHPK3PXP", Error::Text),
        ("totp/a?secret=JBSWY3DPEHPK3PXP&issuer=%1B", Error::Text),
        (&*long, Error::Text),
        (&*longer, Error::Uri("it begins with otpauth:// and has at most 2048 bytes")),
    ] {
        assert_eq!(parse(&format!("otpauth://{rest}")), Err(error), "{rest}");
    }
    for uri in ["", "otpauth:", "http://totp/a?secret=JBSWY3DPEHPK3PXP", "otpauth:/ü/"] {
        assert!(matches!(parse(uri), Err(Error::Uri(_))), "{uri}");
    }
}

proptest! {
    #[test]
    fn what_is_provisioned_is_what_is_read(
        key in proptest::collection::vec(any::<u8>(), 10..=64),
        issuer in "[ -~äß漢]{0,20}",
        account in "[!-~äß漢]{1,20}",
        digits in 4_u8..=8,
        period in 1_u64..=86_400,
        counter in 0..u64::MAX,
        is_hotp: bool,
        algorithm in proptest::sample::select(vec![
            Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512,
        ]),
    ) {
        let factor =
            if is_hotp { Factor::Hotp } else { Factor::Totp { t0_ms: 0, period_ms: period * 1000 } };
        let secret = || Secret::new(Zeroizing::new(key.clone())).unwrap();
        let token =
            Token { factor, algorithm, digits, secret: secret(), next: counter, ..totp_token("t") };
        let uri = provisioning(&token, &issuer, &account).unwrap();
        prop_assert!(uri.is_ascii() && !uri.contains(['+', ' ']));
        let kept = issuer.replace(':', "");
        let expected = Parsed {
            issuer: Some(kept).filter(|issuer| !issuer.is_empty()),
            account: account.replace(':', ""),
            factor,
            algorithm,
            digits,
            secret: secret(),
            counter: if is_hotp { counter } else { 0 },
        };
        prop_assert_eq!(parse(&uri), Ok(expected));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(otpauth://)?(totp|hotp)?/?.{0,80}") {
        let _ = parse(&text);
    }
}
