//! An administrator sets services up with `otpctl setup`, and what nobody keeps goes back by itself.

use harness::{Machine, PASSWORD, Token, process::until};

use crate::house::{awaiting_sshd, document, enrol, results};

/// Everything that setup may change, with rights and contents.
const FILES: &str =
    "find /etc/pam.d /etc/ssh /etc/systemd/system /var/lib/pam -printf '%p %M %u %g %l\\n' |
    grep -v '^/etc/ssh/ssh_host' | sort
find /etc/pam.d /etc/ssh -type f -exec sha256sum '{}' + | sort
sshd -T";
const TIMER: &str = "otpctl-undo.timer";

/// Tried by alice, kept, looked over by doctor, and taken out again.
pub fn an_administrator_sets_up_ssh_and_sudo(machine: &Machine) {
    let token = prepare(machine);
    let before = machine.sh(FILES);
    let plan = machine.ok(&["otpctl", "setup", "sshd", "--user", "alice", "--dry-run"]);
    assert!(plan.contains("+auth") && plan.contains("/etc/pam.d/sshd"), "{plan}");
    assert_eq!(machine.sh(FILES), before, "a dry run");

    awaiting_sshd(machine, || try_setup(machine, "sshd", &token.code(), 0));
    machine.ok(&["systemctl", "is-active", TIMER]);
    let code = token.code();
    let ssh = machine.ssh("alice", &[("Password: ", PASSWORD), ("code: ", &code)]);
    assert!(ssh.admitted, "{ssh:?}");
    machine.ok(&["otpctl", "setup", "--keep"]);
    timer_is_off(machine);
    try_setup(machine, "sudo", &token.code(), 0);
    machine.ok(&["otpctl", "setup", "--keep"]);
    sound(machine);

    let test = |code: &str| {
        let replies = [("Password: ", PASSWORD), ("code: ", code)];
        machine.sit("root", &["otpctl", "login-test", "sshd", "alice"], &replies)
    };
    let tried = test(&token.code());
    assert_eq!(tried.code, 0, "{tried:?}");
    let tried = test(&token.wrong());
    assert!(tried.code == 3 && tried.transcript.contains("wrong"), "{tried:?}");
    assert_eq!(results(machine, "alice").last().unwrap(), "wrong");

    machine.ok(&["otpctl", "setup", "--remove", "sudo"]);
    awaiting_sshd(machine, || {
        machine.ok(&["otpctl", "setup", "--remove", "sshd"]);
    });
    assert_eq!(machine.sh(FILES), before, "all is taken out");
    let ssh = machine.ssh("alice", &[("assword: ", PASSWORD)]);
    assert!(ssh.admitted, "{ssh:?}");
}

/// A try that fails, a time that is over, and one that ends after a reboot.
pub fn what_is_not_kept_goes_back(machine: &Machine) {
    let token = prepare(machine);
    let before = machine.sh(FILES);
    awaiting_sshd(machine, || try_setup(machine, "sshd", &token.wrong(), 1));
    assert_eq!(machine.sh(FILES), before, "the try failed");
    timer_is_off(machine);

    // The five minutes are shortened; everything else is as it is shipped.
    let folder = format!("/etc/systemd/system/{TIMER}.d");
    machine.ok(&["mkdir", &folder]);
    let soon = "[Timer]\nOnActiveSec=\nOnActiveSec=2s\n";
    machine.write(&format!("{folder}/soon.conf"), 0o644, soon);
    machine.ok(&["systemctl", "daemon-reload"]);
    let before = machine.sh(FILES);
    awaiting_sshd(machine, || {
        machine.ok(&["otpctl", "setup", "sshd", "--no-try", "--yes"]);
    });
    until("the setup is undone", || machine.sh(FILES) == before);
    timer_is_off(machine);

    let later = "[Timer]\nOnActiveSec=\nOnActiveSec=10s\n";
    machine.write(&format!("{folder}/soon.conf"), 0o644, later);
    machine.ok(&["systemctl", "daemon-reload"]);
    machine.ok(&["otpctl", "setup", "su", "--no-try", "--yes"]);
    assert_ne!(machine.sh(FILES), before);
    machine.reboot();
    until("the setup is undone after the reboot", || machine.sh(FILES) == before);
    timer_is_off(machine);
    assert_eq!(machine.sh("systemctl --failed --no-legend"), "");
}

fn prepare(machine: &Machine) -> Token {
    machine.install_packages();
    enrol(machine, "alice")
}

/// Root sets a service up, and alice's password and a code are the try; ends with `status`.
fn try_setup(machine: &Machine, service: &str, code: &str, status: i32) {
    // Root is the caller, and is told that its own ssh login ends.
    let root = (service == "sshd").then_some(("Go on? [y/N] ", "y"));
    let rest = [("changes? [y/N] ", "y"), ("Password: ", PASSWORD), ("code: ", code)];
    let replies: Vec<_> = root.into_iter().chain(rest).collect();
    let program = ["otpctl", "setup", service, "--user", "alice"];
    let done = machine.sit("root", &program, &replies);
    assert_eq!(done.code, status, "{done:?}");
}

fn timer_is_off(machine: &Machine) {
    until("the timer is off", || {
        machine.run_program(&["systemctl", "is-active", TIMER]).stdout == "inactive\n"
    });
    assert_eq!(machine.run_program(&["systemctl", "is-enabled", TIMER]).stdout, "disabled\n");
}

/// Doctor finds nothing that matters, and sees everything but the clock of a container.
fn sound(machine: &Machine) {
    let looked = machine.run_program(&["otpctl", "--json", "doctor"]);
    assert_eq!(looked.code(), 0, "{looked:?}");
    let text = machine.ok(&["otpctl", "doctor"]);
    assert!(text.contains("ok"), "{text}");
    let found = document(machine, &["doctor"]);
    for item in found["items"].as_array().unwrap() {
        assert!(item["severity"] == "hint" || item["check"] == "clock", "{item}");
    }
}
