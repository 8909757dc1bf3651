//! The first code of a new token.

use otp_core::{
    code::Reply,
    consume::{Refusal, Scope, consume},
    throttle::Throttle,
    token::{State, Token},
};

use crate::fixture::{
    NOW, account, by_token, code, confirm, disabled, failed, login, reply, rules, step, totp_token,
    wrong,
};

#[test]
fn the_first_code_makes_a_pending_token_active_and_is_spent_with_it() {
    let pending = State::Pending { until_ms: NOW };
    let mut account = account([Token { state: pending, ..totp_token("t") }]);
    account.throttle = failed(3, None);
    let now_step = step(&account.tokens[0], NOW);
    let bad = wrong(&account.tokens[0], now_step);
    assert_eq!(confirm(&mut account, "t", &bad, NOW), Err(Refusal::Wrong));
    assert_eq!(account.throttle.failures, 4);
    assert!(!account.enrolled());

    let right = reply(&account.tokens[0], now_step);
    assert_eq!(confirm(&mut account, "t", &right, NOW), by_token("t"));
    assert_eq!(account.tokens[0].state, State::Active);
    assert_eq!((account.throttle.failures, account.last_success_ms), (4, None));
    assert_eq!(account.tokens[0].last_used_ms, Some(NOW));
    assert_eq!(login(&mut account, &right, NOW), Err(Refusal::Replayed));
}

#[test]
fn what_cannot_be_confirmed_is_neither_changed_nor_charged() {
    let now_step = step(&totp_token("t"), NOW);
    let pending = |until_ms| Token { state: State::Pending { until_ms }, ..totp_token("t") };
    let right = || reply(&totp_token("t"), now_step);
    for (name, token, id, typed, refusal) in [
        ("unknown", pending(NOW), "x", right(), Refusal::Unenrolled),
        ("too late", pending(NOW - 1), "t", right(), Refusal::Expired),
        (
            "expired",
            Token { expires_ms: Some(NOW), ..pending(NOW) },
            "t",
            right(),
            Refusal::Expired,
        ),
        ("active", totp_token("t"), "t", right(), Refusal::Disabled),
        (
            "disabled",
            Token { state: disabled(None), ..totp_token("t") },
            "t",
            right(),
            Refusal::Disabled,
        ),
        (
            "other method",
            Token { method: "other".to_owned(), ..pending(NOW) },
            "t",
            right(),
            Refusal::Disabled,
        ),
        ("7 digits", pending(NOW), "t", Reply::parse(b"1234567"), Refusal::Malformed),
        ("a recovery code", pending(NOW), "t", Reply::parse(&[b'0'; 16]), Refusal::Malformed),
    ] {
        let mut account = account([token]);
        let state = account.tokens[0].state.clone();
        assert_eq!(confirm(&mut account, id, &typed, NOW), Err(refusal), "{name}");
        assert_eq!((&account.tokens[0].state, account.tokens[0].next), (&state, 0), "{name}");
        assert_eq!(account.throttle, Throttle::default(), "{name}");
    }
    let mut account = account([pending(NOW)]);
    account.throttle = failed(5, Some(NOW + 1));
    assert_eq!(confirm(&mut account, "t", &right(), NOW), Err(Refusal::Locked));
    let nobody = consume(None, &right(), Scope::Token("t"), &rules(), NOW);
    assert_eq!(nobody, Err(Refusal::Unenrolled));
}

#[test]
fn a_confirmation_accepts_no_code_of_another_token() {
    let pending = Token { state: State::Pending { until_ms: NOW }, ..totp_token("new") };
    let mut account = account([totp_token("t"), pending]);
    let other = Reply::Digits(code(&account.tokens[0], step(&account.tokens[0], NOW)));
    assert_eq!(confirm(&mut account, "new", &other, NOW), Err(Refusal::Wrong));
    assert_eq!(account.tokens[0].next, 0);
}
