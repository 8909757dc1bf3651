//! The limit that another program had set for a user.

use otp_core::{
    account::Account,
    code::Reply,
    consume::Refusal,
    enrolment,
    throttle::{Pace, Throttle},
    token::{State, Token},
};

use crate::fixture::{
    NOW, account, by_token, confirm, hotp_token, login, new_token, reply, resync_at, rules,
    totp_token, with_recovery, wrong,
};

/// Three attempts in thirty seconds, and a counter at 5.
fn paced() -> Account {
    Account { pace: Some(Pace::new(3, 30_000)), ..account([hotp_token("h", 5)]) }
}

#[test]
fn right_codes_count_and_what_is_too_much_is_not_evaluated() {
    let mut account = paced();
    let token = hotp_token("h", 5);
    for counter in 5..8 {
        assert_eq!(login(&mut account, &reply(&token, counter), NOW), by_token("h"));
    }
    let before = account.pace;
    for refused in [reply(&token, 8), wrong(&token, 8)] {
        assert_eq!(login(&mut account, &refused, NOW + 9_999), Err(Refusal::Locked));
    }
    assert_eq!((account.tokens[0].next, account.pace), (8, before));
    assert_eq!(account.throttle, Throttle::default(), "not charged");
    // One is free again each ten seconds.
    assert_eq!(login(&mut account, &reply(&token, 8), NOW + 10_000), by_token("h"));
    assert_eq!(login(&mut account, &reply(&token, 9), NOW + 19_999), Err(Refusal::Locked));
    assert_eq!(login(&mut account, &wrong(&token, 9), NOW + 20_000), Err(Refusal::Wrong));
    assert_eq!(account.throttle.failures, 1);
}

#[test]
fn resync_and_confirmation_keep_it_too() {
    let mut account = paced();
    account.tokens.push(Token { state: State::Pending { until_ms: NOW }, ..totp_token("p") });
    let pending = totp_token("p");
    assert_eq!(resync_at(&mut account, 40, NOW), Ok(()));
    assert_eq!(resync_at(&mut account, 30, NOW), Err(Refusal::Wrong));
    assert_eq!(confirm(&mut account, "p", &wrong(&pending, 0), NOW), Err(Refusal::Wrong));
    assert_eq!(resync_at(&mut account, 50, NOW), Err(Refusal::Locked));
    let right = reply(&pending, crate::fixture::step(&pending, NOW));
    assert_eq!(confirm(&mut account, "p", &right, NOW), Err(Refusal::Locked));
    account.unlock();
    assert_eq!(confirm(&mut account, "p", &right, NOW), by_token("p"));
    assert_eq!(account.pace.unwrap().at_ms, NOW + 10_000, "and counts again");
}

#[test]
fn what_cannot_be_a_code_does_not_count() {
    let mut account = paced();
    for _ in 0..9 {
        assert_eq!(login(&mut account, &Reply::Malformed, NOW), Err(Refusal::Malformed));
        assert_eq!(login(&mut account, &Reply::parse(b"1234"), NOW), Err(Refusal::Malformed));
    }
    assert_eq!(account.pace, paced().pace);
}

#[test]
fn a_recovery_code_opens_a_paced_account() {
    let mut account = paced();
    let code = with_recovery(&mut account).remove(0);
    let token = hotp_token("h", 5);
    (0..3).for_each(|_| drop(login(&mut account, &wrong(&token, 5), NOW)));
    assert_eq!(login(&mut account, &reply(&token, 5), NOW), Err(Refusal::Locked));
    assert!(login(&mut account, &Reply::Recovery(code), NOW).is_ok());
}

#[test]
fn a_clock_that_went_back_locks_for_the_interval_at_most() {
    let mut account = paced();
    let token = hotp_token("h", 5);
    (0..3).for_each(|_| drop(login(&mut account, &wrong(&token, 5), NOW)));
    let past = NOW - crate::fixture::YEAR;
    assert_eq!(login(&mut account, &reply(&token, 5), past), Err(Refusal::Locked));
    assert_eq!(login(&mut account, &reply(&token, 5), past + 30_000), by_token("h"));
}

#[test]
fn a_token_that_is_made_at_a_login_counts_as_an_attempt() {
    let mut account = Account { pace: Some(Pace::new(1, 30_000)), ..Account::default() };
    let device = Token { secret: new_token("n").secret, ..totp_token("n") };
    let right = |now_ms| reply(&device, crate::fixture::step(&device, now_ms));
    let adopted = enrolment::adopt(&mut account, new_token("n"), &right(NOW), &rules(), NOW);
    assert!(adopted.is_ok());
    assert_eq!(account.pace.unwrap().at_ms, NOW + 30_000);
    assert_eq!(login(&mut account, &right(NOW + 29_999), NOW + 29_999), Err(Refusal::Locked));
}
