//! Invariant: a refusal takes the same time, whatever its reason.

use std::time::Duration;

use harness::{Host, Login, MODULE, Token, World, otpd::enrol, pam::code, settings::rounds};

/// How far apart the medians may be; half of the time where that is more, for programs that are not
/// optimised.
const NOISE: Duration = Duration::from_millis(1);

fn refused(host: &mut Host, user: &str, reply: &str) -> Duration {
    let outcome = host.login(Login::new("login", user), &[reply.as_bytes()]);
    assert_eq!((outcome.code(), outcome.prompts), (code::AUTH_ERR, 1), "{user}");
    outcome.machine()
}

/// Wrong, locked, unenrolled, unknown and malformed, taken in turn so that what else the machine
/// does falls on all of them.
#[test]
fn the_reason_of_a_refusal_cannot_be_timed() {
    let samples = rounds(150, 1000);
    World::run_alone(|world| {
        let _otpd = world.otpd("[lockout]\nafter = 100\ndisable_after = 1000\nlongest = \"1h\"\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let open: Token = enrol("alice", &["--method", "hotp"]);
        let shut: Token = enrol("bob", &["--method", "hotp"]);
        let (open, shut) = (open.wrong(), shut.wrong());
        let mut host = world.host();
        for _ in 0..100 {
            refused(&mut host, "bob", &shut);
        }
        let cases = [
            ("wrong", "alice", open.as_str()),
            ("locked", "bob", &shut),
            ("unenrolled", "user001", &open),
            ("unknown", "carol", &open),
        ];
        let mut taken: [Vec<Duration>; 4] = Default::default();
        for round in 0..samples {
            if round % 50 == 49 {
                harness::otpd::otpctl_with(&["user", "unlock", "alice"], b"").ok();
            }
            for (times, (_, user, reply)) in taken.iter_mut().zip(cases) {
                times.push(refused(&mut host, user, reply));
            }
        }
        let medians = taken.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        assert!(
            *most - *least < NOISE.max(*least / 2),
            "medians: {:?}",
            cases.iter().map(|case| case.0).zip(medians).collect::<Vec<_>>()
        );
    });
}
