//! A secret is shown to one session, once.

use std::collections::BTreeMap;

use otp_core::{
    account::Account,
    consume::Refusal,
    contact::Channel,
    enrolment::{self, NewToken},
    error::Error,
    secret::LONGEST,
    share::{Entropy, Refusal as No, Share, begin, choose, expire, finish, reshare},
    token::{Algorithm, Factor, State, Token},
    uri,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::fixture::{
    NOW, YEAR, account, by_token, confirm, disabled, hotp_token, login, new_token, reply, secret,
    step, totp_token,
};

const TTL: u64 = 300_000;
const OFFER: i64 = NOW + 7 * 86_400_000;
/// When a showing that began at [`NOW`] is over.
const OVER: i64 = NOW + 300_000;

fn entropy(byte: u8) -> Entropy {
    Zeroizing::new([byte; LONGEST])
}

/// A token that waits to be shared.
fn offered(id: &str) -> Token {
    Token { share: Share::Created, state: State::Pending { until_ms: OFFER }, ..totp_token(id) }
}

fn showing(by: &str, since_ms: i64) -> Share {
    Share::Showing { by: by.to_owned(), since_ms, until_ms: since_ms + 300_000 }
}

fn shown(id: &str, by: &str) -> Token {
    Token { share: showing(by, NOW), ..offered(id) }
}

#[test]
fn n14_the_first_session_gets_it_and_nobody_else() {
    let mut account = account([offered("t")]);
    assert_eq!(begin(&mut account, "t", "one", NOW, TTL, &entropy(1)), Ok(false));
    assert_eq!(account.tokens, [shown("t", "one")]);
    for now_ms in [NOW, OVER - 1] {
        let other = begin(&mut account, "t", "two", now_ms, TTL, &entropy(2));
        assert_eq!(other, Err(No::AlreadyShared));
        assert_eq!(choose(&account, "two", now_ms), Err(No::AlreadyShared));
        // Once more to the same one, until the same end.
        assert_eq!(begin(&mut account, "t", "one", now_ms, TTL, &entropy(3)), Ok(false));
        assert_eq!(account.tokens, [shown("t", "one")]);
    }
}

#[test]
fn n14_a_key_that_is_not_confirmed_in_time_is_destroyed_and_its_code_opens_nothing() {
    for late in [OVER, OVER + YEAR] {
        let mut account = account([Token { next: 9, offset_ms: 7, ..shown("t", "one") }]);
        let offer = late + 1;
        account.tokens[0].state = State::Pending { until_ms: offer };
        let old = reply(&account.tokens[0], step(&account.tokens[0], late));
        assert_eq!(confirm(&mut account, "t", &old, late), Err(Refusal::Expired));
        assert!(expire(&mut account, "t", late, None, &entropy(4)));
        let fresh = Token {
            secret: secret(&"\x04".repeat(20)),
            state: State::Pending { until_ms: offer },
            ..offered("t")
        };
        assert_eq!(account.tokens, [fresh]);
        assert_eq!(confirm(&mut account, "t", &old, late), Err(Refusal::Disabled));
        assert!(!expire(&mut account, "t", late, None, &entropy(5)), "once");
    }
}

#[test]
fn n14_whoever_asks_after_the_end_gets_another_key() {
    for by in ["one", "two"] {
        let mut account = account([shown("t", "one")]);
        assert_eq!(choose(&account, by, OVER), Ok("t"));
        assert_eq!(begin(&mut account, "t", by, OVER, TTL, &entropy(6)), Ok(true));
        assert_eq!(account.tokens[0].secret, secret(&"\x06".repeat(20)));
        assert_eq!(account.tokens[0].share, showing(by, OVER));
        let known = shown("t", "one");
        let old = reply(&known, step(&known, OVER));
        assert_eq!(confirm(&mut account, "t", &old, OVER), Err(Refusal::Wrong));
    }
}

#[test]
fn a_clock_that_is_set_back_gives_no_more_time() {
    let back = NOW - 60_001;
    let mut account = account([shown("t", "one")]);
    let code = reply(&account.tokens[0], step(&account.tokens[0], back));
    assert_eq!(confirm(&mut account, "t", &code, back), Err(Refusal::Expired));
    assert_eq!(finish(&mut account, "t", "one", back, true), Err(No::NotShown));
    assert!(!expire(&mut account, "t", back + 1, None, &entropy(1)), "a minute is believed");
    assert!(expire(&mut account, "t", back, None, &entropy(1)));
    // The end that another clock tells counts for that showing and for no later one.
    account.tokens[0] = shown("t", "one");
    assert!(!expire(&mut account, "t", NOW, Some(NOW - 1), &entropy(2)));
    assert!(expire(&mut account, "t", NOW, Some(NOW), &entropy(2)));
    assert!(!expire(&mut account, "t", NOW, Some(NOW), &entropy(2)));
}

#[test]
fn x04_within_the_session_it_is_repeated_and_after_the_confirmation_never() {
    let mut account = account([offered("t")]);
    for again in [NOW, NOW + 1, OVER - 1] {
        assert_eq!(begin(&mut account, "t", "one", again, TTL, &entropy(1)), Ok(false));
    }
    let code = reply(&account.tokens[0], step(&account.tokens[0], OVER - 1));
    assert_eq!(confirm(&mut account, "t", &code, OVER - 1), by_token("t"));
    assert_eq!(
        (&account.tokens[0].state, &account.tokens[0].share),
        (&State::Active, &Share::Shared)
    );
    assert_eq!(account.tokens[0].accepted, 1);
    for (by, now_ms) in [("one", NOW), ("one", OVER), ("two", OVER + YEAR)] {
        let verdict = begin(&mut account, "t", by, now_ms, TTL, &entropy(2));
        assert_eq!(verdict, Err(No::AlreadyShared));
        assert!(!expire(&mut account, "t", now_ms, Some(NOW), &entropy(2)));
    }
    assert_eq!(login(&mut account, &code, OVER - 1), Err(Refusal::Replayed));
}

#[test]
fn x05_continue_makes_it_active_only_where_it_is_the_confirmation() {
    for (active, state) in [(false, State::Pending { until_ms: OFFER }), (true, State::Active)] {
        let mut account = account([shown("t", "one")]);
        assert_eq!(finish(&mut account, "t", "two", NOW, active), Err(No::NotShown));
        assert_eq!(finish(&mut account, "t", "one", OVER, active), Err(No::NotShown));
        assert_eq!(finish(&mut account, "u", "one", NOW, active), Err(No::NoCredential));
        assert_eq!(account.tokens, [shown("t", "one")]);
        assert_eq!(finish(&mut account, "t", "one", OVER - 1, active), Ok(()));
        assert_eq!(account.tokens[0].state, state);
        assert_eq!(account.enrolled(), active);
        let again = finish(&mut account, "t", "one", OVER - 1, active);
        assert_eq!(again.is_ok(), !active);
    }
}

#[test]
fn n03_n05_what_cannot_be_shown_is_absent_or_shared_already() {
    let never = |factor| Token { factor, ..totp_token("t") };
    for (name, token, refusal) in [
        ("told at enrolment", totp_token("t"), No::AlreadyShared),
        ("shared", Token { share: Share::Shared, ..totp_token("t") }, No::AlreadyShared),
        (
            "disabled",
            Token { share: Share::Shared, state: disabled(None), ..totp_token("t") },
            No::AlreadyShared,
        ),
        ("delivered", never(Factor::OutOfBand(Channel::Sms)), No::NoCredential),
        ("expired", Token { expires_ms: Some(NOW), ..offered("t") }, No::NoCredential),
        (
            "its offer is over",
            Token { state: State::Pending { until_ms: NOW }, ..offered("t") },
            No::NoCredential,
        ),
        (
            "its offer and its showing are over",
            Token {
                state: State::Pending { until_ms: NOW },
                share: showing("one", NOW - 300_000),
                ..offered("t")
            },
            No::NoCredential,
        ),
    ] {
        let before = format!("{token:?}");
        let mut account = account([token]);
        let verdict = begin(&mut account, "t", "one", NOW, TTL, &entropy(1));
        assert_eq!(verdict, Err(refusal), "{name}");
        assert_eq!(choose(&account, "one", NOW), Err(refusal), "{name}");
        assert_eq!(format!("{:?}", account.tokens[0]), before, "{name}");
    }
    let nothing = Account::default();
    assert_eq!(choose(&nothing, "one", NOW), Err(No::NoCredential));
    let mut account = account([totp_token("t")]);
    let absent = begin(&mut account, "u", "one", NOW, TTL, &entropy(1));
    assert_eq!(absent, Err(No::NoCredential));
}

#[test]
fn a_user_is_shown_the_oldest_that_can_be_shown() {
    let account = account([totp_token("a"), shown("b", "two"), offered("c"), offered("d")]);
    assert_eq!(choose(&account, "one", NOW), Ok("c"));
    assert_eq!(choose(&account, "two", NOW), Ok("b"));
}

#[test]
fn a_token_to_share_is_pending_and_nobody_confirms_what_nobody_has_seen() {
    let new = |id: &str| NewToken { pending_until_ms: Some(OFFER), share: true, ..new_token(id) };
    let mut account = Account::default();
    enrolment::begin(&mut account, new("t"), NOW).unwrap();
    assert_eq!(account.tokens, [Token { label: "totp".into(), created_ms: NOW, ..offered("t") }]);
    assert!(!account.enrolled());
    let code = reply(&account.tokens[0], step(&account.tokens[0], NOW));
    assert_eq!(confirm(&mut account, "t", &code, NOW), Err(Refusal::Disabled));
    assert_eq!(account.throttle.failures, 0);
    let active = NewToken { pending_until_ms: None, ..new("u") };
    assert!(matches!(enrolment::begin(&mut account, active, NOW), Err(Error::State(_))));
    let sent = NewToken { factor: Factor::OutOfBand(Channel::Sms), ..new("u") };
    assert!(matches!(enrolment::begin(&mut account, sent, NOW), Err(Error::State(_))));
    assert_eq!(account.tokens.len(), 1);
}

#[test]
fn n14_to_share_again_is_to_share_another_key() {
    let used = || Token { next: 70, accepted: 3, share: Share::Shared, ..hotp_token("h", 70) };
    let pending = Token { state: State::Pending { until_ms: NOW + 9 }, ..totp_token("t") };
    for token in [used(), pending, shown("t", "one"), offered("t"), totp_token("t")] {
        let (id, before) = (token.id.clone(), token.accepted);
        let old = secret(std::str::from_utf8(token.secret.expose()).unwrap());
        let mut account = account([token]);
        reshare(&mut account, &id, OFFER, NOW, &entropy(7)).unwrap();
        let token = &account.tokens[0];
        assert_ne!(token.secret, old);
        assert_eq!(token.share, Share::Created);
        assert_eq!(token.state, State::Pending { until_ms: OFFER });
        assert_eq!((token.next, token.offset_ms, token.accepted), (0, 0, before));
        assert!(!account.enrolled());
        assert_eq!(begin(&mut account, &id, "two", NOW, TTL, &entropy(8)), Ok(false));
    }
    let sent = Token { factor: Factor::OutOfBand(Channel::Sms), ..totp_token("t") };
    let past = Token { expires_ms: Some(NOW), ..totp_token("t") };
    for token in [sent, past, Token { state: disabled(None), ..totp_token("t") }] {
        let mut account = account([token]);
        let verdict = reshare(&mut account, "t", OFFER, NOW, &entropy(7));
        assert!(matches!(verdict, Err(Error::State(_))));
        assert_eq!(account.tokens[0].share, Share::Released);
    }
}

#[test]
fn n11_the_uri_has_period_or_counter_no_colon_and_no_plus() {
    for (token, end) in [
        (totp_token("t"), "&digits=6&period=30"),
        (Token { next: 70, ..hotp_token("h", 0) }, "&digits=6&counter=70"),
        (
            Token { algorithm: Algorithm::Sha256, ..hotp_token("h", 0) },
            "=SHA256&digits=6&counter=0",
        ),
    ] {
        let uri = uri::provisioning(&token, "A: b+c", "DOMAIN:al ice").unwrap();
        let rest =
            uri.strip_prefix(if token.id == "t" { "otpauth://totp/" } else { "otpauth://hotp/" });
        assert!(rest.unwrap().starts_with("A%20b%2Bc:DOMAINal%20ice?secret="), "{}", *uri);
        assert!(uri.contains("&issuer=A%20b%2Bc&algorithm=SHA") && uri.ends_with(end), "{}", *uri);
        assert!(!uri.contains('+'), "{}", *uri);
    }
    assert_eq!((uri::plain("A: b"), uri::algorithm(Algorithm::Sha512)), ("A b".into(), "SHA512"));
}

/// One thing that a session, an administrator or the clock does.
#[derive(Clone, Debug)]
enum Event {
    Clock(i64),
    Begin(usize),
    Finish(usize, bool),
    /// A code of the nth key that was ever shown.
    Confirm(usize),
    Expire,
    Reshare,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let jump = prop_oneof![4 => 0..200_000_i64, 1 => -400_000..=400_000_i64];
    let event = prop_oneof![
        4 => jump.prop_map(Event::Clock),
        6 => (0..3_usize).prop_map(Event::Begin),
        2 => (0..3_usize, any::<bool>()).prop_map(|(by, active)| Event::Finish(by, active)),
        4 => any::<usize>().prop_map(Event::Confirm),
        2 => Just(Event::Expire),
        1 => Just(Event::Reshare),
    ];
    proptest::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// Whatever happens in whatever order: a key is shown to one session, within its time, and its
    /// code is good for one confirmation within that time; none is shown after it.
    #[test]
    fn n14_a_key_belongs_to_one_session(events in events()) {
        let mut account = account([offered("t")]);
        let (mut now_ms, mut number) = (NOW, 0_u8);
        // Each key that was shown: to whom, since when, and whether it was confirmed.
        let mut shown: BTreeMap<Vec<u8>, (usize, i64, bool)> = BTreeMap::new();
        for event in events {
            number += 1;
            let fresh = entropy(number);
            match event {
                Event::Clock(by) => now_ms += by,
                Event::Begin(by) => {
                    let session = by.to_string();
                    let done = begin(&mut account, "t", &session, now_ms, TTL, &fresh);
                    if done.is_ok() {
                        let key = account.tokens[0].secret.expose().to_vec();
                        let entry = shown.entry(key).or_insert((by, now_ms, false));
                        prop_assert_eq!(entry.0, by);
                        prop_assert!(!entry.2 && now_ms < entry.1 + TTL as i64);
                        prop_assert!(entry.1 - now_ms <= 60_000);
                    }
                }
                Event::Finish(by, active) => {
                    let session = by.to_string();
                    if finish(&mut account, "t", &session, now_ms, active).is_ok() && active {
                        let key = account.tokens[0].secret.expose();
                        let entry = shown.get_mut(key).unwrap();
                        prop_assert!(entry.0 == by && now_ms < entry.1 + TTL as i64);
                        entry.2 = true;
                    }
                }
                Event::Confirm(nth) => {
                    let Some((key, entry)) = shown.iter_mut().nth(nth % 8) else { continue };
                    let holder = Token {
                        secret: secret(std::str::from_utf8(key).unwrap_or("a key of no token")),
                        ..totp_token("t")
                    };
                    let typed = reply(&holder, step(&holder, now_ms));
                    account.throttle = Default::default();
                    if confirm(&mut account, "t", &typed, now_ms).is_ok() {
                        prop_assert!(!entry.2 && now_ms < entry.1 + TTL as i64);
                        prop_assert_eq!(account.tokens[0].secret.expose(), key.as_slice());
                        entry.2 = true;
                    }
                }
                Event::Expire => {
                    let _ = expire(&mut account, "t", now_ms, None, &fresh);
                }
                Event::Reshare => {
                    reshare(&mut account, "t", now_ms + 86_400_000, now_ms, &fresh).unwrap();
                }
            }
            let token = &account.tokens[0];
            let confirmed = matches!(token.share, Share::Shared);
            prop_assert_eq!(confirmed, token.confirmed());
            prop_assert_eq!(account.enrolled(), confirmed);
        }
    }
}
