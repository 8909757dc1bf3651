//! What a login accepts, what it charges and what it leaves alone.

use otp_core::{
    account::Account,
    code::Reply,
    consume::{Credential, Refusal, Rules, Scope, consume},
    issued::Terms,
    throttle::Throttle,
    token::{State, Token},
};

use crate::fixture::{
    KEY, LOCKOUT, NOW, YEAR, account, by_token, disabled, failed, hotp_token, login, reply, rules,
    step, totp_token, windows, with_recovery, wrong,
};

#[test]
fn a_right_code_is_accepted_once_and_clears_the_failures() {
    let mut account = account([totp_token("t")]);
    account.throttle = failed(4, Some(NOW - 1));
    let now_step = step(&account.tokens[0], NOW);
    let right = reply(&account.tokens[0], now_step);
    assert_eq!(login(&mut account, &right, NOW), by_token("t"));
    assert_eq!(account.throttle, Throttle::default());
    assert_eq!(account.last_success_ms, Some(NOW));
    assert_eq!((account.tokens[0].next, account.tokens[0].last_used_ms), (now_step + 1, Some(NOW)));

    assert_eq!(login(&mut account, &right, NOW), Err(Refusal::Replayed));
    let earlier = reply(&account.tokens[0], now_step - 1);
    assert_eq!(login(&mut account, &earlier, NOW), Err(Refusal::Replayed));
    assert_eq!(account.throttle.failures, 2);
    assert_eq!(account.last_success_ms, Some(NOW));
}

#[test]
fn counters_move_past_the_code_and_never_back() {
    let mut account = account([hotp_token("h", 0)]);
    for (counter, verdict, next) in [
        (0, by_token("h"), 1),
        (0, Err(Refusal::Replayed), 1),
        (5, by_token("h"), 6),
        (3, Err(Refusal::Replayed), 6),
        (2, Err(Refusal::Wrong), 6),
        (17, Err(Refusal::Wrong), 6),
        (16, by_token("h"), 17),
    ] {
        let typed = reply(&account.tokens[0], counter);
        assert_eq!(login(&mut account, &typed, NOW), verdict, "counter {counter}");
        assert_eq!(account.tokens[0].next, next, "counter {counter}");
    }
}

/// Each row: the account's tokens, the reply, the verdict and whether it is charged.
#[test]
fn refusals_and_what_they_charge() {
    let t = || totp_token("t");
    let now_step = step(&t(), NOW);
    let right = reply(&t(), now_step);
    let past = Some(NOW - YEAR);
    let pending = State::Pending { until_ms: NOW + 1 };
    type Row = (&'static str, Vec<Token>, Reply, Refusal, bool);
    let table: Vec<Row> = vec![
        ("wrong", vec![t()], wrong(&t(), now_step), Refusal::Wrong, true),
        ("too early", vec![t()], reply(&t(), now_step + 1), Refusal::Wrong, true),
        ("7 digits", vec![t()], Reply::parse(b"1234567"), Refusal::Malformed, false),
        (
            "8 digits, as only a pending token has",
            vec![t(), Token { digits: 8, state: pending.clone(), ..totp_token("u") }],
            Reply::parse(b"12345678"),
            Refusal::Malformed,
            false,
        ),
        ("junk", vec![t()], Reply::parse(b"\x08\n\r\x7fINCORRECT"), Refusal::Malformed, false),
        ("empty", vec![t()], Reply::parse(b""), Refusal::Malformed, false),
        ("no token", vec![], Reply::parse(b"123456"), Refusal::Unenrolled, false),
        ("no token, junk", vec![], Reply::parse(b""), Refusal::Unenrolled, false),
        (
            "only pending",
            vec![Token { state: pending.clone(), ..t() }],
            reply(&t(), now_step),
            Refusal::Unenrolled,
            false,
        ),
        (
            "disabled for good",
            vec![Token { state: disabled(None), ..t() }],
            reply(&t(), now_step),
            Refusal::Disabled,
            true,
        ),
        (
            "disabled until later",
            vec![Token { state: disabled(Some(NOW + 1)), ..t() }],
            reply(&t(), now_step),
            Refusal::Disabled,
            true,
        ),
        ("expired", vec![Token { expires_ms: Some(NOW), ..t() }], right, Refusal::Expired, true),
        (
            "expired and disabled",
            vec![Token { expires_ms: past, state: disabled(None), ..t() }],
            reply(&t(), now_step),
            Refusal::Expired,
            true,
        ),
        (
            "one expired, one disabled",
            vec![
                Token { expires_ms: past, ..t() },
                Token { state: disabled(None), ..totp_token("u") },
            ],
            reply(&t(), now_step),
            Refusal::Disabled,
            true,
        ),
        (
            "one expired, one pending",
            vec![Token { expires_ms: past, ..t() }, Token { state: pending, ..totp_token("u") }],
            reply(&totp_token("u"), now_step),
            Refusal::Expired,
            true,
        ),
        (
            "a method that is not accepted here",
            vec![Token { method: "other".to_owned(), ..t() }],
            reply(&t(), now_step),
            Refusal::Disabled,
            true,
        ),
        (
            "disabled, 7 digits",
            vec![Token { state: disabled(None), ..t() }],
            Reply::parse(b"1234567"),
            Refusal::Malformed,
            false,
        ),
    ];
    for (name, tokens, typed, refusal, charged) in table {
        let mut account = account(tokens);
        let marks: Vec<_> = account.tokens.iter().map(|token| token.next).collect();
        assert_eq!(login(&mut account, &typed, NOW), Err(refusal), "{name}");
        assert_eq!(account.throttle.failures, u32::from(charged), "{name}");
        assert!(account.tokens.iter().map(|token| token.next).eq(marks), "{name}");
        assert_eq!(account.last_success_ms, None, "{name}");
    }
    let nobody = consume(None, &Reply::parse(b"123456"), Scope::Login, &rules(), NOW);
    assert_eq!(nobody, Err(Refusal::Unenrolled));
}

#[test]
fn tokens_come_and_go_with_the_clock() {
    for (name, state, expires_ms, accepted) in [
        ("disabled until now", disabled(Some(NOW)), None, true),
        ("disabled until later", disabled(Some(NOW + 1)), None, false),
        ("expires later", State::Active, Some(NOW + 1), true),
        ("expires now", State::Active, Some(NOW), false),
    ] {
        let mut account = account([Token { state, expires_ms, ..totp_token("t") }]);
        let right = reply(&account.tokens[0], step(&account.tokens[0], NOW));
        assert_eq!(login(&mut account, &right, NOW).is_ok(), accepted, "{name}");
    }
}

#[test]
fn every_active_token_is_tried_and_only_the_one_that_matches_is_consumed() {
    let mut account = account([
        Token { state: disabled(None), ..totp_token("off") },
        totp_token("t1"),
        hotp_token("h", 40),
        Token { digits: 8, ..totp_token("t2") },
    ]);
    let now_step = step(&account.tokens[1], NOW);
    for (index, moving) in [(3, now_step), (2, 42), (1, now_step)] {
        let typed = reply(&account.tokens[index], moving);
        let before: Vec<_> = account.tokens.iter().map(|token| token.next).collect();
        let id = account.tokens[index].id.clone();
        assert_eq!(login(&mut account, &typed, NOW), by_token(&id));
        for (at, token) in account.tokens.iter().enumerate() {
            let expected = if at == index { moving + 1 } else { before[at] };
            assert_eq!(token.next, expected, "{} after {id}", token.id);
        }
    }
    let typed = reply(&account.tokens[0], now_step);
    assert_eq!(login(&mut account, &typed, NOW), Err(Refusal::Wrong));
}

#[test]
fn of_two_tokens_that_match_the_oldest_is_consumed() {
    let twin = Token { secret: crate::fixture::secret("the secret of     t1"), ..totp_token("t2") };
    let mut account = account([totp_token("t1"), twin]);
    let typed = reply(&account.tokens[0], step(&account.tokens[0], NOW));
    assert_eq!(login(&mut account, &typed, NOW), by_token("t1"));
    assert_eq!(account.tokens[1].next, 0);
}

#[test]
fn while_locked_nothing_is_evaluated_consumed_or_charged() {
    let mut account = account([totp_token("t")]);
    let now_step = step(&account.tokens[0], NOW);
    for _ in 0..5 {
        let typed = wrong(&account.tokens[0], now_step);
        assert_eq!(login(&mut account, &typed, NOW), Err(Refusal::Wrong));
    }
    let locked = failed(5, Some(NOW + 60_000));
    assert_eq!(account.throttle, locked);
    let next_step = reply(&account.tokens[0], step(&account.tokens[0], NOW + 60_000));
    for typed in [reply(&account.tokens[0], now_step), Reply::parse(b""), Reply::parse(b"1234")] {
        assert_eq!(login(&mut account, &typed, NOW + 59_999), Err(Refusal::Locked));
        assert_eq!((account.throttle, account.tokens[0].next), (locked, 0));
    }
    assert_eq!(login(&mut account, &next_step, NOW + 60_000), by_token("t"));
    assert_eq!(account.throttle, Throttle::default());
}

#[test]
fn a_lock_ends_within_the_longest_lock_of_its_first_sight_whatever_the_clock_does() {
    let mut account = account([totp_token("t")]);
    account.throttle = failed(5, Some(NOW + 60_000));
    let past = NOW - 10 * YEAR;
    let typed =
        |account: &Account, now_ms| reply(&account.tokens[0], step(&account.tokens[0], now_ms));
    let first = typed(&account, past);
    assert_eq!(login(&mut account, &first, past), Err(Refusal::Locked));
    let last = typed(&account, past + 899_999);
    assert_eq!(login(&mut account, &last, past + 899_999), Err(Refusal::Locked));
    let free = typed(&account, past + 900_000);
    assert_eq!(login(&mut account, &free, past + 900_000), by_token("t"));
}

#[test]
fn after_a_hundred_failures_only_a_recovery_code_or_an_administrator_helps() {
    let mut account = account([totp_token("t")]);
    let codes = with_recovery(&mut account);
    let mut now_ms = NOW;
    for failures in 1..=100 {
        let typed = wrong(&account.tokens[0], step(&account.tokens[0], now_ms));
        assert_eq!(login(&mut account, &typed, now_ms), Err(Refusal::Wrong));
        assert_eq!(account.throttle.failures, failures);
        now_ms += 900_000;
    }
    now_ms += YEAR;
    let right = reply(&account.tokens[0], step(&account.tokens[0], now_ms));
    assert_eq!(login(&mut account, &right, now_ms), Err(Refusal::Locked));
    let recovery = Reply::parse(codes[3].grouped().as_bytes());
    assert_eq!(login(&mut account, &recovery, now_ms), Ok(Credential::Recovery { left: 9 }));
    assert_eq!(login(&mut account, &right, now_ms), by_token("t"));
}

#[test]
fn a_recovery_code_works_once_whether_locked_or_not_and_a_wrong_one_is_charged_when_open() {
    let mut account = account([totp_token("t")]);
    let codes = with_recovery(&mut account);
    let typed = |index: usize| Reply::parse(codes[index].grouped().as_bytes());
    let unknown = Reply::parse(b"0000-0000-0000-0000");
    let locked = failed(7, Some(NOW + 60_000));
    for (name, typed, throttle, verdict, after) in [
        ("wrong, open", &unknown, failed(1, None), Err(Refusal::Wrong), failed(2, None)),
        ("right, open", &typed(0), failed(2, None), Ok(9), failed(0, None)),
        ("again, open", &typed(0), failed(0, None), Err(Refusal::Wrong), failed(1, None)),
        ("wrong, locked", &unknown, locked, Err(Refusal::Locked), locked),
        ("again, locked", &typed(0), locked, Err(Refusal::Locked), locked),
        ("right, locked", &typed(9), locked, Ok(8), failed(0, None)),
        ("right, disabled", &typed(5), failed(100, None), Ok(7), failed(0, None)),
        ("wrong, disabled", &unknown, failed(100, None), Err(Refusal::Locked), failed(100, None)),
    ] {
        account.throttle = throttle;
        let verdict = verdict.map(|left| Credential::Recovery { left });
        assert_eq!(login(&mut account, typed, NOW), verdict, "{name}");
        assert_eq!(account.throttle, after, "{name}");
    }
    assert_eq!(account.recovery.len(), 7);
    assert_eq!(account.last_success_ms, Some(NOW));
    assert_eq!(account.tokens[0].next, 0);
}

#[test]
fn a_recovery_code_stands_in_for_a_disabled_token_but_not_for_none_and_not_for_an_expired_one() {
    for (name, tokens, verdict, charged) in [
        ("none", vec![], Err(Refusal::Unenrolled), 0),
        (
            "pending",
            vec![Token { state: State::Pending { until_ms: NOW + 1 }, ..totp_token("t") }],
            Err(Refusal::Unenrolled),
            0,
        ),
        (
            "disabled",
            vec![Token { state: disabled(None), ..totp_token("t") }],
            Ok(Credential::Recovery { left: 9 }),
            0,
        ),
        (
            "expired",
            vec![Token { expires_ms: Some(NOW), ..totp_token("t") }],
            Err(Refusal::Expired),
            1,
        ),
    ] {
        let mut account = account(tokens);
        let codes = with_recovery(&mut account);
        let typed = Reply::parse(codes[0].grouped().as_bytes());
        assert_eq!(login(&mut account, &typed, NOW), verdict, "{name}");
        assert_eq!(account.throttle.failures, charged, "{name}");
        assert_eq!(account.recovery.len(), if verdict.is_ok() { 9 } else { 10 }, "{name}");
    }
}

#[test]
fn where_recovery_codes_are_not_accepted_they_are_no_answer() {
    let mut account = account([totp_token("t")]);
    let codes = with_recovery(&mut account);
    let typed = Reply::parse(codes[0].grouped().as_bytes());
    let rules = Rules {
        lockout: &LOCKOUT,
        windows: &windows,
        recovery_key: &KEY,
        recovery: false,
        service: "sshd",
        issued: Terms::default(),
    };
    let verdict = consume(Some(&mut account), &typed, Scope::Login, &rules, NOW);
    assert_eq!(verdict, Err(Refusal::Malformed));
    account.throttle = failed(5, Some(NOW + 1));
    let verdict = consume(Some(&mut account), &typed, Scope::Login, &rules, NOW);
    assert_eq!(verdict, Err(Refusal::Locked));
    assert_eq!((account.recovery.len(), account.throttle.failures), (10, 5));
}

#[test]
fn a_code_under_another_key_is_no_recovery_code() {
    let mut account = account([totp_token("t")]);
    let codes = with_recovery(&mut account);
    let typed = Reply::parse(codes[0].grouped().as_bytes());
    let rules = Rules { recovery_key: &[1; 32], ..rules() };
    let verdict = consume(Some(&mut account), &typed, Scope::Login, &rules, NOW);
    assert_eq!(verdict, Err(Refusal::Wrong));
}
