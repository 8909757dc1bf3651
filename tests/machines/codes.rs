//! Machines on which ssh asks for password and code, and what becomes of a login there.

use harness::{Machine, PASSWORD, machine::Login, terminal::Seat};

use crate::house::{First, set_up_sshd};

/// Installs the packages and sets up sshd.
pub fn install(machine: &Machine) {
    machine.install_packages();
    set_up_sshd(machine, First::Password);
}

/// Makes a user with everybody's password.
pub fn add_user(machine: &Machine, user: &str) {
    machine.ok(&["useradd", "--create-home", "--shell", "/bin/bash", user]);
    machine.ok_with(&["chpasswd"], format!("{user}:{PASSWORD}").as_bytes());
}

/// A login by ssh that waits at a prompt after the password.
pub fn at_prompt(machine: &Machine, user: &str, prompt: &str) -> Seat {
    let mut login = machine.open_ssh(user);
    login.expect("Password: ");
    login.type_line(PASSWORD);
    login.expect(prompt);
    login
}

/// A login by ssh with the password and a code.
pub fn log_in(machine: &Machine, user: &str, code: &str) -> Login {
    machine.ssh(user, &[("Password: ", PASSWORD), ("code: ", code)])
}

/// The same, which must pass.
pub fn passes(machine: &Machine, user: &str, code: &str) {
    let login = log_in(machine, user, code);
    assert!(login.admitted, "{user} is refused: {login:?}");
}

/// The same, which must be refused after the code.
pub fn fails(machine: &Machine, user: &str, code: &str) {
    let login = log_in(machine, user, code);
    assert!(!login.admitted, "{user} is admitted: {login:?}");
    assert!(login.transcript.contains("code: "), "{user} was asked for no code: {login:?}");
}

/// While codes cannot be checked: the password is asked for, no code is, nobody gets in.
pub fn is_unavailable(machine: &Machine, user: &str, code: &str) {
    let login = log_in(machine, user, code);
    assert!(!login.admitted && !login.transcript.contains("code: "), "{user}: {login:?}");
}

/// What `systemctl is-active` says of each unit.
pub fn active(machine: &Machine, units: &[&str]) -> String {
    let shown = machine.run_program(&[&["systemctl", "is-active"], units].concat()).stdout;
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}
