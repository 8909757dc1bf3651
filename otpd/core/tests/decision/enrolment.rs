//! The life of a token.

use otp_core::{
    account::Account,
    consume::Refusal,
    enrolment::{MOST_TOKENS, NewToken, adopt, begin, disable, enable, open, revoke},
    error::Error,
    token::{Factor, Standing, State, Token},
};

use crate::fixture::{
    LOCKOUT, NOW, account, by_token, failed, hotp_token, login, new_token, reply, rules, secret,
    step, totp_token, with_recovery, wrong,
};

fn labels(account: &Account) -> Vec<&str> {
    account.tokens.iter().map(|token| token.label.as_str()).collect()
}

#[test]
fn a_new_token_is_pending_or_active_at_once() {
    let mut account = Account::default();
    begin(&mut account, new_token("one"), NOW).unwrap();
    assert!(!account.enrolled());
    let active = NewToken {
        label: "phone".to_owned(),
        factor: Factor::Hotp,
        digits: 8,
        pending_until_ms: None,
        expires_ms: Some(NOW + 1),
        ..new_token("two")
    };
    begin(&mut account, active, NOW + 5).unwrap();
    assert!(account.enrolled());
    let expected = [
        Token {
            label: "totp".to_owned(),
            state: State::Pending { until_ms: NOW + 600_000 },
            created_ms: NOW,
            ..totp_token("one")
        },
        Token {
            label: "phone".to_owned(),
            method: "totp".to_owned(),
            digits: 8,
            created_ms: NOW + 5,
            expires_ms: Some(NOW + 1),
            ..hotp_token("two", 0)
        },
    ];
    assert_eq!(account.tokens, expected);
}

#[test]
fn labels_are_unique_and_made_up_where_they_are_empty() {
    let mut account = Account::default();
    for (id, label, verdict) in [
        ("a", "", Ok(())),
        ("b", "", Ok(())),
        ("c", "phone", Ok(())),
        ("d", "phone", Err(Error::State("the user has a token with this label"))),
        ("e", "totp 3", Ok(())),
        ("f", "", Ok(())),
        ("g", "Phone", Ok(())),
        ("h", "a\nb", Err(Error::Text)),
    ] {
        let new = NewToken { label: label.to_owned(), ..new_token(id) };
        assert_eq!(begin(&mut account, new, NOW), verdict, "{id}");
    }
    assert_eq!(labels(&account), ["totp", "totp 2", "phone", "totp 3", "totp 4", "Phone"]);
    revoke(&mut account, "b").unwrap();
    begin(&mut account, new_token("i"), NOW).unwrap();
    assert_eq!(labels(&account).last(), Some(&"totp 2"));
}

#[test]
fn u09_parameters_out_of_range_add_nothing() {
    let zero = Factor::Totp { t0_ms: 0, period_ms: 0 };
    let later = Factor::Totp { t0_ms: NOW + 1, period_ms: 30_000 };
    for (new, error) in [
        (NewToken { digits: 3, ..new_token("a") }, Error::Digits),
        (NewToken { digits: 9, ..new_token("a") }, Error::Digits),
        (NewToken { method: "a\0".to_owned(), ..new_token("a") }, Error::Text),
        (NewToken { label: "x".repeat(129), ..new_token("a") }, Error::Text),
        (
            NewToken { factor: zero, ..new_token("a") },
            Error::State("a time step is longer than 0 ms"),
        ),
        (
            NewToken { factor: later, ..new_token("a") },
            Error::State("T0 lies in the future: no code is right before it"),
        ),
    ] {
        let mut account = Account::default();
        assert_eq!(begin(&mut account, new, NOW), Err(error));
        assert_eq!(account, Account::default());
    }
}

/// Else one code would be good for two logins.
#[test]
fn a_secret_is_in_one_token_only() {
    let mut account = account([totp_token("old")]);
    let twin = NewToken { secret: secret("the secret of    old"), ..new_token("new") };
    let error = Error::State("the user has a token with this secret");
    assert_eq!(begin(&mut account, twin, NOW), Err(error));
    assert_eq!(account.tokens.len(), 1);
}

#[test]
fn pending_tokens_whose_time_is_over_make_room_and_others_do_not() {
    let mut account = Account::default();
    for index in 0..MOST_TOKENS {
        begin(&mut account, new_token(&index.to_string()), NOW).unwrap();
    }
    let full = Error::State("a user has at most 20 tokens; remove one first");
    assert_eq!(begin(&mut account, new_token("late"), NOW + 600_000), Err(full));
    account.tokens[7].state = State::Active;
    account.tokens[8].state = State::Disabled { until_ms: Some(NOW), reason: String::new() };
    begin(&mut account, new_token("late"), NOW + 600_001).unwrap();
    let ids: Vec<_> = account.tokens.iter().map(|token| token.id.as_str()).collect();
    assert_eq!(ids, ["7", "8", "late"]);
}

#[test]
fn states_change_only_as_they_can() {
    let disabled = State::Disabled { until_ms: None, reason: "lost".to_owned() };
    let pending = State::Pending { until_ms: NOW };
    type Change = fn(&mut Account, &str) -> Result<(), Error>;
    let to_disabled: Change = |account, id| disable(account, id, None, "lost");
    let to_enabled: Change = enable;
    for (name, from, change, to) in [
        ("disable active", State::Active, to_disabled, Some(&disabled)),
        ("disable disabled", disabled.clone(), to_disabled, Some(&disabled)),
        ("disable pending", pending.clone(), to_disabled, None),
        ("enable disabled", disabled.clone(), to_enabled, Some(&State::Active)),
        ("enable active", State::Active, to_enabled, None),
        ("enable pending", pending, to_enabled, None),
    ] {
        let mut account = account([Token { state: from.clone(), next: 5, ..totp_token("t") }]);
        let verdict = change(&mut account, "t");
        assert_eq!(matches!(verdict, Err(Error::State(_))), to.is_none(), "{name}: {verdict:?}");
        assert_eq!(account.tokens[0].state, *to.unwrap_or(&from), "{name}");
        assert_eq!(account.tokens[0].next, 5, "{name}");
    }
    let mut account = account([totp_token("t")]);
    assert_eq!(disable(&mut account, "t", None, "a\nb"), Err(Error::Text));
    for verdict in
        [disable(&mut account, "x", None, ""), enable(&mut account, "x"), revoke(&mut account, "x")]
    {
        assert_eq!(verdict, Err(Error::State("the user has no such token")));
    }
    assert_eq!(account.tokens, [totp_token("t")]);
}

#[test]
fn a_disabled_token_is_active_again_at_its_end_and_expired_beats_everything() {
    let mut account = account([totp_token("t")]);
    disable(&mut account, "t", Some(NOW), "on leave").unwrap();
    for (now_ms, standing) in [(NOW - 1, Standing::Disabled), (NOW, Standing::Active)] {
        assert_eq!(account.tokens[0].standing(now_ms), standing);
    }
    account.tokens[0].expires_ms = Some(NOW);
    assert_eq!(account.tokens[0].standing(NOW), Standing::Expired);
    enable(&mut account, "t").unwrap();
    assert_eq!(account.tokens[0].standing(NOW), Standing::Expired);
}

#[test]
fn disabling_and_enabling_revives_no_used_code() {
    let mut account = account([totp_token("t")]);
    let typed = reply(&account.tokens[0], step(&account.tokens[0], NOW));
    login(&mut account, &typed, NOW).unwrap();
    disable(&mut account, "t", None, "").unwrap();
    enable(&mut account, "t").unwrap();
    login(&mut account, &typed, NOW).unwrap_err();
}

#[test]
fn a_revoked_token_is_gone() {
    let mut account = account([totp_token("t"), totp_token("u")]);
    revoke(&mut account, "t").unwrap();
    assert_eq!(account.tokens, [totp_token("u")]);
    revoke(&mut account, "u").unwrap();
    assert!(!account.enrolled());
}

/// The token that `new_token(id)` makes.
fn shown(id: &str) -> Token {
    Token { label: "totp".to_owned(), ..totp_token(id) }
}

#[test]
fn x05_a_shown_token_is_part_of_the_account_with_its_first_code_only() {
    let token = shown("new");
    let now = step(&token, NOW);
    for (given, refusal) in [
        (wrong(&token, now), Refusal::Wrong),
        (reply(&token, now - 2), Refusal::Wrong),
        (otp_core::code::Reply::parse(b"12345"), Refusal::Malformed),
        (otp_core::code::Reply::parse(b""), Refusal::Malformed),
    ] {
        let mut account = Account::default();
        for _ in 0..10 {
            let adopted = adopt(&mut account, new_token("new"), &given, &rules(), NOW);
            assert_eq!(adopted, Err(refusal));
            assert_eq!(account, Account::default(), "nothing is kept, and nobody is locked");
        }
    }
    let mut account = Account::default();
    let given = reply(&token, now);
    assert_eq!(adopt(&mut account, new_token("new"), &given, &rules(), NOW), by_token("new"));
    let stored = Token {
        next: now + 1,
        created_ms: NOW,
        last_used_ms: Some(NOW),
        accepted: 1,
        state: State::Active,
        ..token
    };
    assert_eq!(account.tokens, [stored]);
    assert_eq!(account.last_success_ms, Some(NOW));
    assert_eq!(login(&mut account, &given, NOW), Err(Refusal::Replayed));
}

#[test]
fn an_account_that_has_a_confirmed_token_adopts_none() {
    for state in [State::Active, crate::fixture::disabled(None)] {
        let mut account = account([Token { state, ..totp_token("old") }]);
        assert!(!open(&account));
        let token = shown("new");
        let given = reply(&token, step(&token, NOW));
        let adopted = adopt(&mut account, new_token("new"), &given, &rules(), NOW);
        assert_eq!(adopted, Err(Refusal::Disabled));
        assert_eq!(account.tokens.len(), 1);
    }
}

#[test]
fn what_the_account_has_besides_tokens_stays() {
    let pending = Token { state: State::Pending { until_ms: NOW + 1 }, ..totp_token("old") };
    let mut account = account([pending]);
    with_recovery(&mut account);
    account.uid = Some(1000);
    account.throttle = failed(2, None);
    let token = shown("new");
    let given = reply(&token, step(&token, NOW));
    assert_eq!(adopt(&mut account, new_token("new"), &given, &rules(), NOW), by_token("new"));
    assert_eq!(account.tokens.len(), 1, "the pending token goes");
    assert_eq!((account.uid, account.recovery.len()), (Some(1000), 10));
    assert_eq!(account.throttle, failed(0, None));
}

#[test]
fn a_locked_account_adopts_nothing_before_its_time() {
    let until = NOW + i64::try_from(LOCKOUT.first_ms).unwrap();
    let mut account = Account { throttle: failed(5, Some(until)), ..Account::default() };
    let token = shown("new");
    let given = reply(&token, step(&token, NOW));
    let adopted = adopt(&mut account, new_token("new"), &given, &rules(), NOW);
    assert_eq!(adopted, Err(Refusal::Locked));
    assert_eq!(account.throttle, failed(5, Some(until)));
    let later = reply(&token, step(&token, until));
    assert_eq!(adopt(&mut account, new_token("new"), &later, &rules(), until), by_token("new"));
}
