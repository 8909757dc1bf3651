//! The life of a token, from otpctl to a login.

use std::{thread::sleep, time::Duration};

use harness::{
    Login, MODULE, World,
    otpd::{document, enrol, items, otpctl_with},
    pam::code,
};

fn with_login(configuration: &str, test: impl FnOnce(&World, &mut dyn FnMut(&str) -> i32) + Send) {
    World::run(|world| {
        let _otpd = world.otpd(configuration);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut host = world.host();
        test(world, &mut |code| {
            host.login(Login::new("login", "alice"), &[code.as_bytes()]).code()
        });
    });
}

/// Every algorithm, length and step, as oathtool computes them.
#[test]
fn codes_are_what_the_rest_of_the_world_computes() {
    let mut configuration = String::new();
    let mut methods = Vec::new();
    for algorithm in ["sha1", "sha256", "sha512"] {
        for digits in 6..=8 {
            let name = format!("{algorithm}-{digits}");
            configuration += &format!(
                "[[method]]\nname = \"{name}\"\ntype = \"totp\"\nalgorithm = \"{algorithm}\"\ndigits = {digits}\nkey_size = 32\ndirectories = [\"local\"]\n"
            );
            methods.push((name, algorithm));
        }
    }
    with_login(&configuration, |_, login| {
        for (name, algorithm) in methods {
            let token = enrol("alice", &["--method", &name]);
            let mut oathtool = harness::process::command("oathtool");
            oathtool.args([
                "-b",
                "-d",
                &token.digits.to_string(),
                &format!("--totp={algorithm}"),
                "-",
            ]);
            let code = harness::process::run(&mut oathtool, token.secret.as_bytes()).ok();
            assert_eq!(login(code.trim()), code::SUCCESS, "{name}");
            assert_eq!(login(code.trim()), code::AUTH_ERR, "{name} again");
            otpctl_with(&["token", "remove", &token.id, "--yes"], b"").ok();
            otpctl_with(&["user", "unlock", "alice"], b"").ok();
        }
    });
}

/// A pending token neither satisfies nor requires a login; its first code makes it active.
#[test]
fn a_token_is_pending_until_its_first_code() {
    with_login("", |_, login| {
        let output = "/run/e2e/pending";
        otpctl_with(
            &["--json", "token", "add", "alice", "--method", "hotp", "--output", output],
            b"",
        )
        .ok();
        let token: harness::Token =
            serde_json::from_str(&std::fs::read_to_string(output).unwrap()).unwrap();
        let code = token.code();
        assert_eq!(login(&code), code::AUTH_ERR, "pending");
        let wrong = otpctl_with(
            &["token", "confirm", &token.id],
            format!("{}\n", token.wrong()).as_bytes(),
        );
        assert_eq!(wrong.code(), 3, "{wrong:?}");
        otpctl_with(&["token", "confirm", &token.id], format!("{code}\n").as_bytes()).ok();
        assert_eq!(login(&code), code::AUTH_ERR, "the confirming code is used");
        assert_eq!(login(&token.code()), code::SUCCESS);
    });
}

#[test]
fn a_disabled_token_comes_back_when_it_should() {
    with_login("", |_, login| {
        let token = enrol("alice", &["--method", "hotp"]);
        otpctl_with(&["token", "disable", &token.id, "--reason", "lost and found"], b"").ok();
        assert_eq!(login(&token.code()), code::AUTH_ERR, "disabled");
        let listed = items(&["token", "list", "alice"]);
        assert_eq!(
            (&listed[0]["state"], &listed[0]["reason"]),
            (&"disabled".into(), &"lost and found".into())
        );
        otpctl_with(&["token", "enable", &token.id], b"").ok();
        assert_eq!(login(&token.code()), code::SUCCESS, "enabled");
        otpctl_with(&["token", "disable", &token.id, "--until", "1s"], b"").ok();
        assert_eq!(login(&token.code()), code::AUTH_ERR, "disabled for a second");
        sleep(Duration::from_millis(1100));
        assert_eq!(login(&token.code()), code::SUCCESS, "after that second");
    });
}

#[test]
fn two_codes_find_a_token_that_went_ahead() {
    with_login("", |_, login| {
        let token = enrol("alice", &["--method", "hotp"]);
        assert_eq!(login(&token.at(60)), code::AUTH_ERR, "60 ahead");
        otpctl_with(
            &["token", "resync", &token.id],
            format!("{}\n{}\n", token.at(61), token.at(63)).as_bytes(),
        );
        assert_eq!(login(&token.at(62)), code::AUTH_ERR, "two codes that do not follow each other");
        otpctl_with(
            &["token", "resync", &token.id],
            format!("{}\n{}\n", token.at(61), token.at(62)).as_bytes(),
        )
        .ok();
        assert_eq!(login(&token.at(62)), code::AUTH_ERR, "a code of the resync");
        assert_eq!(login(&token.at(63)), code::SUCCESS);
    });
}

/// Recovery codes: good once each, good while locked, and few are left.
#[test]
fn a_recovery_code_lets_one_in() {
    with_login("[lockout]\nafter = 2\n", |_, login| {
        let token = enrol("alice", &["--method", "hotp"]);
        let output = "/run/e2e/recovery";
        otpctl_with(&["--json", "recovery", "new", "alice", "--yes", "--output", output], b"").ok();
        let text = std::fs::read_to_string(output).unwrap();
        let codes: Vec<_> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .filter(|w| w.len() == 19)
            .collect();
        assert_eq!(codes.len(), 10, "{text}");
        assert_eq!(login(codes[0]), code::SUCCESS);
        assert_eq!(login(codes[0]), code::AUTH_ERR, "again");
        assert_eq!(
            login(&codes[1].to_lowercase().replace('-', "")),
            code::SUCCESS,
            "as people type"
        );
        for _ in 0..2 {
            login(&token.wrong());
        }
        assert_eq!(login(&token.code()), code::AUTH_ERR, "locked");
        assert_eq!(login(codes[2]), code::SUCCESS, "while locked");
        assert_eq!(login(&token.code()), code::SUCCESS, "the lock is gone");
        assert_eq!(document(&["user", "show", "alice"])["recovery"], 7);
        let user = document(&["user", "show", "alice"]);
        assert_eq!(user["failures"], 0, "{user}");
    });
}

#[test]
fn several_tokens_of_one_user_do_not_hurt_each_other() {
    with_login("[lockout]\nafter = 3\n", |_, login| {
        let (phone, key) = (
            enrol("alice", &["--method", "hotp", "--label", "phone"]),
            enrol("alice", &["--method", "hotp", "--label", "key"]),
        );
        for _ in 0..4 {
            assert_eq!(login(&phone.code()), code::SUCCESS);
            assert_eq!(login(&key.code()), code::SUCCESS);
        }
        otpctl_with(&["token", "remove", &phone.id, "--yes"], b"").ok();
        assert_eq!(login(&phone.code()), code::AUTH_ERR, "removed");
        assert_eq!(login(&key.code()), code::SUCCESS);
        let other = otpctl_with(&["token", "show", &phone.id], b"");
        assert_eq!(other.code(), 5, "{other:?}");
    });
}

/// What otpctl's exit codes promise.
#[test]
fn otpctl_says_how_it_went() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        for (arguments, code) in [
            (&["status"][..], 0),
            (&["frobnicate"], 2),
            (&["token", "add", "alcie", "--no-confirm", "--json", "--output", "/run/e2e/x"], 7),
            (&["user", "show", "carol"], 7),
            (&["token", "show", "0123456789abcdef0123456789abcdef"], 5),
        ] {
            let done = otpctl_with(arguments, b"");
            assert_eq!(done.code(), code, "{arguments:?}: {done:?}");
        }
        otpd.stop();
        let gone = otpctl_with(&["status"], b"");
        assert_eq!(gone.code(), 4, "{gone:?}");
        world.stop_bus();
        assert_eq!(otpctl_with(&["status"], b"").code(), 4);
    });
}
