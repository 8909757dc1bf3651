//! The real ssh against the distribution's sshd, set up as the README says.

use harness::{Machine, PASSWORD, machine::Login, process::until};

use crate::house::{
    First, awaiting_sshd, enrol, enrol_with, failures, reload_sshd, results, sessions, set_up_sshd,
};

/// What ssh asks for, without who is asked.
const PASSWORD_PROMPT: &str = "Password: ";
const CODE_PROMPT: &str = "Verification code: ";

pub fn password_then_code(machine: &Machine) {
    prepare(machine, First::Password);
    let token = enrol(machine, "alice");
    let log_in = |password: &str, code: &str| {
        machine.ssh("alice", &[(PASSWORD_PROMPT, password), (CODE_PROMPT, code)])
    };
    let used = token.code();
    admitted(&log_in(PASSWORD, &used), &[PASSWORD_PROMPT, CODE_PROMPT]);
    refused(&log_in(PASSWORD, &token.wrong()), &[PASSWORD_PROMPT, CODE_PROMPT]);
    refused(&log_in(PASSWORD, &used), &[PASSWORD_PROMPT, CODE_PROMPT]);
    assert_eq!(results(machine, "alice"), ["ok", "wrong", "replay"]);
    // Who lacks the password never gets to the code, and spends none.
    let next = token.code();
    refused(&log_in("wrong", &next), &[PASSWORD_PROMPT]);
    admitted(&log_in(PASSWORD, &next), &[PASSWORD_PROMPT, CODE_PROMPT]);
    unharmed(machine);
}

pub fn key_then_code(machine: &Machine) {
    prepare(machine, First::Key);
    let token = enrol(machine, "alice");
    let log_in = |code: &str| machine.ssh("alice", &[(CODE_PROMPT, code)]);
    refused(&log_in(&token.wrong()), &[]);
    assert_eq!(results(machine, "alice"), [""; 0], "without the key nobody tries a code");
    machine.authorise_key("alice");
    let used = token.code();
    admitted(&log_in(&used), &[CODE_PROMPT]);
    refused(&log_in(&token.wrong()), &[CODE_PROMPT]);
    refused(&log_in(&used), &[CODE_PROMPT]);
    assert_eq!(results(machine, "alice"), ["ok", "wrong", "replay"]);
    unharmed(machine);
}

pub fn a_code_of_an_app(machine: &Machine) {
    prepare(machine, First::Password);
    let token = enrol_with(machine, "alice", "totp");
    let code = token.code();
    let replies = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code.as_str())];
    admitted(&machine.ssh("alice", &replies), &[PASSWORD_PROMPT, CODE_PROMPT]);
    refused(&machine.ssh("alice", &replies), &[PASSWORD_PROMPT, CODE_PROMPT]);
    assert_eq!(results(machine, "alice"), ["ok", "replay"]);
}

pub fn who_may_not_log_in_is_charged_nothing(machine: &Machine) {
    machine.install_packages();
    let denied = "/etc/ssh/sshd_config.d/50-denied.conf";
    machine.write(denied, 0o644, "PermitRootLogin prohibit-password\nDenyUsers bob\n");
    for first in [First::Password, First::Key] {
        set_up_sshd(machine, first);
        for user in ["root", "bob"] {
            let token = enrol(machine, user);
            machine.authorise_key(user);
            let code = token.code();
            let replies = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code.as_str())];
            let replies = if first == First::Password { &replies[..] } else { &replies[1..] };
            let login = machine.ssh(user, replies);
            assert!(!login.admitted, "{first:?} {user}: {login:?}");
            assert_eq!(results(machine, user), [""; 0], "{first:?} {user}");
            assert_eq!(failures(machine, user), 0, "{first:?} {user}");
            machine.ok(&["otpctl", "user", "reset", user, "--yes"]);
        }
        unharmed(machine);
        if first == First::Password {
            awaiting_sshd(machine, || {
                machine.ok(&["otpctl", "setup", "--remove", "sshd"]);
            });
        }
    }
    // The same is open to bob as soon as sshd has nothing against it.
    let token = enrol(machine, "bob");
    machine.ok(&["rm", denied]);
    reload_sshd(machine);
    admitted(&machine.ssh("bob", &[(CODE_PROMPT, &token.code())]), &[CODE_PROMPT]);
}

pub fn a_connection_closed_at_the_prompt(machine: &Machine) {
    prepare(machine, First::Password);
    let token = enrol(machine, "alice");
    let mut seat = machine.open_ssh("alice");
    seat.expect(PASSWORD_PROMPT);
    seat.type_line(PASSWORD);
    seat.expect(CODE_PROMPT);
    assert_eq!(sessions(machine), 1, "otpd waits for the code");
    drop(seat);
    until("otpd has given the login up", || sessions(machine) == 0);
    assert_eq!(failures(machine, "alice"), 0);
    let replies = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, &token.code())];
    admitted(&machine.ssh("alice", &replies), &[PASSWORD_PROMPT, CODE_PROMPT]);
    unharmed(machine);
}

fn prepare(machine: &Machine, first: First) {
    machine.install_packages();
    set_up_sshd(machine, first);
}

fn admitted(login: &Login, prompts: &[&str]) {
    assert!(login.admitted, "{login:?}");
    asked(login, prompts);
}

fn refused(login: &Login, prompts: &[&str]) {
    assert!(!login.admitted, "{login:?}");
    assert!(login.transcript.contains("Permission denied"), "{login:?}");
    asked(login, prompts);
}

/// ssh asked for these and for nothing else.
fn asked(login: &Login, prompts: &[&str]) {
    let asked: Vec<_> = login.transcript.lines().filter_map(|line| line.split_once(") ")).collect();
    let texts: Vec<_> = asked.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, prompts, "{login:?}");
}

/// No process of sshd has crashed or given up.
fn unharmed(machine: &Machine) {
    let journal = machine.journal(&["--boot", "--unit=ssh"]);
    for trace in ["fatal:", "Internal error", "crash", "killed by signal", "Main process exited"] {
        assert!(!journal.contains(trace), "{trace:?} in the journal of sshd");
    }
    assert_eq!(machine.ok(&["systemctl", "show", "-P", "NRestarts", "ssh"]), "0\n");
}
