//! What every scenario needs: the packages installed, users enrolled, services set up, and what otpd
//! says of them.

use harness::{Machine, Token, process::until};
use serde_json::Value;

/// What ssh asks for before the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The password.
    Password,
    /// The key, and no password.
    Key,
}

/// Sets up a service, and keeps it.
pub fn set_up(machine: &Machine, service: &str) {
    machine.ok(&["otpctl", "setup", service, "--no-try", "--yes"]);
    machine.ok(&["otpctl", "setup", "--keep"]);
}

/// Puts the module into a service as an administrator does by hand.
pub fn set_up_by_hand(machine: &Machine, service: &str) {
    machine.sh(&format!(
        "file=/etc/pam.d/{service}
        sed -i '/^@include common-auth/a auth  required  pam_otp.so' $file
        grep -q pam_otp $file"
    ));
}

/// Sets up sshd, and keeps it.
pub fn set_up_sshd(machine: &Machine, first: First) {
    let first = match first {
        First::Password => "password",
        First::Key => "key",
    };
    awaiting_sshd(machine, || {
        machine.ok(&["otpctl", "setup", "sshd", "--first", first, "--no-try", "--yes"]);
    });
    machine.ok(&["otpctl", "setup", "--keep"]);
}

/// Makes sshd read its configuration, and waits until it listens again.
pub fn reload_sshd(machine: &Machine) {
    awaiting_sshd(machine, || {
        machine.sh("sshd -t && systemctl reload ssh");
    });
}

/// Does what makes sshd read its configuration, and waits until it listens again.
pub fn awaiting_sshd(machine: &Machine, deed: impl FnOnce()) {
    let cursor = format!("--after-cursor={}", machine.journal_end());
    deed();
    let listens = || {
        let journal = machine.journal(&[&cursor, "--unit=ssh"]);
        ["on 0.0.0.0 port 22", "on :: port 22"].iter().all(|address| journal.contains(address))
    };
    until("sshd listens again", listens);
}

/// sudo asks once, and each time.
pub fn plain_sudo(machine: &Machine) {
    let settings = "Defaults passwd_tries=1, timestamp_timeout=0, lecture=never\n";
    machine.write("/etc/sudoers.d/plain", 0o440, settings);
}

/// Enrols a counter token: its next code is there at once.
pub fn enrol(machine: &Machine, user: &str) -> Token {
    enrol_with(machine, user, "hotp")
}

/// Enrols a token of a method.
pub fn enrol_with(machine: &Machine, user: &str, method: &str) -> Token {
    let file = format!("/root/token-{user}");
    machine.ok(&[
        "otpctl",
        "--json",
        "token",
        "add",
        user,
        "--method",
        method,
        "--no-confirm",
        "--output",
        &file,
    ]);
    let text = machine.read(&file);
    machine.ok(&["rm", &file]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The JSON document that otpctl prints.
pub fn document(machine: &Machine, arguments: &[&str]) -> Value {
    let text = machine.ok(&[&["otpctl", "--json"], arguments].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// How many failures of a user stand in a row.
pub fn failures(machine: &Machine, user: &str) -> u64 {
    document(machine, &["user", "show", user])["failures"].as_u64().expect("a number")
}

/// The results of a user's logins, oldest first.
pub fn results(machine: &Machine, user: &str) -> Vec<String> {
    let records = document(machine, &["audit", "--user", user]);
    let logins =
        records["items"].as_array().unwrap().iter().filter(|item| item["event"] == "login");
    logins.map(|item| item["result"].as_str().unwrap().to_owned()).collect()
}

/// How many logins are under way.
pub fn sessions(machine: &Machine) -> u64 {
    document(machine, &["status"])["sessions"].as_u64().expect("a number")
}
