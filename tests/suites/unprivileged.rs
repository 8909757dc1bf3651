//! PAM applications that are not root, such as screen lockers and databases, over the system bus.

use std::time::Duration;

use harness::{
    ALICE, BOB, BusKind, Login, MODULE, World,
    otpd::{document, enrol},
    pam::code,
    process::until,
};

fn own_user_only(kind: BusKind) {
    World::run(|world| {
        world.bus(kind);
        let _otpd = world.otpd("");
        world.stack("locker", &[&format!("required {MODULE}")]);
        let (alice, bob) =
            (enrol("alice", &["--method", "hotp"]), enrol("bob", &["--method", "hotp"]));
        let mut locker = world.host_as(ALICE, &[]);
        let own = alice.code();
        let right = locker.login(Login::new("locker", "alice"), &[own.as_bytes()]);
        assert_eq!(
            (right.code(), right.transcript.as_str()),
            (code::SUCCESS, "hidden: \"Verification code: \"\n")
        );
        assert_eq!(
            locker.login(Login::new("locker", "alice"), &[own.as_bytes()]).code(),
            code::AUTH_ERR,
            "again"
        );
        for user in ["bob", "root", "carol"] {
            let other = locker.login(Login::new("locker", user), &[bob.at(0).as_bytes()]);
            assert!(
                [code::AUTH_ERR, code::AUTHINFO_UNAVAIL].contains(&other.code()),
                "{user}: {}",
                other.code()
            );
        }
        assert_eq!(document(&["user", "show", "bob"])["failures"], 0, "bob was charged");
        let mut theirs = world.host_as(BOB, &[]);
        assert_eq!(
            theirs.login(Login::new("locker", "bob"), &[bob.at(0).as_bytes()]).code(),
            code::SUCCESS
        );
        assert_eq!(locker.end(), (0, String::new()));
    });
}

#[test]
fn a_locker_verifies_its_own_user_and_nobody_else_on_dbus_daemon() {
    own_user_only(BusKind::Daemon);
}

#[test]
fn a_locker_verifies_its_own_user_and_nobody_else_on_dbus_broker() {
    own_user_only(BusKind::Broker);
}

/// The login socket is root's: a user cannot even open it.
#[test]
fn the_login_socket_is_closed_to_users() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let connect =
            "import socket; socket.socket(socket.AF_UNIX).connect('/run/otpd/login.sock')";
        let mut python = harness::process::command_as("alice", &["python3", "-c", connect]);
        let done = harness::process::run(&mut python, b"");
        assert!(done.stderr.contains("PermissionError"), "{done:?}");
    });
}

/// One who crowds the bus does not keep root's logins out.
#[test]
fn a_user_cannot_crowd_out_logins() {
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        world.stack("locker", &[&format!("required {MODULE} timeout=5")]);
        let (alice, bob) =
            (enrol("alice", &["--method", "hotp"]), enrol("bob", &["--method", "hotp"]));
        // Each would wait at its prompt; the daemon lets alice have so many and no more.
        let mut crowd: Vec<_> = (0..60).map(|_| world.host_as(ALICE, &[])).collect();
        for host in &mut crowd {
            host.begin(Login::new("locker", "alice"));
        }
        for code in bob.codes(0, 5) {
            let login = world.host().login(Login::new("locker", "bob"), &[code.as_bytes()]);
            assert_eq!(login.code(), code::SUCCESS);
            assert!(login.machine() < Duration::from_secs(1), "{:?}", login.machine());
        }
        let waiting = document(&["status"])["sessions"].as_u64().unwrap();
        assert!((1..60).contains(&waiting), "alice has {waiting} logins at their prompt");
        drop(crowd);
        until("alice's logins are forgotten", || document(&["status"])["sessions"] == 0);
        let later = world
            .host_as(ALICE, &[])
            .login(Login::new("locker", "alice"), &[alice.code().as_bytes()]);
        assert_eq!(later.code(), code::SUCCESS);
    });
}
