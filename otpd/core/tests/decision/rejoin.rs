//! A counter that proves by two consecutive codes where it is.

use otp_core::{
    consume::Refusal,
    resync::REACH,
    token::{Rejoin, State, Token},
};

use crate::fixture::{
    NOW, account, by_token, code, confirm, failed, hotp_token, login, reply, resync_at, totp_token,
    wrong,
};

/// Eight digits: no two of its codes nearby are equal.
fn due(next: u64) -> Token {
    Token { rejoin: Rejoin::Due, digits: 8, ..hotp_token("h", next) }
}

#[test]
fn the_second_of_two_is_accepted_once() {
    for ahead in [0, 1, 11, 57, REACH] {
        let mut account = account([due(20)]);
        let first = 20 + ahead;
        assert_eq!(login(&mut account, &reply(&due(0), first), NOW), Err(Refusal::First));
        let token = &account.tokens[0];
        assert_eq!((token.next, token.rejoin), (first + 1, Rejoin::Half { second: first + 1 }));
        assert_eq!((token.accepted, token.last_used_ms), (0, None));
        assert_eq!(login(&mut account, &reply(&due(0), first), NOW), Err(Refusal::Skipped));
        assert_eq!(account.throttle.failures, 0, "not charged");
        assert_eq!(login(&mut account, &reply(&due(0), first + 1), NOW), by_token("h"));
        let token = &account.tokens[0];
        assert_eq!((token.next, token.rejoin, token.accepted), (first + 2, Rejoin::Settled, 1));
        assert_eq!(account.throttle.failures, 0);
        // From now on as ever: one code, within the window.
        assert_eq!(login(&mut account, &reply(&due(0), first + 1), NOW), Err(Refusal::Replayed));
        assert_eq!(login(&mut account, &reply(&due(0), first + 13), NOW), Err(Refusal::Wrong));
        assert_eq!(login(&mut account, &reply(&due(0), first + 12), NOW), by_token("h"));
    }
}

#[test]
fn what_lies_elsewhere_counts_for_nothing() {
    let mut account = account([due(220)]);
    for (counter, refusal, failures) in [
        (117, Refusal::Wrong, 1),
        (118, Refusal::Skipped, 0),
        (219, Refusal::Skipped, 0),
        (220 + REACH + 1, Refusal::Wrong, 1),
    ] {
        account.unlock();
        assert_eq!(login(&mut account, &reply(&due(0), counter), NOW), Err(refusal), "{counter}");
        assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (220, Rejoin::Due));
        assert_eq!(account.throttle.failures, failures);
    }
}

#[test]
fn another_code_in_the_reach_takes_the_place_of_the_first() {
    let mut account = account([due(20)]);
    for (counter, verdict) in [
        (25, Err(Refusal::First)),
        (27, Err(Refusal::First)),
        (26, Err(Refusal::Skipped)),
        (25, Err(Refusal::Skipped)),
        (29, Err(Refusal::First)),
        (28, Err(Refusal::Skipped)),
        (30, by_token("h")),
    ] {
        account.unlock();
        assert_eq!(login(&mut account, &reply(&due(0), counter), NOW), verdict, "{counter}");
    }
    let mut account = crate::fixture::account([due(20)]);
    assert_eq!(login(&mut account, &reply(&due(0), 25), NOW), Err(Refusal::First));
    assert_eq!(login(&mut account, &wrong(&due(0), 25), NOW), Err(Refusal::Wrong));
    assert_eq!(login(&mut account, &reply(&due(0), 26), NOW), by_token("h"), "a slip between");
}

#[test]
fn a_locked_user_moves_nothing() {
    let mut account = account([due(20)]);
    account.throttle = failed(5, Some(NOW + 1));
    assert_eq!(login(&mut account, &reply(&due(0), 20), NOW), Err(Refusal::Locked));
    assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (20, Rejoin::Due));
    assert_eq!(login(&mut account, &reply(&due(0), 20), NOW + 1), Err(Refusal::First));
    assert_eq!(account.throttle.failures, 5, "neither charged nor forgiven");
    assert_eq!(login(&mut account, &reply(&due(0), 21), NOW + 1), by_token("h"));
}

#[test]
fn resync_settles_it() {
    let half = Token { rejoin: Rejoin::Half { second: 20 }, ..due(20) };
    for token in [due(20), half] {
        let mut account = account([token]);
        assert_eq!(resync_at(&mut account, 20, NOW), Err(Refusal::Wrong), "a code that is spent");
        assert_ne!(account.tokens[0].rejoin, Rejoin::Settled);
        assert_eq!(resync_at(&mut account, 21, NOW), Ok(()));
        assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (22, Rejoin::Settled));
        assert_eq!(login(&mut account, &reply(&due(0), 22), NOW), by_token("h"));
    }
}

#[test]
fn a_pending_counter_is_confirmed_by_two_codes() {
    let mut account = account([Token { state: State::Pending { until_ms: NOW }, ..due(20) }]);
    assert_eq!(confirm(&mut account, "h", &reply(&due(0), 22), NOW), Err(Refusal::First));
    assert!(!account.tokens[0].confirmed());
    assert_eq!(account.throttle.failures, 0);
    assert_eq!(confirm(&mut account, "h", &reply(&due(0), 23), NOW), by_token("h"));
    assert_eq!((&account.tokens[0].state, account.tokens[0].next), (&State::Active, 24));
}

#[test]
fn a_code_that_another_token_accepts_is_the_first_of_nothing() {
    let other = Token { secret: due(0).secret, digits: 8, ..hotp_token("h2", 30) };
    let mut account = account([due(20), other]);
    assert_eq!(login(&mut account, &reply(&due(0), 33), NOW), by_token("h2"));
    assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (20, Rejoin::Due));
}

#[test]
fn other_tokens_of_the_user_are_accepted_meanwhile() {
    let mut account = account([due(20), totp_token("t")]);
    let step = crate::fixture::step(&totp_token("t"), NOW);
    assert_eq!(login(&mut account, &reply(&due(0), 20), NOW), Err(Refusal::First));
    assert_eq!(login(&mut account, &reply(&totp_token("t"), step), NOW), by_token("t"));
    assert_eq!(account.tokens[0].rejoin, Rejoin::Half { second: 21 });
    assert_eq!(login(&mut account, &reply(&due(0), 21), NOW), by_token("h"));
}

#[test]
fn the_last_counters_of_all_break_nothing() {
    for next in [u64::MAX - 1, u64::MAX] {
        let mut account = account([due(next)]);
        for counter in [u64::MAX - 1, u64::MAX, u64::MAX - 1] {
            account.unlock();
            assert!(login(&mut account, &reply(&due(0), counter), NOW).is_err());
        }
        assert_eq!(code(&account.tokens[0], u64::MAX).len(), 8);
    }
}
