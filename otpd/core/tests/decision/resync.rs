//! Two consecutive codes find a token again, and nothing else comes of it.

use otp_core::{
    consume::{Refusal, Rules, Scope, consume},
    issued::Terms,
    resync,
    throttle::Throttle,
    token::{Factor, State, Token},
    window::Windows,
};
use proptest::prelude::*;

use crate::fixture::{
    KEY, LOCKOUT, NOW, account, by_token, code, hotp_token, login, reply, resync_at, rules, step,
    totp_token,
};

#[test]
fn counters_are_found_up_to_a_hundred_ahead() {
    for (next, second, verdict) in [
        (7, 7, Err(Refusal::Wrong)),
        (7, 8, Ok(())),
        (7, 60, Ok(())),
        (7, 107, Ok(())),
        (7, 108, Err(Refusal::Wrong)),
        (0, 1, Ok(())),
        (u64::MAX - 2, u64::MAX - 1, Ok(())),
        (u64::MAX - 1, u64::MAX, Err(Refusal::Wrong)),
    ] {
        let mut account = account([Token { digits: 8, ..hotp_token("h", next) }]);
        assert_eq!(resync_at(&mut account, second, NOW), verdict, "next {next}, second {second}");
        let token = &account.tokens[0];
        assert_eq!(token.next, if verdict.is_ok() { second + 1 } else { next });
        assert_eq!(token.offset_ms, 0);
        assert_eq!(account.throttle.failures, u32::from(verdict.is_err()));
    }
}

#[test]
fn steps_are_found_a_hundred_either_way_beyond_the_watermark() {
    let now_step = step(&totp_token("t"), NOW);
    for (next, distance, verdict) in [
        (0, 0, Ok(())),
        (0, 100, Ok(())),
        (0, 101, Err(Refusal::Wrong)),
        (0, -100, Ok(())),
        (0, -101, Err(Refusal::Wrong)),
        (now_step - 1, 0, Ok(())),
        (now_step, 0, Err(Refusal::Wrong)),
        (now_step, -5, Err(Refusal::Wrong)),
        (now_step, 1, Ok(())),
    ] {
        let mut account = account([Token { next, digits: 8, ..totp_token("t") }]);
        let second = now_step.checked_add_signed(distance).unwrap();
        assert_eq!(resync_at(&mut account, second, NOW), verdict, "next {next}, {distance}");
        let token = &account.tokens[0];
        assert_eq!(token.next, if verdict.is_ok() { second + 1 } else { next });
        assert_eq!(token.offset_ms != 0, verdict.is_ok(), "{}", token.offset_ms);
    }
}

#[test]
fn two_codes_that_are_not_consecutive_in_this_order_are_wrong() {
    let mut account = account([Token { digits: 8, ..hotp_token("h", 0) }]);
    for (first, second) in [(4, 4), (5, 4), (4, 6), (100, 101)] {
        let (first, second) = (code(&account.tokens[0], first), code(&account.tokens[0], second));
        account.throttle.clear();
        let verdict = resync::resync(&mut account, "h", &first, &second, &rules(), NOW);
        assert_eq!(verdict, Err(Refusal::Wrong));
        assert_eq!((account.throttle.failures, account.tokens[0].next), (1, 0));
    }
}

#[test]
fn both_codes_are_spent_and_a_second_resync_with_them_is_refused() {
    let mut account = account([totp_token("t")]);
    account.throttle.failures = 3;
    let second = step(&account.tokens[0], NOW) + 40;
    assert_eq!(resync_at(&mut account, second, NOW), Ok(()));
    assert_eq!((account.throttle.failures, account.last_success_ms), (3, None));
    for spent in [second, second - 1] {
        let typed = reply(&account.tokens[0], spent);
        assert_eq!(login(&mut account, &typed, NOW), Err(Refusal::Replayed));
    }
    account.throttle.clear();
    assert_eq!(resync_at(&mut account, second, NOW), Err(Refusal::Wrong));
    assert_eq!(account.throttle.failures, 1);
    let following = reply(&account.tokens[0], second + 1);
    assert_eq!(login(&mut account, &following, NOW + 30_000), by_token("t"));
}

/// `NOW` is 20 s into its step.
#[test]
fn the_clock_is_taken_to_be_where_the_window_covers_the_doubt_about_it() {
    for (before, after, distance, offset_ms) in [
        (1, 0, 0, 9_999),
        (9, 8, 0, 9_999),
        (0, 1, 0, -20_000),
        (0, 0, 0, -5_000),
        (1, 1, 0, -5_000),
        (1, 1, 100, 2_995_000),
        (1, 1, -100, -3_005_000),
    ] {
        let windows = |_: &str| Some(Windows { before, after, look_ahead: 0 });
        let rules = Rules { windows: &windows, ..rules() };
        let mut account = account([totp_token("t")]);
        let second = step(&account.tokens[0], NOW).checked_add_signed(distance).unwrap();
        let (one, two) = (code(&account.tokens[0], second - 1), code(&account.tokens[0], second));
        resync::resync(&mut account, "t", &one, &two, &rules, NOW).unwrap();
        assert_eq!(account.tokens[0].offset_ms, offset_ms, "-{before}/+{after}, {distance}");
    }
}

#[test]
fn what_cannot_be_resynchronised_is_neither_changed_nor_charged() {
    let second = step(&totp_token("t"), NOW);
    let t = || totp_token("t");
    let disabled = State::Disabled { until_ms: None, reason: String::new() };
    for (name, token, refusal) in [
        ("unknown", totp_token("other"), Refusal::Unenrolled),
        ("expired", Token { expires_ms: Some(NOW), ..t() }, Refusal::Expired),
        ("disabled", Token { state: disabled, ..t() }, Refusal::Disabled),
        (
            "pending",
            Token { state: State::Pending { until_ms: NOW + 1 }, ..t() },
            Refusal::Disabled,
        ),
        ("other method", Token { method: "other".to_owned(), ..t() }, Refusal::Disabled),
        ("7 digits", Token { digits: 7, ..t() }, Refusal::Malformed),
    ] {
        let mut account = account([token]);
        let (first, second) = (code(&t(), second - 1), code(&t(), second));
        let verdict = resync::resync(&mut account, "t", &first, &second, &rules(), NOW);
        assert_eq!(verdict, Err(refusal), "{name}");
        assert_eq!((account.tokens[0].next, account.tokens[0].offset_ms), (0, 0), "{name}");
        assert_eq!(account.throttle, Throttle::default(), "{name}");
    }
    let mut account = account([t()]);
    account.throttle = Throttle { failures: 5, locked_until_ms: Some(NOW + 1) };
    assert_eq!(resync_at(&mut account, second, NOW), Err(Refusal::Locked));
    assert_eq!(account.throttle.failures, 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// However far the device's clock is off (up to 100 steps), wherever in their steps both
    /// clocks are and whatever the window's shape: after the resync the code that the device
    /// shows is accepted at any moment from its next step on, and never twice. So the watermark
    /// is never in the device's future.
    #[test]
    fn a_device_whose_clock_is_off_works_again_from_its_next_step_on(
        period_ms in prop_oneof![Just(30_000_u64), 1_000_u64..120_000],
        ahead in -99.0..99.0_f64,
        shape in prop_oneof![Just((1, 0)), Just((0, 1)), Just((1, 1)), (1_u8..=9, 1_u8..=9)],
        phase in 0_i64..120_000,
        later_steps in 1.0..400.0_f64,
    ) {
        let (before, after) = shape;
        let windows = |_: &str| Some(Windows { before, after, look_ahead: 0 });
        let rules =
            Rules { lockout: &LOCKOUT, windows: &windows, recovery_key: &KEY, recovery: true, service: "sshd", issued: Terms::default() };
        let ahead_ms = (ahead * period_ms as f64) as i64;
        let token = Token {
            factor: Factor::Totp { t0_ms: 0, period_ms },
            digits: 8,
            ..totp_token("t")
        };
        let mut account = account([token]);
        let shown = |now_ms: i64| (now_ms + ahead_ms) as u64 / period_ms;

        let now_ms = NOW + phase;
        let second = shown(now_ms);
        let (one, two) = (code(&account.tokens[0], second - 1), code(&account.tokens[0], second));
        let verdict = resync::resync(&mut account, "t", &one, &two, &rules, now_ms);
        prop_assert_eq!(verdict, Ok(()));
        prop_assert_eq!(account.tokens[0].next, second + 1);

        let later_ms = now_ms + (later_steps * period_ms as f64) as i64;
        let typed = reply(&account.tokens[0], shown(later_ms));
        let verdict = consume(Some(&mut account), &typed, Scope::Login, &rules, later_ms);
        prop_assert_eq!(verdict, by_token("t"));
        let verdict = consume(Some(&mut account), &typed, Scope::Login, &rules, later_ms);
        prop_assert_eq!(verdict, Err(Refusal::Replayed));
    }
}
