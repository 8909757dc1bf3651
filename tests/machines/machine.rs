//! The machine itself, before anything of ours is on it.

use harness::{Machine, PASSWORD};

pub fn reboots_and_keeps_what_was_written(machine: &Machine) {
    machine.write("/root/marker", 0o600, "kept");
    let started = || machine.ok(&["systemctl", "show", "-P", "UserspaceTimestampMonotonic"]);
    let first = started();
    machine.reboot();
    assert_ne!(started(), first, "the system has started anew");
    assert_eq!(machine.read("/root/marker"), "kept");
    machine.power_off();
    machine.power_on();
    assert_eq!(machine.read("/root/marker"), "kept");
    machine.power_cut();
    machine.power_on();
    assert_eq!(machine.read("/root/marker"), "kept");
    assert_eq!(machine.journal(&["--list-boots"]).lines().count(), 4);
}

pub fn logs_in(machine: &Machine) {
    let right = machine.ssh("alice", &[("password: ", PASSWORD)]);
    assert!(right.admitted, "{right:?}");
    let wrong = machine.ssh("alice", &[("password: ", "wrong")]);
    assert!(!wrong.admitted, "{wrong:?}");
    machine.authorise_key("alice");
    let key = machine.ssh("alice", &[]);
    assert!(key.admitted, "{key:?}");
    let sudo = machine.sit("alice", &["sudo", "id", "-un"], &[("alice: ", PASSWORD)]);
    assert_eq!(sudo.code, 0, "{sudo:?}");
    let su = machine.sit("bob", &["su", "alice", "-c", "tty"], &[("Password: ", PASSWORD)]);
    assert!(su.code == 0 && su.transcript.contains("/dev/pts/"), "{su:?}");
    machine.with_console(|console| {
        console.expect("login: ");
        console.type_line("bob");
        console.expect("Password: ");
        console.type_line(PASSWORD);
        console.expect("bob@");
        console.type_line("tty; exit");
        console.expect("/dev/");
        console.expect("login: ");
    });
}
