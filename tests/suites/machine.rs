//! The private machine itself, with the distribution's own PAM modules.

use std::fs;

use harness::{
    ALICE, BusKind, Login, PASSWORD, World,
    bus::Silent,
    otpd,
    pam::code,
    process::{command, command_as, run},
    sshd::Methods,
    terminal::sit,
};

const UNIX: &str = "required pam_unix.so nodelay";

#[test]
fn libpam_runs_a_stack_and_its_messages_are_seen() {
    World::run(|world| {
        world.stack("login", &[UNIX]);
        let mut host = world.host();
        let right = host.login(Login::new("login", "alice"), &[PASSWORD.as_bytes()]);
        assert_eq!(
            (right.code(), right.transcript.as_str()),
            (code::SUCCESS, "hidden: \"Password: \"\n")
        );
        let wrong = host.login(Login::new("login", "alice"), &[b"wrong"]);
        assert_eq!(wrong.code(), code::AUTH_ERR);
        world.log().expect("authentication failure");
        assert_eq!(host.end(), (0, String::new()));
    });
}

#[test]
fn nothing_of_the_machine_is_seen_outside() {
    let before = fs::read_to_string("/etc/passwd").unwrap();
    World::run(|_| {
        assert!(fs::read_to_string("/etc/passwd").unwrap().contains("alice"));
        fs::write("/etc/marker", "").unwrap();
    });
    assert_eq!(fs::read_to_string("/etc/passwd").unwrap(), before);
    assert!(!fs::exists("/etc/marker").unwrap());
}

#[test]
fn both_buses_answer() {
    for kind in [BusKind::Daemon, BusKind::Broker] {
        World::run(|world| {
            world.bus(kind);
            let list = run(command("busctl").args(["--system", "list"]), b"").ok();
            assert!(list.contains("org.freedesktop.DBus"), "{list}");
        });
    }
}

#[test]
fn ssh_admits_and_refuses() {
    World::run(|world| {
        world.stack("sshd", &[UNIX]);
        for methods in [Methods::Keyboard, Methods::KeyThenKeyboard] {
            let sshd = world.sshd(methods);
            let right = sshd.login("alice", &[PASSWORD]);
            assert!(right.admitted, "{right:?}");
            assert_eq!(right.transcript, "prompt: \"Password: \"\nadmitted as alice\n");
            let wrong = sshd.login("alice", &["wrong"]);
            assert!(!wrong.admitted, "{wrong:?}");
        }
    });
}

#[test]
fn sudo_and_su_ask_at_the_terminal() {
    World::run(|world| {
        world.stack("sudo", &[UNIX]);
        world.stack("su", &[UNIX]);
        let sudo = command_as("alice", &["sudo", "id", "-un"]);
        let done = sit(&sudo, &[("alice: ", PASSWORD)]);
        assert_eq!(
            (done.code, done.transcript.as_str()),
            (0, "[sudo] password for alice: \nroot\n")
        );
        let su = command_as("65534", &["su", "alice", "-c", "id -un"]);
        let done = sit(&su, &[("Password: ", PASSWORD)]);
        assert_eq!((done.code, done.transcript.as_str()), (0, "Password: \nalice\n"));
        let done = sit(&su, &[("Password: ", "wrong")]);
        assert_ne!(done.code, 0, "{done:?}");
    });
}

#[test]
fn a_host_of_a_user_is_that_user() {
    World::run(|world| {
        world.stack("login", &["required pam_permit.so"]);
        let mut host = world.host_as(ALICE, &[]);
        assert_eq!(host.login(Login::new("login", "alice"), &[]).code(), code::SUCCESS);
        assert_eq!(
            harness::process::status(host.pid())["Uid"].split_whitespace().next(),
            Some("61000")
        );
        let silent = Silent::listen("/run/e2e/silent");
        std::os::unix::net::UnixStream::connect("/run/e2e/silent").unwrap();
        harness::process::until("it is counted", || silent.accepted() == 1);
    });
}

#[test]
fn a_race_releases_all_at_once() {
    World::run(|world| {
        world.stack("login", &[UNIX]);
        let logins = (0..8).map(|n| {
            (Login::new("login", "alice"), if n == 3 { "wrong" } else { PASSWORD }.to_owned())
        });
        let codes = world.host().race(logins.collect());
        assert_eq!(codes.iter().filter(|c| **c == code::SUCCESS).count(), 7, "{codes:?}");
        assert_eq!(codes[3], code::AUTH_ERR);
        let _ = otpd::program("otpd");
    });
}
