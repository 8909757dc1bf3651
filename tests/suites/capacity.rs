//! Many who wait, and many in one process.

use std::time::Duration;

use harness::{
    Login, MODULE, World, crowd,
    otpd::{enrol, items, otpctl_with},
    pam::code,
    process::status,
};

/// More than the system bus lets one user have (256).
const WAITING: usize = 400;
/// Of that many users.
const USERS: usize = 40;

#[test]
fn the_next_one_is_answered_while_400_wait_and_each_can_finish() {
    World::run_alone(|world| {
        let otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE} timeout=30")]);
        let tokens: Vec<_> = (0..USERS).map(|n| enrol(&crowd(n), &["--method", "hotp"])).collect();
        let late = enrol("bob", &["--method", "hotp"]);
        let mut waiting: Vec<_> = (0..WAITING)
            .map(|n| {
                let mut host = world.host();
                let prompt = host.wait_at_prompt(Login::new("login", &crowd(n % USERS)));
                assert_eq!(prompt, "hidden: \"Verification code: \"\n");
                host
            })
            .collect();
        let next = world.host().login(Login::new("login", "bob"), &[late.code().as_bytes()]);
        assert_eq!(next.code(), code::SUCCESS);
        assert!(
            next.machine() < Duration::from_secs(1),
            "the next one waited {:?}",
            next.machine()
        );
        assert!(status(otpd.pid()).contains_key("State"));
        for (n, host) in waiting.iter_mut().enumerate() {
            let code = tokens[n % USERS].at((n / USERS) as u64);
            assert_eq!(
                host.answer(code.as_bytes()).code(),
                code::SUCCESS,
                "login {n} of {WAITING}"
            );
        }
    });
}

#[test]
fn two_hundred_logins_leave_nothing_in_their_process() {
    const WARM: usize = 20;
    const LOGINS: usize = 200;
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        world.stack("direct", &[&format!("required {MODULE}")]);
        world.stack("bus", &[&format!("required {MODULE} bus=system")]);
        let token = enrol("alice", &["--method", "hotp"]);
        for service in ["direct", "bus"] {
            let mut host = world.host();
            let mut before = (0, 0, 0);
            for (n, code) in token.codes(token.spent(), WARM + LOGINS).iter().enumerate() {
                assert_eq!(
                    host.login(Login::new(service, "alice"), &[code.as_bytes()]).code(),
                    code::SUCCESS
                );
                if n + 1 == WARM {
                    before = host.footprint();
                }
            }
            token.skip_to((WARM + LOGINS) as u64);
            let after = host.footprint();
            assert_eq!(after.0, 1, "{service}: threads");
            assert_eq!(after.1, before.1, "{service}: file descriptors");
            assert!(after.2 < before.2 + 1024, "{service}: {} KiB became {}", before.2, after.2);
        }
    });
}

/// Someone who only ever knocks: each login is begun and left at its prompt.
#[test]
fn logins_that_are_given_up_are_forgotten() {
    World::run(|world| {
        let otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let before = harness::process::descriptors(otpd.pid());
        for _ in 0..50 {
            let mut host = world.host();
            host.wait_at_prompt(Login::new("login", "alice"));
        }
        harness::process::until("the daemon lets go", || {
            harness::process::descriptors(otpd.pid()) <= before
        });
        assert_eq!(
            world.host().login(Login::new("login", "alice"), &[token.code().as_bytes()]).code(),
            code::SUCCESS
        );
        assert_eq!(items(&["user", "list"])[0]["failures"], 0);
        otpctl_with(&["status"], b"").ok();
    });
}
