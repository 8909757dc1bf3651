//! The program itself, against a Manager on a private bus: exit status, output, documents.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod delivery;
mod fake;
mod issued;
mod policies;
mod qr;
mod share;
mod terminal;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use fake::{KEY, Machine, NEW, PHONE, SECRET, uri};
use serde_json::{Value, json};

/// What came of a command.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn document(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// otpctl without a terminal.
fn otpctl(machine: &Machine, line: &str, input: &str) -> Done {
    let mut otpctl = Command::new(env!("CARGO_BIN_EXE_otpctl"))
        .args(["--bus", &machine.address()])
        .args(line.split_whitespace())
        .current_dir(machine.folder.path())
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end without having read.
    let _ = otpctl.stdin.take().unwrap().write_all(input.as_bytes());
    Done::of(otpctl.wait_with_output().unwrap())
}

fn files(machine: &Machine) -> Vec<String> {
    let entries = std::fs::read_dir(machine.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("bus")).collect();
    names.sort();
    names
}

#[test]
fn each_error_of_the_daemon_has_its_exit_status() {
    let machine = Machine::start();
    for (name, code) in [
        ("InvalidArgument", 2),
        ("AccessDenied", 3),
        ("ProofRequired", 3),
        ("Rejected", 3),
        ("Forbidden", 3),
        ("Busy", 4),
        ("Unavailable", 4),
        ("SwitchedOff", 1),
        ("LimitReached", 1),
        ("UnknownCode", 5),
        ("UnknownToken", 5),
        ("NoCredential", 5),
        ("AlreadyShared", 6),
        ("UnknownUser", 7),
        ("UnknownClient", 7),
        ("UnknownSession", 1),
        ("WrongState", 1),
        ("InvalidConfiguration", 1),
    ] {
        let done = otpctl(&machine, &format!("user unlock {name}"), "");
        assert_eq!((done.code, done.out.as_str()), (code, ""), "{name}: {}", done.err);
        assert!(done.err.starts_with(&format!("otpctl: unlock {name}: ")), "{}", done.err);
        assert!(done.err.contains("; ") && !done.err.contains('\x1b'), "{:?}", done.err);
        let done = otpctl(&machine, &format!("--json user unlock {name}"), "");
        let document: Value = serde_json::from_str(&done.err).unwrap();
        assert_eq!((done.code, &document["error"]), (code, &json!(name)));
        assert!(document["message"].as_str().unwrap().contains("unlock"));
        assert_eq!(document.as_object().unwrap().len(), 2);
    }
    assert_eq!(otpctl(&machine, "user unlock NotInTheContract", "").code, 1);
    assert_eq!(otpctl(&machine, "user unlock alice", "").code, 0);
}

#[test]
fn without_the_daemon_or_the_bus_it_says_what_to_look_at() {
    let mut machine = Machine::start();
    machine.stop_service();
    for line in ["status", "token list", "user unlock alice", "audit"] {
        let done = otpctl(&machine, line, "");
        assert_eq!(done.code, 4, "{line}: {}", done.err);
        assert!(done.err.contains("systemctl status otpd"), "{}", done.err);
    }
    let done = otpctl(&machine, "--bus unix:path=/nonexistent/bus --json status", "");
    assert_eq!(done.code, 2, "an option that is given twice: {}", done.err);
    let done = Command::new(env!("CARGO_BIN_EXE_otpctl"))
        .args(["--bus", "unix:path=/nonexistent/bus", "--json", "status"])
        .output()
        .unwrap();
    let done = Done::of(done);
    let document: Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!((done.code, &document["error"]), (4, &json!("Unavailable")), "{}", done.err);
}

#[test]
fn the_environment_does_not_choose_the_bus() {
    let machine = Machine::start();
    Command::new(env!("CARGO_BIN_EXE_otpctl"))
        .arg("status")
        .env("DBUS_SYSTEM_BUS_ADDRESS", machine.address())
        .env("DBUS_SESSION_BUS_ADDRESS", machine.address())
        .output()
        .unwrap();
    assert_eq!(machine.calls(), [""; 0]);
}

#[test]
fn wrong_usage_is_2_with_the_word_that_was_meant() {
    let machine = Machine::start();
    for (line, told) in [
        ("frobnicate", "unrecognized"),
        ("token lsit", "'list'"),
        ("token show 3f2a9", "first 6 or more"),
        ("token show 3f2a91zz", "hexadecimal"),
        ("token show 3f2a91", "several tokens"),
        ("token remove 3f2a91bc", "--yes"),
        ("user reset alice", "--yes"),
        ("recovery new alice --output f", "--yes"),
        ("token confirm 3f2a91bc", "standard input"),
        ("token disable 3f2a91bc --until 2001-01-01", "--until"),
        ("token add alice --expires 0s --output f", "--expires"),
        ("token add alice", "--output FILE"),
        ("token add alice --qr terminal --output f", "--output FILE"),
        ("recovery new alice --yes", "--output FILE"),
        ("user list --limit 0", "1..=1000"),
    ] {
        let done = otpctl(&machine, line, "");
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{line}: {}", done.err);
        assert!(done.err.contains(told), "{line}: {}", done.err);
        let done = otpctl(&machine, &format!("--json {line}"), "");
        let document: Value = serde_json::from_str(&done.err).unwrap();
        assert_eq!((done.code, &document["error"]), (2, &json!("Usage")), "{line}");
    }
    assert!(machine.calls().iter().all(|call| call.starts_with("List")), "{:?}", machine.calls());
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn a_token_goes_to_a_private_file_and_nowhere_else() {
    let machine = Machine::start();
    let line = "--json token add alice --no-confirm --label phone2 --output t.json";
    let done = otpctl(&machine, line, "");
    let document = done.document();
    assert_eq!((&document["id"], &document["state"]), (&json!(NEW), &json!("active")));
    assert!(document.get("secret").is_none() && document.get("uri").is_none());
    assert!(!done.out.contains(SECRET) && !done.err.contains(SECRET));
    let path = machine.path("t.json");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let mut told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((&told["secret"], &told["uri"]), (&json!(SECRET), &json!(uri())));
    told.as_object_mut().unwrap().retain(|name, _| name != "secret" && name != "uri");
    assert_eq!(told, document);
    let names = ["id", "user", "label", "method", "type", "state", "algorithm", "digits"];
    for name in names.iter().chain(&["period_ms", "created", "last_used"]) {
        assert!(document.get(name).is_some(), "{name}");
    }
    assert_eq!(document["created"], "2026-01-02T00:00:00Z");
    let before = std::fs::read(&path).unwrap();
    let again = otpctl(&machine, line, "");
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.err.contains("never overwritten"), "{}", again.err);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let enrolments = machine.calls().iter().filter(|call| call.starts_with("Enrol")).count();
    assert_eq!(enrolments, 1, "nothing is enrolled where the secret cannot be told");
}

#[test]
fn the_files_of_an_enrolment_that_failed_are_gone() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alcie --output t.json --qr t.png", "");
    assert_eq!(done.code, 7);
    assert!(done.err.contains("alcie"), "{}", done.err);
    let done = otpctl(&machine, "token add mute --output t.json --qr t.png", "");
    assert_eq!(done.code, 1);
    assert!(done.err.contains("otpctl token remove 01234567"), "{}", done.err);
    assert_eq!(files(&machine), [""; 0]);
}

#[test]
fn what_is_not_confirmed_is_pending_and_says_so() {
    let machine = Machine::start();
    let done = otpctl(&machine, "token add alice --output t.json", "287082\n");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("otpctl token confirm 01234567"), "{}", done.out);
    assert!(done.out.contains("otpctl token remove 01234567"), "{}", done.out);
    assert!(!done.out.contains(SECRET));
    let wrong = otpctl(&machine, "token confirm 012345", "654321\n");
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    assert!(!wrong.err.contains("654321") && !wrong.err.contains("287082"), "{}", wrong.err);
    let done = otpctl(&machine, "--json token confirm 012345", "287082\r\n");
    assert_eq!(done.document()["state"], "active");
    let calls = machine.calls();
    assert!(calls.iter().any(|call| call.ends_with(" active=None expires=false proof=none")));
    assert_eq!(calls.iter().filter(|call| call.starts_with("Confirm")).count(), 2, "{calls:?}");
}

#[test]
fn who_has_a_credential_is_asked_to_prove_it() {
    let machine = Machine::start();
    let line = "token remove 3f2a91ff --yes";
    assert_eq!(otpctl(&machine, line, "").code, 3);
    assert_eq!(otpctl(&machine, line, "000000\n").code, 3);
    assert_eq!(otpctl(&machine, line, "287082\n").code, 0);
    let done = otpctl(&machine, "token add bob --label new --output t", "287082\n");
    assert_eq!(done.code, 0, "{}", done.err);
    let done = otpctl(&machine, "recovery new bob --output r", "287082\n");
    assert_eq!(done.code, 0, "bob has none, so that nobody need be asked: {}", done.err);
    let proofs: Vec<_> =
        machine.calls().into_iter().filter(|call| call.starts_with("Revoke")).collect();
    assert_eq!(
        proofs,
        ["none", "none", "000000", "none", "287082"].map(|p| format!("Revoke {KEY} proof={p}"))
    );
}

#[test]
fn tokens_are_shown_changed_and_removed() {
    let machine = Machine::start();
    let list = otpctl(&machine, "token list", "").out;
    assert_eq!(
        list,
        format!("{PHONE}\talice\tphone\ttotp\tactive\t-\n{KEY}\tbob\tkey\ttotp\tactive\t-\n")
    );
    let list = otpctl(&machine, "--json token list bob", "").document();
    assert_eq!((&list["total"], &list["items"][0]["id"]), (&json!(1), &json!(KEY)));
    let list = otpctl(&machine, "--json token list --method totp", "").document();
    assert_eq!(list["total"], json!(2));
    assert_eq!(otpctl(&machine, "token list bob --method hotp", "").out, "");
    let empty = otpctl(&machine, "token list nobody", "");
    assert_eq!((empty.code, empty.out.as_str()), (0, ""));
    let shown = otpctl(&machine, &format!("token show {}", PHONE.to_uppercase()), "").out;
    assert!(shown.contains(&format!("Id:         {PHONE}\n")), "{shown}");
    let line = "--json token disable 3f2a91bc --until 2h --reason lost";
    let disabled = otpctl(&machine, line, "").document();
    assert_eq!((&disabled["state"], &disabled["reason"]), (&json!("disabled"), &json!("lost")));
    assert!(disabled["disabled_until"].is_string());
    let done = otpctl(&machine, "token enable 3f2a91bc", "");
    assert_eq!(done.out, "The token 3f2a91bc of alice (phone) is active.\n");
    assert_eq!(otpctl(&machine, "-q token enable 3f2a91bc", "").out, "");
    let done = otpctl(&machine, "token resync 3f2a91bc", "111111\n222222\n");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(machine.calls().contains(&format!("Resync {PHONE} 111111 222222")));
    assert_eq!(otpctl(&machine, "token resync 3f2a91bc", "111111\n").code, 2);
    let removed = otpctl(&machine, "--json token remove 3f2a91bc --yes", "").document();
    assert_eq!(removed, json!({ "id": PHONE, "user": "alice", "removed": true }));
    let gone = otpctl(&machine, "token show 3f2a91bc", "");
    assert_eq!(gone.code, 5, "{}", gone.err);
    let unknown = "f".repeat(32);
    assert_eq!(otpctl(&machine, &format!("token show {unknown}"), "").code, 5);
}

#[test]
fn a_list_is_read_to_its_end() {
    let machine = Machine::start();
    for (number, label) in ["a", "b", "c"].iter().enumerate() {
        let line = format!("--json token add alice --label {label} --output {number}");
        assert_eq!(otpctl(&machine, &line, "").code, 0);
    }
    let list = otpctl(&machine, "--json token list", "").document();
    assert_eq!((&list["total"], list["items"].as_array().unwrap().len()), (&json!(5), 5));
    let pages = machine.calls().iter().filter(|call| call.starts_with("ListTokens")).count();
    assert!(pages >= 3, "two on each page");
}

#[test]
fn users_are_listed_unlocked_and_reset() {
    let machine = Machine::start();
    let list = otpctl(&machine, "--json user list --limit 1", "").document();
    assert_eq!((&list["total"], list["items"].as_array().unwrap().len()), (&json!(2), 1));
    let next = otpctl(&machine, "--json user list --limit 1 --offset 1", "").document();
    assert_eq!(next["items"][0]["user"], "bob");
    let locked = otpctl(&machine, "--json user list --locked --search li", "").document();
    assert_eq!((&locked["total"], &locked["items"][0]["user"]), (&json!(1), &json!("alice")));
    assert_eq!(otpctl(&machine, "--json user show alice", "").document()["recovery"], 7);
    assert_eq!(otpctl(&machine, "recovery count alice", "").out, "7\n");
    let count = otpctl(&machine, "--json recovery count bob", "").document();
    assert_eq!(count, json!({ "user": "bob", "recovery": 0 }));
    for line in ["user show carol", "recovery count carol"] {
        let done = otpctl(&machine, line, "");
        assert_eq!(done.code, 7, "{}", done.err);
    }
    assert_eq!(otpctl(&machine, "user unlock alice", "").out, "alice is unlocked.\n");
    assert_eq!(otpctl(&machine, "user reset alice --yes", "").code, 0);
    assert!(machine.calls().contains(&"Reset alice".to_owned()));
}

#[test]
fn recovery_codes_go_to_a_private_file() {
    let machine = Machine::start();
    let done = otpctl(&machine, "--json recovery new alice --yes --output r.json", "");
    assert_eq!(done.document(), json!({ "user": "alice", "recovery": 2 }));
    assert!(!done.out.contains("1111"));
    let path = machine.path("r.json");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let told: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let codes = json!(["0000-1111-2222-3333", "4444-5555-6666-7777"]);
    assert_eq!(told, json!({ "user": "alice", "codes": codes }));
}

#[test]
fn the_record_is_shown_and_followed() {
    let machine = Machine::start();
    let list = otpctl(&machine, "--json audit --user alice", "").document();
    assert_eq!((&list["total"], &list["items"][1]["id"]), (&json!(2), &json!(3)));
    let text = otpctl(&machine, "audit --limit 1", "").out;
    assert_eq!(text, "2026-01-02T00:00:00+00:00 login    ok          alice\n");
    assert_eq!(otpctl(&machine, "audit --since 2026-01-03", "").out, "");
    let mut follow = Command::new(env!("CARGO_BIN_EXE_otpctl"))
        .args(["--bus", &machine.address(), "--json", "audit", "--follow", "--limit", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = std::io::BufReader::new(follow.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(out)
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["id"].clone());
    assert_eq!(lines.next(), Some(json!(3)));
    for id in [4, 5] {
        {
            let mut state = machine.state.lock().unwrap();
            let new = otp_ipc::AuditRecord { id, ..state.records[1].clone() };
            state.records.push(new);
        }
        assert_eq!(lines.next(), Some(json!(id)), "each once");
    }
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert!(machine.calls().contains(&"Audit after=Some(3)".to_owned()));
}

#[test]
fn the_status_and_a_reload_that_is_refused() {
    let machine = Machine::start();
    let status = otpctl(&machine, "--json status", "").document();
    assert_eq!((&status["health"], &status["version"]), (&json!("ok"), &json!("9.9.9")));
    assert!(otpctl(&machine, "status", "").out.starts_with("Health:"));
    let reload = otpctl(&machine, "config reload", "");
    assert_eq!(reload.code, 1);
    assert!(reload.err.contains("otpd.toml:3:1"), "{}", reload.err);
}

/// The daemon's own program checks; here a script plays it, beside a copy of otpctl.
#[test]
fn a_configuration_is_checked_by_the_daemon_beside_this_program() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("otpctl");
    // Written by other programs: a file that this one has open for writing, or that a child which
    // another test forks meanwhile has, cannot be executed.
    let made = Command::new("cp").arg(env!("CARGO_BIN_EXE_otpctl")).arg(&own).status().unwrap();
    assert!(made.success());
    let daemon = folder.path().join("otpd");
    let config = |script: &str, arguments: &[&str]| {
        let write = ["-c", "printf '#!/bin/sh\\n%s\\n' \"$0\" >\"$1\" && chmod 755 \"$1\"", script];
        assert!(Command::new("sh").args(write).arg(&daemon).status().unwrap().success());
        let mut own = Command::new(&own);
        own.arg("config").args(arguments).env("FROM_OUTSIDE", "1");
        Done::of(own.output().unwrap())
    };
    let check =
        |script: &str, arguments: &[&str]| config(script, &[&["check"], arguments].concat());
    let done = check("[ \"$*\" = check-config ] && echo ok", &[]);
    assert_eq!((done.code, done.out.as_str()), (0, "ok\n"), "{}", done.err);
    let done = check("[ \"$*\" = 'check-config --config a b.toml' ]", &["a b.toml", "--json"]);
    assert_eq!(done.document(), json!({ "ok": true, "warnings": [], "notices": [] }));
    let done = check("echo 'warning: a.toml:3:1: odd'; echo ok", &[]);
    assert_eq!((done.code, done.out.as_str()), (0, "warning: a.toml:3:1: odd\nok\n"));
    let said = "echo 'warning: a.toml:3:1: odd'; echo 'notice: good to know'; echo ok";
    let done = check(said, &["--json"]);
    let (warnings, notices) = (["a.toml:3:1: odd"], ["good to know"]);
    let document = json!({ "ok": true, "warnings": warnings, "notices": notices });
    assert_eq!(done.document(), document);
    let shown = "[ \"$*\" = 'show-config --config a.toml' ] && echo '[store]' && echo 'path = 1'";
    let done = config(shown, &["show", "a.toml"]);
    assert_eq!((done.code, done.out.as_str()), (0, "[store]\npath = 1\n"), "{}", done.err);
    let done = config(shown, &["show", "a.toml", "--json"]);
    assert_eq!(done.document(), json!({ "toml": "[store]\npath = 1" }));
    let wrong = "echo \"$3:2:1: no key \\\"x\\\"\" >&2; exit 1";
    let done = check(wrong, &["a.toml"]);
    assert_eq!((done.code, done.err.as_str()), (1, "otpctl: a.toml:2:1: no key \"x\"\n"));
    let done = check(wrong, &["a.toml", "--json"]);
    let document: Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!((done.code, &document["error"]), (1, &json!("InvalidConfiguration")));
    let done = check("[ -z \"$FROM_OUTSIDE\" ] && exit 3", &[]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("exit status: 3"), "{}", done.err);
}

#[test]
fn man_pages_and_completions_are_made_for_every_command() {
    let machine = Machine::start();
    std::fs::create_dir(machine.path("man")).unwrap();
    assert_eq!(otpctl(&machine, "man man", "").code, 0);
    let pages: Vec<_> = std::fs::read_dir(machine.path("man"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["otpctl.1", "otpctl-token.1", "otpctl-user.1", "otpctl-audit.1"] {
        assert!(pages.iter().any(|made| made == page), "{page}: {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("completions")), "{pages:?}");
    for shell in ["bash", "zsh", "fish"] {
        let script = otpctl(&machine, &format!("completions {shell}"), "");
        assert!(script.code == 0 && script.out.contains("resync"), "{shell}");
    }
}
