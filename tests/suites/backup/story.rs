//! What an administrator does with backups, and what people then see.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use harness::{
    otpd::{document, issue, items, otpctl, otpctl_with},
    process::{command, run},
    terminal::sit,
};

use super::*;

/// The rest of the present step of a TOTP code, and a little more.
fn next_step() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    sleep(Duration::from_millis(30_200 - (now.as_millis() % 30_000) as u64));
}

/// Five codes that were used after the backup are refused after its restore, and everybody gets in.
#[test]
fn what_was_used_after_a_backup_stays_used() {
    hospital(|world, otpd, people| {
        let mut host = world.host();
        assert!(login(&mut host, "bob", &[&people.counter.code()]), "before");
        let made = backup(FILE, &[]);
        assert!(made.stdout.contains("2 users, 2 tokens"), "{made:?}");
        assert!(made.stdout.contains("The key is not inside"), "{made:?}");
        let used = [people.counter.code(), people.counter.code(), people.counter.code()];
        for code in &used {
            assert!(login(&mut host, "bob", &[code]));
        }
        let app = people.app.code();
        assert!(login(&mut host, "alice", &[&app]));
        let recovery = &people.recovery[0];
        assert!(login(&mut host, "alice", &[recovery]));
        let issued = issue("alice", &["--uses", "5", "--reason", "phone"]);
        otpd.stop();

        let done = restore(FILE, &[]);
        assert!(done.stdout.contains("1 counter tokens need two codes"), "{done:?}");
        assert!(done.stdout.contains("recovery codes of alice are void"), "{done:?}");
        otpd.restart();
        for code in &used {
            assert!(!login(&mut host, "bob", &[code]), "bob's {code} again");
        }
        assert!(!login(&mut host, "alice", &[&app]), "alice's code again");
        for code in &people.recovery {
            assert!(!login(&mut host, "alice", &[code]), "a recovery code");
        }
        assert!(!login(&mut host, "alice", &[&issued]), "an issued code");
        assert_eq!(document(&["user", "show", "alice"])["locked_until"], serde_json::Value::Null);
        people.counter.skip_to(people.counter.spent() + 11);
        assert!(!login(&mut host, "bob", &[&people.counter.code()]), "the first of two");
        assert!(login(&mut host, "bob", &[&people.counter.code()]), "the second of two");
        assert!(login(&mut host, "bob", &[&people.counter.code()]), "and one as ever");
        next_step();
        assert!(login(&mut host, "alice", &[&people.app.code()]), "the next step");
        let events: Vec<_> =
            items(&["audit"]).iter().map(|record| record["event"].to_string()).collect();
        assert!(events.contains(&"\"restore\"".to_owned()), "{events:?}");
        assert_eq!(document(&["user", "show", "alice"])["recovery"], 0);
    });
}

/// No login fails because of a backup, and what was used while it was made or after it stays used.
#[test]
fn backups_are_made_while_people_log_in() {
    const MOST: usize = 2000;
    hospital(|world, otpd, people| {
        let codes = people.counter.codes(0, MOST);
        let stop = AtomicBool::new(false);
        let used = thread::scope(|scope| {
            let busy = scope.spawn(|| {
                let mut host = world.host();
                let mut used = 0;
                while !stop.load(Ordering::SeqCst) && used < MOST {
                    assert!(login(&mut host, "bob", &[&codes[used]]), "code {used}");
                    used += 1;
                }
                used
            });
            for _ in 0..5 {
                backup(FILE, &[]).ok();
            }
            stop.store(true, Ordering::SeqCst);
            busy.join().unwrap()
        });
        let mut host = world.host();
        for code in &codes[used..used + 5] {
            assert!(login(&mut host, "bob", &[code]));
        }
        otpd.stop();
        restore(FILE, &[]).ok();
        otpd.restart();
        for code in &codes[used.saturating_sub(20)..used + 5] {
            assert!(!login(&mut host, "bob", &[code]), "{code} again");
        }
    });
}

/// The store that is replaced knows how far a counter is, and which recovery codes are left.
#[test]
fn what_the_replaced_store_knows_counts() {
    hospital(|world, otpd, people| {
        let mut host = world.host();
        backup(FILE, &[]).ok();
        let used: Vec<_> = (0..20).map(|_| people.counter.code()).collect();
        for code in &used {
            assert!(login(&mut host, "bob", &[code]));
        }
        assert!(login(&mut host, "alice", &[&people.recovery[0]]));
        otpd.stop();
        restore(FILE, &["--keep-recovery-codes"]).ok();
        otpd.restart();
        for code in &used {
            assert!(!login(&mut host, "bob", &[code]), "bob's {code} again");
        }
        assert!(!login(&mut host, "bob", &[&people.counter.code()]), "the first of two");
        assert!(login(&mut host, "bob", &[&people.counter.code()]), "the second of two");
        assert!(!login(&mut host, "alice", &[&people.recovery[0]]), "used after the backup");
        assert!(login(&mut host, "alice", &[&people.recovery[1]]), "never used");
    });
}

/// What a person types is not seen, and asked for twice; a no is a no.
#[test]
fn at_a_terminal_it_asks() {
    const WORDS: &str = "four words are enough";
    let (first, again) = ("Passphrase for the backup: ", "The same again: ");
    hospital(|_, otpd, _| {
        let backup = ["backup", FILE];
        let differing = sit(&otpctl(&backup), &[(first, WORDS), (again, "four other words here")]);
        assert_eq!(differing.code, 1, "{}", differing.transcript);
        assert!(differing.transcript.contains("differ"), "{}", differing.transcript);
        assert!(!fs::exists(FILE).unwrap());
        let made = sit(&otpctl(&backup), &[(first, WORDS), (again, WORDS)]);
        assert_eq!(made.code, 0, "{}", made.transcript);
        assert!(!made.transcript.contains("four"), "{}", made.transcript);
        otpd.stop();
        let store = saved_store();
        let ask = ("Passphrase of the backup: ", WORDS);
        for (agreed, status) in [("n", 1), ("", 1), ("y", 0)] {
            let question = ("which has 2 users now? [y/N] ", agreed);
            let sitting = sit(&otpctl(&["restore", FILE]), &[ask, question]);
            assert_eq!(sitting.code, status, "{}", sitting.transcript);
            assert_eq!(saved_store() == store, status == 1, "{agreed}");
            assert!(!sitting.transcript.contains("four"), "{}", sitting.transcript);
        }
    });
}

/// A key that is a credential is seen while otpd runs; it is no missing one for that.
#[test]
fn no_key_is_made_beside_a_credential() {
    hospital(|_, otpd, _| {
        backup(FILE, &["--with-key"]).ok();
        otpd.stop();
        [STORE, KEY].iter().for_each(|path| fs::remove_file(path).unwrap());
        let credential = "/etc/credstore.encrypted/otpd.kek";
        fs::create_dir_all("/etc/credstore.encrypted").unwrap();
        fs::write(credential, "sealed").unwrap();
        let refused = restore(FILE, &[]);
        assert_eq!(refused.code(), 1, "{refused:?}");
        assert!(refused.stderr.contains(credential), "{refused:?}");
        assert!([STORE, KEY].iter().all(|path| !fs::exists(path).unwrap()));
        fs::remove_file(credential).unwrap();
        restore(FILE, &[]).ok();
        otpd.restart();
    });
}

/// What age and SQLite see without otpd.
#[test]
fn a_backup_can_be_read_by_age_and_sqlite() {
    hospital(|_, _, _| {
        fs::write("/run/e2e/read.py", READ).unwrap();
        backup(FILE, &["--with-key"]).ok();
        assert_eq!(fs::metadata(FILE).unwrap().mode() & 0o7777, 0o600);
        let age =
            run(command("age").args(["-d", "-i", IDENTITY, "-o", "/run/e2e/plain", FILE]), b"");
        age.ok();
        let seen = run(command("python3").args(["/run/e2e/read.py", "/run/e2e/plain", KEY]), b"");
        assert_eq!(seen.ok(), "ok alice bob 1 1\n");
        let passphrase = "/run/e2e/passphrase.age";
        let made = otpctl_with(&["backup", passphrase, "--passphrase-file", PASSPHRASE], b"").ok();
        assert!(made.contains("2 users"), "{made}");
        let begin = fs::read(passphrase).unwrap();
        assert!(begin.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        let again = otpctl_with(&["backup", passphrase, "--passphrase-file", PASSPHRASE], b"");
        assert!(again.stderr.contains("never overwritten"), "{again:?}");
        assert_eq!(fs::read(passphrase).unwrap(), begin);
    });
}

/// Cuts the parts apart and opens the store.
const READ: &str = r#"
import json, sqlite3, sys
magic, header, key, image = open(sys.argv[1], "rb").read().split(b"\n", 3)
assert magic == b"otpd backup 1", magic
assert key + b"\n" == open(sys.argv[2], "rb").read(), "the key"
open("/run/e2e/image", "wb").write(image)
store = sqlite3.connect("file:/run/e2e/image?immutable=1", uri=True)
users = [user for user, in store.execute("SELECT user FROM account ORDER BY user")]
header = json.loads(header)
same = store.execute("SELECT lower(hex(store)) FROM meta").fetchone()[0] == header["store"]
print("ok", *users, int(same), header["key_version"])
"#;
