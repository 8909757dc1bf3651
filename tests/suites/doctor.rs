//! `otpctl doctor` on a machine with the real sshd, the real bus and the real otpd.

use std::fs;

use harness::{
    World,
    otpd::{enrol, give_to_daemon, otpctl, otpctl_with, program},
    process::{Output, command, run},
    sshd::Methods,
};
use serde_json::Value;

const SSHD: &str = "UsePAM yes\nKbdInteractiveAuthentication yes\nPasswordAuthentication no\n\
    AuthenticationMethods keyboard-interactive\nPermitRootLogin no\n";

/// Lays the machine out as the README does.
fn set_up(world: &World) {
    let module = program("pam_otp.so");
    world.stack("sshd", &["requisite pam_unix.so", &format!("required {module}")]);
    for service in ["sudo-i", "su", "su-l", "login"] {
        world.stack(service, &["requisite pam_unix.so"]);
    }
    world.stack("sudo", &["requisite pam_unix.so"]);
    fs::create_dir_all("/run/sshd").unwrap();
    settings(SSHD);
}

fn settings(text: &str) {
    fs::write("/etc/ssh/sshd_config", text).unwrap();
}

fn doctor(arguments: &[&str]) -> Output {
    otpctl_with(&[&["--json", "doctor"], arguments].concat(), b"")
}

/// `severity check file:line` of all but hints, and of what depends on the machine of the tests.
fn found(done: &Output) -> Vec<String> {
    let document: Value = serde_json::from_str(&done.stdout).unwrap();
    let items = document["items"].as_array().unwrap();
    assert_eq!(document["total"], items.len());
    let ours = |item: &&Value| {
        let foreign = ["otpd-polkit", "clock", "otpd-bus-policy"];
        item["severity"] != "hint" && !foreign.iter().any(|check| item["check"] == *check)
    };
    let shown = |item: &Value| {
        for key in ["found", "why", "change"] {
            assert!(!item[key].as_str().unwrap().is_empty(), "{item}");
        }
        let line = item["line"].as_u64().map(|line| format!(":{line}")).unwrap_or_default();
        let (severity, check) =
            (item["severity"].as_str().unwrap(), item["check"].as_str().unwrap());
        format!("{severity} {check} {}{line}", item["file"].as_str().unwrap_or_default())
    };
    items.iter().filter(ours).map(shown).map(|text| text.trim_end().to_owned()).collect()
}

#[test]
fn a_machine_as_the_readme_has_it_is_well() {
    World::run(|world| {
        set_up(world);
        let _otpd = world.otpd("");
        enrol("alice", &[]);
        let done = doctor(&[]);
        assert_eq!(found(&done), [""; 0], "{}", done.stdout);
        assert_eq!((done.code(), done.stderr.as_str()), (0, ""));
        let one = doctor(&["sshd"]);
        assert_eq!((found(&one), one.code()), (vec![], 0), "{}", one.stdout);
        let absent = doctor(&["absent"]);
        assert_eq!(absent.code(), 1, "{absent:?}");
        assert!(absent.stderr.contains("/etc/pam.d"), "{absent:?}");
    });
}

#[test]
fn what_sshd_makes_of_its_settings_counts() {
    World::run(|world| {
        set_up(world);
        let _otpd = world.otpd("");
        enrol("alice", &[]);
        let config = "/etc/ssh/sshd_config";
        let without = |at: usize| format!("bypass sshd-without-code {config}:{at}");
        for (text, expected, code) in [
            // The first value wins, also against an include further down.
            (format!("AuthenticationMethods any\n{SSHD}"), vec![without(1)], 9),
            (
                format!("{SSHD}Match User bob\n  AuthenticationMethods publickey\n"),
                vec![without(7)],
                9,
            ),
            (
                format!("{SSHD}Match Address 10.0.0.0/8\n  AuthenticationMethods publickey\n"),
                vec![without(7)],
                9,
            ),
            (
                format!("{SSHD}Match User bob\n  KbdInteractiveAuthentication no\n"),
                vec![format!("lockout sshd-no-prompt {config}:7")],
                8,
            ),
            (format!("{SSHD}UsePAMM yes\n"), vec!["lockout sshd-config".into()], 8),
        ] {
            settings(&text);
            let done = doctor(&[]);
            assert_eq!((found(&done), done.code()), (expected, code), "{text}\n{}", done.stdout);
        }
    });
}

#[test]
fn the_command_line_of_a_running_sshd_counts() {
    World::run(|world| {
        set_up(world);
        let _otpd = world.otpd("");
        enrol("alice", &[]);
        let sshd = world.sshd(Methods::Password);
        let done = doctor(&[]);
        let found = found(&done);
        assert_eq!((found.len(), done.code()), (1, 8), "{}", done.stdout);
        assert!(found[0].starts_with("lockout sshd-no-prompt /"), "{found:?}");
        assert!(!found[0].contains("/etc/ssh/"), "{found:?}");
        drop(sshd);
        assert_eq!(doctor(&[]).code(), 0);
    });
}

#[test]
fn otpd_that_is_not_well_is_told() {
    World::run(|world| {
        set_up(world);
        small("/var/lib/otpd");
        let mut otpd = world.otpd("");
        assert_eq!(found(&doctor(&[])), ["lockout otpd-space /var/lib/otpd", "lockout users-none"]);
        enrol("alice", &[]);
        fs::write("/etc/otpd/otpd.toml", "[lockout]\nafter = 0\n").unwrap();
        run(&mut otpctl(&["config", "reload"]), b"");
        let done = doctor(&[]);
        assert!(found(&done).contains(&"warning otpd-degraded".to_owned()), "{}", done.stdout);
        assert!(found(&done).contains(&"lockout otpd-config".to_owned()), "{}", done.stdout);
        otpd.stop();
        let done = doctor(&[]);
        assert!(found(&done).contains(&"lockout otpd-silent".to_owned()), "{}", done.stdout);
        assert_eq!(done.code(), 8);
    });
}

/// Puts a file system without much room at the daemon's folder.
fn small(folder: &str) {
    run(command("mount").args(["-t", "tmpfs", "-o", "size=8m", "small", folder]), b"").ok();
    give_to_daemon(folder, 0o700);
}
