//! Users who come from another module, on a running machine: what they used there is used here.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, lchown, symlink},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use harness::{
    ALICE, BOB, Login, MODULE, Token, World, crowd,
    otpd::{audit, document, enrol, items, otpctl, otpctl_with},
    pam::{Host, code},
    process::{Output, Process, run_within},
    settings::rounds,
};
use nix::sys::signal::Signal;
use serde_json::Value;

const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const HEX: &str = "3132333435363738393031323334353637383930";
const USERS: &str = "/run/e2e/users.oath";

fn import(arguments: &[&str]) -> Output {
    otpctl_with(&[&["import"], arguments].concat(), b"")
}

/// Writes a file of pam_google_authenticator into a user's home, as its own module would.
fn google_file(user: &str, uid: u32, lines: &[&str]) -> String {
    let home = format!("/home/{user}");
    fs::create_dir_all(&home).unwrap();
    chown(&home, Some(uid), Some(uid)).unwrap();
    let path = format!("{home}/.google_authenticator");
    fs::write(&path, format!("{KEY}\n{}\n", lines.join("\n"))).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    chown(&path, Some(uid), Some(uid)).unwrap();
    path
}

fn tokens(user: &str) -> Vec<Value> {
    items(&["token", "list", user])
}

fn login(host: &mut Host, user: &str, code: &str) -> i32 {
    host.login(Login::new("login", user), &[code.as_bytes()]).code()
}

/// The next counter counts, the ones before it do not, and neither do scratch codes twice.
#[test]
fn a_user_of_google_authenticator_goes_on_with_the_next_code() {
    World::run(|world| {
        let _otpd = world.otpd("[lockout]\nafter = 50\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let lines = ["\" HOTP_COUNTER 12", "\" RATE_LIMIT 60 30", "12345678", "87654321"];
        let path = google_file("alice", ALICE, &lines);
        let dry = import(&["--dry-run", &path]).ok();
        assert!(dry.starts_with("Would be: 1 token added, 0 known"), "{dry}");
        assert!(tokens("alice").is_empty());
        let done = import(&[&path]).ok();
        assert!(done.starts_with("1 token added, 0 known"), "{done}");
        assert!(done.lines().all(|line| line.chars().count() <= 80), "{done}");
        let again = document(&["import", &path]);
        assert_eq!(
            (&again["added"], &again["known"], &again["raised"]),
            (&0.into(), &1.into(), &0.into())
        );
        assert_eq!(tokens("alice").len(), 1, "twice is once");

        let (token, mut host) = (Token::of_key("hotp", KEY), world.host());
        for used in [0, 10, 11] {
            assert_eq!(login(&mut host, "alice", &token.at(used)), code::AUTH_ERR, "{used}");
        }
        assert_eq!(login(&mut host, "alice", &token.at(12)), code::SUCCESS);
        assert_eq!(login(&mut host, "alice", &token.at(12)), code::AUTH_ERR);
        assert_eq!(login(&mut host, "alice", "12345678"), code::SUCCESS, "a scratch code");
        assert_eq!(login(&mut host, "alice", "12345678"), code::AUTH_ERR, "is good once");

        // What was used there meanwhile counts at the next import.
        let path = google_file("alice", ALICE, &["\" HOTP_COUNTER 16", "12345678"]);
        assert_eq!(document(&["import", &path])["raised"], 1);
        assert_eq!(login(&mut host, "alice", &token.at(15)), code::AUTH_ERR);
        assert_eq!(login(&mut host, "alice", "12345678"), code::AUTH_ERR, "not good again");
        assert_eq!(login(&mut host, "alice", &token.at(16)), code::SUCCESS);
        let events = audit("alice");
        let imports: Vec<_> = events.iter().filter(|event| event["event"] == "import").collect();
        assert_eq!(imports.len(), 2, "{imports:?}");
        let logged = world.log().records().join("\n") + &format!("{events:?}");
        for secret in [KEY, HEX, "12345678", "87654321"] {
            assert!(!logged.contains(secret), "a secret is in the log");
        }
    });
}

#[test]
fn a_code_of_the_present_step_may_have_been_used_elsewhere() {
    World::run(|world| {
        let _otpd =
            world.otpd("[[method]]\nname = \"totp\"\ntime_step = \"4s\"\nwindow_before = 0\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let path = google_file("bob", BOB, &["\" TOTP_AUTH", "\" STEP_SIZE 4"]);
        let (token, mut host) = (Token::of_key("totp", KEY), world.host());
        let present = token.at_step(4);
        import(&[&path]).ok();
        assert_eq!(login(&mut host, "bob", &present), code::AUTH_ERR);
        sleep(Duration::from_secs(4));
        // The first step that counts has begun, or the one after it.
        assert_eq!(login(&mut host, "bob", &token.at_step(4)), code::SUCCESS);
    });
}

/// All or nothing, unless what is accepted is asked for.
#[test]
fn what_is_rejected_keeps_the_rest_out() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let lines = [
            format!("HOTP alice - {HEX} 3 969429 2026-01-01T00:00:00L"),
            format!("HOTP nobody.here - {HEX} 3"),
            format!("HOTP bob 4711 {HEX}"),
            "junk".to_owned(),
            format!("HOTP/E/8 bob - {HEX}"),
        ];
        fs::write(USERS, lines.join("\n")).unwrap();
        let failed = import(&[USERS]);
        assert_eq!(failed.code(), 1, "{failed:?}");
        for told in [
            "/run/e2e/users.oath:2: nobody.here: this system knows no such user",
            "/run/e2e/users.oath:3: bob: field 3 is a PIN",
            "/run/e2e/users.oath:4: this is no token",
            "nothing is changed; correct the 3 rejects",
        ] {
            assert!(failed.stderr.contains(told), "{told}: {}", failed.stderr);
        }
        assert!(tokens("alice").is_empty() && tokens("bob").is_empty());

        let rejects = "/run/e2e/rejects";
        let some = import(&[USERS, "--accepted", "--rejects", rejects]).ok();
        assert!(some.starts_with("2 tokens added"), "{some}");
        let listed = fs::read_to_string(rejects).unwrap();
        assert_eq!(listed.lines().count(), 3, "{listed}");
        assert!(!listed.contains(HEX) && !listed.contains("4711"), "{listed}");
        assert_eq!(fs::metadata(rejects).unwrap().permissions().mode() & 0o777, 0o600);
        let taken = import(&[USERS, "--rejects", rejects]);
        assert!(taken.code() == 1 && taken.stderr.contains("exists"), "{taken:?}");

        let (token, mut host) = (Token::of_key("hotp", KEY), world.host());
        assert_eq!(login(&mut host, "alice", &token.at(3)), code::AUTH_ERR, "used there");
        assert_eq!(login(&mut host, "alice", &token.at(4)), code::SUCCESS);
        assert_eq!(tokens("alice")[0]["label"], "oath-1");
        assert_eq!(tokens("bob")[0]["digits"], 8);

        let report = document(&["import", USERS, "--user", "alice", "--accepted"]);
        assert_eq!((&report["known"], &report["rejected"]), (&1.into(), &1.into()), "{report}");
    });
}

/// What may be in the place of a user's file, by what is said of it.
const WRONG: [&str; 9] = [
    "symbolic link",
    "a directory",
    "a FIFO",
    "empty",
    "1073741824 bytes",
    "NUL bytes",
    "no key in base32",
    "not to bob",
    "other names",
];

fn put(what: &str, path: &str) {
    let mut owner = BOB;
    match what {
        "symbolic link" => symlink("/etc/shadow", path).unwrap(),
        "a directory" => fs::create_dir(path).unwrap(),
        "a FIFO" => nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap(),
        "1073741824 bytes" => fs::File::create(path).unwrap().set_len(1 << 30).unwrap(),
        "NUL bytes" => fs::write(path, [0; 4096]).unwrap(),
        "no key in base32" => fs::write(path, [0xfe; 4096]).unwrap(),
        "other names" => {
            owner = 0;
            fs::write("/home/bob/root", b"x").unwrap();
            fs::hard_link("/home/bob/root", path).unwrap();
        }
        other => {
            owner = if other == "empty" { BOB } else { ALICE };
            fs::write(path, if other == "empty" { "" } else { "x" }).unwrap();
        }
    }
    lchown(path, Some(owner), Some(owner)).unwrap();
}

/// Users may have put anything where their file is looked for; it is theirs alone.
#[test]
fn a_file_that_is_none_of_a_users_is_refused_by_name() {
    World::run(|world| {
        let _otpd = world.otpd("");
        google_file("alice", ALICE, &["\" HOTP_COUNTER 1"]);
        let bob = google_file("bob", BOB, &["\" HOTP_COUNTER 1"]);
        let template = ["--path-template", "~/.google_authenticator"];
        let plain = || [&["--json", "import", "--accepted"], &template[..]].concat();
        for told in WRONG {
            let _ = fs::remove_file(&bob);
            put(told, &bob);
            let report: Value = serde_json::from_str(&otpctl_with(&plain(), b"").ok()).unwrap();
            assert_eq!(report["rejected"], 1, "{told}: {report}");
            let reject = &report["rejects"][0];
            assert_eq!((&reject["file"], &reject["user"]), (&bob.as_str().into(), &"bob".into()));
            assert!(reject["reason"].as_str().unwrap().contains(told), "{told}: {report}");
            assert_eq!(report["tokens"][0]["user"], "alice");
            let _ = fs::remove_dir(&bob);
        }
        let _ = fs::remove_file(&bob);
        for (file, told) in
            [("/dev/zero", "a device"), ("/run/e2e", "a directory"), ("/none", "No such file")]
        {
            let failed = import(&["--format", "oath", file]);
            assert!(failed.code() == 1 && failed.stderr.contains(told), "{file}: {failed:?}");
            assert!(
                failed.stderr.contains(&format!("{file}: it is")) || file == "/none",
                "{failed:?}"
            );
        }
        let users = "/run/e2e/list";
        fs::write(users, "# ours\nalice\nnobody.here\n").unwrap();
        let some = [&["import", "--users", users], &template[..]].concat();
        let failed = otpctl_with(&some, b"");
        assert!(
            failed.stderr.contains("nobody.here: this system knows no such user"),
            "{failed:?}"
        );
        let owner = google_file("bob", BOB, &["\" HOTP_COUNTER 1"]);
        chown("/home/bob", Some(ALICE), None).unwrap();
        let failed = import(&[&owner]);
        assert!(failed.stderr.contains("name the user with --user"), "{failed:?}");
    });
}

/// Whenever it dies, all users are there or none is, and the daemon goes on.
#[test]
fn killed_at_any_moment_it_leaves_all_or_nothing() {
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        let users: Vec<_> = (0..8).map(crowd).collect();
        let lines: String = users.iter().map(|user| format!("HOTP {user} - {HEX} 1\n")).collect();
        fs::write(USERS, lines).unwrap();
        let enrolled = || users.iter().filter(|user| !tokens(user).is_empty()).count();
        let (mut nothing, mut all) = (0, 0);
        for round in 0..rounds(12, 200) {
            let mut task = otpctl(&["import", USERS]);
            let mut process = Process::start(task.stdout(Stdio::null()).stderr(Stdio::null()));
            sleep(Duration::from_millis(round as u64 * 7 % 120));
            // With the program that it has started: both are of one group.
            for pid in children(process.pid()) {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
            }
            process.signal(Signal::SIGKILL);
            process.wait(Duration::from_secs(5));
            match enrolled() {
                0 => nothing += 1,
                8 => all += 1,
                some => panic!("{some} of 8 after round {round}"),
            }
            for user in &users {
                otpctl_with(&["user", "reset", user, "--yes"], b"");
            }
        }
        assert!(nothing > 0, "it was always in time: {all}");
        import(&[USERS]).ok();
        assert_eq!(enrolled(), 8);
    });
}

fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// The import of many users is one transaction, and nobody's login fails for it.
#[test]
fn logins_go_on_while_many_users_are_imported() {
    let many = rounds(2_000, 20_000);
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let (mut passwd, mut lines) = (fs::read_to_string("/etc/passwd").unwrap(), String::new());
        for number in 0..many {
            passwd += &format!("many{number}:x:{0}:{0}::/:/bin/sh\n", 100_000 + number);
            let key = format!("{:08x}", number + 1).repeat(5);
            let kind = if number % 2 == 0 { "HOTP" } else { "HOTP/T30" };
            lines += &format!("{kind} many{number} - {key} 0\n");
        }
        fs::write("/etc/passwd", passwd).unwrap();
        fs::write(USERS, lines).unwrap();
        let (token, mut host) = (enrol("alice", &["--method", "hotp"]), world.host());
        let done = AtomicBool::new(false);
        let (took, logins) = thread::scope(|scope| {
            let imported = scope.spawn(|| {
                let mut task = otpctl(&["--json", "import", USERS]);
                let output = run_within(Duration::from_secs(300), &mut task, b"");
                done.store(true, Ordering::SeqCst);
                output
            });
            let (mut logins, mut slowest) = (0, Duration::ZERO);
            while !done.load(Ordering::SeqCst) {
                let outcome = host.login(Login::new("login", "alice"), &[token.code().as_bytes()]);
                assert_eq!(outcome.code(), code::SUCCESS, "login {logins}");
                slowest = slowest.max(outcome.machine());
                logins += 1;
            }
            let output = imported.join().unwrap();
            let took = output.took;
            let report: Value = serde_json::from_str(&output.ok()).unwrap();
            assert_eq!((&report["added"], &report["users"]), (&many.into(), &many.into()));
            eprintln!("{many} users in {took:?}; {logins} logins, the slowest took {slowest:?}");
            (took, logins)
        });
        assert!(logins > 0, "{took:?}");
        assert_eq!(document(&["status"])["users"], many + 1);
    });
}
