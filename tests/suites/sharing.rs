//! A secret is shown to one session, once: whoever races for it, and whatever dies meanwhile.

use std::{
    fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio, sync::Barrier, thread,
    time::Duration,
};

use harness::{
    BusKind, Login, MODULE, Token, World,
    otpd::{Otpd, audit, document, items, otpctl, otpctl_with},
    pam::code,
    process::{Output, Process, SOON, command, run, until},
    settings::rounds,
};
use serde_json::Value;

/// Lets `test` use a token of alice's that waits to be shared; it is told its id.
pub(crate) fn with_offer(configuration: &str, test: impl FnOnce(&World, &mut Otpd, &str) + Send) {
    World::run(|world| {
        let mut otpd = world.otpd(configuration);
        let id = offer("alice", "hotp");
        test(world, &mut otpd, &id);
    });
}

/// Makes a token that waits to be shared; its id.
pub(crate) fn offer(user: &str, method: &str) -> String {
    let made = document(&["token", "add", user, "--method", method, "--share"]);
    assert_eq!((&made["state"], &made["share"]), (&"pending".into(), &"created".into()));
    made["id"].as_str().unwrap().to_owned()
}

/// Shares with a file as the place; the arguments are further ones.
pub(crate) fn share(target: &str, file: &str, arguments: &[&str]) -> Output {
    let all = ["--json", "token", "share", target, "--output", file];
    otpctl_with(&[&all, arguments].concat(), b"")
}

/// What was written to the file, which is gone then.
pub(crate) fn shown(file: &str) -> Value {
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(file).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The token as the app has it that has scanned the code.
pub(crate) fn scanned(shown: &Value) -> Token {
    serde_json::from_value(serde_json::json!({
        "id": shown["token"],
        "user": shown["user"],
        "type": shown["oath_type"],
        "digits": shown["oath_digits"],
        "secret": shown["oath_secret"],
        "uri": shown["oath_qrcodeContent"],
    }))
    .unwrap()
}

pub(crate) fn confirm(token: &Token, code: &str) -> Output {
    otpctl_with(&["token", "confirm", &token.id], format!("{code}\n").as_bytes())
}

/// The records of sharing of a user: result and the transition.
pub(crate) fn records(user: &str) -> Vec<(String, String)> {
    let all = audit(user).into_iter().filter(|record| record["event"] == "share");
    let told = all.map(|record| {
        let detail = record["detail"].as_str().unwrap().to_owned();
        let transition = detail.split([':', ',']).next().unwrap().to_owned();
        (record["result"].as_str().unwrap().to_owned(), transition)
    });
    told.collect()
}

/// Runs the commands at the same moment.
fn at_once<const N: usize>(commands: [&[&str]; N]) -> [Output; N] {
    let (start, commands) = (&Barrier::new(N), &commands);
    thread::scope(|scope| {
        let running = std::array::from_fn::<_, N, _>(|number| {
            scope.spawn(move || {
                start.wait();
                otpctl_with(commands[number], b"")
            })
        });
        running.map(|one| one.join().unwrap())
    })
}

/// Exactly one of two that ask at the same moment gets the secret, and its code is the right one.
fn one_of_two_gets_it(kind: BusKind, rounds: usize) {
    World::run_alone(|world| {
        world.bus(kind);
        let _otpd = world.otpd("");
        let id = offer("alice", "hotp");
        let (mut first, mut secrets) = (0, std::collections::HashSet::new());
        for round in 0..rounds {
            let one = ["--json", "token", "share", &id, "--output", "/run/e2e/one"];
            let other = ["--json", "token", "share", "alice", "--output", "/run/e2e/other"];
            let done = at_once([&one, &other]);
            let codes = done.each_ref().map(Output::code);
            assert!([[0, 6], [6, 0]].contains(&codes), "round {round}: {done:?}");
            let (winner, loser) = match codes[0] {
                0 => ("/run/e2e/one", "/run/e2e/other"),
                _ => ("/run/e2e/other", "/run/e2e/one"),
            };
            first += usize::from(codes[0] == 0);
            assert!(!fs::exists(loser).unwrap(), "round {round}: the loser has a file");
            let token = scanned(&shown(winner));
            assert!(done.iter().all(|done| !format!("{done:?}").contains(&token.secret)));
            confirm(&token, &token.at(0)).ok();
            assert!(secrets.insert(token.secret), "round {round}: a key is shown once");
            let again = ["token", "share", &id, "--reshare", "--later"];
            otpctl_with(&again, b"").ok();
        }
        println!("{first} of {rounds} rounds were won by the first");
        let told = records("alice");
        let count = |result: &str, transition: &str| {
            let (result, transition) = (result.to_owned(), transition.to_owned());
            told.iter().filter(|record| **record == (result.clone(), transition.clone())).count()
        };
        // `otpctl audit` shows the newest hundred.
        let seen = told.len() / 3;
        assert!(
            count("shown", "default") >= seen && count("denied", "secretAlreadyShared") >= seen
        );
    });
}

#[test]
fn n14_one_of_two_gets_it_with_dbus_daemon() {
    one_of_two_gets_it(BusKind::Daemon, rounds(30, 1000));
}

#[test]
fn n14_one_of_two_gets_it_with_dbus_broker() {
    one_of_two_gets_it(BusKind::Broker, rounds(5, 200));
}

/// Two administrators change one user at the same moment: both are on record, and what is in force
/// is what one of them said.
#[test]
fn two_administrators_at_once_are_both_on_record() {
    let rounds = rounds(15, 1000);
    World::run_alone(|world| {
        let _otpd = world.otpd("");
        let id = harness::otpd::enrol("alice", &["--method", "hotp"]).id;
        for round in 0..rounds {
            let before = document(&["audit", "--user", "alice", "--limit", "1"]);
            let last = before["items"][0]["id"].as_i64().unwrap();
            let reasons = [format!("lost {round}"), format!("stolen {round}")];
            let done = at_once([
                &["token", "disable", &id, "--reason", &reasons[0]],
                &["token", "disable", &id, "--reason", &reasons[1]],
                &["user", "set", "alice", "mobile=+491701234501"],
                &["user", "set", "alice", "mobile=+491701234502"],
            ]);
            done.into_iter().for_each(|done| drop(done.ok()));
            let reason = document(&["token", "show", &id])["reason"].as_str().unwrap().to_owned();
            assert!(reasons.contains(&reason), "round {round}: {reason}");
            let mobile =
                document(&["user", "show", "alice"])["mobile"].as_str().unwrap().to_owned();
            assert!(["+49*****01", "+49*****02"].contains(&mobile.as_str()), "{mobile}");
            let new: Vec<_> =
                audit("alice").into_iter().filter(|r| r["id"].as_i64().unwrap() > last).collect();
            let details = |event: &str| -> Vec<String> {
                let of = new.iter().filter(|record| record["event"] == event);
                of.map(|record| record["detail"].as_str().unwrap().to_owned()).collect()
            };
            let mut disabled = details("disable");
            // The last one on record is the one in force.
            assert_eq!(disabled.last(), Some(&reason), "round {round}");
            disabled.sort();
            assert_eq!(disabled, reasons, "round {round}");
            let contacts = details("contact");
            assert_eq!(contacts.len(), 2, "round {round}: {contacts:?}");
            assert!(contacts.last().unwrap().contains(&mobile), "round {round}: {contacts:?}");
            otpctl_with(&["token", "enable", &id], b"").ok();
        }
    });
}

/// otpctl that has shown the secret and waits for the person.
fn waiting(file: &str) -> Process {
    let mut share = otpctl(&["token", "share", "alice", "--output", file]);
    share.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let process = Process::start(&mut share);
    until("it is shown", || fs::read_to_string(file).is_ok_and(|text| !text.is_empty()));
    process
}

/// The daemon is killed after the release: nobody else gets the key, whoever has scanned it may
/// still confirm it.
#[test]
fn n14_killed_after_the_release_nobody_else_gets_the_key() {
    with_offer("", |world, otpd, id| {
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut session = waiting("/run/e2e/shown");
        let token = scanned(&shown("/run/e2e/shown"));
        otpd.kill();
        otpd.restart();
        assert_eq!(document(&["token", "show", id])["share"], "showing");
        assert_eq!(share(id, "/run/e2e/other", &[]).code(), 6);
        assert!(!fs::exists("/run/e2e/other").unwrap());
        // The session that was shown it is one of another run.
        session.child().stdin.take().unwrap().write_all(b"\n").unwrap();
        assert_eq!(session.wait(SOON).unwrap().code(), Some(1));
        assert_eq!(share(id, "/run/e2e/other", &[]).code(), 6);
        let mut host = world.host();
        let spent = token.code();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        assert_eq!(login(&spent), code::AUTH_ERR, "what is only shown opens nothing");
        confirm(&token, &spent).ok();
        assert_eq!(document(&["token", "show", id])["share"], "shared");
        assert_eq!(login(&token.code()), code::SUCCESS);
        assert_eq!(share(id, "/run/e2e/other", &[]).code(), 6, "never again");
    });
}

/// Nobody confirms it, and the daemon dies meanwhile: at the end of its time the key is destroyed
/// by itself, its code opens nothing, and whoever asks then gets another one.
#[test]
fn n14_x04_a_key_that_nobody_confirms_is_destroyed_in_time() {
    with_offer("[sharing]\nttl = \"30s\"\n", |_, otpd, id| {
        let session = waiting("/run/e2e/shown");
        let old = scanned(&shown("/run/e2e/shown"));
        drop(session);
        thread::sleep(Duration::from_secs(15));
        assert_eq!(share(id, "/run/e2e/other", &[]).code(), 6, "its time is not over");
        otpd.kill();
        otpd.restart();
        thread::sleep(Duration::from_secs(10));
        until("the key is destroyed", || document(&["token", "show", id])["share"] == "created");
        assert_eq!(confirm(&old, &old.at(0)).code(), 1);
        share(id, "/run/e2e/other", &[]).ok();
        let new = scanned(&shown("/run/e2e/other"));
        assert_ne!(new.secret, old.secret);
        assert_eq!(confirm(&old, &old.at(0)).code(), 3);
        confirm(&new, &new.at(0)).ok();
        let expired = ("expired".to_owned(), "nobody confirmed it in time".to_owned());
        assert!(records("alice").contains(&expired), "{:?}", records("alice"));
    });
}

/// A command for each transition, as the daemon's own user, with no environment and no secret.
#[test]
fn n16_what_follows_is_told_the_transition_and_no_secret() {
    World::run(|world| {
        let script = "#!/bin/sh\n\
            { printf '%s %s ' \"$#\" \"$*\"; id -un; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_=; cat; echo; \
            } >\"/run/e2e/followed/$1.new\"\n\
            mv \"/run/e2e/followed/$1.new\" \"/run/e2e/followed/$1\"\n";
        fs::write("/etc/follow", script).unwrap();
        fs::set_permissions("/etc/follow", fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir("/run/e2e/followed").unwrap();
        fs::set_permissions("/run/e2e/followed", fs::Permissions::from_mode(0o777)).unwrap();
        let names = ["default", "ok", "failed", "noCredential", "secretAlreadyShared"];
        let lines = names.map(|name| format!("{name} = [\"/etc/follow\", \"{name}\", \"a b\"]\n"));
        let _otpd = world.otpd(&format!("[sharing.on]\n{}", lines.concat()));
        let id = offer("alice", "hotp");
        let secret = std::cell::RefCell::new(String::from("no secret yet"));
        let followed = |name: &str, user: &str, last: Value| {
            let file = format!("/run/e2e/followed/{name}");
            until("the command has run", || fs::exists(&file).unwrap());
            let text = fs::read_to_string(&file).unwrap();
            fs::remove_file(&file).unwrap();
            let (first, document) = text.split_once('\n').unwrap();
            assert_eq!(first, format!("2 {name} a b otpd"), "{text}");
            let document: Value = serde_json::from_str(document).unwrap();
            assert_eq!((&document["user"], &document["lasterror"]), (&user.into(), &last));
            assert_eq!(document["lasterrorinfo"].is_null(), last.is_null());
            assert!(!text.contains(&*secret.borrow()) && !text.contains("otpauth"), "{text}");
            document
        };
        assert_eq!(share("bob", "/run/e2e/x", &[]).code(), 5);
        assert_eq!(followed("noCredential", "bob", 11.into())["transition"], "noCredential");
        share(&id, "/run/e2e/shown", &[]).ok();
        let token = scanned(&shown("/run/e2e/shown"));
        secret.borrow_mut().clone_from(&token.secret);
        let told = followed("default", "alice", Value::Null);
        assert_eq!(told["token"], id.as_str());
        assert_eq!(share(&id, "/run/e2e/x", &[]).code(), 6);
        followed("secretAlreadyShared", "alice", 11.into());
        // Without a command of its own it is a failure.
        assert_eq!(share(&id, "/run/e2e/x", &["--client", "nobody"]).code(), 7);
        let told = followed("failed", "alice", 1.into());
        assert_eq!(told["transition"], "clientNotFound");
        assert!(!fs::exists("/run/e2e/followed/ok").unwrap(), "it is not confirmed");
        confirm(&token, &token.at(0)).ok();
        assert_eq!(followed("ok", "alice", Value::Null)["token"], id.as_str());
    });
}

/// A command that does not end keeps nobody waiting, and is killed.
#[test]
fn n16_what_follows_is_bounded_in_time_and_keeps_nobody_waiting() {
    World::run(|world| {
        fs::write("/etc/slow", "#!/bin/sh\nsleep 600\n").unwrap();
        fs::set_permissions("/etc/slow", fs::Permissions::from_mode(0o755)).unwrap();
        let _otpd = world.otpd("[sharing.on]\ndefault = [\"/etc/slow\"]\n");
        let id = offer("alice", "hotp");
        share(&id, "/run/e2e/shown", &[]).ok();
        let start = std::time::Instant::now();
        for _ in 0..20 {
            items(&["token", "list", "alice"]);
        }
        let token = scanned(&shown("/run/e2e/shown"));
        confirm(&token, &token.at(0)).ok();
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        until("it is killed", || {
            world.log().records().iter().any(|record| record.contains("/etc/slow had not ended"))
        });
        let left = run(command("pgrep").args(["-f", "sleep 600"]), b"");
        let own: Vec<_> = left.stdout.lines().filter(|pid| below(pid)).collect();
        assert!(own.is_empty(), "{own:?}");
    });
}

/// Whether a process is one of this machine's.
fn below(pid: &str) -> bool {
    let own = fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|namespace| namespace == own)
}
