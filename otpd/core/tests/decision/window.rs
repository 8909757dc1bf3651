//! Windows: which steps and counters are looked at, and in which order.

use std::sync::OnceLock;

use otp_core::{
    token::{Factor, Token},
    window::{Found, Windows, search},
};

use crate::fixture::{NOW, code, hotp_token, step, totp_token};

fn totp_windows(before: u8, after: u8) -> Windows {
    Windows { before, after, look_ahead: 0 }
}

#[test]
fn u05_exactly_the_steps_of_the_window_are_fresh() {
    let token = Token { digits: 8, ..totp_token("t") };
    let now_step = step(&token, NOW);
    for before in 0..=9 {
        for after in 0..=9 {
            for distance in -11..=11 {
                let moving = now_step.checked_add_signed(distance).unwrap();
                let found = search(&token, totp_windows(before, after), &code(&token, moving), NOW);
                let inside = (-i64::from(before)..=i64::from(after)).contains(&distance);
                let expected = if inside { Found::Fresh(moving) } else { Found::None };
                assert_eq!(found, expected, "{distance} in -{before}..=+{after}");
            }
        }
    }
}

#[test]
fn u04_the_window_is_one_step_before_and_none_after_by_default() {
    let token = totp_token("t");
    let now_step = step(&token, NOW);
    let begins = i64::try_from(now_step * 30_000).unwrap();
    for (now_ms, fresh) in [
        (begins - 1, false),
        (begins, true),
        (begins + 29_999, true),
        (begins + 59_999, true),
        (begins + 60_000, false),
    ] {
        let found = search(&token, Windows::default(), &code(&token, now_step), now_ms);
        assert_eq!(found, if fresh { Found::Fresh(now_step) } else { Found::None }, "{now_ms}");
    }
}

#[test]
fn wider_windows_than_allowed_are_cut() {
    let token = Token { digits: 8, ..totp_token("t") };
    let now_step = step(&token, NOW);
    let widest = Windows { before: u8::MAX, after: u8::MAX, look_ahead: u16::MAX };
    for (distance, fresh) in [(-10, false), (-9, true), (9, true), (10, false)] {
        let moving = now_step.checked_add_signed(distance).unwrap();
        let found = search(&token, widest, &code(&token, moving), NOW);
        assert_eq!(found == Found::Fresh(moving), fresh, "{distance}");
    }
    let token = Token { digits: 8, ..hotp_token("h", 0) };
    assert_eq!(search(&token, widest, &code(&token, 50), NOW), Found::Fresh(50));
    assert_eq!(search(&token, widest, &code(&token, 51), NOW), Found::None);
}

/// Finds a step at which the 4-digit token's code is the same at two distances.
fn collision(token: &Token, one: i64, other: i64) -> u64 {
    static CODES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let codes =
        CODES.get_or_init(|| (0..40_000).map(|step| code(token, step).expose().to_vec()).collect());
    let at = |step: u64, distance| &codes[step.checked_add_signed(distance).unwrap() as usize];
    (100..39_900).find(|step| at(*step, one) == at(*step, other)).unwrap()
}

#[test]
fn of_two_steps_with_the_same_code_the_nearer_and_then_the_earlier_is_taken() {
    let token = Token { digits: 4, ..totp_token("t") };
    for (nearer, farther) in [(0, -1), (0, 1), (-1, 1), (1, -2), (-1, 2), (-2, 2)] {
        let now_step = collision(&token, nearer, farther);
        let now_ms = i64::try_from(now_step * 30_000).unwrap();
        let moving = now_step.checked_add_signed(nearer).unwrap();
        let found = search(&token, totp_windows(2, 2), &code(&token, moving), now_ms);
        assert_eq!(found, Found::Fresh(moving), "{nearer} and {farther}");
    }
}

#[test]
fn a_used_step_does_not_hide_a_fresh_one_with_the_same_code() {
    let token = Token { digits: 4, ..totp_token("t") };
    let now_step = collision(&token, -1, 1);
    let token = Token { next: now_step, ..token };
    let now_ms = i64::try_from(now_step * 30_000).unwrap();
    let same = code(&token, now_step + 1);
    assert_eq!(search(&token, totp_windows(1, 1), &same, now_ms), Found::Fresh(now_step + 1));
    assert_eq!(search(&token, totp_windows(1, 0), &same, now_ms), Found::Used);
}

#[test]
fn below_the_watermark_a_code_is_used() {
    let now_step = step(&totp_token("t"), NOW);
    for (next, distance, expected) in [
        (now_step, 0, Found::Fresh(now_step)),
        (now_step + 1, 0, Found::Used),
        (now_step, -1, Found::Used),
        (now_step, -2, Found::None),
        (u64::MAX, 0, Found::Used),
        (now_step - 1, -1, Found::Fresh(now_step - 1)),
    ] {
        let token = Token { next, digits: 8, ..totp_token("t") };
        let moving = now_step.checked_add_signed(distance).unwrap();
        let found = search(&token, Windows::default(), &code(&token, moving), NOW);
        assert_eq!(found, expected, "next {next}, distance {distance}");
    }
}

#[test]
fn counters_are_searched_from_the_watermark_on_and_three_back() {
    for (next, look_ahead, counter, expected) in [
        (0, 0, 0, Found::Fresh(0)),
        (0, 0, 1, Found::None),
        (0, 10, 10, Found::Fresh(10)),
        (0, 10, 11, Found::None),
        (7, 10, 7, Found::Fresh(7)),
        (7, 10, 17, Found::Fresh(17)),
        (7, 10, 18, Found::None),
        (7, 10, 6, Found::Used),
        (7, 10, 4, Found::Used),
        (7, 10, 3, Found::None),
        (1, 10, 0, Found::Used),
        (7, 50, 57, Found::Fresh(57)),
        (u64::MAX - 1, 10, u64::MAX - 1, Found::Fresh(u64::MAX - 1)),
        (u64::MAX - 1, 10, u64::MAX, Found::None),
        (u64::MAX, 10, u64::MAX, Found::None),
        (u64::MAX, 10, u64::MAX - 1, Found::Used),
    ] {
        let token = Token { digits: 8, ..hotp_token("h", next) };
        let windows = Windows { before: 9, after: 9, look_ahead };
        let found = search(&token, windows, &code(&token, counter), NOW);
        assert_eq!(found, expected, "next {next}, look-ahead {look_ahead}, counter {counter}");
    }
}

#[test]
fn u08_t0_and_period_move_the_steps_and_no_time_before_t0_is_a_step() {
    let factor = Factor::Totp { t0_ms: NOW - 61_500, period_ms: 1_500 };
    let token = Token { factor, digits: 8, ..totp_token("t") };
    for (now_ms, moving, expected) in [
        (NOW, 41, Found::Fresh(41)),
        (NOW - 1, 41, Found::None),
        (NOW - 61_500, 0, Found::Fresh(0)),
        (NOW - 61_501, 0, Found::None),
        (i64::MIN, 0, Found::None),
    ] {
        let found = search(&token, totp_windows(1, 0), &code(&token, moving), now_ms);
        assert_eq!(found, expected, "{now_ms} {moving}");
    }
}

#[test]
fn the_offset_moves_the_window_and_leaves_the_watermark() {
    let now_step = step(&totp_token("t"), NOW);
    for (offset_ms, next, distance, expected) in [
        (300_000, 0, 10, Found::Fresh(now_step + 10)),
        (300_000, 0, 11, Found::None),
        (300_000, 0, 0, Found::None),
        (300_000, now_step + 11, 10, Found::Used),
        (-300_000, 0, -10, Found::Fresh(now_step - 10)),
        (-300_000, 0, 0, Found::None),
        (-300_000, now_step, -10, Found::Used),
    ] {
        let token = Token { offset_ms, next, digits: 8, ..totp_token("t") };
        let moving = now_step.checked_add_signed(distance).unwrap();
        let found = search(&token, Windows::default(), &code(&token, moving), NOW);
        assert_eq!(found, expected, "offset {offset_ms}, next {next}, distance {distance}");
    }
}

#[test]
fn a_code_of_another_length_is_never_found() {
    let token = totp_token("t");
    let longer = Token { digits: 7, ..totp_token("t") };
    let now_step = step(&token, NOW);
    let found = search(&token, totp_windows(9, 9), &code(&longer, now_step), NOW);
    assert_eq!(found, Found::None);
}
