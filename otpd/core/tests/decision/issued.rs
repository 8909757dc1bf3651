//! Codes that administrators issue: good for their time, their uses, their service and their place.

use otp_core::{
    account::Account,
    client::{self, Client, Enabling},
    code::{Digits, Reply},
    consume::{Credential, Refusal, Rules, Scope, consume},
    error::Error,
    issued::{self, Accepted, MOST_OPEN, NewCode, Reach, Terms},
    throttle::Lock,
};
use proptest::prelude::*;

use crate::fixture::{
    KEY, LOCKOUT, NOW, YEAR, account, code, failed, login, reply, rules, step, totp_token,
};

const HOURS_2: u64 = 7_200_000;

fn digits(text: &str) -> Digits {
    Digits::from_ascii(text.as_bytes()).unwrap()
}

fn typed(text: &str) -> Reply {
    Reply::parse(text.as_bytes())
}

fn new(id: &str) -> NewCode {
    NewCode {
        id: id.to_owned(),
        validity_ms: HOURS_2,
        uses: 1,
        service: None,
        reach: Reach::Both,
        reason: "phone lost".to_owned(),
        issued_by: 0,
        client: None,
        keep: true,
    }
}

fn issue(account: &mut Account, new: NewCode, text: &str) {
    issued::issue(account, new, digits(text), &KEY, NOW).unwrap();
}

/// A user without a token who was issued 77244244.
fn issued_to_nobody_enrolled() -> Account {
    let mut account = Account::default();
    issue(&mut account, new("c"), "77244244");
    account
}

fn terms(accepted: Accepted, local: bool) -> Terms {
    Terms { accepted, local }
}

/// A login with an issued code in place of the password, over the network.
fn open(account: &mut Account, text: &str, now_ms: i64) -> Result<Credential, Refusal> {
    let rules = Rules { issued: terms(Accepted::All, false), ..rules() };
    consume(Some(account), &typed(text), Scope::Issued, &rules, now_ms)
}

/// A login whose second factor it may be.
fn second(account: &mut Account, reply: &Reply, now_ms: i64) -> Result<Credential, Refusal> {
    let rules = Rules { issued: terms(Accepted::All, false), ..rules() };
    consume(Some(account), reply, Scope::Login, &rules, now_ms)
}

fn accepted(id: &str, left: u8) -> Result<Credential, Refusal> {
    Ok(Credential::Issued { id: id.to_owned(), left, client: None })
}

#[test]
fn t05_an_issued_code_is_good_for_two_hours_and_not_longer() {
    for (after_ms, expected) in [
        (0, accepted("c", 0)),
        (7_199_000, accepted("c", 0)),
        (7_199_999, accepted("c", 0)),
        (7_200_000, Err(Refusal::Expired)),
        (7_200_001, Err(Refusal::Expired)),
        (YEAR, Err(Refusal::Unenrolled)),
        // The clock was set back a little, and so far that nobody knows how old the code is.
        (-60_000, accepted("c", 0)),
        (-60_001, Err(Refusal::Expired)),
    ] {
        let mut account = issued_to_nobody_enrolled();
        assert_eq!(open(&mut account, "77244244", NOW + after_ms), expected, "{after_ms}");
    }
}

#[test]
fn t20_a_code_is_good_once_and_a_new_one_ends_the_one_before() {
    let mut account = issued_to_nobody_enrolled();
    assert_eq!(open(&mut account, "77244244", NOW), accepted("c", 0));
    assert_eq!(open(&mut account, "77244244", NOW + 1), Err(Refusal::Replayed));
    issue(&mut account, new("d"), "11111111");
    issue(&mut account, new("e"), "22222222");
    assert_eq!(open(&mut account, "11111111", NOW + 2), Err(Refusal::Wrong));
    assert_eq!(open(&mut account, "22222222", NOW + 3), accepted("e", 0));
}

#[test]
fn t20_a_new_code_for_one_client_leaves_the_codes_of_others() {
    let mut account = Account::default();
    for id in ["a", "b"] {
        client::register(&mut account, unbound(id)).unwrap();
        let new = NewCode { client: Some(id.to_owned()), ..new(id) };
        issue(&mut account, new, if id == "a" { "11111111" } else { "22222222" });
    }
    issue(&mut account, new("c"), "33333333");
    let again = NewCode { client: Some("a".to_owned()), ..new("a2") };
    issue(&mut account, again, "44444444");
    assert_eq!(open(&mut account, "11111111", NOW), Err(Refusal::Wrong));
    for (text, id, client) in
        [("22222222", "b", Some("b")), ("33333333", "c", None), ("44444444", "a2", Some("a"))]
    {
        let client = client.map(str::to_owned);
        let expected = Ok(Credential::Issued { id: id.to_owned(), left: 0, client });
        assert_eq!(open(&mut account, text, NOW), expected);
    }
    let unknown = NewCode { client: Some("z".to_owned()), ..new("z") };
    let refused = issued::issue(&mut account, unknown, digits("55555555"), &KEY, NOW);
    assert!(matches!(refused, Err(Error::State(_))));
}

fn unbound(id: &str) -> Client {
    Client {
        id: id.to_owned(),
        description: id.to_owned(),
        identity: None,
        enabling: Enabling::Always,
        push: false,
        created_ms: NOW,
        last_ms: None,
        last_source: None,
        remembered: None,
    }
}

#[test]
fn t02_in_place_of_the_password_nothing_but_an_issued_code_is_good() {
    let token = totp_token("t");
    let own = reply(&token, step(&token, NOW));
    let mut account = account([token]);
    let recovery = crate::fixture::with_recovery(&mut account);
    issue(&mut account, new("c"), "77244244");
    let rules = Rules { issued: terms(Accepted::All, false), ..rules() };
    for (other, refusal) in [
        (own, Refusal::Malformed),
        (Reply::parse(recovery[0].grouped().as_bytes()), Refusal::Malformed),
        (Reply::Malformed, Refusal::Malformed),
        (typed("12345678"), Refusal::Wrong),
    ] {
        let verdict = consume(Some(&mut account), &other, Scope::Issued, &rules, NOW);
        assert_eq!(verdict, Err(refusal), "{other:?}");
    }
    assert_eq!(account.tokens[0].next, 0);
    assert_eq!(account.recovery.len(), 10);
    assert_eq!(open(&mut account, "77244244", NOW), accepted("c", 0));
}

#[test]
fn t02_an_issued_code_is_compared_under_its_own_user_only() {
    let mut other = Account::default();
    issue(&mut other, new("d"), "22222222");
    let mut account = issued_to_nobody_enrolled();
    assert_eq!(open(&mut account, "22222222", NOW), Err(Refusal::Wrong));
    let rules = Rules { issued: terms(Accepted::All, false), ..rules() };
    let nobody = consume(None, &typed("77244244"), Scope::Issued, &rules, NOW);
    assert_eq!(nobody, Err(Refusal::Unenrolled));
}

#[test]
fn t04_codes_have_six_to_twelve_digits_and_keep_their_zeros() {
    for (number, len, text) in [
        (77_244_244_u128, 8, "77244244"),
        (42, 8, "00000042"),
        (0, 6, "000000"),
        (123_456_789_012, 12, "123456789012"),
        (7, 12, "000000000007"),
        (1_000_000_000_007, 12, "000000000007"),
        (5, 13, "000000000005"),
    ] {
        let code = Digits::random(&number.to_be_bytes(), len);
        assert_eq!(code.expose(), text.as_bytes());
        let mut account = Account::default();
        issued::issue(&mut account, new("c"), code, &KEY, NOW).unwrap();
        assert_eq!(open(&mut account, text, NOW), accepted("c", 0), "{text}");
    }
}

#[test]
fn t07_the_code_is_kept_while_it_is_good_and_no_longer() {
    let kept = |account: &Account| account.issued[0].code.is_some();
    let mut account = Account::default();
    issue(&mut account, NewCode { uses: 2, ..new("c") }, "77244244");
    assert_eq!(open(&mut account, "77244244", NOW), accepted("c", 1));
    assert!(kept(&account));
    assert_eq!(open(&mut account, "77244244", NOW), accepted("c", 0));
    assert!(!kept(&account));
    let mut account = issued_to_nobody_enrolled();
    issued::settle(&mut account, NOW + 7_199_999);
    assert!(kept(&account));
    issued::settle(&mut account, NOW + 7_200_000);
    assert!(!kept(&account));
    issued::settle(&mut account, NOW + 7_200_000 + 86_400_000);
    assert!(account.issued.is_empty());
    let mut once = Account::default();
    issue(&mut once, NewCode { keep: false, ..new("c") }, "77244244");
    assert!(!kept(&once));
    assert_eq!(open(&mut once, "77244244", NOW), accepted("c", 0));
}

#[test]
fn t21_a_code_is_good_where_its_scope_says() {
    for (reach, local, remote) in
        [(Reach::Local, true, false), (Reach::Remote, false, true), (Reach::Both, true, true)]
    {
        for (is_local, good) in [(true, local), (false, remote)] {
            let mut account = Account::default();
            issue(&mut account, NewCode { reach, ..new("c") }, "77244244");
            let rules = Rules { issued: terms(Accepted::All, is_local), ..rules() };
            for scope in [Scope::Issued, Scope::Login] {
                let verdict = consume(Some(&mut account), &typed("77244244"), scope, &rules, NOW);
                let expected = if good { accepted("c", 0) } else { Err(Refusal::Elsewhere) };
                assert_eq!(verdict, expected, "{reach:?} {is_local} {scope:?}");
                account.issued[0].uses_left = 1;
            }
        }
        assert_eq!(Reach::from_name(reach.name()), Some(reach));
    }
    assert_eq!(Reach::from_name("Local"), None);
}

#[test]
fn a_code_for_one_service_is_good_there_only() {
    for (service, expected) in [("sshd", accepted("c", 0)), ("sudo", Err(Refusal::Elsewhere))] {
        let mut account = Account::default();
        let new = NewCode { service: Some("sshd".to_owned()), ..new("c") };
        issue(&mut account, new, "77244244");
        let rules = Rules { service, issued: terms(Accepted::All, false), ..rules() };
        let verdict = consume(Some(&mut account), &typed("77244244"), Scope::Issued, &rules, NOW);
        assert_eq!(verdict, expected, "{service}");
    }
}

#[test]
fn an_issued_code_is_a_second_factor_where_the_rules_accept_it_enrolled_or_not() {
    let token = totp_token("t");
    for mut account in [Account::default(), account([token])] {
        issue(&mut account, new("c"), "77244244");
        let before = account.throttle;
        let refused = login(&mut account, &typed("77244244"), NOW).unwrap_err();
        assert!(matches!(refused, Refusal::Unenrolled | Refusal::Malformed));
        assert_eq!(account.throttle, before);
        assert_eq!(second(&mut account, &typed("77244244"), NOW), accepted("c", 0));
        let again = second(&mut account, &typed("77244244"), NOW).unwrap_err();
        assert!(matches!(again, Refusal::Unenrolled | Refusal::Malformed), "{again:?}");
    }
}

#[test]
fn a_code_that_a_token_has_as_well_is_the_tokens() {
    let token = totp_token("t");
    let shown = code(&token, step(&token, NOW));
    let text = String::from_utf8(shown.expose().to_vec()).unwrap();
    let mut account = account([token]);
    issue(&mut account, new("c"), &text);
    let typed = typed(&text);
    assert!(matches!(second(&mut account, &typed, NOW), Ok(Credential::Token { .. })));
    assert_eq!(second(&mut account, &typed, NOW), accepted("c", 0));
    assert!(second(&mut account, &typed, NOW).is_err());
}

#[test]
fn an_enrolling_code_is_the_only_one_where_the_client_is_unknown() {
    let mut account = Account::default();
    client::register(&mut account, unbound("a")).unwrap();
    issue(&mut account, new("c"), "33333333");
    issue(&mut account, NewCode { client: Some("a".to_owned()), ..new("d") }, "44444444");
    let rules = Rules { issued: terms(Accepted::Enrolling, false), ..rules() };
    let mut give =
        |text: &str| consume(Some(&mut account), &typed(text), Scope::Issued, &rules, NOW);
    assert_eq!(give("33333333"), Err(Refusal::Elsewhere));
    assert!(give("44444444").is_ok());
}

#[test]
fn t23_wrong_expired_used_and_locked_are_told_apart_and_guesses_are_limited() {
    let mut account = issued_to_nobody_enrolled();
    issue(&mut account, NewCode { validity_ms: 1000, ..new("short") }, "55555555");
    // A code for the same entry ends the one before it: this one is another entry's.
    client::register(&mut account, unbound("a")).unwrap();
    let of_client = NewCode { client: Some("a".to_owned()), ..new("d") };
    issue(&mut account, of_client, "44444444");
    assert_eq!(open(&mut account, "12345678", NOW), Err(Refusal::Wrong));
    assert_eq!(open(&mut account, "55555555", NOW + 1000), Err(Refusal::Expired));
    assert!(open(&mut account, "44444444", NOW + 1000).is_ok());
    assert_eq!(open(&mut account, "44444444", NOW + 1000), Err(Refusal::Replayed));
    // Five wrong codes in a row lock, and the right one is no good then.
    issue(&mut account, new("e"), "66666666");
    for number in 0..5 {
        let guess = format!("1000000{number}");
        assert_eq!(open(&mut account, &guess, NOW + 2000), Err(Refusal::Wrong));
    }
    assert!(matches!(account.throttle.locked(&LOCKOUT, NOW + 2000), Lock::Locked { .. }));
    assert_eq!(open(&mut account, "66666666", NOW + 2000), Err(Refusal::Locked));
    assert_eq!(second(&mut account, &typed("66666666"), NOW + 2000), Err(Refusal::Locked));
    assert_eq!(open(&mut account, "66666666", NOW + 62_000), accepted("e", 0));
    assert_eq!(account.throttle, failed(0, None));
}

#[test]
fn nobody_is_charged_for_guessing_what_was_not_issued() {
    let token = totp_token("t");
    let mut account = account([token]);
    for _ in 0..20 {
        assert_eq!(open(&mut account, "12345678", NOW), Err(Refusal::Unenrolled));
    }
    issue(&mut account, new("c"), "77244244");
    assert_eq!(open(&mut account, "123456", NOW), Err(Refusal::Malformed));
    assert_eq!(account.throttle, failed(0, None));
    assert_eq!(open(&mut account, "77244244", NOW), accepted("c", 0));
    assert_eq!(open(&mut account, "77244244", NOW), Err(Refusal::Replayed));
    assert_eq!(account.throttle, failed(0, None));
}

#[test]
fn what_is_issued_is_bounded() {
    let mut account = Account::default();
    for number in 0..MOST_OPEN {
        let id = format!("client{number}");
        client::register(&mut account, unbound(&id)).unwrap();
        issue(&mut account, NewCode { client: Some(id), ..new(&format!("c{number}")) }, "77244244");
    }
    let eleventh = issued::issue(&mut account, new("c"), digits("77244244"), &KEY, NOW);
    assert!(matches!(eleventh, Err(Error::State(_))));
    for (bad, error) in [
        (NewCode { reason: "x".repeat(129), ..new("c") }, Error::Text),
        (NewCode { reason: "a\nb".to_owned(), ..new("c") }, Error::Text),
        (NewCode { service: Some("a\0".to_owned()), ..new("c") }, Error::Text),
        (NewCode { uses: 0, ..new("c") }, Error::State("a code may be given 1 to 100 times")),
        (NewCode { uses: 101, ..new("c") }, Error::State("a code may be given 1 to 100 times")),
    ] {
        let mut account = Account::default();
        let refused = issued::issue(&mut account, bad, digits("77244244"), &KEY, NOW);
        assert_eq!(refused, Err(error));
        assert!(account.issued.is_empty());
    }
    // Of what is over only the latest is told apart.
    let mut account = Account::default();
    for number in 0..30 {
        issue(&mut account, new(&format!("c{number}")), "77244244");
        assert!(open(&mut account, "77244244", NOW).is_ok());
    }
    assert!(account.issued.len() <= 11, "{}", account.issued.len());
    issued::revoke(&mut account, "c29").unwrap();
    assert!(issued::revoke(&mut account, "c29").is_err());
}

#[test]
fn the_digest_belongs_to_the_code_its_id_and_the_key() {
    let one = issued::digest(&KEY, "c", &digits("77244244"));
    for other in [
        issued::digest(&KEY, "d", &digits("77244244")),
        issued::digest(&KEY, "c", &digits("77244245")),
        issued::digest(&KEY, "c7", &digits("7244244")),
        issued::digest(&[1; 32], "c", &digits("77244244")),
    ] {
        assert_ne!(one, other);
    }
}

proptest! {
    /// Whatever is typed in whatever order, a code is accepted as often as it may be, within its
    /// time, and never otherwise.
    #[test]
    fn t20_no_order_of_events_gives_one_use_more(
        uses in 1..5_u8,
        events in proptest::collection::vec((0..3_usize, 0..9_000_000_i64), 1..40),
    ) {
        let mut account = Account::default();
        issue(&mut account, NewCode { uses, ..new("c") }, "77244244");
        let mut events = events;
        events.sort_by_key(|(_, at_ms)| *at_ms);
        let mut granted = 0;
        for (what, at_ms) in events {
            let text = ["77244244", "12345678", "nothing"][what];
            if open(&mut account, text, NOW + at_ms).is_ok() {
                prop_assert_eq!(what, 0);
                prop_assert!(at_ms < 7_200_000);
                granted += 1;
            }
        }
        prop_assert!(granted <= uses);
    }
}
