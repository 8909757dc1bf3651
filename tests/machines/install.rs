//! Installing the packages on a bare system: nothing changes for anybody, and the daemon is there as
//! soon as somebody needs it.

use harness::{Machine, PASSWORD};

use crate::house::{First, document, enrol, set_up_sshd};

/// How soon otpd is ready, in microseconds.
const READY: u64 = 1_000_000;

/// Prints everything that decides about logins: files with their rights and their contents, and what
/// sshd makes of them.
const LOGINS: &str = "cd /etc
for place in pam.conf pam.d security ssh nsswitch.conf sudoers sudoers.d profile.d login.defs; do
    find $place -printf '%p %M %u %g %l\\n'
    find $place -type f -exec sha256sum '{}' +
done | sort
sshd -T";

pub fn no_login_changes(machine: &Machine) {
    let logins = || machine.sh(LOGINS);
    let (before, cursor) = (logins(), machine.journal_end());
    machine.install_packages();
    let after = logins();
    let changed: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
    assert!(after == before, "what decides about logins has changed:\n{}", changed.join("\n"));
    let daemon = machine.run_program(&["systemctl", "is-active", "otpd.service"]).stdout;
    assert_eq!(daemon, "inactive\n", "nobody has needed it");
    machine.ok(&["systemctl", "is-active", "otpd.socket"]);
    quiet(machine, &cursor);
    let ssh = machine.ssh("alice", &[("password: ", PASSWORD)]);
    assert!(ssh.admitted, "{ssh:?}");
    let sudo = machine.sit("alice", &["sudo", "id", "-un"], &[("alice: ", PASSWORD)]);
    assert_eq!(sudo.code, 0, "{sudo:?}");
    let su = machine.sit("bob", &["su", "alice", "-c", "id"], &[("Password: ", PASSWORD)]);
    assert_eq!(su.code, 0, "{su:?}");
    let daemon = machine.run_program(&["systemctl", "is-active", "otpd.service"]).stdout;
    assert_eq!(daemon, "inactive\n", "these logins do not need it");
}

pub fn the_bus_starts_otpd(machine: &Machine) {
    let cursor = machine.journal_end();
    machine.install_packages();
    soon_ready(machine, || {
        let status = document(machine, &["status"]);
        assert_eq!(status["health"], "ok", "{status}");
    });
    quiet(machine, &cursor);
}

pub fn the_first_login_after_a_boot_starts_otpd(machine: &Machine) {
    machine.install_packages();
    set_up_sshd(machine, First::Password);
    let token = enrol(machine, "alice");
    machine.reboot();
    let daemon = machine.run_program(&["systemctl", "is-active", "otpd.service"]).stdout;
    assert_eq!(daemon, "inactive\n", "nobody has needed it");
    let cursor = machine.journal_end();
    soon_ready(machine, || {
        let ssh = machine.ssh("alice", &[("Password: ", PASSWORD), ("code: ", &token.code())]);
        assert!(ssh.admitted, "{ssh:?}");
    });
    quiet(machine, &cursor);
}

pub fn the_units_are_sound_and_confined(machine: &Machine) {
    machine.install_packages();
    let units = ["otpd.service", "otpd.socket"];
    let verified =
        machine.run_program(&[&["systemd-analyze", "--man=no", "verify"], &units[..]].concat());
    assert_eq!((verified.code(), verified.stdout + &verified.stderr), (0, String::new()));
    machine.ok(&["systemd-analyze", "--no-pager", "security", "--threshold=15", "otpd.service"]);
}

/// Uses otpd, which does not run, and looks how long it took to be ready. A machine that is busy
/// with something else gets three tries.
fn soon_ready(machine: &Machine, first_use: impl Fn()) {
    let mut took = Vec::new();
    for _ in 0..3 {
        first_use();
        took.push(starting(machine));
        if took.iter().any(|took| *took < READY) {
            return;
        }
        machine.ok(&["systemctl", "stop", "otpd.service"]);
    }
    panic!("otpd was ready after {took:?} microseconds");
}

/// How long otpd's last start took, by systemd's clock.
fn starting(machine: &Machine) -> u64 {
    let stamp = |name: &str| -> u64 {
        let text = machine.ok(&["systemctl", "show", "--value", "-P", name, "otpd.service"]);
        text.trim().parse().unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
    };
    machine.ok(&["systemctl", "is-active", "otpd.service"]);
    let (started, ready) =
        (stamp("ExecMainStartTimestampMonotonic"), stamp("ActiveEnterTimestampMonotonic"));
    assert!(started > 0 && ready >= started, "started {started}, ready {ready}");
    ready - started
}

/// No unit has failed, and nothing warns since then.
fn quiet(machine: &Machine, cursor: &str) {
    assert_eq!(machine.ok(&["systemctl", "--failed", "--no-legend", "--plain"]), "");
    let after = format!("--after-cursor={cursor}");
    let warnings = machine.journal(&[&after, "--priority=warning"]);
    assert_eq!(warnings, "", "warnings in the journal");
}
