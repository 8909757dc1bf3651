//! Tokens, recovery codes and limits that come from another program.

use otp_core::{
    account::Account,
    code::Digits,
    consume::Refusal,
    enrolment::{MOST_TOKENS, NewToken},
    error::Error,
    import::{Admitted, Imported, MOST_RECOVERY, admit, admit_recovery},
    recovery::legacy_digest,
    secret::Secret,
    share::Share,
    token::{Algorithm, Factor, Rejoin, State, Token},
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::fixture::{
    KEY, NOW, PERIOD, account, by_token, disabled, hotp_token, login, new_token, reply, step,
    totp_token,
};

const KNOWN: Admitted = Admitted::Known { raised: false };
const RAISED: Admitted = Admitted::Known { raised: true };

/// The token as another program would have it, with the same secret and parameters.
fn imported(token: &Token, next: u64) -> Imported {
    let secret = Secret::new(Zeroizing::new(token.secret.expose().to_vec())).unwrap();
    let (factor, algorithm, digits) = (token.factor, token.algorithm, token.digits);
    let method = token.method.clone();
    let id = format!("new {}", token.id);
    let new = NewToken { method, factor, algorithm, digits, secret, ..new_token(&id) };
    Imported { token: new, next, offset_ms: 0, state: State::Active }
}

#[test]
fn a_token_comes_with_what_was_used() {
    let (totp, hotp) = (totp_token("t"), hotp_token("h", 0));
    let now_step = step(&totp, NOW);
    let mut account = Account::default();
    let ahead_ms = 2 * PERIOD as i64;
    for imported in
        [Imported { offset_ms: ahead_ms, ..imported(&totp, now_step + 2) }, imported(&hotp, 40)]
    {
        assert_eq!(admit(&mut account, imported, NOW), Ok(Admitted::Added));
    }
    assert!(account.tokens.iter().all(|token| token.share == Share::Released));
    assert_eq!(login(&mut account, &reply(&totp, now_step + 1), NOW), Err(Refusal::Replayed));
    assert_eq!(login(&mut account, &reply(&totp, now_step + 2), NOW), by_token("new t"));
    assert_eq!(login(&mut account, &reply(&hotp, 39), NOW), Err(Refusal::Replayed));
    assert_eq!(login(&mut account, &reply(&hotp, 40), NOW).map(drop), Ok(()));
}

#[test]
fn a_disabled_token_stays_disabled() {
    let (mut account, hotp) = (Account::default(), hotp_token("h", 0));
    let off = Imported { state: disabled(None), ..imported(&hotp, 3) };
    assert_eq!(admit(&mut account, off, NOW), Ok(Admitted::Added));
    assert_eq!(login(&mut account, &reply(&hotp, 3), NOW), Err(Refusal::Disabled));
    // Known: neither side's state changes the other's.
    assert_eq!(admit(&mut account, imported(&hotp, 4), NOW), Ok(RAISED));
    assert_eq!(account.tokens[0].state, disabled(None));
    let mut account = crate::fixture::account([hotp]);
    let off = Imported { state: disabled(None), ..imported(&account.tokens[0], 3) };
    assert_eq!(admit(&mut account, off, NOW), Ok(RAISED));
    assert_eq!(account.tokens[0].state, State::Active);
}

#[test]
fn a_known_token_only_gets_its_watermark_raised() {
    for (next, came, verdict) in
        [(7, 0, KNOWN), (7, 6, KNOWN), (7, 7, KNOWN), (7, 8, RAISED), (7, 900, RAISED)]
    {
        let mut account = account([hotp_token("h", next)]);
        let came = || imported(&hotp_token("h", next), came);
        let raised = came().next.max(next);
        assert_eq!(admit(&mut account, came(), NOW), Ok(verdict));
        let expected = crate::fixture::account([hotp_token("h", raised)]);
        assert_eq!(account, expected);
        assert_eq!(admit(&mut account, came(), NOW), Ok(KNOWN), "a second time");
        assert_eq!(account, expected);
    }
}

#[test]
fn two_codes_stay_due_and_a_second_one_that_was_used_is_not_waited_for() {
    for (rejoin, came, after) in [
        (Rejoin::Due, 60, Rejoin::Due),
        (Rejoin::Half { second: 20 }, 20, Rejoin::Half { second: 20 }),
        (Rejoin::Half { second: 20 }, 21, Rejoin::Due),
    ] {
        let mut account = account([Token { rejoin, ..hotp_token("h", 20) }]);
        let imported = imported(&account.tokens[0], came);
        admit(&mut account, imported, NOW).unwrap();
        assert_eq!((account.tokens[0].next, account.tokens[0].rejoin), (came, after));
    }
}

#[test]
fn a_pending_token_becomes_what_was_used_elsewhere() {
    let pending = |until_ms| Token { state: State::Pending { until_ms }, ..hotp_token("h", 0) };
    for (until_ms, came, state) in [
        (NOW, State::Active, State::Active),
        (NOW - 1, State::Active, State::Active),
        (NOW, disabled(None), disabled(None)),
    ] {
        let mut account = account([totp_token("t"), pending(until_ms)]);
        let import = Imported { state: came, ..imported(&pending(0), 9) };
        assert_eq!(admit(&mut account, import, NOW), Ok(Admitted::Added));
        assert_eq!(account.tokens[1], Token { state, ..hotp_token("h", 9) });
        assert_eq!(admit(&mut account, imported(&pending(0), 9), NOW), Ok(KNOWN));
    }
    for share in [
        Share::Created,
        Share::Showing { by: ":1.1".into(), since_ms: NOW, until_ms: NOW + 1 },
        Share::Showing { by: ":1.1".into(), since_ms: NOW - 9, until_ms: NOW },
    ] {
        let token = || Token { share: share.clone(), ..pending(NOW) };
        let mut account = crate::fixture::account([token()]);
        let refused = admit(&mut account, imported(&token(), 9), NOW);
        assert!(refused.unwrap_err().to_string().contains("being shared"));
        assert_eq!(account, crate::fixture::account([token()]));
    }
}

#[test]
fn what_cannot_be_is_refused_and_says_why() {
    let t = totp_token("t");
    let now_step = step(&t, NOW);
    let period_ms = PERIOD as i64;
    let with = |change: fn(&mut Imported)| {
        let mut import = imported(&totp_token("t"), 0);
        change(&mut import);
        import
    };
    let zeros = || Secret::new(Zeroizing::new(vec![0; 20])).unwrap();
    let zero =
        Imported { token: NewToken { secret: zeros(), ..new_token("z") }, ..imported(&t, 0) };
    for (import, why) in [
        (with(|import| import.token.digits = 8), "other parameters"),
        (with(|import| import.token.algorithm = Algorithm::Sha256), "other parameters"),
        (with(|import| import.token.factor = Factor::Hotp), "other parameters"),
        (zero, "zeros"),
        (with(|import| import.state = State::Pending { until_ms: NOW }), "active or disabled"),
        (with(|import| import.state = disabled_for("\n")), "control characters"),
        (Imported { offset_ms: 101 * period_ms, ..imported(&t, 0) }, "100 steps"),
        (Imported { offset_ms: i64::MIN, ..imported(&t, 0) }, "100 steps"),
        (Imported { offset_ms: 1, ..imported(&hotp_token("h", 0), 0) }, "100 steps"),
        (imported(&t, now_step + 102), "in the future"),
        (imported(&t, u64::MAX), "in the future"),
        (imported(&hotp_token("h", 0), u64::MAX), "in the future"),
    ] {
        let mut account = account([totp_token("t")]);
        let refused = admit(&mut account, import, NOW).unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
        assert_eq!(account, crate::fixture::account([totp_token("t")]), "{why}");
    }
    for import in [
        imported(&t, now_step + 101),
        Imported { offset_ms: 100 * period_ms, ..imported(&t, now_step + 201) },
        Imported { offset_ms: -100 * period_ms, ..imported(&t, 0) },
        imported(&hotp_token("h", 0), u64::MAX - 1),
    ] {
        assert_eq!(admit(&mut Account::default(), import, NOW), Ok(Admitted::Added));
    }
}

fn disabled_for(reason: &str) -> State {
    State::Disabled { until_ms: None, reason: reason.into() }
}

#[test]
fn a_user_has_no_more_tokens_than_by_enrolment() {
    let mut account = Account::default();
    for number in 0..MOST_TOKENS {
        let import = imported(&totp_token(&format!("t{number}")), 0);
        assert_eq!(admit(&mut account, import, NOW), Ok(Admitted::Added));
    }
    let more = admit(&mut account, imported(&totp_token("more"), 0), NOW);
    assert!(matches!(more, Err(Error::State(_))));
    assert_eq!(admit(&mut account, imported(&totp_token("t3"), 1), NOW), Ok(RAISED));
}

#[test]
fn recovery_codes_are_added_once_and_not_without_end() {
    let code = |number: u32| Digits::from_ascii(format!("{number}").as_bytes()).unwrap();
    let mut account = Account::default();
    let codes = || vec![code(12_345_678), code(12_345_678), code(87_654_321), code(123_456)];
    assert_eq!(admit_recovery(&mut account, &codes(), &KEY), 2);
    assert_eq!(admit_recovery(&mut account, &codes(), &KEY), 0);
    assert_eq!(account.recovery[1], legacy_digest(&KEY, &code(87_654_321)));
    let many: Vec<_> = (10_000_000..10_000_100).map(code).collect();
    assert_eq!(admit_recovery(&mut account, &many, &KEY), MOST_RECOVERY - 2);
}

proptest! {
    /// Whatever comes in whatever order, and however often: no watermark falls, nothing is doubled,
    /// and what comes a second time changes nothing.
    #[test]
    fn imports_only_ever_raise(
        came in proptest::collection::vec((0..4_usize, any::<bool>(), 0..300_u64), 1..20),
    ) {
        let mut account = account([hotp_token("0", 100), totp_token("1")]);
        for (number, is_hotp, next) in came {
            let token = totp_token(&number.to_string());
            let token = if is_hotp { Token { factor: Factor::Hotp, ..token } } else { token };
            let before: Vec<_> =
                account.tokens.iter().map(|token| (token.id.clone(), token.next)).collect();
            if admit(&mut account, imported(&token, next), NOW).is_ok() {
                let held = account.tokens.iter().find(|held| held.secret == token.secret);
                prop_assert!(held.unwrap().next >= next);
                prop_assert_eq!(admit(&mut account, imported(&token, next), NOW), Ok(KNOWN));
            }
            for (index, (id, next)) in before.iter().enumerate() {
                let held = &account.tokens[index];
                prop_assert!(held.id == *id && held.next >= *next);
            }
            let secrets: std::collections::HashSet<_> =
                account.tokens.iter().map(|token| token.secret.expose()).collect();
            prop_assert_eq!(secrets.len(), account.tokens.len());
        }
    }

    #[test]
    fn no_numbers_break_it(
        next: u64, offset_ms: i64, now_ms: i64, t0_ms: i64, period_ms: u64, is_hotp: bool,
    ) {
        let factor = if is_hotp { Factor::Hotp } else { Factor::Totp { t0_ms, period_ms } };
        let token = Token { factor, ..totp_token("t") };
        let mut account = Account::default();
        let import = Imported { offset_ms, ..imported(&token, next) };
        if admit(&mut account, import, now_ms).is_ok() {
            prop_assert!(account.tokens[0].next == next && next < u64::MAX);
        }
    }
}
