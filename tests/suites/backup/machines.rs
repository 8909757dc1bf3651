//! Backups of this machine, of one that was lost, and of another one.

use std::fs;

use harness::{
    otpd::{document, give_to_daemon, otpctl_with, program},
    process::{Output, command, run},
};

use super::*;

fn init() {
    run(command(&program("otpd")).arg("init"), b"").ok();
}

/// Takes away what is in a folder.
fn empty(folder: &str) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_file() && path.extension().is_none_or(|end| end != "toml") {
            fs::remove_file(path).unwrap();
        }
    }
}

/// A machine where otpd was never installed: the daemon has no key and no store.
fn new_machine() {
    empty("/etc/otpd");
    empty("/var/lib/otpd");
}

fn put_key(key: &[u8], name: &str) {
    let _ = fs::remove_file(name);
    fs::write(name, key).unwrap();
    give_to_daemon(name, 0o400);
}

fn refused(done: &Output, why: &[&str]) {
    assert_eq!(done.code(), 1, "{done:?}");
    for why in why {
        assert!(done.stderr.contains(why), "{why}: {done:?}");
    }
}

/// Everybody who was enrolled gets in after a restore of the backup that was made at `saved`.
fn everybody_gets_in(world: &World, people: &People, saved: u64, what: &str) {
    let mut host = world.host();
    for (code, admitted) in [(saved + 11, false), (saved + 12, true), (saved + 13, true)] {
        let code = people.counter.at(code);
        assert_eq!(login(&mut host, "bob", &[&code]), admitted, "{what}");
    }
    assert_eq!(document(&["user", "list"])["total"], 2, "{what}");
}

/// The orders of commands that the manual has for a lost disk, a lost key, a new machine.
#[test]
fn what_was_lost_comes_back() {
    hospital(|world, otpd, people| {
        assert!(login(&mut world.host(), "bob", &[&people.counter.code()]));
        let saved = people.counter.spent();
        let inside = "/run/e2e/inside.age";
        backup(FILE, &[]).ok();
        let told = backup(inside, &["--with-key"]).ok();
        assert!(told.contains("every secret"), "{told}");
        let key = fs::read(KEY).unwrap();
        otpd.stop();
        let store = saved_store();
        let mut works = |what: &str, file: &str, more: &[&str]| {
            let done = restore(file, more);
            assert_eq!(done.code(), 0, "{what}: {done:?}");
            otpd.restart();
            everybody_gets_in(world, people, saved, what);
            otpd.stop();
            done.stdout
        };

        fs::remove_file(STORE).unwrap();
        works("the store is lost", FILE, &[]);
        fs::write(STORE, vec![0xa5; 40_000]).unwrap();
        give_to_daemon(STORE, 0o600);
        let told = works("the store is garbage", FILE, &[]);
        assert!(told.contains("otpd.db.replaced"), "{told}");
        assert_eq!(fs::read(format!("{STORE}.replaced")).unwrap(), vec![0xa5; 40_000]);
        fs::write(STORE, "").unwrap();
        works("the store is empty and root's", FILE, &[]);

        new_machine();
        refused(&restore(FILE, &[]), &["no key", KEY, "--with-key"]);
        assert_eq!(names(), ["/etc/otpd/otpd.toml"]);
        put_key(&key, KEY);
        works("a new machine, its key put back", FILE, &[]);

        new_machine();
        works("a new machine, the key in the backup", inside, &[]);
        assert_ne!(fs::read(KEY).unwrap(), key, "a key of its own");

        new_machine();
        init();
        refused(&restore(FILE, &[]), &["is not the key of this store", "kek.1", "--with-key"]);
        put_key(&key, "/etc/otpd/kek.1");
        let told = works("an installed machine, the key as one that was replaced", FILE, &[]);
        assert!(told.contains("this machine's key"), "{told}");

        new_machine();
        init();
        put_key(&key, KEY);
        works("an installed machine, its key replaced", FILE, &[]);

        new_machine();
        init();
        let told = works("an installed machine, the key in the backup", inside, &[]);
        assert!(told.contains("this machine's key"), "{told}");

        new_machine();
        put_back(&store);
        refused(&restore(FILE, &[]), &["no key", KEY]);
        refused(&restore(inside, &[]), &["is missing", KEY, "move it away"]);
        assert!(saved_store() == store);
        assert!(!fs::exists(KEY).unwrap(), "a new key over an old store");
        fs::remove_file(STORE).unwrap();
        works("the store was moved away", inside, &[]);
    });
}

/// Another store that has users is not replaced by mistake.
#[test]
fn another_store_stays_unless_it_is_said() {
    hospital(|world, otpd, people| {
        let saved = people.counter.spent();
        let inside = "/run/e2e/inside.age";
        backup(inside, &["--with-key"]).ok();
        otpd.stop();
        new_machine();
        init();
        otpd.restart();
        enrol("alice", &["--method", "hotp"]);
        otpd.stop();
        let store = saved_store();
        refused(&restore(inside, &[]), &["has 1 users", "another one", "--replace"]);
        assert!(saved_store() == store);
        restore(inside, &["--replace"]).ok();
        otpd.restart();
        everybody_gets_in(world, people, saved, "replaced");
    });
}

/// Backups from before the key was replaced.
#[test]
fn a_backup_outlives_its_key() {
    hospital(|world, otpd, people| {
        let saved = people.counter.spent();
        backup(FILE, &[]).ok();
        otpd.stop();
        for _ in 0..2 {
            otpctl_with(&["key", "rotate", "--yes"], b"").ok();
        }
        let told = restore(FILE, &[]).ok();
        assert!(told.contains("this machine's key"), "{told}");
        otpd.restart();
        everybody_gets_in(world, people, saved, "after two rotations");
        otpd.stop();
        fs::remove_file("/etc/otpd/kek.1").unwrap();
        refused(&restore(FILE, &[]), &["/etc/otpd/kek", "/etc/otpd/kek.2", "--with-key"]);
        otpctl_with(&["key", "rotate", "--yes"], b"").ok();
        otpd.restart();
        assert!(login(&mut world.host(), "bob", &[&people.counter.at(saved + 14)]));
    });
}

/// Recovery codes may be kept, and are those that they were, also under another key.
#[test]
fn recovery_codes_stay_good_if_that_is_said() {
    hospital(|world, otpd, people| {
        let mut host = world.host();
        assert!(login(&mut host, "alice", &[&people.recovery[0]]));
        backup(FILE, &["--with-key"]).ok();
        assert!(login(&mut host, "alice", &[&people.recovery[1]]));
        otpd.stop();
        new_machine();
        let told = restore(FILE, &["--keep-recovery-codes"]).ok();
        assert!(told.contains("Recovery codes are good"), "{told}");
        otpd.restart();
        assert!(!login(&mut host, "alice", &[&people.recovery[0]]), "used before the backup");
        assert!(login(&mut host, "alice", &[&people.recovery[1]]), "used after the backup");
        assert!(!login(&mut host, "alice", &[&people.recovery[1]]), "used again");
        assert!(login(&mut host, "alice", &[&people.recovery[2]]), "never used");
    });
}
