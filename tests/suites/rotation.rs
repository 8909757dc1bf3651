//! Another key for the store: killed at any point it locks nobody out, and a lost key stays lost.

mod credential;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::Duration,
};

use harness::{
    Counterpart, Host, Login, MODULE, Token, World,
    counterparts::gateway::Gateway,
    crowd,
    golden::golden,
    otpd::{Otpd, audit, document, enrol, give_to_daemon, issue, items, otpctl_with, program},
    pam::code,
    process::{Output, command, command_as, run},
    settings::rounds,
};
use nix::fcntl::{Flock, FlockArg};

use crate::delivery::{DIGITS, log_in, reach, resending};

const FOLDER: &str = "/etc/otpd";
const KEY: &str = "/etc/otpd/kek";
const NEW: &str = "/etc/otpd/kek.new";
const STORE: &str = "/var/lib/otpd/otpd.db";
/// The calls by which a rotation changes anything, or is about to.
const CALLS: &str = "write,pwrite64,ftruncate,fsync,fdatasync,openat,link,linkat,rename,renameat,\
renameat2,unlink,unlinkat,fchmod,fchown,setresuid";

/// What `otpctl key rotate` asks of otpd's program.
fn request() -> Vec<u8> {
    let request = br#"{"source":"file","step":"replace"}"#;
    [&(request.len() as u64).to_be_bytes()[..], request].concat()
}

/// Runs that program under strace; what it called, and how it ended.
fn traced(inject: Option<(&str, usize)>) -> (String, Output) {
    let mut strace = command("strace");
    strace.args(["-qq", "-o", "/run/e2e/strace", "-e", &format!("trace={CALLS}")]);
    if let Some((call, n)) = inject {
        strace.args(["-e", &format!("inject={call}:signal=KILL:when={n}")]);
    }
    let done = run(strace.args([&program("otpd"), "rotate-key"]), &request());
    (fs::read_to_string("/run/e2e/strace").unwrap(), done)
}

/// Every call of a rotation, as the Nth of its kind.
fn calls(trace: &str) -> Vec<(String, usize)> {
    let mut calls: Vec<(String, usize)> = Vec::new();
    for name in trace.lines().filter_map(|line| Some(line.split_once('(')?.0.to_owned())) {
        let n = calls.iter().filter(|(other, _)| *other == name).count() + 1;
        calls.push((name, n));
    }
    calls
}

/// What is in the key's folder, but the configuration.
fn keys() -> Vec<String> {
    let entries = fs::read_dir(FOLDER).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.contains("otpd.")).collect();
    names.sort();
    names
}

fn rotate() -> serde_json::Value {
    document(&["key", "rotate", "--yes"])
}

/// Everybody who logs in after each rotation, and how.
struct People<'a> {
    world: &'a World,
    gateway: &'a Gateway,
    host: Host,
    counter: Token,
    recovery: Vec<String>,
    round: usize,
}

/// What was made under the key of before.
struct Prepared {
    clock: Token,
    issued: String,
    used: Vec<(&'static str, String)>,
    reached: String,
}

impl<'a> People<'a> {
    fn new(world: &'a World, gateway: &'a Gateway) -> Self {
        let counter = enrol("alice", &["--method", "hotp"]);
        enrol("bob", &["--method", "hotp"]);
        Self { world, gateway, host: world.host(), counter, recovery: Vec::new(), round: 0 }
    }

    fn login(&mut self, user: &str, code: &str) -> i32 {
        self.host.login(Login::new("login", user), &[code.as_bytes()]).code()
    }

    fn recovery_code(&mut self) -> String {
        if self.recovery.is_empty() {
            let file = "/run/e2e/recovery";
            let new = ["--json", "recovery", "new", "bob", "--yes", "--output", file];
            otpctl_with(&new, b"").ok();
            let text = fs::read_to_string(file).unwrap();
            fs::remove_file(file).unwrap();
            let codes: serde_json::Value = serde_json::from_str(&text).unwrap();
            self.recovery = serde_json::from_value(codes["codes"].clone()).unwrap();
        }
        self.recovery.pop().unwrap()
    }

    fn prepare(&mut self) -> Prepared {
        self.round += 1;
        let clock = enrol(&crowd(2 * self.round), &[]);
        let reached = crowd(2 * self.round + 1);
        reach(&reached, &[&format!("mobile=+4917000{:05}", self.round)]);
        let (counted, recovered) = (self.counter.code(), self.recovery_code());
        let used = vec![("alice", counted), ("bob", recovered)];
        for (user, code) in &used {
            assert_eq!(self.login(user, code), code::SUCCESS, "{user} before the rotation");
        }
        Prepared { clock, issued: issue("alice", &[]), used, reached }
    }

    /// Each can log in once, and nothing that was used is good.
    fn all_log_in(&mut self, prepared: &Prepared, when: &str) {
        let clock = prepared.clock.code();
        let fresh = [
            ("alice", self.counter.code()),
            ("bob", self.recovery_code()),
            ("alice", prepared.issued.clone()),
            (prepared.clock.user.as_str(), clock),
        ];
        for (user, code) in &prepared.used {
            assert_eq!(self.login(user, code), code::AUTH_ERR, "{when}: {user}, a used code");
        }
        for (user, code) in &fresh {
            assert_eq!(self.login(user, code), code::SUCCESS, "{when}: {user}");
            assert_eq!(self.login(user, code), code::AUTH_ERR, "{when}: {user}, once more");
        }
        let next = self.gateway.messages().len() + 1;
        let sent = |_: &str| self.gateway.await_message(next).code(DIGITS);
        let login = Login::new("login", &prepared.reached);
        let done = log_in(&mut self.host, login, sent);
        assert_eq!(done.code(), code::SUCCESS, "{when}: by SMS: {}", done.transcript);
    }
}

fn with_people(test: impl FnOnce(&mut Otpd, &mut People<'_>) + Send) {
    World::run(|world| {
        let gateway = world.gateway();
        let lenient = "[issued]\nenabled = true\n[lockout]\nafter = 100\ndisable_after = 1000\n";
        let configuration = gateway.provider("main") + lenient + &resending("10s", &["sms"]);
        let mut otpd = world.otpd(&configuration);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut people = People::new(world, &gateway);
        test(&mut otpd, &mut people);
    });
}

#[test]
fn everything_is_as_it_was_under_another_key() {
    with_people(|otpd, people| {
        let prepared = people.prepare();
        let before = fs::read_to_string(KEY).unwrap();
        otpd.stop();
        let said = otpctl_with(&["key", "rotate", "--yes"], b"").ok();
        golden("key-rotated", &said);
        assert_eq!(keys(), ["kek", "kek.1"]);
        assert_eq!(fs::read_to_string("/etc/otpd/kek.1").unwrap(), before);
        assert_ne!(fs::read_to_string(KEY).unwrap(), before);
        let (store, key) = (fs::metadata(STORE).unwrap(), fs::metadata(KEY).unwrap());
        assert_eq!((key.uid(), key.gid()), (store.uid(), store.gid()));
        assert_eq!(key.permissions().mode() & 0o7777, 0o400);
        assert_eq!(fs::read_dir("/var/lib/otpd").unwrap().count(), 1, "no log is left");
        otpd.restart();
        people.all_log_in(&prepared, "after the rotation");
        let rotated = items(&["audit"]).into_iter().filter(|record| record["event"] == "rotate");
        assert_eq!(rotated.count(), 1);
        assert!(audit("alice").len() > 3);
        assert_eq!(document(&["status"])["key"], "the key file /etc/otpd/kek, version 2");
        let logged = people.world.log().records().join("\n");
        assert!(logged.contains("rotate: ok (the store has key version 2)"), "{logged}");
        for key in [before.trim_end(), fs::read_to_string(KEY).unwrap().trim_end()] {
            assert!(!logged.contains(key) && !said.contains(key));
        }
    });
}

/// Killed at any call, it leaves a store that the daemon opens, and is finished by the next run.
#[test]
fn killed_at_any_point_it_locks_nobody_out() {
    let kills = rounds(12, 200);
    with_people(|otpd, people| {
        otpd.stop();
        let (trace, done) = traced(None);
        done.ok();
        let calls = calls(&trace);
        assert!(calls.len() > 100, "only {} calls", calls.len());
        // Most calls write the store; the others are as many points as those.
        let (writes, others): (Vec<_>, Vec<_>) =
            calls.iter().partition(|(name, _)| name == "pwrite64");
        otpd.restart();
        let (mut version, mut seen) = (2, [0; 4]);
        for kill in 0..kills {
            let of = if kill % 3 == 0 { &writes } else { &others };
            let (call, n) = &of[kill * (of.len() - 1) / (kills - 1)];
            let when = format!("killed at {call} {n}");
            let prepared = people.prepare();
            let before = fs::read(KEY).unwrap();
            otpd.stop();
            let (_, done) = traced(Some((call, *n)));
            let replaced = fs::read(KEY).unwrap() != before;
            let begun = Path::new(NEW).exists();
            assert!(done.code() == 0 || done.code() == 137, "{when}: {done:?}");
            otpd.restart();
            people.all_log_in(&prepared, &when);
            let key = document(&["status"])["key"].as_str().unwrap().to_owned();
            let sealed = key.contains("kek.new");
            let stages = [begun, sealed, replaced, replaced, replaced];
            seen[stages.into_iter().filter(|stage| *stage).count()] += 1;
            otpd.stop();
            if !replaced {
                let done = rotate();
                assert_eq!(done["resumed"], begun, "{when}: {done}");
            }
            version += 1;
            assert_eq!(keys().len(), version, "{when}: {:?}", keys());
            assert!(!Path::new(NEW).exists(), "{when}");
            assert_eq!(fs::read_dir("/var/lib/otpd").unwrap().count(), 1, "{when}");
            otpd.restart();
            let key = document(&["status"])["key"].as_str().unwrap().to_owned();
            assert!(key.ends_with(&format!("version {version}")), "{when}: {key}");
        }
        // Nothing begun; a new key; the store sealed with it; all done.
        assert!(seen.iter().all(|times| *times > 0), "{seen:?} of {kills}");
    });
}

/// Starts the daemon where it must not start, and has it initialised where it must not be.
fn refused(kind: &str) -> String {
    let state = || {
        let keys = keys().into_iter().map(|name| fs::read(format!("{FOLDER}/{name}")).unwrap());
        (keys.collect::<Vec<_>>(), fs::read(STORE).ok())
    };
    let before = state();
    let mut said = format!("# {kind}\n");
    for arguments in [&[][..], &["init"]] {
        let done = run(command(&program("otpd")).args(arguments), b"");
        assert_eq!(done.code(), 1, "{kind}: {done:?}");
        said += &done.stderr;
    }
    let done = otpctl_with(&["key", "rotate", "--yes"], b"");
    assert_eq!(done.code(), 1, "{kind}: {done:?}");
    said += &done.stderr;
    assert!(state() == before, "{kind}: something was changed");
    said
}

#[test]
fn a_lost_key_is_said_and_never_made_anew() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        enrol("alice", &[]);
        otpd.stop();
        let key = fs::read_to_string(KEY).unwrap();
        let other = key.chars().rev().skip(1).chain(['\n']).collect::<String>();
        let put = |path: &str, text: &str| {
            let _ = fs::remove_file(path);
            fs::write(path, text).unwrap();
            give_to_daemon(path, 0o400);
        };
        let mut said = String::new();
        fs::remove_file(KEY).unwrap();
        said += &refused("the key is lost");
        put("/etc/otpd/kek.1", &key);
        said += &refused("only a key that was replaced is there");
        fs::remove_file("/etc/otpd/kek.1").unwrap();
        put(KEY, &other);
        said += &refused("the key of another store");
        put(KEY, key.trim_end());
        said += &refused("the key is cut off");
        put(KEY, &other);
        put(NEW, &other);
        said += &refused("neither key is the store's");
        fs::remove_file(KEY).unwrap();
        said += &refused("a new key of another store, and no other one");
        fs::remove_file(NEW).unwrap();
        put("/etc/otpd/kek.1", &key);
        fs::rename(STORE, "/var/lib/otpd/away").unwrap();
        said += &refused("a key that was replaced, and no store");
        fs::rename("/var/lib/otpd/away", STORE).unwrap();
        golden("key-lost", &said);
        put(KEY, &key);
        otpd.restart();
    });
}

/// The credentials that the configuration names are there only while the daemon runs.
#[test]
fn what_providers_need_is_not_needed() {
    World::run(|world| {
        world.otpd("").stop();
        let provider = "[budget]\ncountries = [\"+49\"]\n[provider.sms.main]\ntype = \"http\"\n\
            url = \"https://gw.example/\"\ntext_key = \"t\"\nphone_key = \"n\"\nauth = \"bearer\"\n\
            token = { credential = \"sms.token\" }\n";
        fs::write(harness::otpd::CONFIGURATION, provider).unwrap();
        let checked = otpctl_with(&["config", "check"], b"");
        assert!(checked.stderr.contains("has passed no credentials"), "{checked:?}");
        assert_eq!(rotate()["key_version"], 2);
    });
}

/// What lies around as a new key keeps nobody out, and is not taken where it cannot be used.
#[test]
fn a_broken_new_key_is_no_key() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        otpd.stop();
        fs::write(NEW, "half").unwrap();
        let done = otpctl_with(&["key", "rotate", "--yes"], b"");
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(done.stderr.contains("remove it, and run `otpctl key rotate` again"), "{done:?}");
        otpd.restart();
        let code = token.code();
        let login = Login::new("login", "alice");
        assert_eq!(world.host().login(login, &[code.as_bytes()]).code(), code::SUCCESS);
        otpd.stop();
        fs::remove_file(NEW).unwrap();
        assert_eq!(rotate()["resumed"], false);
    });
}

/// A login starts it in the middle: what is the key is decided when the rotation has ended.
#[test]
fn a_daemon_that_waits_for_a_rotation_takes_the_key_of_its_end() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        enrol("alice", &[]);
        otpd.stop();
        let folder = fs::File::open("/var/lib/otpd").unwrap();
        let rotation = Flock::lock(folder, FlockArg::LockExclusive).unwrap();
        fs::rename(KEY, "/etc/otpd/away").unwrap();
        std::thread::scope(|threads| {
            let started = threads.spawn(|| otpd.restart());
            std::thread::sleep(Duration::from_millis(500));
            fs::rename("/etc/otpd/away", KEY).unwrap();
            drop(rotation);
            started.join().unwrap();
        });
        assert_eq!(document(&["status"])["key"], "the key file /etc/otpd/kek, version 1");
    });
}

#[test]
fn a_changed_record_stops_it_and_names_the_user() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        enrol("alice", &[]);
        enrol("bob", &[]);
        otpd.stop();
        let key = fs::read(KEY).unwrap();
        let change = "import sqlite3; s = sqlite3.connect('/var/lib/otpd/otpd.db'); \
            s.execute(\"UPDATE token SET next = 0, offset_ms = 5 WHERE user = 'bob'\"); s.commit()";
        run(&mut command_as("otpd", &["python3", "-c", change]), b"").ok();
        let done = otpctl_with(&["key", "rotate", "--yes"], b"");
        assert_eq!(done.code(), 1, "{done:?}");
        assert!(
            done.stderr.contains("the record of user bob fails its integrity check"),
            "{done:?}"
        );
        assert!(done.stderr.contains("nothing was changed"), "{done:?}");
        assert!(fs::read(KEY).unwrap() == key && keys() == ["kek"], "{:?}", keys());
        otpd.restart();
        otpctl_with(&["user", "reset", "bob", "--yes"], b"").ok();
        otpd.stop();
        assert_eq!(rotate()["users"], 1);
    });
}

#[test]
fn only_root_and_only_without_the_daemon() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let mut alice = command_as("alice", &[&program("otpctl"), "key", "rotate", "--yes"]);
        assert_eq!(run(&mut alice, b"").code(), 3);
        let unasked = otpctl_with(&["key", "rotate"], b"");
        assert_eq!(unasked.code(), 2, "{unasked:?}");
        let busy = otpctl_with(&["key", "rotate", "--yes"], b"");
        assert_eq!(busy.code(), 1, "{busy:?}");
        assert!(busy.stderr.contains("stop it first"), "{busy:?}");
        assert_eq!(keys(), ["kek"]);
    });
}
