//! Which login has to give which code, through real sshd; and configurations that change.

use std::{
    fs,
    time::{Duration, Instant},
};

use harness::{
    MODULE, PASSWORD, World,
    otpd::{CONFIGURATION, audit, document, enrol, items, otpctl_with, program},
    process::{command, run, until},
    sshd::{Methods, Session, Sshd},
};

fn sshd(world: &World) -> Sshd {
    world.stack("sshd", &["required pam_unix.so nodelay", &format!("required {MODULE}")]);
    world.sshd(Methods::Keyboard)
}

/// Whether the password alone was enough.
fn without_code(session: &Session) -> bool {
    assert!(session.transcript.contains("Password: "), "{session:?}");
    session.admitted && session.transcript.matches("prompt:").count() == 1
}

/// Whether a code was asked for, and the right one let the user in.
fn with_code(session: &Session) -> bool {
    session.admitted && session.transcript.matches("prompt:").count() == 2
}

/// Nothing is asked of whoever comes from 127.0.0.0/8, or is one of the admins; the others give
/// a code. The explanations say the same before anybody logs in.
#[test]
fn l06_a_source_and_a_group_decide_about_an_ssh_login() {
    World::run(|world| {
        let groups = fs::read_to_string("/etc/group").unwrap();
        fs::write("/etc/group", format!("{groups}admins:x:61500:carol,bob\n")).unwrap();
        let _otpd = world.otpd(
            "[[policy]]\nname = \"near\"\nmatch = { service = [\"sshd\"], user = [\"alice\"], source = [\"127.0.0.0/8\"] }\nfactor = \"skip\"\n\
             [[policy]]\nname = \"never\"\nmatch = { source = [\"::1\"], time = \"00:00-24:00\", group = [\"games\"] }\nfactor = \"deny\"\n\
             [[policy]]\nname = \"admins\"\nmatch = { group = [\"admins\"], source = [\"::/0\"] }\nfactor = \"skip\"\n",
        );
        let (alice, bob) =
            (enrol("alice", &["--method", "hotp"]), enrol("bob", &["--method", "hotp"]));
        let sshd = sshd(world);
        for (user, address, policy, outcome) in [
            ("alice", "127.0.0.1", "near", "skip"),
            ("alice", "::1", "built-in", "code"),
            ("bob", "127.0.0.1", "built-in", "code"),
            ("bob", "::1", "admins", "skip"),
        ] {
            let line = ["policy", "explain", user, "--service", "sshd", "--source", address];
            let told = document(&line);
            assert_eq!((&told["policy"], &told["outcome"]), (&policy.into(), &outcome.into()));
            let code = if user == "alice" { alice.code() } else { bob.code() };
            let session = sshd.login_at(address, user, &[PASSWORD, &code]);
            let went = if outcome == "skip" { without_code } else { with_code };
            assert!(went(&session), "{user} at {address}: {session:?}");
            let last = audit(user).pop().unwrap();
            assert_eq!(last["source"], *address, "{last}");
            if outcome == "skip" {
                assert_eq!(last["detail"], format!("policy \"{policy}\""));
            }
        }
        let told = otpctl_with(
            &["policy", "explain", "alice", "--service", "sshd", "--source", "203.0.113.7"],
            b"",
        )
        .ok();
        for part in ["Policy:   built-in\n", "  near\n    source is 203.0.113.7, not 127.0.0.0/8\n"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
        let listed = items(&["policy", "list"]);
        let names: Vec<_> = listed.iter().map(|policy| policy["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["near", "never", "admins", "built-in"]);
    });
}

/// The groups of a directory count beside those of the system, at logins and in explanations.
#[test]
fn groups_of_a_directory_decide_and_are_explained() {
    World::run(|world| {
        fs::create_dir_all("/etc/otpd").unwrap();
        fs::write("/etc/otpd/people", "alice:::admins:\nbob::::disabled\n").unwrap();
        let _otpd = world.otpd(
            "[directory.corp]\ntype = \"file\"\npath = \"/etc/otpd/people\"\n\
             [[policy]]\nname = \"admins\"\nmatch = { group = [\"admins\"] }\nfactor = \"skip\"\n",
        );
        let bob = enrol("bob", &["--method", "hotp"]);
        let sshd = sshd(world);
        let explain = |user: &str| document(&["policy", "explain", user, "--service", "sshd"]);
        let told = explain("alice");
        assert_eq!((&told["policy"], &told["outcome"]), (&"admins".into(), &"skip".into()));
        assert_eq!(told["groups"], serde_json::json!(["admins", "alice"]));
        assert!(without_code(&sshd.login("alice", &[PASSWORD, "000000"])));
        let told = explain("bob");
        assert_eq!((&told["policy"], &told["outcome"]), (&"built-in".into(), &"deny".into()));
        assert_eq!(told["refused"], "the account is disabled in directory corp");
        assert!(!sshd.login("bob", &[PASSWORD, &bob.code()]).admitted);
        assert_eq!(audit("bob").pop().unwrap()["detail"], told["refused"]);
    });
}

/// As a careful editor or a configuration manager does it.
fn replace(text: &str) {
    let new = format!("{CONFIGURATION}.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, CONFIGURATION).unwrap();
}

const OPEN: &str =
    "[[policy]]\nname = \"open\"\nmatch = { user = [\"alice\"] }\nfactor = \"skip\"\n";

/// Logs in until the password alone is enough, or no longer is; fails after 30 s.
fn until_skipped(sshd: &Sshd, expected: bool) {
    let begin = Instant::now();
    while without_code(&sshd.login("alice", &[PASSWORD, "000000"])) != expected {
        assert!(begin.elapsed() < Duration::from_secs(30), "the change does not count");
    }
}

/// No word to the daemon is needed, and no restart.
#[test]
fn g14_a_new_configuration_counts_within_30_s() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let sshd = sshd(world);
        assert!(!without_code(&sshd.login("alice", &[PASSWORD, "000000"])));
        replace(OPEN);
        until_skipped(&sshd, true);
        replace("");
        until_skipped(&sshd, false);
        fs::create_dir("/etc/otpd/otpd.d").unwrap();
        fs::write("/etc/otpd/otpd.d/open.toml", OPEN).unwrap();
        until_skipped(&sshd, true);
    });
}

/// The check refuses it beforehand; it is logged once and shown; the one before stays in force and
/// can be put back.
#[test]
fn g15_a_wrong_configuration_changes_nothing() {
    World::run(|world| {
        let _otpd = world.otpd(OPEN);
        let sshd = sshd(world);
        replace(&OPEN.replace("skip", "maybe"));
        let checked = run(command(&program("otpctl")).args(["config", "check"]), b"");
        assert_eq!(checked.code(), 1);
        assert!(checked.stderr.contains(&format!("{CONFIGURATION}:4:")), "{}", checked.stderr);
        until("the status tells", || document(&["status"])["health"] == "degraded");
        world.log().expect(&format!("the last good one stays in force: {CONFIGURATION}:4:"));
        std::thread::sleep(Duration::from_secs(10));
        let told = world.log().records();
        let told = told.iter().filter(|line| line.contains("not reloaded")).count();
        assert_eq!(told, 1, "said once");
        until_skipped(&sshd, true);
        replace("");
        until_skipped(&sshd, false);
        assert_eq!(document(&["status"])["health"], "ok");
    });
}
