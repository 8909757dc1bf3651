//! The daemon dies, and what it said stays true.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use harness::{
    Login, MODULE, Token, World, crowd,
    otpd::{Start, document, enrol, otpctl_with},
    pam::code,
    settings::rounds,
};

/// Users who log in without a pause.
const BUSY: usize = 4;
/// How long the daemon may take to be there again.
const BACK: Duration = Duration::from_secs(2);
/// Wrong codes that are told while the daemon keeps dying; below the limit that ends in a lock.
const GUESSES: usize = 80;

/// Ends the load when the test ends, even by a failure.
struct EndOfLoad<'a>(&'a AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Logs in with one code after the other; goes on to the next one when a code was answered, whatever
/// the answer. Returns the codes that were accepted, as counters.
fn keep_busy(world: &World, user: &str, token: &Token, stop: &AtomicBool) -> Vec<u64> {
    let (mut host, mut accepted) = (world.host(), Vec::new());
    while !stop.load(Ordering::SeqCst) {
        let counter = token.spent();
        let code = token.code();
        loop {
            match host.login(Login::new("login", user), &[code.as_bytes()]).code() {
                code::SUCCESS => accepted.push(counter),
                // The daemon died after it had used the code up and before it could say so.
                code::AUTH_ERR => (),
                // It was not there: the same code again.
                code::AUTHINFO_UNAVAIL if !stop.load(Ordering::SeqCst) => continue,
                code::AUTHINFO_UNAVAIL => (),
                other => panic!("{user}: PAM code {other}"),
            }
            break;
        }
    }
    accepted
}

/// Guesses wrongly; counts the guesses that were told to be wrong.
fn keep_guessing(world: &World, wrong: &str, told: &AtomicUsize, stop: &AtomicBool) {
    let mut host = world.host();
    while !stop.load(Ordering::SeqCst) && told.load(Ordering::SeqCst) < GUESSES {
        match host.login(Login::new("login", "bob"), &[wrong.as_bytes()]).code() {
            code::AUTH_ERR => told.fetch_add(1, Ordering::SeqCst),
            code::AUTHINFO_UNAVAIL => 0,
            other => panic!("a wrong code: PAM code {other}"),
        };
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_under_load_it_accepts_nothing_twice_and_loses_no_failure() {
    let kills = rounds(15, 500);
    World::run_alone(|world| {
        let mut otpd = world.otpd("[lockout]\nafter = 100\ndisable_after = 1000\n");
        world.stack("login", &[&format!("required {MODULE} timeout=5")]);
        let tokens: Vec<_> = (0..BUSY).map(|n| enrol(&crowd(n), &["--method", "hotp"])).collect();
        let wrong = enrol("bob", &["--method", "hotp"]).wrong();
        let (stop, told) = (AtomicBool::new(false), AtomicUsize::new(0));
        let accepted: Vec<(Token, Vec<u64>)> = thread::scope(|scope| {
            let end = EndOfLoad(&stop);
            scope.spawn(|| keep_guessing(world, &wrong, &told, &stop));
            let busy: Vec<_> = tokens
                .into_iter()
                .enumerate()
                .map(|(n, token)| {
                    let stop = &stop;
                    scope.spawn(move || {
                        let accepted = keep_busy(world, &crowd(n), &token, stop);
                        (token, accepted)
                    })
                })
                .collect();
            let mut moment: u64 = 0x9E37_79B9_7F4A_7C15;
            for kill in 0..kills {
                moment ^= moment << 13;
                moment ^= moment >> 7;
                moment ^= moment << 17;
                thread::sleep(Duration::from_micros(moment % 120_000));
                otpd.kill();
                let took = otpd.restart();
                assert!(took < BACK, "kill {kill}: back after {took:?}");
            }
            drop(end);
            busy.into_iter().map(|busy| busy.join().unwrap()).collect()
        });
        let mut host = world.host();
        for (n, (token, accepted)) in accepted.iter().enumerate() {
            assert!(accepted.len() > 2, "user {n} logged in {} times only", accepted.len());
            let last = accepted.last().unwrap();
            for counter in last.saturating_sub(3)..=*last {
                let again =
                    host.login(Login::new("login", &crowd(n)), &[token.at(counter).as_bytes()]);
                assert_eq!(
                    again.code(),
                    code::AUTH_ERR,
                    "user {n}, code {counter} of {accepted:?} again"
                );
            }
            let next = host.login(Login::new("login", &crowd(n)), &[token.code().as_bytes()]);
            assert_eq!(next.code(), code::SUCCESS, "user {n}: the code after the last");
        }
        let (failures, told) = (
            document(&["user", "show", "bob"])["failures"].as_u64().unwrap(),
            told.into_inner() as u64,
        );
        assert!(failures >= told, "{told} wrong codes were told, {failures} are on record");
        assert!(told > 0, "nobody guessed");
    });
}

/// With socket activation a login that comes while the daemon is away waits for it.
#[test]
fn a_login_waits_for_a_restart() {
    World::run(|world| {
        let mut otpd = world.otpd_as("", Start::Activated);
        world.stack("login", &[&format!("required {MODULE} timeout=10")]);
        let token = enrol("alice", &["--method", "hotp"]);
        otpd.stop();
        let code = token.code();
        let outcome = thread::scope(|scope| {
            let login = scope
                .spawn(|| world.host().login(Login::new("login", "alice"), &[code.as_bytes()]));
            thread::sleep(Duration::from_millis(300));
            otpd.restart();
            login.join().unwrap()
        });
        assert_eq!(outcome.code(), code::SUCCESS);
    });
}

/// The daemon dies while people are at the prompt: they are refused, and nothing is used up.
#[test]
fn a_login_at_its_prompt_does_not_survive_the_daemon() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE} timeout=3")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let code = token.code();
        let mut host = world.host();
        host.wait_at_prompt(Login::new("login", "alice"));
        otpd.kill();
        otpd.restart();
        assert_eq!(host.answer(code.as_bytes()).code(), code::AUTHINFO_UNAVAIL);
        assert_eq!(
            host.login(Login::new("login", "alice"), &[code.as_bytes()]).code(),
            code::SUCCESS
        );
    });
}

/// Frozen after the prompt: the deadline counts on where it was left.
#[test]
fn frozen_at_the_prompt_the_login_ends_in_time() {
    World::run(|world| {
        let otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE} timeout=2")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        host.wait_at_prompt(Login::new("login", "alice"));
        otpd.freeze();
        let outcome = host.answer(token.code().as_bytes());
        assert_eq!(outcome.code(), code::AUTHINFO_UNAVAIL);
        assert!(outcome.machine() < Duration::from_secs(3), "{:?}", outcome.machine());
    });
}

/// SIGTERM lets those finish who have answered.
#[test]
fn a_restart_loop_admits_nobody_wrongly() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE} timeout=5")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        for _ in 0..rounds(5, 100) {
            otpd.stop();
            assert_eq!(
                host.login(Login::new("login", "alice"), &[b"123456"]).code(),
                code::AUTHINFO_UNAVAIL
            );
            otpd.restart();
            let code = token.code();
            assert_eq!(
                host.login(Login::new("login", "alice"), &[code.as_bytes()]).code(),
                code::SUCCESS
            );
            assert_eq!(
                host.login(Login::new("login", "alice"), &[code.as_bytes()]).code(),
                code::AUTH_ERR
            );
        }
        otpctl_with(&["status"], b"").ok();
    });
}
