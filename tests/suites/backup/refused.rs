//! What is no backup, or cannot be opened: refused by name, and nothing is touched.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
};

use harness::process::{command, command_as, run};
use nix::sys::stat::Mode;

use super::*;

/// Refused with these words, and with the store as it was.
fn refused(done: &Output, why: &str) {
    assert_eq!(done.code(), 1, "{why}: {done:?}");
    assert!(done.stderr.contains(why), "{why}: {done:?}");
}

#[test]
fn what_is_no_backup_is_refused_by_name() {
    hospital(|_, otpd, _| {
        let file = |name: &str, bytes: &[u8]| {
            let path = format!("/run/e2e/{name}");
            fs::write(&path, bytes).unwrap();
            path
        };
        backup(FILE, &[]).ok();
        let good = fs::read(FILE).unwrap();
        let (mut flipped, mut turned) = (good.clone(), good.clone());
        *flipped.last_mut().unwrap() ^= 1;
        turned[30] ^= 1;
        fs::create_dir("/run/e2e/folder").unwrap();
        nix::unistd::mkfifo("/run/e2e/fifo", Mode::S_IRWXU).unwrap();
        let giant = File::create("/run/e2e/giant").unwrap();
        giant.set_len(1 << 30).unwrap();
        symlink("/run/e2e/nothing", "/run/e2e/link").unwrap();
        let plain = file("plain", b"otpd backup 1\nanything");
        let public = fs::read_to_string(RECIPIENT).unwrap().lines().nth(1).unwrap().to_owned();
        let foreign = "/run/e2e/foreign";
        run(command("age").args(["-r", &public, "-o", foreign, &plain]), b"").ok();
        let armoured = "/run/e2e/armoured";
        run(command("age").args(["-a", "-r", &public, "-o", armoured, &plain]), b"").ok();
        otpd.stop();
        let store = saved_store();
        for (path, why) in [
            (file("empty", b""), "it is no backup"),
            (file("garbage", &[0xa5; 5000]), "it is no backup"),
            (file("sqlite", &store[0].1), "it is no backup"),
            (armoured.into(), "it is no backup"),
            (file("cut", &good[..good.len() - 1]), "cut off"),
            (file("half", &good[..good.len() / 2]), "cut off"),
            (file("header", &good[..60]), "cut off"),
            (file("longer", &[&good[..], b"\n"].concat()), "changed or damaged"),
            (file("flipped", &flipped), "changed or damaged"),
            (file("turned", &turned), "is"),
            (foreign.into(), "what it holds is no backup"),
            ("/run/e2e/folder".into(), "not a regular file"),
            ("/run/e2e/fifo".into(), "not a regular file"),
            ("/run/e2e/giant".into(), "more than 512 MiB"),
            ("/run/e2e/link".into(), "No such file"),
            ("/run/e2e/nothing".into(), "No such file"),
        ] {
            let done = restore(&path, &[]);
            refused(&done, why);
            assert!(done.stderr.contains(&path), "{done:?}");
            assert!(saved_store() == store, "{path}: {:?}", names());
        }
    });
}

#[test]
fn who_cannot_open_it_does_not() {
    hospital(|_, otpd, _| {
        backup(FILE, &[]).ok();
        let closed = "/run/e2e/passphrase.age";
        otpctl_with(&["backup", closed, "--passphrase-file", PASSPHRASE], b"").ok();
        let other = "/run/e2e/other";
        run(command("age-keygen").args(["-o", other]), b"").ok();
        fs::write("/run/e2e/wrong", "five words are not enough\n").unwrap();
        otpd.stop();
        let store = saved_store();
        let attempt = |arguments: &[&str], input: &[u8]| {
            let done = otpctl_with(&[&["restore", "--yes"], arguments].concat(), input);
            assert!(saved_store() == store, "{arguments:?}: {:?}", names());
            done
        };
        refused(&attempt(&[FILE, "--identity", other], b""), "others than these identities");
        refused(&attempt(&[FILE, "--identity", PASSPHRASE], b""), "no secret key");
        refused(&attempt(&[FILE, "--passphrase-file", PASSPHRASE], b""), "name its file");
        refused(&attempt(&[closed, "--identity", IDENTITY], b""), "--passphrase-file");
        refused(&attempt(&[closed, "--passphrase-file", "/run/e2e/wrong"], b""), "is wrong");
        refused(&attempt(&[closed, "--passphrase-file", "-"], b"no\n"), "is wrong");
        let unasked = attempt(&[FILE], b"anything\n");
        assert_eq!(unasked.code(), 2, "{unasked:?}");
        assert!(unasked.stderr.contains("--identity"), "{unasked:?}");
        let unsaid = otpctl_with(&["restore", FILE, "--identity", IDENTITY], b"");
        assert_eq!(unsaid.code(), 2, "{unsaid:?}");
        assert!(unsaid.stderr.contains("--yes"), "{unsaid:?}");
        assert!(saved_store() == store);
        // From a pipe each, as from a password manager.
        let done = otpctl_with(
            &["restore", closed, "--yes", "--passphrase-file", "-"],
            b"four words are enough\n",
        );
        done.ok();
        let secret = fs::read(IDENTITY).unwrap();
        otpctl_with(&["restore", FILE, "--yes", "--identity", "-"], &secret).ok();
    });
}

#[test]
fn a_backup_that_nobody_could_open_is_not_made() {
    hospital(|_, otpd, _| {
        let unmade = |arguments: &[&str], input: &[u8], code: i32, why: &str| {
            let done = otpctl_with(&[&["backup", FILE], arguments].concat(), input);
            assert_eq!(done.code(), code, "{done:?}");
            assert!(done.stderr.contains(why), "{why}: {done:?}");
            assert!(!fs::exists(FILE).unwrap(), "{why}");
        };
        unmade(&[], b"", 2, "--passphrase-file");
        unmade(&["--passphrase-file", "-"], b"", 1, "empty");
        unmade(&["--passphrase-file", "-"], b"\n", 1, "fewer than 12 characters");
        unmade(&["--passphrase-file", "-"], "elfzeichen\u{fc}\n".as_bytes(), 1, "fewer than 12");
        unmade(
            &["--passphrase-file", "-"],
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\n",
            1,
            "UTF-8",
        );
        unmade(&["--recipient", "age1nobody"], b"", 1, "recipient 1 is no public key of age's");
        unmade(&["--recipient", "ssh-ed25519 AAAA"], b"", 1, "recipient 1 ");
        unmade(&["--recipients-file", "/run/e2e/none"], b"", 1, "/run/e2e/none");
        fs::write("/run/e2e/none", "# nobody\n\n").unwrap();
        unmade(&["--recipients-file", "/run/e2e/none"], b"", 1, "names no recipient");
        let by_alice =
            run(&mut command_as("alice", &["/run/e2e/bin/otpctl", "backup", "/home/alice/b"]), b"");
        assert_eq!(by_alice.code(), 3, "{by_alice:?}");
        // A store that is damaged, without and with a daemon that has not noticed yet.
        let damage = "UPDATE token SET next = next + 1 WHERE user = 'bob'";
        let script = format!(
            "import sqlite3; c = sqlite3.connect('{STORE}'); c.execute(\"{damage}\"); c.commit()"
        );
        run(command("python3").args(["-c", &script]), b"").ok();
        unmade(&["--recipients-file", RECIPIENT], b"", 1, "the record of user bob");
        otpd.stop();
        unmade(&["--recipients-file", RECIPIENT], b"", 1, "the record of user bob");
        fs::write(STORE, "garbage").unwrap();
        unmade(&["--recipients-file", RECIPIENT], b"", 1, "the file is damaged");
        fs::remove_file(STORE).unwrap();
        unmade(&["--recipients-file", RECIPIENT], b"", 1, "is missing");
    });
}

/// While the daemon runs and nothing manages it, nothing is replaced.
#[test]
fn a_running_daemon_keeps_its_store() {
    hospital(|world, _, people| {
        let mut host = world.host();
        backup(FILE, &[]).ok();
        assert!(login(&mut host, "bob", &[&people.counter.code()]));
        let done = restore(FILE, &[]);
        refused(&done, "systemctl stop otpd.service");
        assert!(login(&mut host, "bob", &[&people.counter.code()]));
        assert!(!names().iter().any(|name| name.contains("rest") || name.contains("repl")));
    });
}
