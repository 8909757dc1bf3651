//! Codes that administrators issue, and the clients that they enrol: T1 to T25.

use harness::{
    ALICE, Login, MODULE, PASSWORD, World,
    otpd::{CONFIGURATION, add_client, audit, document, enrol, issue, items, otpctl_with},
    pam::code,
    process::run,
    settings::rounds,
    sshd::Methods,
};
use serde_json::json;

use crate::self_service::alice;

const ON: &str = "[issued]\nenabled = true\n";
/// Whoever has an issued code needs no password; everybody else does.
const IN_PLACE: [&str; 2] =
    ["sufficient /run/e2e/bin/pam_otp.so mode=issued", "required pam_unix.so nodelay"];
const QUESTION: &str = "One-time code (Enter for the password): ";
const RIVALS: usize = 64;

#[test]
fn t01_while_codes_are_off_the_password_alone_lets_in() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let refused = otpctl_with(&["code", "issue", "bob", "--output", "/run/e2e/c"], b"");
        assert_eq!(refused.code(), 1, "{refused:?}");
        assert!(refused.stderr.contains("switched off"), "{refused:?}");
        world.stack("only", &[&format!("required {MODULE} mode=issued")]);
        let mut host = world.host();
        let alone = host.login(Login::new("only", "bob"), &[b"77244244"]);
        assert_eq!((alone.code(), alone.prompts), (code::AUTHINFO_UNAVAIL, 0), "{alone:?}");
        world.log().expect("issued codes are switched off");
        world.stack("sshd", &IN_PLACE);
        let sshd = world.sshd(Methods::Keyboard);
        let by_password = sshd.login("bob", &[PASSWORD]);
        assert!(by_password.admitted, "{by_password:?}");
    });
}

#[test]
fn t02_t18_t20_a_code_lets_in_once_and_enter_asks_for_the_password() {
    World::run(|world| {
        let _otpd = world.otpd(ON);
        world.stack("sshd", &IN_PLACE);
        let sshd = world.sshd(Methods::Keyboard);
        let otp = issue("bob", &[]);
        assert_eq!(otp.len(), 8);
        let admitted = sshd.login("bob", &[&otp]);
        assert!(admitted.admitted, "{admitted:?}");
        assert_eq!(admitted.transcript.matches("prompt:").count(), 1, "{admitted:?}");
        assert!(admitted.transcript.contains(QUESTION), "{admitted:?}");
        // Once: then it is a wrong code, and the password is asked for.
        let again = sshd.login("bob", &[&otp, "wrong"]);
        assert!(!again.admitted, "{again:?}");
        assert_eq!(again.transcript.matches("prompt:").count(), 2, "{again:?}");
        let by_password = sshd.login("bob", &["", PASSWORD]);
        assert!(by_password.admitted, "{by_password:?}");
        let after_a_wrong_code = sshd.login("bob", &["12345678", PASSWORD]);
        assert!(after_a_wrong_code.admitted, "{after_a_wrong_code:?}");
        // Who is unknown, or was issued nothing, is asked the same.
        let transcripts = ["alice", "nobody-of-this-name"].map(|user| {
            let refused = sshd.login(user, &["12345678", "wrong"]);
            assert!(!refused.admitted, "{refused:?}");
            refused.transcript
        });
        assert_eq!(transcripts[0], transcripts[1]);
        let results: Vec<_> = audit("bob")
            .into_iter()
            .filter(|record| record["event"] == "login")
            .map(|record| record["result"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(results, ["ok", "replay", "skipped", "unenrolled"].map(str::to_owned));
    });
}

#[test]
fn t03_only_who_is_marked_issues_codes() {
    World::run(|world| {
        let _otpd = world.otpd(ON);
        let as_alice = |arguments: &[&str]| run(&mut alice(arguments), b"");
        let issue = ["--json", "code", "issue", "bob", "--output", "/home/alice/c"];
        let refused = as_alice(&issue);
        assert_eq!(refused.code(), 3, "{refused:?}");
        assert!(items(&["code", "list"]).is_empty());
        let denied = audit("bob").pop().unwrap();
        assert_eq!((&denied["event"], &denied["result"]), (&json!("issue"), &json!("denied")));
        assert_eq!(denied["caller"], ALICE);
        otpctl_with(&["user", "set", "alice", "admin=on"], b"").ok();
        assert_eq!(document(&["user", "show", "alice"])["admin"], true);
        as_alice(&issue).ok();
        let listed = items(&["code", "list"]);
        assert_eq!((&listed[0]["user"], &listed[0]["issued_by"]), (&json!("bob"), &json!(ALICE)));
        as_alice(&["code", "revoke", listed[0]["id"].as_str().unwrap()]).ok();
        // That and nothing else, and not for root.
        for more in [
            &["--json", "code", "issue", "root", "--output", "/home/alice/d"][..],
            &["--json", "code", "issue", "alice", "--output", "/home/alice/d"],
            &["user", "set", "bob", "admin=on"],
            &["client", "add", "bob"],
            &["user", "reset", "bob", "--yes"],
        ] {
            assert_eq!(as_alice(more).code(), 3, "{more:?}");
        }
        otpctl_with(&["user", "set", "alice", "admin=off"], b"").ok();
        assert_eq!(as_alice(&["code", "list"]).code(), 3);
    });
}

#[test]
fn t20_of_many_processes_with_one_code_exactly_one_gets_in() {
    World::run_alone(|world| {
        let _otpd = world.otpd(ON);
        world.stack("direct", &[&format!("required {MODULE} mode=issued")]);
        world.stack("bus", &[&format!("required {MODULE} mode=issued bus=system")]);
        let mut host = world.host();
        for round in 0..rounds(5, 200) {
            let otp = issue("alice", &[]);
            let rivals = (0..RIVALS).map(|n| {
                (Login::new(if n % 2 == 0 { "direct" } else { "bus" }, "alice"), otp.clone())
            });
            let codes = host.race(rivals.collect());
            let admitted = codes.iter().filter(|code| **code == code::SUCCESS).count();
            assert_eq!(admitted, 1, "round {round}: {codes:?}");
            let refused = codes.iter().filter(|code| **code == code::AUTH_ERR).count();
            assert_eq!(refused, RIVALS - 1, "round {round}: {codes:?}");
        }
    });
}

#[test]
fn t21_a_code_for_the_console_does_not_let_in_over_ssh() {
    World::run(|world| {
        let _otpd = world.otpd(ON);
        world.stack("sshd", &IN_PLACE[..1]);
        world.stack("login", &[&format!("required {MODULE} mode=issued")]);
        let sshd = world.sshd(Methods::Keyboard);
        let otp = issue("bob", &["--scope", "local"]);
        let refused = sshd.login("bob", &[&otp]);
        assert!(!refused.admitted, "{refused:?}");
        let mut host = world.host();
        let local = host.login(Login::new("login", "bob"), &[otp.as_bytes()]);
        assert_eq!(local.code(), code::SUCCESS, "{local:?}");
    });
}

#[test]
fn t24_no_secret_of_the_configuration_is_shown() {
    World::run(|world| {
        let provider = "[provider.sms.main]\ntype = \"http\"\nurl = \"https://gateway.example/\"\nphone_key = \"to\"\ntext_key = \"text\"\n\
            user = \"acme\"\npassword = \"correct horse\"\n";
        let _otpd = world.otpd(&format!("{ON}{provider}"));
        let shown = otpctl_with(&["config", "show"], b"").ok();
        assert!(shown.contains("[issued]") && shown.contains("user = \"acme\""), "{shown}");
        assert!(!shown.contains("correct horse"), "{shown}");
    });
}

#[test]
fn t25_from_the_mark_of_the_administrator_to_a_client_that_is_let_in() {
    World::run(|world| {
        let enforce = "[clients]\nenforce = [\"sshd\"]\n";
        let _otpd = world.otpd(enforce);
        let token = enrol("bob", &["--method", "hotp"]);
        // 1. An account is marked. 2. Codes are switched on.
        otpctl_with(&["user", "set", "alice", "admin=on"], b"").ok();
        std::fs::write(CONFIGURATION, format!("{ON}{enforce}")).unwrap();
        otpctl_with(&["config", "reload"], b"").ok();
        // 3. A client is added: a code and the time that it is good.
        let otp = add_client("bob", &["--description", "Android"]);
        // 4. The list shows both.
        let pending = items(&["code", "list"]).remove(0);
        assert_eq!((&pending["state"], &pending["user"]), (&json!("open"), &json!("bob")));
        assert!(pending["left_ms"].as_u64().unwrap() <= 7_200_000);
        let entry = items(&["client", "list"]).remove(0);
        assert_eq!((&entry["identity"], &entry["id"]), (&json!(""), &pending["client"]));
        // A device that nobody knows gets in with nothing else.
        world.stack(
            "sshd",
            &["sufficient /run/e2e/bin/pam_otp.so mode=issued", &format!("required {MODULE}")],
        );
        let sshd = world.sshd(Methods::Keyboard);
        let unknown = sshd.login("bob", &["", &token.code()]);
        assert!(!unknown.admitted, "{unknown:?}");
        let status = document(&["status"]);
        assert_eq!(status["last_client"], "127.0.0.1", "also of one that was refused");
        // 5. The code is typed.
        let admitted = sshd.login("bob", &[&otp]);
        assert!(admitted.admitted, "{admitted:?}");
        // 6. The entry is a client like any other.
        let entry = items(&["client", "list", "--show-ids"]).remove(0);
        assert_eq!(entry["identity"], "127.0.0.1");
        assert_eq!((&entry["enabled"], &entry["description"]), (&json!(true), &json!("Android")));
        assert_eq!(entry["last_source"], "127.0.0.1");
        assert!(entry["last"].is_string());
        assert_eq!(items(&["code", "list"])[0]["state"], "used");
        let known = sshd.login("bob", &["", &token.code()]);
        assert!(known.admitted, "{known:?}");
        // Kept out at once when it is disabled.
        otpctl_with(&["client", "disable", entry["id"].as_str().unwrap()], b"").ok();
        let disabled = sshd.login("bob", &["", &token.at(1)]);
        assert!(!disabled.admitted, "{disabled:?}");
        let why = audit("bob").pop().unwrap();
        assert_eq!(why["detail"], "client disabled: 127.0.0.1");
    });
}
