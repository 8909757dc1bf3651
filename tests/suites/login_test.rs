//! `otpctl login-test`: the real stack through libpam, its prompts, its result and otpd's reason.

use harness::{
    MODULE, NOBODY, PASSWORD, Token, World,
    otpd::{audit, enrol, otpctl, otpctl_with, program},
    process::{Output, command_as, run},
    terminal::sit,
};

fn stack(world: &World, service: &str) {
    let module = format!("required {MODULE}");
    world.stack(service, &["requisite pam_unix.so nodelay", &module]);
}

/// A machine with otpd, alice's token and the stack of sshd.
fn with_token(test: impl FnOnce(&World, &Token) + Send) {
    World::run(|world| {
        let _otpd = world.otpd("");
        stack(world, "sshd");
        test(world, &enrol("alice", &["--method", "hotp"]));
    });
}

fn tried(arguments: &[&str], replies: &[&str]) -> Output {
    let input: String = replies.iter().map(|reply| format!("{reply}\n")).collect();
    otpctl_with(&[&["login-test"], arguments].concat(), input.as_bytes())
}

#[test]
fn each_result_is_told_in_words_with_the_reason_of_otpd() {
    with_token(|_, token| {
        let prompts = "asked: Password:\nasked: Verification code:\n";
        let code = token.code();
        let at = ["sshd", "alice", "--source", "203.0.113.7"];
        let refused = "authenticate: refused (PAM_AUTH_ERR)\n";
        let policy = "policy \"built-in\"";
        for (replies, shown, status) in [
            (
                vec![PASSWORD, &code],
                format!(
                    "{prompts}authenticate: accepted (PAM_SUCCESS)\naccount:      accepted (PAM_SUCCESS)\n\
                     otpd:         right code, used up ({policy})\n\
                     note: a code that was typed is used up; the login needs the next one\n"
                ),
                0,
            ),
            (
                vec![PASSWORD, &code],
                format!(
                    "{prompts}{refused}otpd:         this code has been used already ({policy})\n"
                ),
                3,
            ),
            (
                vec![PASSWORD, &token.wrong()],
                format!("{prompts}{refused}otpd:         wrong code ({policy})\n"),
                3,
            ),
            (vec!["wrong"], format!("asked: Password:\n{refused}"), 3),
            (
                vec![PASSWORD],
                format!(
                    "{prompts}authenticate: broken off: a question was not answered (PAM_CONV_ERR)\n"
                ),
                1,
            ),
        ] {
            let done = tried(&at, &replies);
            assert_eq!((done.stdout.as_str(), done.code()), (shown.as_str(), status), "{done:?}");
            assert!(done.stdout.lines().all(|line| line.chars().count() <= 80), "{done:?}");
            assert_eq!(done.stderr.is_empty(), status == 0, "{done:?}");
        }
        let records = audit("alice");
        let logins: Vec<_> = records.iter().filter(|r| r["event"] == "login").collect();
        assert!(logins.iter().all(|r| r["source"] == "203.0.113.7" && r["tty"] == "ssh"));
        assert!(logins.len() >= 3, "{logins:?}");
    });
}

#[test]
fn otpd_that_is_away_is_told_apart_from_a_refusal() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        stack(world, "sshd");
        enrol("alice", &[]);
        otpd.stop();
        let done = tried(&["sshd", "alice"], &[PASSWORD, "123456"]);
        assert_eq!(done.code(), 4, "{done:?}");
        assert!(done.stdout.contains("(PAM_AUTHINFO_UNAVAIL)\n"), "{done:?}");
        assert!(done.stderr.contains("otpctl status"), "{done:?}");
    });
}

#[test]
fn a_document_tells_everything_but_the_replies() {
    with_token(|_, token| {
        let code = token.code();
        let input = format!("{PASSWORD}\n{code}\n");
        let done = otpctl_with(&["--json", "login-test", "sshd", "alice"], input.as_bytes());
        assert_eq!(done.code(), 0, "{done:?}");
        assert!(!done.stdout.contains(PASSWORD) && !done.stdout.contains(&code), "{done:?}");
        let told: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(told["result"], "accepted");
        assert_eq!(told["account"], "PAM_SUCCESS");
        assert_eq!(told["policy"], "built-in");
        assert_eq!(told["records"][0]["result"], "ok");
        assert_eq!(
            told["said"][1],
            serde_json::json!({ "kind": "asked", "text": "Verification code: ", "hidden": true })
        );
        let refused = otpctl_with(&["--json", "login-test", "sshd", "alice"], b"wrong\n");
        assert_eq!(refused.code(), 3, "{refused:?}");
        let told: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
        assert_eq!((&told["result"], &told["account"]), (&"refused".into(), &().into()));
        let error: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
        assert_eq!(error["error"], "Refused");
    });
}

/// A name that has no file is taken for another one's only where it is nearly that one's.
#[test]
fn a_service_without_a_file_is_noticed() {
    World::run(|world| {
        world.stack("sshd", &["required pam_permit.so"]);
        world.stack("other", &["required pam_deny.so"]);
        let typed = tried(&["sshdd", "alice"], &[]);
        assert_eq!(typed.code(), 2, "{typed:?}");
        assert!(typed.stderr.contains("did you mean sshd?"), "{typed:?}");
        let other = tried(&["imap4", "alice"], &[]);
        assert_eq!(other.code(), 3, "{other:?}");
        assert!(other.stdout.starts_with("imap4 has no file in /etc/pam.d: "), "{other:?}");
        let open = tried(&["sshd", "alice"], &[]);
        assert_eq!(open.code(), 0, "{open:?}");
        assert!(open.stdout.contains("note: nothing was asked\n"), "{open:?}");
    });
}

/// su asks root nothing, so root tries it as somebody else; sudo is tried as its user.
#[test]
fn su_and_sudo_are_tried_as_the_user_who_runs_them() {
    World::run(|world| {
        world.stack("su", &["sufficient pam_rootok.so", "required pam_unix.so nodelay"]);
        world.stack("sudo", &["sufficient pam_rootok.so", "required pam_unix.so nodelay"]);
        for service in ["su", "sudo"] {
            let done = tried(&[service, "alice"], &["wrong"]);
            assert_eq!(done.code(), 3, "{service} let root in: {done:?}");
            let done = tried(&[service, "alice"], &[PASSWORD]);
            assert_eq!(done.code(), 0, "{done:?}");
        }
    });
}

#[test]
fn the_account_decides_as_well() {
    World::run(|world| {
        world.stack("sshd", &["required pam_permit.so"]);
        let file = "/etc/pam.d/sshd";
        let text = std::fs::read_to_string(file).unwrap();
        let barred = text.replace("account required pam_permit.so", "account required pam_deny.so");
        std::fs::write(file, barred).unwrap();
        let done = tried(&["sshd", "alice"], &[]);
        assert_eq!(done.code(), 3, "{done:?}");
        assert!(done.stdout.contains("account:      refused"), "{done:?}");
    });
}

#[test]
fn at_a_terminal_replies_are_typed_unseen() {
    with_token(|_, token| {
        let code = token.code();
        let try_it = otpctl(&["login-test", "sshd", "alice"]);
        let done = sit(&try_it, &[("asked: Password: ", PASSWORD), ("code: ", &code)]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(
            !done.transcript.contains(PASSWORD) && !done.transcript.contains(&code),
            "{done:?}"
        );
        assert!(done.transcript.contains("authenticate: accepted (PAM_SUCCESS)"), "{done:?}");
    });
}

/// Who is not root is told what the result is worth, and learns nothing of otpd's reasons.
#[test]
fn a_user_is_told_what_the_result_is_worth() {
    with_token(|_, _| {
        let login_test = [&program("otpctl"), "login-test", "sshd", "alice"];
        let mut as_nobody = command_as(&NOBODY.to_string(), &login_test);
        let done = run(&mut as_nobody, format!("{PASSWORD}\n123456\n").as_bytes());
        assert_ne!(done.code(), 0, "{done:?}");
        assert!(done.stdout.starts_with("You are not root. "), "{done:?}");
        assert!(!done.stdout.contains("otpd:"), "{done:?}");
    });
}
