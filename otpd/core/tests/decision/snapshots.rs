//! Lives of an account that is put back to what it was: whatever was accepted before stays used,
//! and whoever has the device gets in.

use std::collections::HashSet;

use otp_core::{
    account::Account,
    code::Reply,
    consume::{Credential, Refusal, Rules, Scope, consume},
    enrolment::NewToken,
    import::{Imported, admit},
    restore::restored,
    resync::REACH,
    secret::Secret,
    token::{Factor, Rejoin, State, Token},
    totp,
    window::Windows,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::fixture::{self, NOW, PERIOD, code, hotp_token, new_token, resync_at, totp_token};

const LOOK_AHEAD: u16 = 10;

fn windows(method: &str) -> Option<Windows> {
    let (before, after) = if method == "wide" { (2, 2) } else { (1, 0) };
    Some(Windows { before, after, look_ahead: LOOK_AHEAD })
}

/// One thing that happens. Tokens, codes and backups are chosen by number, modulo what there is.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes.
    Wait(i64),
    /// A code near to where the token is.
    Code(usize, i64),
    /// The button of the counter, pressed so often for nothing.
    Press(u64),
    /// The next codes of the counter, so many of them.
    Use(u64),
    /// A code that was accepted before, and the one after it.
    Again(usize),
    /// The present code is used in another program, from which the token is imported then.
    Import(usize),
    Backup,
    Restore(usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let token = || 0..3_usize;
    let event = prop_oneof![
        4 => (0..90_000_i64).prop_map(Event::Wait),
        6 => (token(), -4..=4_i64).prop_map(|(token, distance)| Event::Code(token, distance)),
        1 => (0..3_u64).prop_map(Event::Press),
        4 => (1..4_u64).prop_map(Event::Use),
        6 => any::<usize>().prop_map(Event::Again),
        1 => token().prop_map(Event::Import),
        2 => Just(Event::Backup),
        3 => any::<usize>().prop_map(Event::Restore),
    ];
    proptest::collection::vec(event, 1..50)
}

fn copy(account: &Account) -> Account {
    let copy = |token: &Token| Token {
        id: token.id.clone(),
        label: token.label.clone(),
        method: token.method.clone(),
        secret: Secret::new(Zeroizing::new(token.secret.expose().to_vec())).unwrap(),
        state: token.state.clone(),
        share: token.share.clone(),
        ..*token
    };
    fixture::account(account.tokens.iter().map(copy))
}

struct World {
    account: Account,
    now_ms: i64,
    backups: Vec<Account>,
    /// What was accepted, here or elsewhere; then the same in order, by the number of the token.
    spent: HashSet<(String, u64)>,
    accepted: Vec<(usize, u64)>,
    /// The counter that the device shows next.
    device: u64,
}

impl World {
    fn new() -> Self {
        let account = fixture::account([
            Token { digits: 8, ..totp_token("t") },
            Token {
                digits: 8,
                method: "wide".into(),
                offset_ms: 7 * PERIOD as i64 + 11,
                ..totp_token("w")
            },
            Token { digits: 8, ..hotp_token("h", 5) },
        ]);
        let backups = vec![copy(&account)];
        let (spent, accepted) = Default::default();
        Self { account, now_ms: NOW, backups, spent, accepted, device: 5 }
    }

    fn here(&self, number: usize) -> u64 {
        let token = &self.account.tokens[number];
        match token.factor {
            Factor::Totp { t0_ms, period_ms } => {
                totp::step(self.now_ms + token.offset_ms, t0_ms, period_ms).unwrap()
            }
            Factor::Hotp | Factor::OutOfBand(_) => self.device,
        }
    }

    /// Gives the code to a login of a user who is not locked.
    fn give(&mut self, number: usize, moving: u64) -> Result<Credential, Refusal> {
        let lockout = fixture::LOCKOUT;
        let rules = Rules { windows: &windows, lockout: &lockout, ..fixture::rules() };
        let reply = Reply::Digits(code(&self.account.tokens[number], moving));
        self.account.unlock();
        let verdict = consume(Some(&mut self.account), &reply, Scope::Login, &rules, self.now_ms);
        if let Ok(Credential::Token { id, .. }) = &verdict {
            let number = self.account.tokens.iter().position(|token| token.id == *id).unwrap();
            let moving = self.account.tokens[number].next - 1;
            assert!(self.spent.insert((id.clone(), moving)), "{id} accepted {moving} twice");
            self.accepted.push((number, moving));
        }
        verdict
    }

    fn import(&mut self, number: usize) {
        let (here, token) = (self.here(number), &self.account.tokens[number]);
        let secret = Secret::new(Zeroizing::new(token.secret.expose().to_vec())).unwrap();
        let (factor, digits) = (token.factor, token.digits);
        let imported = Imported {
            token: NewToken { secret, factor, digits, ..new_token("new") },
            next: here + 1,
            offset_ms: token.offset_ms,
            state: State::Active,
        };
        self.spent.insert((token.id.clone(), here));
        self.accepted.push((number, here));
        self.device += u64::from(factor == Factor::Hotp);
        admit(&mut self.account, imported, self.now_ms).unwrap();
        assert_eq!(self.account.tokens.len(), 3);
    }

    /// Puts a backup back, unless more codes of the counter were used since than one restore skips.
    fn restore(&mut self, number: usize) {
        let mut account = copy(&self.backups[number % self.backups.len()]);
        let skipped = account.tokens[2].next + u64::from(LOOK_AHEAD);
        if self.spent.iter().all(|(id, counter)| id != "h" || *counter <= skipped) {
            restored(&mut account, &windows, false, self.now_ms);
            self.account = account;
        }
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Wait(ms) => self.now_ms += ms,
            Event::Code(number, distance) => {
                let moving = self.here(number).saturating_add_signed(distance);
                let _ = self.give(number, moving);
            }
            Event::Press(times) => self.device += times,
            Event::Use(times) => {
                for _ in 0..times {
                    let _ = self.give(2, self.device);
                    self.device += 1;
                }
            }
            Event::Again(number) if !self.accepted.is_empty() => {
                let (number, moving) = self.accepted[number % self.accepted.len()];
                for again in [moving, moving + 1] {
                    if self.spent.contains(&(self.account.tokens[number].id.clone(), again)) {
                        let _ = self.give(number, again);
                    }
                }
            }
            Event::Again(_) => {}
            Event::Import(number) => self.import(number),
            Event::Backup => self.backups.push(copy(&self.account)),
            Event::Restore(number) => self.restore(number),
        }
    }

    /// A code of the next step but what the window reached opens a login.
    fn by_time(&mut self, number: usize) {
        let reached = windows(&self.account.tokens[number].method).unwrap().after;
        self.now_ms += (i64::from(reached) + 2) * PERIOD as i64;
        let here = self.here(number);
        assert!(self.give(number, here).is_ok(), "step {here}, {:?}", self.account.tokens[number]);
    }

    /// Whoever presses on gets in: as many codes as are skipped, and two. A device that is further
    /// on than its window is found by resync, as ever.
    fn by_counter(&mut self) {
        let token = &self.account.tokens[2];
        let ahead = self.device.saturating_sub(token.next);
        if token.rejoin == Rejoin::Settled && ahead > u64::from(LOOK_AHEAD) {
            self.account.tokens.swap(0, 2);
            self.account.unlock();
            assert_eq!(resync_at(&mut self.account, self.device + 1, self.now_ms), Ok(()));
            return;
        }
        assert!(ahead < REACH, "the test presses too often");
        let most = token.next.saturating_sub(self.device) + 2;
        let mut presses = 0;
        while self.give(2, self.device).is_err() {
            (self.device, presses) = (self.device + 1, presses + 1);
            assert!(
                presses < most,
                "{presses} codes did not open it: {:?}",
                self.account.tokens[2]
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn no_restore_makes_a_used_code_good_again_and_nobody_is_shut_out(events in events()) {
        let mut world = World::new();
        events.iter().for_each(|event| world.happen(event));
        world.by_time(0);
        world.by_time(1);
        world.by_counter();
    }
}
