//! Another key while people log in: once where the key is a file, once where it is a credential.

use std::thread;

use harness::{Machine, Token};

use crate::{
    codes::{active, fails, install, passes},
    house::{document, enrol},
};

/// The words of otpd(8), KEY AS A CREDENTIAL.
const INTO_A_CREDENTIAL: &str = "install -d -m 700 /etc/credstore.encrypted
    systemd-creds encrypt /etc/otpd/kek /etc/credstore.encrypted/otpd.kek
    systemctl restart otpd
    shred -u /etc/otpd/kek";

pub fn nobody_notices_more_than_a_pause(machine: &Machine) {
    install(machine);
    let (alice, bob) = (enrol(machine, "alice"), enrol(machine, "bob"));
    let used = alice.code();
    passes(machine, "alice", &used);
    rotates(machine, &bob, "/etc/otpd/kek", "the key file /etc/otpd/kek, version 2");
    fails(machine, "alice", &used);
    passes(machine, "alice", &alice.code());

    machine.sh(INTO_A_CREDENTIAL);
    let credential = "the systemd credential otpd.kek, version";
    assert_eq!(document(machine, &["status"])["key"], format!("{credential} 2"));
    let place = "/etc/credstore.encrypted/otpd.kek";
    rotates(machine, &bob, place, &format!("{credential} 3"));
    assert_eq!(machine.sh("ls /etc/otpd/kek*"), "/etc/otpd/kek.1\n");
    machine.ok(&["systemctl", "stop", "otpd.service"]);
    let done = document(machine, &["key", "rotate", "--yes"]);
    assert_eq!(done["key_version"], 4, "also while otpd does not run");
    assert_eq!(active(machine, &["otpd.service"]), "inactive", "and it is left so");
    machine.reboot();
    assert_eq!(document(machine, &["status"])["key"], format!("{credential} 4"));
    passes(machine, "alice", &alice.code());
    passes(machine, "bob", &bob.code());
}

/// A login that comes meanwhile waits, and otpd is there again.
fn rotates(machine: &Machine, token: &Token, key: &str, shown: &str) {
    let code = token.code();
    thread::scope(|scope| {
        scope.spawn(|| passes(machine, "bob", &code));
        let done = document(machine, &["key", "rotate", "--yes"]);
        assert_eq!(done["key"], key, "{done}");
    });
    assert_eq!(active(machine, &["otpd.service", "otpd.socket"]), "active active");
    assert_eq!(document(machine, &["status"])["key"], shown);
}
