//! Keys that leave for other programs: by root's word alone, on record before they do, and such
//! that the other program goes on where this one is.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Stdio,
};

use harness::{
    Login, MODULE, Token, World,
    counterparts::app,
    otpd::{audit, document, enrol, items, otpctl, otpctl_with, program},
    pam::{Host, code},
    process::{Output, command, command_as, run},
};
use serde_json::Value;

const FILE: &str = "/run/e2e/exported";
const KEY: &str = "/run/e2e/export.key";

fn export(arguments: &[&str]) -> Output {
    let _ = fs::remove_file(FILE);
    otpctl_with(&[&["export", "--yes", "--output", FILE], arguments].concat(), b"")
}

/// What the file has that the export writes.
fn exported(arguments: &[&str]) -> String {
    let told = export(arguments).ok();
    assert!(told.lines().all(|line| line.chars().count() <= 80), "{told}");
    fs::read_to_string(FILE).unwrap()
}

fn login(host: &mut Host, service: &str, user: &str, code: &str) -> i32 {
    host.login(Login::new(service, user), &[code.as_bytes()]).code()
}

fn records(user: &str) -> Vec<Value> {
    let mut events = audit(user);
    events.retain(|event| event["event"] == "export");
    events
}

/// Every record of an export, those of the whole among them.
fn all_records() -> usize {
    items(&["audit"]).iter().filter(|event| event["event"] == "export").count()
}

#[test]
fn keys_leave_by_roots_word_and_on_record() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        let (alice, bob) = (enrol("alice", &[]), enrol("bob", &["--method", "hotp"]));
        let formats = ["--format", "otpauth"];

        let otpctl_file = program("otpctl");
        let theirs = [&otpctl_file, "export", "alice", "--yes", "--output", "/tmp/own"];
        let theirs = [&theirs, &formats[..]].concat();
        let denied = run(&mut command_as("alice", &theirs), b"");
        assert!(denied.code() == 3 && denied.stderr.contains("only root"), "{denied:?}");
        assert!(!Path::new("/tmp/own").exists());

        let unasked = run(otpctl(&["export", "alice", "--output", FILE]).args(formats), b"y\n");
        assert!(unasked.code() == 2 && unasked.stderr.contains("--yes"), "{unasked:?}");
        let piped = run(otpctl(&["export", "alice", "--yes"]).args(formats), b"");
        assert!(piped.code() == 2 && piped.stderr.contains("--output FILE"), "{piped:?}");
        let unknown = export(&["alice", "carol", "--format", "otpauth"]);
        assert!(unknown.code() == 7 && unknown.stderr.contains("carol"), "{unknown:?}");
        let nothing = export(&["alice", "--format", "pskc"]);
        assert_eq!(nothing.code(), 2, "{nothing:?}");
        assert!(!Path::new(FILE).exists());
        assert_eq!(all_records(), 0, "nothing has left");

        let text = exported(&["alice", "--format", "otpauth"]);
        assert_eq!(text, format!("{}\n", alice.uri));
        let metadata = fs::metadata(FILE).unwrap();
        assert_eq!((metadata.permissions().mode() & 0o777, metadata.uid()), (0o600, 0));
        let again = run(otpctl(&["export", "alice", "--yes", "--output", FILE]).args(formats), b"");
        assert!(again.code() == 1 && again.stderr.contains("exists"), "{again:?}");
        let told = records("alice");
        assert_eq!((told.len(), all_records()), (1, 2), "{told:?}");
        assert_eq!(
            (&told[0]["token"], &told[0]["result"]),
            (&alice.id.as_str().into(), &"ok".into())
        );
        assert!(told[0]["detail"].as_str().unwrap().contains("otpauth"), "{told:?}");

        // Without the daemon as well, and what is on record then is what it finds.
        otpd.stop();
        assert_eq!(exported(&["--all", "--format", "otpauth"]).lines().count(), 2);
        otpd.restart();
        assert_eq!((records("bob").len(), all_records()), (1, 5));
        let logged = world.log().records().join("\n") + &format!("{:?}", items(&["audit"]));
        for token in [alice, bob] {
            assert!(!logged.contains(&token.secret), "a secret is in the log");
        }
        assert!(logged.contains("export: ok for user bob"), "{logged}");
    });
}

/// Where nobody takes the file, it is on record all the same that it was on its way.
#[test]
fn the_record_is_there_before_the_first_byte() {
    World::run(|world| {
        let _otpd = world.otpd("");
        enrol("alice", &[]);
        let (nobody, full) = std::io::pipe().unwrap();
        drop(nobody);
        let mut otpd = command(&program("otpd"));
        let mut task = otpd.arg("export").stdin(Stdio::piped()).stdout(full).spawn().unwrap();
        let request = r#"{"format":"otpauth","users":["alice"],"all":false,"key":false}"#;
        let frame = [&(request.len() as u64).to_be_bytes(), request.as_bytes()].concat();
        task.stdin.as_mut().unwrap().write_all(&frame).unwrap();
        assert!(!task.wait().unwrap().success(), "there was nobody to write to");
        assert_eq!((records("alice").len(), all_records()), (1, 2));
    });
}

/// What is not accepted here does not leave, and is named.
#[test]
fn what_does_not_leave_is_named() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let (good, bad) = (enrol("alice", &[]), enrol("alice", &["--label", "old"]));
        otpctl_with(&["token", "disable", &bad.id], b"").ok();
        let add = ["--json", "token", "add", "alice", "--label", "new", "--output", "/run/e2e/new"];
        otpctl_with(&add, b"").ok();
        otpctl_with(&["recovery", "new", "alice", "--yes", "--output", "/run/e2e/codes"], b"").ok();
        let told = export(&["alice", "--format", "oath"]).ok();
        for text in [
            format!("1 token is in {FILE}."),
            "Left out: alice, old: it is disabled.".to_owned(),
            "Left out: alice, new: it waits for its first code.".to_owned(),
            "Left out: alice, 10 recovery codes: only digests of them are kept".to_owned(),
        ] {
            assert!(told.contains(&text), "{text}: {told}");
        }
        let _ = fs::remove_file(FILE);
        let report = document(&["export", "alice", "--yes", "--format", "oath", "--output", FILE]);
        assert_eq!(report["tokens"][0]["id"], good.id.as_str());
        assert_eq!(report["left_out"].as_array().unwrap().len(), 3, "{report}");
        otpctl_with(&["token", "disable", &good.id], b"").ok();
        let nothing = export(&["alice", "--format", "oath"]);
        assert!(nothing.code() == 1 && nothing.stderr.contains("no token"), "{nothing:?}");
        assert!(!Path::new(FILE).exists());
    });
}

#[test]
fn apps_show_the_codes_of_the_uris() {
    let methods = "[[method]]\nname = \"long\"\ntype = \"totp\"\nalgorithm = \"sha256\"\n\
                   digits = 8\ntime_step = \"60s\"\ndirectories = [\"local\"]\n";
    World::run(|world| {
        let _otpd = world.otpd(&format!("[enrolment]\nissuer = \"Bäckerei ACME\"\n{methods}"));
        world.stack("login", &[&format!("required {MODULE}")]);
        let (short, long) = (enrol("alice", &[]), enrol("alice", &["--method", "long"]));
        let counting = enrol("bob", &["--method", "hotp"]);
        assert_eq!(login(&mut world.host(), "login", "bob", &counting.at(4)), code::SUCCESS);
        let now = 1_795_321_594;
        let shown = app(&exported(&["--all", "--format", "otpauth"]), now);
        let oathtool = |token: &Token, arguments: &[&str]| {
            let digits = token.digits.to_string();
            let mut oathtool = command("oathtool");
            oathtool.args(["-b", "-N", &format!("@{now}"), "-d", &digits]).args(arguments).arg("-");
            run(&mut oathtool, token.secret.as_bytes()).ok().trim().to_owned()
        };
        for (shown, user, code) in [
            (&shown[0], "alice", oathtool(&short, &["--totp"])),
            (&shown[1], "alice", oathtool(&long, &["--totp=sha256", "-s", "60"])),
            (&shown[2], "bob", counting.at(5)),
        ] {
            assert_eq!((&shown["user"], &shown["issuer"]), (&user.into(), &"Bäckerei ACME".into()));
            assert_eq!(shown["code"], code.as_str());
        }
    });
}

/// pskctool reads it, and an account that was removed comes back from it as it was.
#[test]
fn pskc_is_read_by_others_and_by_us() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp", "--label", "grey & small"]);
        let mut host = world.host();
        assert_eq!(login(&mut host, "login", "alice", &token.at(3)), code::SUCCESS);
        for key in ["12345678901234567890123456789012\n", "correct horse battery staple\n"] {
            fs::write(KEY, key).unwrap();
            let text = exported(&["alice", "--format", "pskc", "--key-file", KEY]);
            assert!(!text.contains(&token.secret), "it is encrypted");
            let info = run(command("pskctool").args(["--info", FILE]), b"").ok();
            for told in ["pskc:hotp", "UID=alice", "grey & small", &token.id, "Key Counter: 4"] {
                assert!(info.contains(told), "{told}: {info}");
            }
            run(command("pskctool").args(["--validate", FILE]), b"").ok();

            let known = document(&["import", FILE, "--key-file", KEY]);
            assert_eq!((&known["known"], &known["added"]), (&1.into(), &0.into()), "{known}");
        }
        fs::write("/run/e2e/other.key", "another horse, another staple").unwrap();
        let wrong = otpctl_with(&["import", FILE, "--key-file", "/run/e2e/other.key"], b"");
        assert!(wrong.code() == 1 && wrong.stderr.contains("does not fit"), "{wrong:?}");
        otpctl_with(&["user", "reset", "alice", "--yes"], b"").ok();
        assert_eq!(document(&["import", FILE, "--key-file", KEY])["added"], 1);
        assert_eq!(login(&mut host, "login", "alice", &token.at(3)), code::AUTH_ERR);
        assert_eq!(login(&mut host, "login", "alice", &token.at(4)), code::SUCCESS);
    });
}

/// pam_oath goes on where otpd was: what was used here is not accepted there.
#[test]
fn pam_oath_goes_on_with_the_next_code() {
    World::run(|world| {
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        world.stack("oath", &[&format!("required pam_oath.so usersfile={FILE} window=5")]);
        let (timed, counting) = (enrol("alice", &[]), enrol("bob", &["--method", "hotp"]));
        let unused = enrol("user000", &["--method", "hotp"]);
        let mut host = world.host();
        let used = timed.code();
        assert_eq!(login(&mut host, "login", "alice", &used), code::SUCCESS);
        assert_eq!(login(&mut host, "login", "bob", &counting.at(4)), code::SUCCESS);
        let text = exported(&["--all", "--format", "oath"]);
        assert_eq!(text.lines().count(), 3, "{text}");

        assert_eq!(login(&mut host, "oath", "alice", &used), code::AUTH_ERR, "used here");
        let mut oathtool = command("oathtool");
        oathtool.args(["-b", "--totp", "-N", "now + 60 seconds", "-"]);
        let later = run(&mut oathtool, timed.secret.as_bytes()).ok();
        assert_eq!(login(&mut host, "oath", "alice", later.trim()), code::SUCCESS);
        for used in [0, 3, 4] {
            assert_eq!(
                login(&mut host, "oath", "bob", &counting.at(used)),
                code::AUTH_ERR,
                "{used}"
            );
        }
        assert_eq!(login(&mut host, "oath", "bob", &counting.at(5)), code::SUCCESS);
        assert_eq!(login(&mut host, "oath", "user000", &unused.at(0)), code::SUCCESS);
    });
}
