//! Codes that are delivered: good once, at their service, for their time and their tries.

use otp_core::{
    account::Account,
    code::{Digits, Reply},
    consume::{Credential, Refusal, Rules, Scope, consume},
    contact::Channel,
    enrolment, out_of_band,
    out_of_band::{MOST_CHALLENGES, Terms},
    token::{Algorithm, Factor, State, Token},
    window::Windows,
};
use proptest::prelude::*;

use crate::fixture::{KEY, LOCKOUT, NOW, account, code, rules, secret, step, totp_token};

const MINUTE: i64 = 60_000;
const TERMS: Terms = Terms { validity_ms: 300_000, tries: 3, resend_ms: 30_000 };

fn sms_token(id: &str) -> Token {
    Token {
        method: "sms".to_owned(),
        factor: Factor::OutOfBand(Channel::Sms),
        algorithm: Algorithm::Sha256,
        secret: secret(&format!("the key of {id:>10}")),
        ..totp_token(id)
    }
}

fn digits(number: u128) -> Digits {
    Digits::random(&number.to_be_bytes(), 6)
}

fn sent(account: &mut Account, number: u128, now_ms: i64) {
    out_of_band::challenge(account, "phone", "sshd", &digits(number), TERMS, now_ms).unwrap();
}

fn try_at(
    account: &mut Account,
    service: &str,
    number: u128,
    now_ms: i64,
) -> Result<Credential, Refusal> {
    let rules = Rules { service, ..rules() };
    consume(Some(account), &Reply::Digits(digits(number)), Scope::Login, &rules, now_ms)
}

fn accepted(account: &mut Account, number: u128, now_ms: i64) -> bool {
    try_at(account, "sshd", number, now_ms).is_ok()
}

#[test]
fn a_code_is_good_once() {
    let mut alice = account([sms_token("phone")]);
    assert_eq!(try_at(&mut alice, "sshd", 123_456, NOW), Err(Refusal::Wrong), "nothing was sent");
    sent(&mut alice, 123_456, NOW);
    let credential = Credential::Token { id: "phone".into(), method: "sms".into() };
    assert_eq!(try_at(&mut alice, "sshd", 123_456, NOW), Ok(credential));
    assert_eq!((alice.throttle.failures, alice.tokens[0].last_used_ms), (0, Some(NOW)));
    assert_eq!(try_at(&mut alice, "sshd", 123_456, NOW), Err(Refusal::Wrong));
    assert_eq!((alice.throttle.failures, alice.tokens[0].next), (1, 1));
}

#[test]
fn a_code_is_good_for_its_time() {
    for (after_ms, good) in [
        (0, true),
        (300_000 - 1, true),
        (300_000, false),
        (24 * 60 * MINUTE, false),
        (-MINUTE, true),
        (-MINUTE - 1, false),
        (-365 * 24 * 60 * MINUTE, false),
    ] {
        let mut alice = account([sms_token("phone")]);
        sent(&mut alice, 1, NOW);
        assert_eq!(accepted(&mut alice, 1, NOW + after_ms), good, "{after_ms}");
    }
}

#[test]
fn a_code_is_good_at_its_service_only() {
    let mut alice = account([sms_token("phone")]);
    sent(&mut alice, 1, NOW);
    assert_eq!(try_at(&mut alice, "sudo", 1, NOW), Err(Refusal::Wrong));
    assert_eq!(alice.challenges[0].tries, 3, "an answer at another service costs no try");
    assert!(accepted(&mut alice, 1, NOW));
}

#[test]
fn the_fourth_try_is_in_vain() {
    let mut alice = account([sms_token("phone")]);
    sent(&mut alice, 1, NOW);
    for wrong in 2..5 {
        assert!(!accepted(&mut alice, wrong, NOW));
    }
    assert_eq!(alice.throttle.failures, 3);
    assert!(!accepted(&mut alice, 1, NOW));
    sent(&mut alice, 9, NOW + 30_000);
    assert!(accepted(&mut alice, 9, NOW + 30_000), "a new code has tries of its own");
}

#[test]
fn codes_that_are_late_stay_good_and_a_success_voids_all() {
    let mut alice =
        account([sms_token("phone"), Token { method: "totp".into(), ..totp_token("app") }]);
    for number in 1..4 {
        sent(&mut alice, number, NOW + 30_000 * number as i64);
    }
    let now_ms = NOW + 100_000;
    assert!(accepted(&mut alice, 1, now_ms));
    assert!(!accepted(&mut alice, 2, now_ms) && !accepted(&mut alice, 3, now_ms));
    sent(&mut alice, 4, now_ms);
    let app = &alice.tokens[1];
    let code = Reply::Digits(code(app, step(app, now_ms)));
    assert!(consume(Some(&mut alice), &code, Scope::Login, &rules(), now_ms).is_ok());
    assert!(!accepted(&mut alice, 4, now_ms), "the app's success voids it, too");
}

#[test]
fn a_locked_user_and_a_token_that_is_not_accepted_evaluate_nothing() {
    let mut alice = account([sms_token("phone")]);
    sent(&mut alice, 1, NOW);
    alice.throttle.locked_until_ms = Some(NOW + MINUTE);
    assert_eq!(try_at(&mut alice, "sshd", 1, NOW), Err(Refusal::Locked));
    assert_eq!(alice.challenges[0].tries, 3);
    alice.throttle.clear();

    let only_totp = |method: &str| (method == "totp").then(Windows::default);
    let rules = Rules {
        windows: &only_totp,
        lockout: &LOCKOUT,
        recovery_key: &KEY,
        recovery: true,
        service: "sshd",
        issued: otp_core::issued::Terms::default(),
    };
    let reply = Reply::Digits(digits(1));
    let refused = consume(Some(&mut alice), &reply, Scope::Login, &rules, NOW);
    assert_eq!(refused, Err(Refusal::Disabled));

    for state in [
        State::Disabled { until_ms: None, reason: String::new() },
        State::Pending { until_ms: NOW + MINUTE },
    ] {
        let mut bob = account([sms_token("phone"), totp_token("app")]);
        sent(&mut bob, 1, NOW);
        bob.tokens[0].state = state;
        assert!(!accepted(&mut bob, 1, NOW));
    }
}

#[test]
fn no_other_code_follows_at_once() {
    let mut alice = account([sms_token("phone")]);
    let waits = |alice: &Account, service, at_ms| {
        out_of_band::waiting(alice, "phone", service, TERMS, at_ms)
    };
    assert!(!waits(&alice, "sshd", NOW));
    sent(&mut alice, 1, NOW);
    assert!(waits(&alice, "sshd", NOW) && waits(&alice, "sshd", NOW + 29_999));
    assert!(!waits(&alice, "sshd", NOW + 30_000) && !waits(&alice, "sudo", NOW));
    assert!(!waits(&alice, "sshd", NOW - 2 * MINUTE), "a clock that went back");
    for wrong in 2..6 {
        accepted(&mut alice, wrong, NOW);
    }
    assert!(waits(&alice, "sshd", NOW + 1), "wrong answers do not buy another message");
    alice.throttle.clear();
    sent(&mut alice, 7, NOW + 30_000);
    assert!(accepted(&mut alice, 7, NOW + 30_000));
    assert!(!waits(&alice, "sshd", NOW + 30_001), "a login that was granted begins anew");
}

#[test]
fn challenges_are_bounded_and_go_with_their_token() {
    let mut alice = account([sms_token("phone"), sms_token("other")]);
    for number in 0..20 {
        sent(&mut alice, number, NOW);
    }
    assert_eq!(alice.challenges.len(), MOST_CHALLENGES);
    assert!(accepted(&mut alice, 19, NOW));
    sent(&mut alice, 1, NOW);
    sent(&mut alice, 2, NOW + 1);
    out_of_band::withdraw(&mut alice, "phone", Some(NOW));
    assert_eq!(alice.challenges.len(), 1);
    assert!(accepted(&mut alice, 2, NOW + 1));
    sent(&mut alice, 3, NOW);
    enrolment::revoke(&mut alice, "phone").unwrap();
    assert!(alice.challenges.is_empty());
    assert!(out_of_band::challenge(&mut alice, "phone", "sshd", &digits(1), TERMS, NOW).is_err());
    sent_over(&mut alice);
}

/// What is over makes room for what is new.
fn sent_over(account: &mut Account) {
    let later = NOW + 10 * MINUTE;
    out_of_band::challenge(account, "other", "sshd", &digits(1), TERMS, NOW).unwrap();
    out_of_band::challenge(account, "other", "sshd", &digits(2), TERMS, later).unwrap();
    assert_eq!(account.challenges.len(), 1);
}

#[test]
fn one_token_s_code_is_not_another_s() {
    let key = |id: &str| sms_token(id).secret;
    let digest =
        |id, service, at, number| out_of_band::digest(&key(id), service, at, &digits(number));
    let own = digest("a", "sshd", NOW, 1);
    assert_eq!(own, digest("a", "sshd", NOW, 1));
    for other in [
        digest("b", "sshd", NOW, 1),
        digest("a", "sudo", NOW, 1),
        digest("a", "sshd", NOW + 1, 1),
        digest("a", "sshd", NOW, 2),
    ] {
        assert!(own != other);
    }
}

#[test]
fn random_codes_have_their_length_and_all_digits() {
    assert_eq!(Digits::random(&[0; 16], 6).expose(), b"000000");
    assert_eq!(Digits::random(&42_u128.to_be_bytes(), 8).expose(), b"00000042");
    assert_eq!(Digits::random(&99_999_999_u128.to_be_bytes(), 8).expose(), b"99999999");
    assert_eq!(Digits::random(&100_000_007_u128.to_be_bytes(), 8).expose(), b"00000007");
}

proptest! {
    /// Whatever is sent and typed, in whatever order: no code is accepted twice, none that was not
    /// sent, none that is over, and no challenge is compared more often than it has tries.
    #[test]
    fn any_history(steps in proptest::collection::vec((any::<bool>(), 0..4_u128, 0..120_000_i64), 1..60)) {
        let mut alice = account([sms_token("phone")]);
        let (mut open, mut now_ms): (Vec<(u128, i64, u8)>, _) = (Vec::new(), NOW);
        for (send, number, pause_ms) in steps {
            now_ms += pause_ms;
            alice.throttle.clear();
            if send {
                sent(&mut alice, number, now_ms);
                open.retain(|(_, end, _)| now_ms < *end);
                open.push((number, now_ms + 300_000, 3));
                let surplus = open.len().saturating_sub(MOST_CHALLENGES);
                open.drain(..surplus);
                continue;
            }
            let good = open.iter().any(|(sent, end, tries)| *sent == number && now_ms < *end && *tries > 0);
            prop_assert_eq!(accepted(&mut alice, number, now_ms), good);
            if good {
                open.clear();
            } else {
                open.iter_mut().filter(|(_, end, _)| now_ms < *end).for_each(|(.., tries)| *tries = tries.saturating_sub(1));
            }
        }
    }
}
