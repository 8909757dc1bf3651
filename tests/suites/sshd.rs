//! What is peculiar to sshd: it runs the stack for users that it refuses anyway, in a child that it
//! ends without ceremony.

use harness::{
    MODULE, PASSWORD, World,
    otpd::{document, enrol},
    process::until,
    sshd::Methods,
};

const STACK: [&str; 2] = ["required pam_unix.so nodelay", "required /run/e2e/bin/pam_otp.so"];

/// `PermitRootLogin no`: sshd replaces what was typed by a filler, and root is not charged.
#[test]
fn a_user_whom_sshd_refuses_is_not_charged() {
    World::run(|world| {
        assert!(STACK[1].ends_with(MODULE));
        let _otpd = world.otpd("");
        let token = enrol("root", &["--method", "hotp"]);
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::Keyboard);
        let refused = sshd.login("root", &[PASSWORD, &token.code()]);
        assert!(!refused.admitted, "{refused:?}");
        assert_eq!(document(&["user", "show", "root"])["failures"], 0);
    });
}

/// Unknown to the system, not enrolled, and enrolled with a wrong code: the same conversation.
#[test]
fn ssh_tells_nobody_who_exists() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::Keyboard);
        let wrong = token.wrong();
        let told = |user: &str| sshd.login(user, &["wrong", &wrong]).transcript;
        let (enrolled, unenrolled, unknown) = (told("alice"), told("bob"), told("carol"));
        assert_eq!(enrolled.matches("prompt:").count(), 2, "{enrolled}");
        assert_eq!(unenrolled, enrolled);
        assert_eq!(unknown, enrolled);
    });
}

/// sshd ends its PAM child when the client goes away: the daemon forgets that login.
#[test]
fn a_client_that_leaves_leaves_nothing() {
    World::run(|world| {
        let _otpd = world.otpd("");
        enrol("alice", &["--method", "hotp"]);
        world.stack("sshd", &STACK[1..]);
        let sshd = world.sshd(Methods::Keyboard);
        let client = sshd.leave_at_prompt("alice");
        until("the login waits", || document(&["status"])["sessions"] == 1);
        drop(client);
        until("the login is forgotten", || document(&["status"])["sessions"] == 0);
        assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
    });
}
