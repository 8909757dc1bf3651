//! The packages are removed and purged: the stacks go back before the module goes.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use harness::{Machine, PASSWORD, Token, machine::Login, process::Output};

use crate::house::{enrol, plain_sudo, reload_sshd, set_up_by_hand};

/// Where the module is, in the machine.
const MODULE: &str = "/usr/lib/$(uname -m)-linux-gnu/security/pam_otp.so";
/// The active lines that name the module.
const LINES: &str = "grep -rHE '^[^#]*pam_otp[.]so' /etc/pam.d /usr/lib/pam.d || true";
/// What is not of the packages and changes when any package is installed and removed.
const OTHERS: [&str; 11] = [
    // The files of accounts as they were before their last change.
    " /etc/passwd-",
    " /etc/group-",
    " /etc/shadow-",
    " /etc/gshadow-",
    // apt's indexes and scratch folders.
    " /var/cache/apt/",
    " /var/cache/debconf/tmp.ci",
    " /var/lib/apt/lists/auxfiles",
    // An empty folder of apparmor's, which every package with a profile takes along.
    " /etc/apparmor.d/disable ",
    // Logs and the journals of the users who have logged in.
    " /var/log/",
    // sudo's hint on the first use, and whom pam_lastlog has seen.
    " /home/alice/.sudo_as_admin_successful",
    " /var/lib/lastlog/",
];

pub fn nobody_is_locked_out_and_nothing_is_left(machine: &Machine) {
    let bare = files(machine);
    machine.install_packages();
    let token = enrol(machine, "alice");
    plain_sudo(machine);
    // A way of its own for each service: setup's, an administrator's, the distribution's.
    for service in ["sshd", "sudo"] {
        machine.ok(&["otpctl", "setup", service, "--no-try", "--yes"]);
        machine.ok(&["otpctl", "setup", "--keep"]);
    }
    set_up_by_hand(machine, "su");
    reload_sshd(machine);
    assert!(asks_for_code(machine, &token).admitted);
    the_stacks_go_first(machine);

    machine.install_packages();
    machine.ok(&["pam-auth-update", "--enable", "otp"]);
    machine.ok(&["otpctl", "setup", "sshd", "--no-try", "--yes"]);
    set_up_by_hand(machine, "su");
    reload_sshd(machine);
    assert!(machine.sh(LINES).contains("common-auth"));
    let end = machine.journal_end();
    remove_under_logins(machine, &token);
    let journal = machine.journal(&["--after-cursor", &end]);
    assert!(!journal.contains("faulty module") && !journal.contains("dlopen"), "{journal}");
    everybody_gets_in(machine);

    let purged = apt(machine, "purge --yes otpd libpam-otp");
    assert_eq!(purged.code(), 0, "{purged:?}");
    // What the test and its administrator wrote themselves.
    machine.sh("rm /root/*.deb /etc/sudoers.d/plain; sed -i '/pam_otp/d' /etc/pam.d/su");
    let after = files(machine);
    let changed = bare.symmetric_difference(&after);
    let left: Vec<_> =
        changed.filter(|file| !OTHERS.iter().any(|other| file.contains(other))).collect();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(machine.sh("systemctl list-units --all --no-legend 'otp*'"), "");
    assert_eq!(machine.run_program(&["test", "-e", "/run/otpd"]).code(), 1);
}

/// dpkg cannot remove the module, for it is a mount: what it has done up to then it does before.
fn the_stacks_go_first(machine: &Machine) {
    machine.sh(&format!("mount --bind {MODULE} {MODULE}"));
    let stopped = apt(machine, "remove --yes libpam-otp");
    assert_ne!(stopped.code(), 0, "{stopped:?}");
    let told = stopped.stdout + &stopped.stderr;
    assert!(told.contains("remove '/usr/lib") && told.contains("pam_otp.so"), "{told}");
    assert!(!told.contains("otpctl cannot"), "{told}");
    assert_eq!(machine.sh(LINES), "", "a stack names the module when it goes");
    machine.sh(&format!("umount {MODULE}"));
    assert_eq!(apt(machine, "remove --yes libpam-otp").code(), 0);
    everybody_gets_in(machine);
}

/// Removes everything while alice logs in over and over: with the code as long as it is asked for.
fn remove_under_logins(machine: &Machine, token: &Token) {
    let done = AtomicBool::new(false);
    let codes = token.codes(token.spent(), 60);
    thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut codes = codes.iter();
            while !done.load(Ordering::Relaxed) {
                let code = codes.next().expect("the removal ends");
                let login = with_code(machine, code);
                // otpd may have gone since it asked; sshd does not listen while it reads its settings.
                let excused = ["code: ", "Connection refused"];
                let excused = excused.iter().any(|sign| login.transcript.contains(sign));
                assert!(login.admitted || excused, "refused without a question: {login:?}");
            }
        });
        let removed = apt(machine, "remove --yes otpd");
        done.store(true, Ordering::Relaxed);
        logins.join().unwrap();
        assert_eq!(removed.code(), 0, "{removed:?}");
    });
    assert_eq!(machine.sh(LINES), "");
}

/// With the passwords alone.
fn everybody_gets_in(machine: &Machine) {
    reload_sshd(machine);
    let ssh = machine.ssh("alice", &[("assword: ", PASSWORD)]);
    assert!(ssh.admitted, "{ssh:?}");
    let sudo = machine.sit("alice", &["sudo", "id", "-un"], &[("alice: ", PASSWORD)]);
    assert_eq!(sudo.code, 0, "{sudo:?}");
    let su = machine.sit("bob", &["su", "alice", "-c", "id"], &[("Password: ", PASSWORD)]);
    assert_eq!(su.code, 0, "{su:?}");
}

fn asks_for_code(machine: &Machine, token: &Token) -> Login {
    let login = with_code(machine, &token.code());
    assert!(login.transcript.contains("code: "), "{login:?}");
    login
}

fn with_code(machine: &Machine, code: &str) -> Login {
    machine.ssh("alice", &[("assword: ", PASSWORD), ("code: ", code)])
}

fn apt(machine: &Machine, what: &str) -> Output {
    machine.run_program(&["sh", "-c", &format!("DEBIAN_FRONTEND=noninteractive apt-get -q {what}")])
}

/// All that is on the disk with rights and owner, and the contents of what is in /etc.
fn files(machine: &Machine) -> BTreeSet<String> {
    let listed = machine.sh("find / -xdev -printf '%M %u:%g %p %l\n'
        find /etc /var/lib/pam -xdev -type f -exec sha256sum {} +");
    listed.lines().map(str::to_owned).collect()
}
