//! Clients that need not repeat the code, through sshd and its keys.

use harness::{
    World,
    otpd::{audit, document, enrol, items, otpctl_with},
    sshd::Methods,
};

const STACK: [&str; 1] = ["required /run/e2e/bin/pam_otp.so"];
const REMEMBER: &str =
    "[[policy]]\nname = \"ssh\"\nmatch = { service = [\"sshd\"] }\nremember = \"8h\"\n";

/// Who has given a code skips it from the same key and address, and from no other.
#[test]
fn a_remembered_client_skips_the_code_from_the_same_key_and_address() {
    World::run(|world| {
        let mut otpd = world.otpd(REMEMBER);
        let token = enrol("bob", &["--method", "hotp"]);
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::KeyThenKeyboard);
        let login = |key: &str, address: &str, replies: &[&str]| {
            let session = sshd.login_from(key, address, "bob", replies);
            (session.admitted, session.transcript.matches("prompt:").count())
        };
        assert_eq!(login("id", "127.0.0.1", &[]), (false, 1), "nothing is remembered yet");
        assert_eq!(login("id", "127.0.0.1", &[&token.code()]), (true, 1));
        assert_eq!(login("id", "127.0.0.1", &[]), (true, 0), "the same key and address");
        assert_eq!(login("other", "127.0.0.1", &[]), (false, 1), "another key");
        assert_eq!(login("id", "127.0.0.2", &[]), (false, 1), "another address");
        let remembered = items(&["client", "list", "--show-ids"]).remove(0);
        let identity = remembered["identity"].as_str().unwrap();
        assert!(identity.starts_with("SHA256:") && identity.len() == 50, "{identity}");
        assert_eq!(remembered["service"], "sshd");
        assert_eq!(document(&["status"])["last_client"], *identity);
        let skipped = audit("bob").into_iter().rfind(|r| r["method"] == "remembered").unwrap();
        assert_eq!((&skipped["result"], &skipped["source"]), (&"ok".into(), &"127.0.0.1".into()));
        // It outlives the daemon, and ends when it is removed.
        otpd.stop();
        otpd.restart();
        assert_eq!(login("id", "127.0.0.1", &[]), (true, 0), "after a restart");
        otpctl_with(&["client", "remove", remembered["id"].as_str().unwrap(), "--yes"], b"").ok();
        assert_eq!(login("id", "127.0.0.1", &[]), (false, 1), "removed");
        // And with the credential that it rested on.
        assert_eq!(login("id", "127.0.0.1", &[&token.at(1)]), (true, 1));
        assert_eq!(login("id", "127.0.0.1", &[]), (true, 0));
        otpctl_with(&["token", "disable", &token.id], b"").ok();
        assert_eq!(login("id", "127.0.0.1", &[]), (false, 1), "the token is disabled");
    });
}

/// What the fingerprint is: the one that ssh-keygen prints.
#[test]
fn the_identity_of_a_key_is_its_fingerprint() {
    World::run(|world| {
        let _otpd = world.otpd("[clients]\nenforce = true\n");
        let token = enrol("bob", &["--method", "hotp"]);
        world.stack("sshd", &STACK);
        let sshd = world.sshd(Methods::KeyThenKeyboard);
        let printed = harness::process::run(
            harness::process::command("ssh-keygen").args(["-l", "-f", "/run/e2e/ssh/id.pub"]),
            b"",
        )
        .ok();
        let print = printed.split(' ').nth(1).unwrap();
        let refused = sshd.login_from("id", "127.0.0.1", "bob", &[&token.code()]);
        assert!(!refused.admitted, "{refused:?}");
        otpctl_with(&["client", "add", "bob", "--identity", print], b"").ok();
        let admitted = sshd.login_from("id", "127.0.0.3", "bob", &[&token.code()]);
        assert!(admitted.admitted, "{admitted:?}");
        let refused = sshd.login_from("other", "127.0.0.1", "bob", &[&token.at(1)]);
        assert!(!refused.admitted, "{refused:?}");
    });
}
