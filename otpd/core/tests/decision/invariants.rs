//! What holds whatever happens in whatever order: random lives of an account under a clock that
//! jumps, each step compared with what must come of it.

use std::collections::{HashMap, HashSet};

use otp_core::{
    account::Account,
    code::Reply,
    consume::{Credential, Refusal, Rules, Scope, consume},
    enrolment::{self, NewToken},
    issued::Terms,
    recovery::{self, RecoveryCode},
    resync::resync,
    throttle::{Lockout, Throttle},
    token::{Algorithm, Factor, Standing, State, Token},
    totp,
    window::Windows,
};
use proptest::prelude::*;

use crate::fixture::{
    KEY, NOW, YEAR, code, hotp_token, secret, totp_token, windows, with_recovery,
};

const LOCKOUT: Lockout =
    Lockout { after: 3, first_ms: 1_000, longest_ms: 20_000, disable_after: 8 };

/// One thing that happens. Tokens and codes are chosen by number, modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    /// The clock moves, forwards or backwards.
    Clock(i64),
    /// A code of a token, so many steps or counters from where the token is.
    Code(usize, i64),
    /// A code that was accepted before.
    Again(usize),
    /// Some bytes.
    Bytes(Vec<u8>),
    Recovery(usize),
    Resync(usize, i64),
    Confirm(usize, i64),
    Disable(usize, Option<i64>),
    Enable(usize),
    Revoke(usize),
    Begin(Option<i64>),
    Unlock,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let near = || prop_oneof![4 => Just(0_i64), 2 => -3..=3_i64, 1 => -14..=14_i64];
    let jump = prop_oneof![
        6 => -100_000..=200_000_i64,
        1 => -10 * YEAR..=10 * YEAR,
        1 => Just(-10 * YEAR),
        1 => Just(10 * YEAR),
    ];
    let token = 0..8_usize;
    let event = prop_oneof![
        6 => jump.prop_map(Event::Clock),
        12 => (token.clone(), near()).prop_map(|(token, distance)| Event::Code(token, distance)),
        6 => any::<usize>().prop_map(Event::Again),
        2 => "[0-9]{4,8}".prop_map(|text| Event::Bytes(text.into_bytes())),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Event::Bytes),
        2 => (0..12_usize).prop_map(Event::Recovery),
        1 => (token.clone(), -110..=110_i64).prop_map(|(token, d)| Event::Resync(token, d)),
        2 => (token.clone(), near()).prop_map(|(token, distance)| Event::Confirm(token, distance)),
        1 => (token.clone(), proptest::option::of(-1_000..=100_000_i64))
            .prop_map(|(token, until)| Event::Disable(token, until)),
        2 => token.clone().prop_map(Event::Enable),
        1 => token.prop_map(Event::Revoke),
        1 => proptest::option::of(-1_000..=100_000_i64).prop_map(Event::Begin),
        1 => Just(Event::Unlock),
    ];
    proptest::collection::vec(event, 1..60)
}

/// The account, and beside it what must be true of it.
struct World {
    account: Account,
    now_ms: i64,
    failures: u32,
    spent: HashSet<(String, u64)>,
    accepted: Vec<Vec<u8>>,
    codes: Vec<RecoveryCode>,
    codes_used: HashSet<String>,
    begun: usize,
}

impl World {
    fn new() -> Self {
        let odd = Factor::Totp { t0_ms: NOW - YEAR + 7, period_ms: 10_007 };
        let mut account = crate::fixture::account([
            totp_token("t1"),
            hotp_token("h1", 5),
            Token { factor: odd, algorithm: Algorithm::Sha512, digits: 4, ..totp_token("t2") },
            Token { state: State::Pending { until_ms: NOW + 60_000 }, ..totp_token("t3") },
            Token { method: "elsewhere".to_owned(), ..totp_token("t4") },
            Token { expires_ms: Some(NOW + 100_000), digits: 8, ..hotp_token("h2", 0) },
        ]);
        let codes = with_recovery(&mut account);
        Self {
            account,
            now_ms: NOW,
            failures: 0,
            spent: HashSet::new(),
            accepted: Vec::new(),
            codes,
            codes_used: HashSet::new(),
            begun: 0,
        }
    }

    fn token(&self, number: usize) -> Option<&Token> {
        self.account.tokens.get(number % self.account.tokens.len().max(1))
    }

    fn id(&self, number: usize) -> String {
        self.token(number).map_or_else(String::new, |token| token.id.clone())
    }

    /// The step or counter so far from where the token is now.
    fn place(&self, token: &Token, distance: i64) -> u64 {
        let here = match token.factor {
            Factor::Hotp | Factor::OutOfBand(_) => token.next,
            Factor::Totp { t0_ms, period_ms } => {
                totp::step(self.now_ms + token.offset_ms, t0_ms, period_ms).unwrap_or(0)
            }
        };
        here.saturating_add_signed(distance)
    }

    fn typed(&self, number: usize, distance: i64) -> Vec<u8> {
        let token = self.token(number);
        token.map_or_else(Vec::new, |t| code(t, self.place(t, distance)).expose().to_vec())
    }

    fn rules() -> Rules<'static> {
        Rules {
            lockout: &LOCKOUT,
            windows: &windows,
            recovery_key: &KEY,
            recovery: true,
            service: "sshd",
            issued: Terms::default(),
        }
    }

    fn locked(&self) -> bool {
        let Throttle { failures, locked_until_ms } = self.account.throttle;
        failures >= LOCKOUT.disable_after || locked_until_ms.is_some_and(|end| end > self.now_ms)
    }

    fn watermarks(&self) -> HashMap<String, u64> {
        self.account.tokens.iter().map(|token| (token.id.clone(), token.next)).collect()
    }

    fn standings(&self) -> HashMap<String, Standing> {
        let standing = |token: &Token| (token.id.clone(), token.standing(self.now_ms));
        self.account.tokens.iter().map(standing).collect()
    }

    /// A step or counter was accepted: never before.
    fn spend(&mut self, id: &str, moving: u64) {
        assert!(self.spent.insert((id.to_owned(), moving)), "{id} accepted {moving} twice");
    }

    fn happen(&mut self, event: &Event) {
        let before = self.watermarks();
        match event {
            Event::Clock(by_ms) => self.now_ms = (self.now_ms + by_ms).clamp(-NOW, 4 * NOW),
            Event::Code(number, distance) => {
                let typed = self.typed(*number, *distance);
                self.present(&typed, None);
            }
            Event::Again(number) if self.accepted.is_empty() => {
                self.present(number.to_string().as_bytes(), None);
            }
            Event::Again(number) => {
                let typed = self.accepted[number % self.accepted.len()].clone();
                self.present(&typed, None);
            }
            Event::Bytes(bytes) => self.present(bytes, None),
            Event::Recovery(number) => {
                let unknown = "0000-0000-0000-0000".to_owned();
                let code = self.codes.get(*number);
                let typed = code.map_or(unknown, |code| code.grouped().to_string());
                self.present(typed.as_bytes(), None);
            }
            Event::Confirm(number, distance) => {
                let (id, typed) = (self.id(*number), self.typed(*number, *distance));
                self.present(&typed, Some(&id));
            }
            Event::Resync(number, distance) => self.resync(*number, *distance),
            Event::Disable(number, until_ms) => {
                let (id, until_ms) = (self.id(*number), until_ms.map(|by| self.now_ms + by));
                let _ = enrolment::disable(&mut self.account, &id, until_ms, "lost");
            }
            Event::Enable(number) => {
                let id = self.id(*number);
                let _ = enrolment::enable(&mut self.account, &id);
            }
            Event::Revoke(number) if self.account.tokens.len() > 3 => {
                let id = self.id(*number);
                enrolment::revoke(&mut self.account, &id).unwrap();
            }
            Event::Revoke(_) => {}
            Event::Begin(pending_ms) => self.begin(*pending_ms),
            Event::Unlock => {
                self.account.throttle.clear();
                self.failures = 0;
            }
        }
        for (id, next) in self.watermarks() {
            assert!(before.get(&id).is_none_or(|before| next >= *before), "{id} fell to {next}");
        }
        assert_eq!(self.account.throttle.failures, self.failures, "after {event:?}");
    }

    /// Gives a reply to a login, or to the confirmation of a token.
    fn present(&mut self, typed: &[u8], confirmed: Option<&str>) {
        let reply = Reply::parse(typed);
        let (locked, enrolled) = (self.locked(), self.account.enrolled());
        let (before, standings) = (self.watermarks(), self.standings());
        let (throttle, kept) = (self.account.throttle, self.account.recovery.len());
        let length = match &reply {
            Reply::Digits(digits) => Some(digits.len()),
            Reply::Recovery(_) | Reply::Malformed => None,
        };
        let mut confirmed_tokens = self.account.tokens.iter().filter(|token| token.confirmed());
        let a_length_of_theirs = confirmed_tokens.any(|token| Some(token.digits) == length);
        let recovers = match length {
            Some(digits) => digits == 8 && kept > 0,
            None => matches!(reply, Reply::Recovery(_)),
        };
        let evaluated = enrolled && !locked && (a_length_of_theirs || recovers);

        let scope = confirmed.map_or(Scope::Login, Scope::Token);
        let verdict = consume(Some(&mut self.account), &reply, scope, &Self::rules(), self.now_ms);

        let moved = |token: &&Token| before.get(&token.id) != Some(&token.next);
        let moved: Vec<_> = self.account.tokens.iter().filter(moved).collect();
        let ends_in_time = |end_ms| end_ms <= self.now_ms.saturating_add(20_000);
        assert!(self.account.throttle.locked_until_ms.is_none_or(ends_in_time));
        match verdict {
            Ok(Credential::Token { id, .. }) => {
                assert_eq!(moved.len(), 1);
                let (token, moving) = (moved[0], moved[0].next - 1);
                assert!(!locked, "a locked account consumed {id}");
                assert_eq!(token.id, id);
                assert_eq!(reply, Reply::Digits(code(token, moving)));
                assert!(moving >= before[&id] && self.in_window(token, moving, before[&id]));
                assert_ne!(token.method, "elsewhere");
                let expected = confirmed.map_or(Standing::Active, |_| Standing::Pending);
                assert_eq!(standings[&id], expected, "{id} was not usable");
                assert!(confirmed.is_none_or(|only| only == id));
                if confirmed.is_none() {
                    self.failures = 0;
                    assert_eq!(self.account.throttle, Throttle::default());
                } else {
                    assert_eq!(self.account.throttle, throttle);
                }
                self.spend(&id, moving);
                self.accepted.push(typed.to_vec());
            }
            Ok(Credential::Issued { id, .. }) => panic!("nobody issued {id}"),
            Ok(Credential::Recovery { left }) => {
                assert!(moved.is_empty() && confirmed.is_none() && enrolled);
                assert_eq!((left, self.account.recovery.len()), (kept - 1, kept - 1));
                let text = String::from_utf8(typed.to_vec()).unwrap();
                assert!(self.codes.iter().any(|code| *code.grouped() == text));
                assert!(self.codes_used.insert(text), "a recovery code was accepted twice");
                assert_eq!(self.account.throttle, Throttle::default());
                self.failures = 0;
            }
            Err(refusal) => {
                assert!(moved.is_empty(), "{refusal:?} consumed a code");
                assert_eq!(self.account.recovery.len(), kept);
                let charged = match confirmed {
                    None => evaluated,
                    Some(_) => matches!(refusal, Refusal::Wrong | Refusal::Replayed),
                };
                assert!(!(charged && locked));
                self.failures += u32::from(charged);
                assert!(!locked || matches!(refusal, Refusal::Locked | Refusal::Unenrolled));
            }
        }
    }

    /// Whether the default window of the token contained this step or counter.
    fn in_window(&self, token: &Token, moving: u64, next: u64) -> bool {
        match token.factor {
            Factor::Hotp => moving <= next + 10,
            Factor::OutOfBand(_) => false,
            Factor::Totp { .. } => {
                let here = self.place(token, 0);
                moving == here || moving + 1 == here
            }
        }
    }

    fn resync(&mut self, number: usize, distance: i64) {
        let Some(token) = self.token(number) else { return };
        let (id, before, locked) = (token.id.clone(), token.next, self.locked());
        let usable = token.standing(self.now_ms) == Standing::Active && token.method != "elsewhere";
        let second = self.place(token, distance).max(1);
        let (one, two) = (code(token, second - 1), code(token, second));
        let verdict = resync(&mut self.account, &id, &one, &two, &Self::rules(), self.now_ms);
        match verdict {
            Ok(()) => {
                let token = self.token(number).unwrap();
                let (next, offset_ms) = (token.next, token.offset_ms);
                assert!(usable && !locked && next >= before + 2);
                assert!(offset_ms.abs() <= 101 * 30_000);
                assert_eq!((code(token, next - 2), code(token, next - 1)), (one, two));
                if matches!(token.factor, Factor::Totp { .. }) {
                    assert_eq!(self.place(token, 0), next - 1, "the watermark is ahead");
                }
                self.spend(&id, next - 2);
                self.spend(&id, next - 1);
            }
            Err(Refusal::Wrong) => {
                assert!(usable && !locked);
                self.failures += 1;
            }
            Err(refusal) => assert!(!usable || locked, "{refusal:?}"),
        }
    }

    fn begin(&mut self, pending_ms: Option<i64>) {
        self.begun += 1;
        let new = NewToken {
            id: format!("n{}", self.begun),
            label: String::new(),
            method: "totp".to_owned(),
            factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
            algorithm: Algorithm::Sha256,
            digits: 6,
            secret: secret(&format!("the new secret {:>6}", self.begun)),
            pending_until_ms: pending_ms.map(|by| self.now_ms + by),
            share: false,
            expires_ms: None,
        };
        let _ = enrolment::begin(&mut self.account, new, self.now_ms);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A step or counter of a token succeeds at most once, as does a recovery code; failures are
    /// counted, each once; a locked account consumes no code; a token that is disabled, expired,
    /// pending or of another method never succeeds; watermarks never fall; locks end in time.
    #[test]
    fn no_order_of_events_breaks_a_rule(events in events()) {
        let mut world = World::new();
        events.iter().for_each(|event| world.happen(event));
    }

    /// Numbers and bytes that no store and no configuration should contain break nothing either.
    #[test]
    fn no_numbers_and_no_bytes_panic(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..520),
            "[0-9]{4,8}".prop_map(String::into_bytes),
            "[0-9A-Z]{16}".prop_map(String::into_bytes),
        ],
        now_ms: i64, t0_ms: i64, period_ms: u64, offset_ms: i64, next: u64,
        digits: u8, until_ms: Option<i64>, expires_ms: Option<i64>, is_hotp: bool,
        windows: (u8, u8, u16), lockout: (u32, u64, u64, u32), throttle: (u32, Option<i64>),
    ) {
        let factor = if is_hotp { Factor::Hotp } else { Factor::Totp { t0_ms, period_ms } };
        let state = until_ms.map_or(State::Active, |until_ms| State::Pending { until_ms });
        let token =
            Token { factor, offset_ms, next, digits, state, expires_ms, ..totp_token("t") };
        let mut account = crate::fixture::account([totp_token("u"), token]);
        account.throttle = Throttle { failures: throttle.0, locked_until_ms: throttle.1 };
        let (before, after, look_ahead) = windows;
        let windows = |_: &str| Some(Windows { before, after, look_ahead });
        let (lock_after, first_ms, longest_ms, disable_after) = lockout;
        let lockout = Lockout { after: lock_after, first_ms, longest_ms, disable_after };
        let rules =
            Rules { lockout: &lockout, windows: &windows, recovery_key: &KEY, recovery: true, service: "sshd", issued: Terms::default() };
        let reply = Reply::parse(&bytes);
        for scope in [Scope::Login, Scope::Token("t")] {
            let verdict = consume(Some(&mut account), &reply, scope, &rules, now_ms);
            let nobody = consume(None, &reply, scope, &rules, now_ms);
            prop_assert_eq!(nobody, Err(Refusal::Unenrolled));
            prop_assert!(verdict.is_err() || account.tokens.iter().any(|token| token.next > 0));
        }
        account.throttle.clear();
        let (one, two) = (code(&account.tokens[1], next), code(&account.tokens[1], next.wrapping_add(1)));
        let _ = resync(&mut account, "t", &one, &two, &rules, now_ms);
        prop_assert!(account.tokens[1].next >= next);
        prop_assert_eq!(account.recovery.len(), 0);
        let _ = recovery::issue(&[digits; 100], &KEY);
    }
}
