//! Recovery codes of 8 digits that another program made.

use otp_core::{
    account::Account,
    code::{Digits, Reply},
    consume::{Credential, Refusal, Rules, Scope, consume},
    import::admit_recovery,
    token::Token,
};

use crate::fixture::{
    KEY, NOW, YEAR, account, by_token, disabled, failed, login, reply, rules, step, totp_token,
    with_recovery, wrong,
};

const CODES: [&str; 3] = ["12345678", "87654321", "90000009"];

fn digits(text: &str) -> Digits {
    Digits::from_ascii(text.as_bytes()).unwrap()
}

/// The three codes beside tokens of 6 digits.
fn with_codes(tokens: impl IntoIterator<Item = Token>) -> Account {
    let mut account = account(tokens);
    assert_eq!(admit_recovery(&mut account, &CODES.map(digits), &KEY), 3);
    account
}

fn typed(text: &str) -> Reply {
    Reply::parse(text.as_bytes())
}

fn left(left: usize) -> Result<Credential, Refusal> {
    Ok(Credential::Recovery { left })
}

#[test]
fn each_opens_one_login_in_place_of_a_token() {
    let mut account = with_codes([totp_token("t")]);
    account.throttle.failures = 3;
    assert_eq!(login(&mut account, &typed("1234 5678"), NOW), left(2));
    assert_eq!(account.throttle.failures, 0);
    assert_eq!(account.last_success_ms, Some(NOW));
    assert_eq!(login(&mut account, &typed(CODES[0]), NOW), Err(Refusal::Wrong));
    assert_eq!(account.throttle.failures, 1);
    assert_eq!(login(&mut account, &typed(CODES[2]), NOW), left(1));
    assert_eq!(login(&mut account, &typed(CODES[1]), NOW), left(0));
    // With no code left, 8 digits can be nothing of the user's.
    assert_eq!(login(&mut account, &typed(CODES[1]), NOW), Err(Refusal::Malformed));
    assert_eq!(account.throttle.failures, 0);
}

#[test]
fn guesses_are_charged_and_locked() {
    let mut account = with_codes([totp_token("t")]);
    for failures in 1..=5 {
        assert_eq!(login(&mut account, &typed("11111111"), NOW), Err(Refusal::Wrong));
        assert_eq!(account.throttle.failures, failures);
    }
    assert_eq!(login(&mut account, &typed(CODES[0]), NOW), Err(Refusal::Locked));
    assert_eq!((account.recovery.len(), account.throttle.failures), (3, 5));
    account.throttle = failed(100, None);
    assert_eq!(login(&mut account, &typed(CODES[0]), NOW + YEAR), Err(Refusal::Locked));
}

#[test]
fn they_stand_in_for_tokens_that_are_not_accepted_but_not_for_an_end() {
    let off = Token { state: disabled(None), ..totp_token("t") };
    let elsewhere = Token { method: "elsewhere".into(), ..totp_token("t") };
    for tokens in [vec![off], vec![elsewhere]] {
        assert_eq!(login(&mut with_codes(tokens), &typed(CODES[0]), NOW), left(2));
    }
    let over = || Token { expires_ms: Some(NOW), ..totp_token("t") };
    let mut account = with_codes([over()]);
    assert_eq!(login(&mut account, &typed(CODES[0]), NOW), Err(Refusal::Expired));
    assert_eq!((account.recovery.len(), account.throttle.failures), (3, 1));
    let pending = otp_core::token::State::Pending { until_ms: NOW };
    let mut account = with_codes([Token { state: pending, ..totp_token("t") }]);
    assert_eq!(login(&mut account, &typed(CODES[0]), NOW), Err(Refusal::Unenrolled));
}

#[test]
fn they_are_for_logins_that_accept_recovery_codes() {
    let mut account = with_codes([totp_token("t")]);
    let given = typed(CODES[0]);
    let none = Rules { recovery: false, ..rules() };
    let refused = |account: &mut Account, scope, rules: &Rules<'_>| {
        consume(Some(account), &given, scope, rules, NOW).unwrap_err()
    };
    assert_eq!(refused(&mut account, Scope::Login, &none), Refusal::Malformed);
    assert_eq!(refused(&mut account, Scope::Issued, &rules()), Refusal::Unenrolled);
    assert_eq!(refused(&mut account, Scope::Token("t"), &rules()), Refusal::Disabled);
    let other = Rules { recovery_key: &[1; 32], ..rules() };
    assert_eq!(refused(&mut account, Scope::Login, &other), Refusal::Wrong);
    assert_eq!(account.recovery.len(), 3);
}

#[test]
fn a_code_of_a_token_of_8_digits_comes_first() {
    let eight = || Token { digits: 8, ..totp_token("t") };
    let code = crate::fixture::code(&eight(), step(&eight(), NOW));
    let mut account = account([eight()]);
    admit_recovery(&mut account, &[digits(std::str::from_utf8(code.expose()).unwrap())], &KEY);
    let given = reply(&eight(), step(&eight(), NOW));
    assert_eq!(login(&mut account, &given, NOW), by_token("t"));
    assert_eq!(login(&mut account, &given, NOW), left(0));
    assert_eq!(login(&mut account, &given, NOW), Err(Refusal::Replayed));
    assert_eq!(
        login(&mut account, &wrong(&eight(), step(&eight(), NOW)), NOW),
        Err(Refusal::Wrong)
    );
}

#[test]
fn new_ones_and_old_ones_stand_side_by_side() {
    let mut account = account([totp_token("t")]);
    let new = with_recovery(&mut account).remove(0);
    assert_eq!(admit_recovery(&mut account, &CODES.map(digits), &KEY), 3);
    assert_eq!(login(&mut account, &typed(CODES[1]), NOW), left(12));
    assert_eq!(login(&mut account, &Reply::Recovery(new), NOW), left(11));
}
