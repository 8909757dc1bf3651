//! What ends a setup before its time: a failed trial, a killed program, a full disk, time.

use std::{fs, os::unix::fs::MetadataExt, path::Path, process::Stdio, thread, time::Duration};

use harness::{
    PASSWORD, World,
    otpd::{otpctl, program},
    process::{Process, command, run, until},
    sshd::Methods,
};
use nix::mount::{MsFlags, mount, umount};

use super::{assert_as, files, machine, pending, set_up, setup};

/// The calls by which setup changes anything.
const CALLS: [&str; 9] =
    ["write", "rename", "fsync", "unlink", "unlinkat", "mkdir", "rmdir", "fchmod", "openat"];
/// More of one kind than there are in one setup.
const MANY: usize = 500;

#[test]
fn a_trial_that_fails_leaves_everything_as_it_was() {
    machine(|world, token, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let before = files();
        for (replies, why) in [
            (vec![PASSWORD.to_owned(), token.wrong()], "PAM_AUTH_ERR"),
            (vec!["wrong".to_owned()], "PAM_AUTH_ERR"),
            (vec![PASSWORD.to_owned()], "PAM_CONV_ERR"),
        ] {
            let replies: Vec<_> = replies.iter().map(String::as_str).collect();
            let done = setup(&["sshd", "--user", "alice", "--yes"], &replies);
            assert_eq!(done.code(), 1, "{done:?}");
            assert!(done.stderr.contains(why), "{done:?}");
            assert!(done.stderr.contains("everything is as it was before"), "{done:?}");
            assert_as(&before, why);
            assert!(!pending());
        }
    });
}

#[test]
fn what_cannot_work_is_not_begun() {
    machine(|world, _, otpd| {
        let before = files();
        let refused = |arguments: &[&str], status: i32, why: &str| {
            let done = setup(&[arguments, &["--yes"]].concat(), &[]);
            assert_eq!(done.code(), status, "{done:?}");
            assert!(done.stderr.contains(why), "{why}: {done:?}");
            assert_as(&before, why);
            assert!(!pending());
        };
        refused(&["sudo", "--user", "bob"], 5, "otpctl token add bob");
        refused(&["sudo", "--user", "nobody1"], 7, "nobody1");
        refused(&["sudo"], 2, "--user NAME");
        refused(&["sudoo", "--user", "alice"], 2, "did you mean sudo?");
        refused(&["common-account", "--user", "alice"], 1, "takes those of `other`");
        refused(&["sudo", "--first", "key"], 2, "sshd alone");
        otpd.stop();
        refused(&["sudo", "--user", "alice"], 4, "otpd");
        let _ = world;
    });
    World::run(|world| {
        let _otpd = world.otpd("");
        let done = setup(&["sudo", "--yes", "--no-try"], &[]);
        assert!(done.stderr.contains("pam_otp.so: this machine does not have"), "{done:?}");
    });
}

/// sshd's own settings, or somebody's, may be in the way.
#[test]
fn settings_of_sshd_that_win_are_named_and_everything_goes_back() {
    machine(|world, token, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let config = "/etc/ssh/sshd_config";
        let text = fs::read_to_string(config).unwrap();
        let first = "/etc/ssh/sshd_config.d/00-a.conf";
        let attempt = |why: &str| {
            let before = files();
            let done = setup(&["sshd", "--user", "alice", "--yes"], &[PASSWORD, &token.code()]);
            assert_eq!(done.code(), 1, "{done:?}");
            assert!(done.stderr.contains(why), "{why}: {done:?}");
            assert_as(&before, why);
            assert!(!pending());
        };
        fs::write(first, "# ours\nPasswordAuthentication yes\n").unwrap();
        attempt("/etc/ssh/sshd_config.d/00-a.conf:2");
        fs::remove_file(first).unwrap();
        fs::write(config, format!("{text}Match User alice\n  AuthenticationMethods password\n"))
            .unwrap();
        let line = text.lines().count() + 2;
        attempt(&format!("/etc/ssh/sshd_config:{line}"));
        // No trial of alice's shows what is otherwise for bob.
        fs::write(config, format!("{text}Match User bob\n  AuthenticationMethods any\n")).unwrap();
        let before = files();
        let done = setup(&["sshd", "--first", "key", "--no-try", "--yes"], &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains(&format!("/etc/ssh/sshd_config:{line}")), "{done:?}");
        assert_as(&before, "bob needs no key");
        let shown = setup(&["sshd", "--dry-run", "--no-try"], &[]).ok();
        assert!(shown.contains("who then get in without a code"), "{shown}");
        fs::write(config, text.replace("Include", "#Include")).unwrap();
        attempt("Include /etc/ssh/sshd_config.d/*.conf");
        let keys_only = "PasswordAuthentication no\nKbdInteractiveAuthentication no\n";
        fs::write(config, text.replace("KbdInteractiveAuthentication no\n", keys_only)).unwrap();
        let done = setup(&["sshd", "--user", "alice", "--yes"], &[]);
        assert_eq!(done.code(), 2, "{done:?}");
        assert!(done.stderr.contains("--first key"), "{done:?}");
    });
}

/// With the key first the stack asks for the code alone: only while sshd is known to ask for the key.
#[test]
fn the_password_leaves_after_the_key_came_and_is_back_before_it_goes() {
    const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-otpd.conf";
    machine(|world, _, _| {
        let sshd = world.sshd_of_the_machine(Methods::KeyThenKeyboard);
        let before = files();
        setup(&["sshd", "--first", "key", "--no-try", "--yes"], &[]).ok();
        let stack = fs::read("/etc/pam.d/sshd").unwrap();
        bind("/etc/pam.d", true);
        let done = setup(&["--undo"], &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert_eq!(fs::read("/etc/pam.d/sshd").unwrap(), stack);
        let text = fs::read_to_string(DROP_IN).unwrap();
        assert!(text.contains("publickey,keyboard-interactive"), "{text}");
        bind("/etc/pam.d", false);
        setup(&["--undo"], &[]).ok();
        assert_as(&before, "undone");
        drop(sshd);
        let stack = || fs::metadata("/etc/pam.d/sshd").unwrap().ino();
        let untouched = stack();
        let done = setup(&["sshd", "--first", "key", "--no-try", "--yes"], &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("start sshd, then try again"), "{done:?}");
        assert_as(&before, "no sshd runs");
        assert_eq!(stack(), untouched, "the stack was changed before sshd asked for the key");
    });
}

/// Has a folder mounted on itself so that it can be read alone, or as it was.
fn bind(folder: &str, read_only: bool) {
    let none = None::<&str>;
    if !read_only {
        umount(folder).unwrap();
        return;
    }
    mount(Some(folder), folder, none, MsFlags::MS_BIND, none).unwrap();
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, folder, none, flags, none).unwrap();
}

/// Runs `otpctl setup …` and lets the Nth call of a kind be its last, or fail; whether it came so
/// far. Files are opened for reading as well: of those calls only the ones below /etc and /var count.
fn injected(arguments: &[&str], call: &str, fault: &str, n: usize) -> bool {
    let mut strace = command("strace");
    let inject = format!("inject={call}:{fault}:when={n}");
    strace.args(["-qq", "-o", "/run/e2e/strace", "-e", &format!("trace={call}"), "-e", &inject]);
    if call == "openat" {
        strace.args(["-P", "/etc/pam.d/.otpctl-sudo", "-P", "/var/lib/otpctl/new/record.json"]);
    }
    strace.arg(program("otpctl")).arg("setup").args(arguments);
    let done = run(&mut strace, b"");
    let trace = fs::read_to_string("/run/e2e/strace").unwrap();
    let reached = trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL");
    assert!(reached || done.code() == 0, "{done:?}");
    reached
}

/// Does something with each call of each kind that a setup makes; returns how many there were.
fn at_each(mut attempt: impl FnMut(&str, usize) -> bool) -> usize {
    let of = |call| (1..MANY).take_while(|n| attempt(call, *n)).count();
    CALLS.map(of).iter().sum()
}

/// Killed at any point, what it leaves is undone byte for byte.
#[test]
fn killed_at_any_point_setup_can_be_undone() {
    machine(|world, _, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let before = files();
        for service in ["sudo", "sshd"] {
            let calls = at_each(|call, n| {
                let reached = injected(&[service, "--no-try", "--yes"], call, "signal=KILL", n);
                setup(&["--undo"], &[]).ok();
                assert_as(&before, &format!("{service} killed at {call} {n}"));
                assert!(!pending());
                reached
            });
            assert!(calls > 30, "{service}: only {calls} calls");
        }
    });
}

#[test]
fn a_killed_undo_goes_on_where_it_was() {
    machine(|world, _, _| {
        let _sshd = world.sshd_of_the_machine(Methods::Keyboard);
        let before = files();
        let calls = at_each(|call, n| {
            setup(&["sshd", "--no-try", "--yes"], &[]).ok();
            let reached = injected(&["--undo"], call, "signal=KILL", n);
            setup(&["--undo"], &[]).ok();
            assert_as(&before, &format!("undo killed at {call} {n}"));
            assert!(!pending());
            reached
        });
        assert!(calls > 10, "only {calls} calls");
    });
}

/// A full disk at any point: setup itself puts things right, or has changed nothing.
#[test]
fn a_full_disk_leaves_everything_as_it_was() {
    machine(|_, _, _| {
        let before = files();
        at_each(|call, n| {
            let reached = injected(&["sudo", "--no-try", "--yes"], call, "error=ENOSPC", n);
            setup(&["--undo"], &[]).ok();
            assert_as(&before, &format!("disk full at {call} {n}"));
            reached
        });
    });
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    machine(|_, _, _| {
        let before = files();
        bind("/etc/pam.d", true);
        let done = setup(&["sudo", "--no-try", "--yes"], &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("/etc/pam.d/sudo: "), "{done:?}");
        assert!(done.stderr.contains("everything is as it was before"), "{done:?}");
        assert_as(&before, "read-only");
    });
}

/// Where systemd does not run, a process undoes what nobody keeps.
#[test]
fn what_nobody_keeps_is_undone_by_a_process() {
    machine(|_, token, _| {
        let before = files();
        set_up(&["sudo"], token);
        let record = fs::read_to_string("/var/lib/otpctl/pending/record.json").unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        let id = record["id"].as_str().unwrap();
        assert_eq!(
            record["undo_at"].as_i64().unwrap() - record["begun"].as_i64().unwrap(),
            300_000
        );
        let waits =
            |line: &str| line.contains("\0--undo-after\x00300\0--id\0") && line.contains(id);
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let lines = processes.filter_map(|p| fs::read_to_string(p.path().join("cmdline")).ok());
        assert_eq!(lines.filter(|line| waits(line)).count(), 1);
        let mut other = otpctl(&["setup", "--undo-after", "0", "--id", "other"]);
        run(&mut other, b"").ok();
        assert!(pending(), "the process of another setup is none of this one's");
        let mut alarm = otpctl(&["setup", "--undo-after", "1", "--id", id]);
        bind("/etc/pam.d", true);
        let mut process = Process::start(alarm.stdout(Stdio::null()));
        assert!(process.wait(Duration::from_secs(3)).is_none(), "it gives up");
        assert!(pending());
        bind("/etc/pam.d", false);
        until("it is undone", || !pending());
        process.wait(Duration::from_secs(20)).unwrap();
        assert_as(&before, "undone by the process");
    });
}

#[test]
fn one_setup_at_a_time() {
    machine(|_, token, _| {
        set_up(&["sudo"], token);
        let before = files();
        let second = setup(&["su", "--no-try", "--yes"], &[]);
        assert_eq!(second.code(), 1, "{second:?}");
        assert!(second.stderr.contains("sudo is pending"), "{second:?}");
        assert_as(&before, "one is pending");
        setup(&["--keep"], &[]).ok();
        let nothing = setup(&["--keep"], &[]);
        assert_eq!(nothing.code(), 1, "{nothing:?}");
        let lock = "/var/lib/otpctl/lock";
        let held = Process::start(command("flock").args([lock, "sleep", "600"]));
        until("it is held", || run(command("flock").args(["-n", lock, "true"]), b"").code() != 0);
        let busy = setup(&["su", "--no-try", "--yes"], &[]);
        assert!(busy.stderr.contains("another otpctl setup is running"), "{busy:?}");
        drop(held);
        thread::sleep(Duration::from_millis(1));
        assert!(Path::new("/var/lib/otpctl/kept/sudo").exists());
    });
}
