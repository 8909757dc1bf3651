//! What ends a backup or a restore before its time: a killed program, a full disk, a folder that
//! can only be read.

use std::fs;

use harness::{
    otpd::{document, items, program},
    process::{Output, command, run},
    settings::rounds,
};
use nix::mount::{MsFlags, mount, umount};

use super::*;

/// The calls by which the programs change anything, or speak to each other.
const CALLS: &str =
    "write,pwrite64,fsync,fdatasync,rename,renameat,unlink,unlinkat,link,linkat,ftruncate,flock";
const TRACE: &str = "/run/e2e/strace";
/// otpctl and otpd, one of them below strace.
const TRACED: &str = "/run/e2e/traced";
const OPTIONS: &str = "/run/e2e/options";
/// What may be in the store's folder beside the store.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", ".replaced"];

/// One of the two programs that work together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Otpctl,
    Otpd,
}

/// Runs `otpctl …` with the victim below strace.
fn traced(victim: Victim, options: &[&str], arguments: &[&str]) -> Output {
    let _ = fs::remove_file(TRACE);
    let strace = ["/usr/bin/strace", "-qq", "-o", TRACE];
    let strace = [&strace[..], options].concat();
    if victim == Victim::Otpctl {
        let mut traced = command(strace[0]);
        return run(traced.args(&strace[1..]).arg(program("otpctl")).args(arguments), b"");
    }
    fs::write(OPTIONS, strace.join(" ")).unwrap();
    if !fs::exists(TRACED).unwrap() {
        // By a program: what this process has open for writing cannot be run.
        let script = format!("#!/bin/sh\nexec $(cat {OPTIONS}) {} \"$@\"\n", program("otpd"));
        fs::write("/run/e2e/script", script).unwrap();
        for (from, name) in [(program("otpctl"), "otpctl"), ("/run/e2e/script".into(), "otpd")] {
            let to = format!("{TRACED}/{name}");
            run(command("install").args(["-D", "-m", "755", &from, &to]), b"").ok();
        }
    }
    run(command(&format!("{TRACED}/otpctl")).args(arguments), b"")
}

/// Every call of each kind that the victim makes: its name and its number among those.
fn moments(victim: Victim, arguments: &[&str]) -> Vec<(Victim, String, usize)> {
    traced(victim, &["-e", &format!("trace={CALLS}")], arguments).ok();
    let trace = fs::read_to_string(TRACE).unwrap();
    let mut moments: Vec<(Victim, String, usize)> = Vec::new();
    for line in trace.lines() {
        let Some((call, _)) = line.split_once('(') else { continue };
        let before = moments.iter().filter(|(_, other, _)| other == call).count();
        moments.push((victim, call.to_owned(), before + 1));
    }
    assert!(moments.len() > 3, "{trace}");
    moments
}

/// So many of the moments, spread over all of them.
fn some(moments: &[(Victim, String, usize)], many: usize) -> Vec<(Victim, String, usize)> {
    (0..many).map(|n| moments[n * moments.len() / many % moments.len()].clone()).collect()
}

fn killed(victim: Victim, call: &str, n: usize, arguments: &[&str]) {
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let done = traced(victim, &["-e", &format!("trace={call}"), "-e", &inject], arguments);
    let trace = fs::read_to_string(TRACE).unwrap();
    assert!(trace.contains("killed by SIGKILL"), "{victim:?} {call} {n}: {done:?}\n{trace}");
}

fn only_what_belongs_there(moment: &str) {
    for name in names().iter().filter(|name| name.starts_with("/var")) {
        let known = name == STORE || COMPANIONS.iter().any(|end| *name == format!("{STORE}{end}"));
        assert!(known, "{moment}: {name}");
    }
}

/// Whether the store is the restored one; either way everybody gets in, and nothing is there twice
/// or accepted twice.
fn old_or_new(world: &World, people: &People, saved: u64, used: u64, moment: &str) -> bool {
    only_what_belongs_there(moment);
    let mut host = world.host();
    let new = items(&["audit"]).iter().any(|record| record["event"] == "restore");
    assert_eq!(document(&["token", "list"])["total"], 2, "{moment}");
    for counter in saved..used {
        let code = people.counter.at(counter);
        assert!(!login(&mut host, "bob", &[&code]), "{moment}: {counter} again");
    }
    let first = if new { saved + 11 } else { used };
    let admitted = [first, first + 1].map(|n| login(&mut host, "bob", &[&people.counter.at(n)]));
    assert_eq!(admitted, [!new, true], "{moment}, new {new}");
    new
}

/// Killed anywhere, a restore has happened or it has not. The store that is replaced has a log.
#[test]
fn a_killed_restore_has_happened_or_not() {
    hospital(|world, otpd, people| {
        let mut host = world.host();
        assert!(login(&mut host, "bob", &[&people.counter.code()]));
        backup(FILE, &[]).ok();
        let saved_at = people.counter.spent();
        for _ in 0..5 {
            assert!(login(&mut host, "bob", &[&people.counter.code()]));
        }
        let used = people.counter.spent();
        otpd.kill();
        let store = saved_store();
        assert!(
            store.iter().any(|(path, bytes)| path.ends_with("otpd.db-wal") && !bytes.is_empty())
        );
        let arguments = ["restore", FILE, "--identity", IDENTITY, "--yes"];
        let mut all = Vec::new();
        for victim in [Victim::Otpd, Victim::Otpctl] {
            put_back(&store);
            all.extend(moments(victim, &arguments));
        }
        let mut outcomes = [0, 0];
        for (victim, call, n) in some(&all, rounds(16, 200)) {
            put_back(&store);
            killed(victim, &call, n, &arguments);
            otpd.restart();
            let moment = format!("{victim:?} killed at {call} {n}");
            outcomes[usize::from(old_or_new(world, people, saved_at, used, &moment))] += 1;
            otpd.kill();
        }
        assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?} of {}", all.len());
    });
}

/// Killed anywhere, a backup leaves no file or a whole one, and no login notices.
#[test]
fn a_killed_backup_leaves_a_whole_file_or_none() {
    hospital(|world, otpd, people| {
        let mut host = world.host();
        let arguments = ["backup", FILE, "--recipients-file", RECIPIENT];
        let mut all = Vec::new();
        for victim in [Victim::Otpd, Victim::Otpctl] {
            let _ = fs::remove_file(FILE);
            all.extend(moments(victim, &arguments));
        }
        for (victim, call, n) in some(&all, rounds(12, 200)) {
            let _ = fs::remove_file(FILE);
            killed(victim, &call, n, &arguments);
            let moment = format!("{victim:?} killed at {call} {n}");
            if fs::exists(FILE).unwrap() {
                run(command("age").args(["-d", "-i", IDENTITY, "-o", "/dev/null", FILE]), b"").ok();
            }
            let left: Vec<_> = fs::read_dir("/run/e2e").unwrap().flatten().collect();
            let left = left.iter().filter(|e| e.file_name().to_string_lossy().contains("backup"));
            assert!(left.count() <= 1, "{moment}");
            only_what_belongs_there(&moment);
            assert!(login(&mut host, "bob", &[&people.counter.code()]), "{moment}");
        }
        otpd.kill();
        otpd.restart();
        assert!(login(&mut host, "bob", &[&people.counter.code()]));
    });
}

/// A disk without room: nothing is left of it, and the store is what it was.
#[test]
fn without_room_nothing_is_changed() {
    hospital(|world, otpd, people| {
        let small = "/run/e2e/small";
        fs::create_dir(small).unwrap();
        tmpfs(small, "size=16k");
        let done = backup(&format!("{small}/backup"), &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("No space left"), "{done:?}");
        assert_eq!(fs::read_dir(small).unwrap().count(), 0);

        backup(FILE, &[]).ok();
        let used = people.counter.code();
        assert!(login(&mut world.host(), "bob", &[&used]));
        otpd.stop();
        let store = saved_store();
        let room = store.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + 80 * 1024;
        tmpfs("/var/lib/otpd", &format!("size={room}"));
        harness::otpd::give_to_daemon("/var/lib/otpd", 0o700);
        put_back(&store);
        let done = restore(FILE, &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("No space left"), "{done:?}");
        assert!(saved_store() == store, "the store was touched: {:?}", names());
        otpd.restart();
        assert!(!login(&mut world.host(), "bob", &[&used]));
        assert!(login(&mut world.host(), "bob", &[&people.counter.code()]));
        // A full disk is a reason to back up.
        let fill = fs::write("/var/lib/otpd/fill", vec![0; room]);
        assert!(fill.is_err());
        let made = backup(FILE, &[]);
        assert_eq!(made.code(), 0, "{made:?}");
        fs::remove_file("/var/lib/otpd/fill").unwrap();
        otpd.stop();
        umount("/var/lib/otpd").unwrap();
    });
}

/// What cannot be written: named, and nothing is changed.
#[test]
fn where_nothing_can_be_written_it_says_so() {
    hospital(|_, otpd, _| {
        backup(FILE, &[]).ok();
        otpd.kill();
        let store = saved_store();
        let none = None::<&str>;
        mount(Some("/var/lib/otpd"), "/var/lib/otpd", none, MsFlags::MS_BIND, none).unwrap();
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, "/var/lib/otpd", none, flags, none).unwrap();
        let done = restore(FILE, &[]);
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("Read-only"), "{done:?}");
        let done = backup("/run/e2e/second", &[]);
        assert_eq!(done.code(), 0, "{done:?}");
        assert!(done.stderr.contains("not in the store's audit record"), "{done:?}");
        umount("/var/lib/otpd").unwrap();
        assert!(saved_store() == store, "the store was touched: {:?}", names());
        for place in ["/proc/backup", "/run/e2e/nowhere/backup"] {
            let done = backup(place, &[]);
            assert_eq!(done.code(), 1, "{done:?}");
            assert!(done.stderr.contains(place), "{done:?}");
        }
    });
}
