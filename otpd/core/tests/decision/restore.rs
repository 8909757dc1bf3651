//! An account that comes from a backup.

use otp_core::{
    account::Account,
    client::{Client, Enabling, Remembered},
    code::Digits,
    consume::{Credential, Refusal},
    enrolment,
    issued::{self, NewCode},
    out_of_band::{self, Terms},
    restore::{overtaken, restored},
    secret::LONGEST,
    share::{self, Share},
    throttle::Pace,
    token::{Factor, Rejoin, State, Token},
    window::Windows,
};
use zeroize::Zeroizing;

use crate::fixture::{
    KEY, NOW, PERIOD, account, by_token, confirm, failed, hotp_token, login, reply, resync_at,
    step, totp_token, windows, with_recovery,
};

fn restore(account: &mut Account) {
    restored(account, &windows, false, NOW);
}

#[test]
fn steps_that_a_window_can_have_reached_are_not_accepted() {
    let after = |after| Some(Windows { before: 1, after, look_ahead: 0 });
    let usual = windows("totp");
    for (windows, offset_ms, ahead) in [
        (usual, 0, 1),
        (after(2), 0, 3),
        (after(200), 0, 10),
        (None, 0, 10),
        (usual, 5 * PERIOD as i64, 6),
        (usual, -5 * PERIOD as i64, 1),
    ] {
        let mut account = account([Token { offset_ms, ..totp_token("t") }]);
        restored(&mut account, &|_| windows, false, NOW);
        let here = step(&totp_token("t"), NOW);
        let here = if offset_ms < 0 { here - 5 } else { here };
        assert_eq!(account.tokens[0].next, here + ahead, "{offset_ms}");
        assert_eq!(
            (account.tokens[0].offset_ms, account.tokens[0].rejoin),
            (offset_ms, Rejoin::Settled)
        );
    }
    let later = step(&totp_token("t"), NOW) + 7;
    let mut account = account([Token { next: later, ..totp_token("t") }]);
    restore(&mut account);
    assert_eq!(account.tokens[0].next, later, "a watermark never falls");
}

#[test]
fn the_next_step_is_accepted() {
    let mut account = account([totp_token("t")]);
    restore(&mut account);
    let here = step(&totp_token("t"), NOW);
    let next_ms = (here + 1) as i64 * PERIOD as i64;
    for late in [here - 1, here] {
        assert!(login(&mut account, &reply(&totp_token("t"), late), NOW).is_err());
    }
    assert_eq!(login(&mut account, &reply(&totp_token("t"), here + 1), next_ms), by_token("t"));
}

/// Five codes after the backup, each of them tried twice, in the order in which they were used.
#[test]
fn codes_that_were_used_after_the_backup_are_not_accepted() {
    let token = || Token { digits: 8, ..hotp_token("h", 40) };
    let mut live = account([token()]);
    for counter in 40..45 {
        assert_eq!(login(&mut live, &reply(&token(), counter), NOW), by_token("h"));
    }
    let mut account = account([token()]);
    restore(&mut account);
    for counter in (40..45).flat_map(|counter| [counter, counter]).chain(40..51) {
        account.unlock();
        assert!(login(&mut account, &reply(&token(), counter), NOW).is_err(), "{counter}");
    }
    assert_eq!(resync_at(&mut account, 44, NOW), Err(Refusal::Wrong));
    assert_eq!(account.tokens[0].rejoin, Rejoin::Due);
    account.unlock();
    assert_eq!(login(&mut account, &reply(&token(), 51), NOW), Err(Refusal::First));
    assert_eq!(login(&mut account, &reply(&token(), 52), NOW), by_token("h"));
}

#[test]
fn a_counter_skips_as_much_as_one_login_may() {
    for (look_ahead, skipped) in [(0, 1), (10, 11), (50, 51), (u16::MAX, 51)] {
        let windows = |_: &str| Some(Windows { before: 0, after: 0, look_ahead });
        let mut account = account([hotp_token("h", 40)]);
        restored(&mut account, &windows, false, NOW);
        assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (40 + skipped, Rejoin::Due));
    }
    let half = Token { rejoin: Rejoin::Half { second: 40 }, ..hotp_token("h", 40) };
    let mut account = account([half, hotp_token("i", u64::MAX - 3)]);
    restored(&mut account, &|_| None, false, NOW);
    assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (91, Rejoin::Due));
    assert_eq!(account.tokens[1].next, u64::MAX);
}

/// Whoever has the device presses on and is never locked, wherever it was left.
#[test]
fn pressing_on_locks_nobody() {
    let token = || Token { digits: 8, ..hotp_token("h", 40) };
    for device in [40, 43, 50, 51, 90, 150] {
        let mut account = account([token()]);
        restored(&mut account, &|_| None, false, NOW);
        let mut codes = device..;
        let presses = loop {
            let counter = codes.next().unwrap();
            match login(&mut account, &reply(&token(), counter), NOW) {
                Ok(_) => break counter + 1 - device,
                Err(Refusal::Skipped | Refusal::First) => {}
                Err(other) => panic!("{device}: {other:?} at {counter}"),
            }
            assert_eq!(account.throttle, failed(0, None));
        };
        assert_eq!(presses, 91_u64.saturating_sub(device) + 2, "{device}");
        assert!(login(&mut account, &crate::fixture::wrong(&token(), 150), NOW).is_err());
        assert_eq!(account.throttle.failures, 1);
    }
}

#[test]
fn tokens_of_every_state_are_moved_on() {
    for state in [
        State::Active,
        State::Pending { until_ms: NOW },
        State::Disabled { until_ms: None, reason: String::new() },
    ] {
        let tokens = [
            Token { state: state.clone(), ..hotp_token("h", 0) },
            Token { state: state.clone(), expires_ms: Some(NOW), ..totp_token("t") },
        ];
        let mut account = account(tokens);
        restore(&mut account);
        assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (11, Rejoin::Due));
        assert_eq!(account.tokens[1].next, step(&totp_token("t"), NOW) + 1);
        assert!(account.tokens.iter().all(|token| token.state == state));
    }
    let pending = Token { state: State::Pending { until_ms: NOW }, ..hotp_token("h", 0) };
    let mut account = account([pending]);
    restore(&mut account);
    for counter in [0, 1, 2, 3] {
        assert!(confirm(&mut account, "h", &reply(&hotp_token("h", 0), counter), NOW).is_err());
    }
}

fn full() -> Account {
    let mut account = account([
        Token { factor: Factor::OutOfBand(otp_core::contact::Channel::Sms), ..totp_token("s") },
        hotp_token("h", 5),
    ]);
    let terms = Terms { validity_ms: 300_000, tries: 3, resend_ms: 0 };
    let code = || Digits::from_ascii(b"12345678").unwrap();
    out_of_band::challenge(&mut account, "s", "sshd", &code(), terms, NOW).unwrap();
    let new = NewCode {
        id: "i".into(),
        validity_ms: 300_000,
        uses: 3,
        service: None,
        reach: issued::Reach::Both,
        reason: String::new(),
        issued_by: 0,
        client: None,
        keep: true,
    };
    issued::issue(&mut account, new, code(), &KEY, NOW).unwrap();
    let client = |id: &str, remembered| Client {
        id: id.into(),
        description: String::new(),
        identity: Some(id.into()),
        enabling: Enabling::Always,
        push: false,
        created_ms: NOW,
        last_ms: None,
        last_source: None,
        remembered,
    };
    let until = Remembered { service: "sshd".into(), address: "::1".into(), until_ms: NOW + 9 };
    account.clients = vec![client("registered", None), client("remembered", Some(until))];
    account.throttle = failed(3, Some(NOW + 5));
    account.pace = Some(Pace { at_ms: NOW, ..Pace::new(3, 30_000) });
    account.administrator = true;
    account.uid = Some(7);
    account.last_success_ms = Some(NOW);
    with_recovery(&mut account);
    account
}

#[test]
fn what_was_good_for_one_login_goes_and_all_else_stays() {
    for keep_recovery in [false, true] {
        let mut account = full();
        restored(&mut account, &windows, keep_recovery, NOW);
        let mut expected = full();
        expected.challenges.clear();
        expected.issued.clear();
        expected.clients.pop();
        if !keep_recovery {
            expected.recovery.clear();
        }
        expected.tokens[1].next = 16;
        expected.tokens[1].rejoin = Rejoin::Due;
        assert_eq!(account, expected);
        assert!(account.enrolled() && !enrolment::open(&account));
    }
}

#[test]
fn a_second_restore_accepts_no_more_than_the_first() {
    let mut account = full();
    restore(&mut account);
    let once: Vec<_> = account.tokens.iter().map(|token| token.next).collect();
    restore(&mut account);
    assert!(account.tokens.iter().zip(once).all(|(token, next)| token.next >= next));
    assert_eq!(account.tokens[1].rejoin, Rejoin::Due);
    assert_eq!(login(&mut account, &reply(&hotp_token("h", 5), 27), NOW + 5), Err(Refusal::First));
}

/// It may have been shown, and confirmed, after the backup: nobody gets it a second time.
#[test]
fn a_secret_that_waited_to_be_shown_is_replaced() {
    let entropy = Zeroizing::new([0x5a; LONGEST]);
    let showing = Share::Showing { by: ":1.1".into(), since_ms: NOW, until_ms: NOW + 600_000 };
    for share in [Share::Created, showing] {
        let state = State::Pending { until_ms: NOW + 600_000 };
        let mut account = account([Token { share, state, ..hotp_token("h", 0) }]);
        restore(&mut account);
        for now_ms in [i64::MIN, NOW - crate::fixture::YEAR, NOW - 1, NOW] {
            assert!(account.tokens[0].share.over(now_ms), "{now_ms}");
        }
        for by in [":1.1", ""] {
            assert_eq!(
                share::finish(&mut account, "h", by, NOW, true),
                Err(share::Refusal::NotShown)
            );
        }
        let right = reply(&hotp_token("h", 0), 12);
        assert_eq!(confirm(&mut account, "h", &right, NOW), Err(Refusal::Expired));
        assert_eq!(share::begin(&mut account, "h", ":1.2", NOW, 60_000, &entropy), Ok(true));
        let token = &account.tokens[0];
        assert_ne!(token.secret, hotp_token("h", 0).secret);
        assert_eq!((token.next, token.rejoin), (0, Rejoin::Settled), "a new secret owes nothing");
        let new = Token { secret: crate::fixture::secret(&"Z".repeat(20)), ..hotp_token("h", 0) };
        assert_eq!(confirm(&mut account, "h", &reply(&new, 0), NOW), by_token("h"));
    }
    for share in [Share::Released, Share::Shared] {
        let mut account = account([Token { share: share.clone(), ..hotp_token("h", 0) }]);
        restore(&mut account);
        assert_eq!(account.tokens[0].share, share);
    }
}

#[test]
fn the_store_that_is_replaced_tells_what_was_used() {
    let mut present = account([hotp_token("h", 70), totp_token("t"), hotp_token("k", 90)]);
    let codes = with_recovery(&mut present);
    let mut account = account([hotp_token("h", 5), totp_token("t")]);
    with_recovery(&mut account);
    account
        .tokens
        .push(Token { secret: crate::fixture::secret(&"k".repeat(20)), ..hotp_token("k", 3) });
    present.tokens[1].next = step(&totp_token("t"), NOW) + 40;
    let taken = otp_core::code::Reply::Recovery(codes.into_iter().next().unwrap());
    assert_eq!(login(&mut present, &taken, NOW), Ok(Credential::Recovery { left: 9 }));
    restored(&mut account, &windows, true, NOW);
    overtaken(&mut account, &present);
    let next: Vec<_> = account.tokens.iter().map(|token| token.next).collect();
    assert_eq!(next, [70, step(&totp_token("t"), NOW) + 40, 14], "another secret is another token");
    assert_eq!(account.tokens[0].rejoin, Rejoin::Due);
    assert_eq!(login(&mut account, &taken, NOW), Err(Refusal::Wrong));
    assert_eq!(account.recovery.len(), 9);
    overtaken(&mut account, &Account::default());
    assert_eq!((account.tokens[0].next, account.recovery.len()), (70, 0));
}
