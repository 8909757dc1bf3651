//! Many at once: one message for one user, and nobody waits for another's gateway.

use std::time::{Duration, Instant};

use harness::{
    Counterpart, Login, MODULE, World, counterparts::gateway::Behaviour, crowd, otpd::enrol,
    pam::code, settings::rounds,
};

use super::{DIGITS, MASKED_NUMBER, NUMBER, enrolling, log_in, reach};

/// However many logins of one user ask at the same time, one message goes out, and its code lets
/// one of them in.
#[test]
fn many_prompts_at_once_are_one_message() {
    let logins = rounds(30, 500);
    World::run_alone(|world| {
        let gateway = world.gateway();
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE} timeout=30")]);
        reach("alice", &[&format!("mobile={NUMBER}")]);
        let mut hosts: Vec<_> = (0..logins).map(|_| world.host()).collect();
        for host in &mut hosts {
            host.begin(Login::new("login", "alice"));
        }
        for host in &mut hosts {
            let prompt = host.prompt();
            assert!(prompt.contains(&format!("Code sent to {MASKED_NUMBER}")), "{prompt}");
        }
        gateway.stays_at(1);
        let right = gateway.await_message(1).code(DIGITS);
        let mut granted = 0;
        for host in &mut hosts[..3] {
            granted += usize::from(host.answer(right.as_bytes()).code() == code::SUCCESS);
        }
        assert_eq!(granted, 1, "one code, one login");
    });
}

/// A gateway that says nothing: every other login gets its prompt, and whoever needs no message
/// gets in, before it has said anything.
#[test]
fn nobody_waits_for_a_gateway() {
    const LOGINS: usize = 20;
    World::run(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Hang);
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE} timeout=30")]);
        let app = enrol("bob", &["--method", "hotp"]);
        for n in 0..LOGINS {
            reach(&crowd(n), &[&format!("mobile=+4917012345{n:02}")]);
        }
        let mut hosts: Vec<_> = (0..LOGINS).map(|_| world.host()).collect();
        for (n, host) in hosts.iter_mut().enumerate() {
            host.begin(Login::new("login", &crowd(n)));
        }
        for host in &mut hosts {
            assert!(host.prompt().contains("Code sent to"));
        }
        let granted = log_in(&mut world.host(), Login::new("login", "bob"), |_| app.code());
        assert_eq!(granted.code(), code::SUCCESS);
        // None of the messages has come to an end: each is still with the gateway.
        harness::process::until("every message is with the gateway", || gateway.open() >= LOGINS);
        assert_eq!(gateway.messages().len(), LOGINS);
    });
}

/// With a gateway that takes 2 s, everybody gets in with the code that comes, and libpam is never
/// kept for as long as that.
#[test]
fn a_slow_gateway_keeps_nobody() {
    const PAUSE: Duration = Duration::from_secs(2);
    const USERS: usize = 250;
    let (logins, at_once) = (rounds(20, 1000), rounds(20, 50));
    World::run_alone(|world| {
        let gateway = world.gateway();
        gateway.behave(Behaviour::Late(PAUSE));
        let _otpd = world.otpd(&(gateway.provider("main") + &enrolling(&["sms"])));
        world.stack("login", &[&format!("required {MODULE} timeout=30")]);
        let number = |n: usize| format!("+491701234{:03}", n % USERS);
        for n in 0..logins.min(USERS) {
            reach(&crowd(n), &[&format!("mobile={}", number(n))]);
        }
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        for group in (0..logins).collect::<Vec<_>>().chunks(at_once) {
            let mut hosts: Vec<_> = group.iter().map(|_| world.host()).collect();
            for (n, host) in group.iter().zip(&mut hosts) {
                host.begin(Login::new("login", &crowd(n % USERS)));
            }
            for host in &mut hosts {
                assert!(host.prompt().contains("Code sent to"));
            }
            for (n, host) in group.iter().zip(&mut hosts) {
                let mut right = None;
                harness::process::until("the message", || {
                    let messages = gateway.messages().into_iter();
                    right = messages.filter(|message| message.to == number(*n)).nth(n / USERS);
                    right.is_some()
                });
                let ended = host.answer(right.unwrap().code(DIGITS).as_bytes());
                assert_eq!(ended.code(), code::SUCCESS, "{n}");
                assert!(ended.machine() < PAUSE, "libpam was kept for {:?}", ended.machine());
                longest = longest.max(ended.machine());
            }
        }
        println!("{logins} logins in {:?}, in libpam at most {longest:?}", begun.elapsed());
    });
}
