//! Many at the same moment: a code is good for one of them, and nobody is refused for the crowd.

use harness::{
    BusKind, Login, MODULE, World, crowd,
    otpd::{enrol, otpctl_with},
    pam::code,
    settings::rounds,
};

/// Processes that have the same right code.
const RIVALS: usize = 64;
/// Users who log in at the same moment.
const USERS: usize = 32;

/// Half of the rivals come over the login socket, half over the bus.
fn one_code_is_good_once(kind: BusKind, rounds: usize) {
    World::run_alone(|world| {
        world.bus(kind);
        let _otpd = world.otpd("");
        world.stack("direct", &[&format!("required {MODULE}")]);
        world.stack("bus", &[&format!("required {MODULE} bus=system")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        for (round, code) in token.codes(0, rounds).into_iter().enumerate() {
            let rivals = (0..RIVALS).map(|n| {
                (Login::new(if n % 2 == 0 { "direct" } else { "bus" }, "alice"), code.clone())
            });
            let codes = host.race(rivals.collect());
            let admitted = codes.iter().filter(|code| **code == code::SUCCESS).count();
            assert_eq!(admitted, 1, "round {round}: {codes:?}");
            let refused = codes.iter().filter(|code| **code == code::AUTH_ERR).count();
            assert_eq!(refused, RIVALS - 1, "round {round}: {codes:?}");
            // The refused ones were charged as replays and have locked alice.
            otpctl_with(&["user", "unlock", "alice"], b"").ok();
        }
    });
}

#[test]
fn one_code_is_good_once_with_dbus_daemon() {
    one_code_is_good_once(BusKind::Daemon, rounds(20, 1000));
}

#[test]
fn one_code_is_good_once_with_dbus_broker() {
    one_code_is_good_once(BusKind::Broker, rounds(5, 200));
}

#[test]
fn everyone_with_a_right_code_is_admitted() {
    let rounds = rounds(5, 100);
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let users: Vec<_> = (0..USERS).map(crowd).collect();
        let codes: Vec<_> =
            users.iter().map(|user| enrol(user, &["--method", "hotp"]).codes(0, rounds)).collect();
        let mut host = world.host();
        for round in 0..rounds {
            let logins = users
                .iter()
                .zip(&codes)
                .map(|(user, codes)| (Login::new("login", user), codes[round].clone()));
            let outcomes = host.race(logins.collect());
            assert!(
                outcomes.iter().all(|code| *code == code::SUCCESS),
                "round {round}: {outcomes:?}"
            );
        }
    });
}

/// The same user on many hosts at once, each with a code of their own: none is lost to the others.
#[test]
fn consecutive_codes_of_one_user_end_in_order() {
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let logins = token.codes(0, 4).into_iter().map(|code| (Login::new("login", "alice"), code));
        let outcomes = host.race(logins.collect());
        assert!(outcomes.contains(&code::SUCCESS), "{outcomes:?}");
        // Whatever the order was, no code of the race works again and the one after it does.
        for code in token.codes(0, 4) {
            assert_eq!(
                host.login(Login::new("login", "alice"), &[code.as_bytes()]).code(),
                code::AUTH_ERR
            );
        }
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        assert_eq!(
            host.login(Login::new("login", "alice"), &[token.at(4).as_bytes()]).code(),
            code::SUCCESS
        );
    });
}
