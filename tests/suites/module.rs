//! The module's options and return codes on a real libpam.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    sync::Mutex,
    thread,
    time::Duration,
};

use harness::{
    Login, MODULE, PANIC_MODULE, PASSWORD, World,
    otpd::{audit, document, enrol},
    pam::code,
    protocol::{Answer, Call},
};

/// `auth` lines with the module's options, each as a service of that name.
fn service(world: &World, options: &str) -> String {
    // libpam looks for the name in lower case.
    let name =
        format!("m-{}", options.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
    world.stack(&name, &[&format!("required {MODULE} {options}")]);
    name
}

#[test]
fn an_option_that_is_not_known_is_an_error_that_is_logged() {
    World::run(|world| {
        let mut host = world.host();
        for options in [
            "frobnicate",
            "nulok",
            "timeout=0",
            "timeout=31",
            "timeout=ten",
            "timeout=-1",
            "mode=third",
            "socket=relative",
            "bus=tcp:host=example.org",
            "bus=unixexec:path=/bin/sh",
            "bus=",
            "socket=",
            "method=",
        ] {
            let outcome = host.login(Login::new(&service(world, options), "alice"), &[b"123456"]);
            assert_eq!((outcome.code(), outcome.prompts), (code::SERVICE_ERR, 0), "{options}");
            let name = options.split('=').next().unwrap();
            world.log().expect(name);
        }
    });
}

#[test]
fn every_option_is_taken() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        for (options, prompt) in [
            ("", "hidden: \"Verification code: \"\n"),
            ("[prompt=Your code please: ]", "hidden: \"Your code please: \"\n"),
            ("[authtok_prompt=Code? ]", "hidden: \"Code? \"\n"),
            ("echo", "shown: \"Verification code: \"\n"),
            ("echo_verification_code", "shown: \"Verification code: \"\n"),
            ("nullok", "hidden: \"Verification code: \"\n"),
            ("nouserok", "hidden: \"Verification code: \"\n"),
            ("method=hotp", "hidden: \"Verification code: \"\n"),
            ("mode=second timeout=30 debug no_warn", "hidden: \"Verification code: \"\n"),
            ("socket=/run/otpd/login.sock", "hidden: \"Verification code: \"\n"),
            ("bus=system", "hidden: \"Verification code: \"\n"),
            ("bus=unix:path=/run/dbus/system_bus_socket", "hidden: \"Verification code: \"\n"),
        ] {
            let outcome = host
                .login(Login::new(&service(world, options), "alice"), &[token.code().as_bytes()]);
            assert_eq!(
                (outcome.code(), outcome.transcript.as_str()),
                (code::SUCCESS, prompt),
                "{options}"
            );
        }
        assert_eq!(host.end(), (0, String::new()));
    });
}

#[test]
fn it_serves_auth_and_nothing_else() {
    World::run(|world| {
        let lines: String = ["auth", "account", "session", "password"]
            .map(|kind| format!("{kind} required {MODULE}\n"))
            .concat();
        std::fs::write("/etc/pam.d/all", lines).unwrap();
        let mut host = world.host();
        for (call, expected) in [
            (Call::Setcred, code::SUCCESS),
            (Call::Account, code::SERVICE_ERR),
            (Call::Session, code::SERVICE_ERR),
            (Call::Password, code::SERVICE_ERR),
        ] {
            let mut login = Login::new("all", "alice");
            login.0.calls = vec![call];
            assert_eq!(host.login(login, &[]).code(), expected, "{call:?}");
        }
    });
}

/// Neither alone is enough to let a user without a token pass.
#[test]
fn nullok_needs_the_policy_and_the_policy_needs_nullok() {
    World::run(|world| {
        let staged = "[[policy]]\nname = \"staged\"\nmatch = { service = [\"staged\", \"strict\"] }\nunenrolled = \"ignore\"\n";
        let _otpd = world.otpd(staged);
        let permit = "required pam_permit.so";
        world.stack("staged", &[&format!("required {MODULE} nullok"), permit]);
        world.stack("strict", &[&format!("required {MODULE}"), permit]);
        world.stack("other", &[&format!("required {MODULE} nullok"), permit]);
        let mut host = world.host();
        let mut login = |service: &str| host.login(Login::new(service, "alice"), &[b"123456"]);
        let passed = login("staged");
        assert_eq!((passed.code(), passed.prompts), (code::SUCCESS, 0));
        assert_eq!(login("strict").code(), code::AUTH_ERR, "without nullok");
        assert_eq!(login("other").code(), code::AUTH_ERR, "without the policy");
        assert_eq!(audit("alice").first().unwrap()["result"], "skipped");
        enrol("alice", &["--method", "hotp"]);
        let enrolled = login("staged");
        assert_eq!((enrolled.code(), enrolled.prompts), (code::AUTH_ERR, 1), "with a token");
    });
}

/// A policy that asks nothing, and one that denies.
#[test]
fn a_policy_may_skip_or_deny() {
    World::run(|world| {
        let _otpd = world.otpd(
            "[[policy]]\nname = \"cron\"\nmatch = { service = [\"cron\"] }\nfactor = \"skip\"\n\
             [[policy]]\nname = \"closed\"\nmatch = { service = [\"closed\"], user = [\"alice\"] }\nfactor = \"deny\"\n",
        );
        for service in ["cron", "closed"] {
            world.stack(service, &[&format!("required {MODULE}"), "required pam_permit.so"]);
        }
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let skipped = host.login(Login::new("cron", "alice"), &[]);
        assert_eq!((skipped.code(), skipped.prompts), (code::SUCCESS, 0));
        let code = token.code();
        assert_eq!(
            host.login(Login::new("closed", "alice"), &[code.as_bytes()]).code(),
            code::AUTH_ERR
        );
        enrol("bob", &["--method", "hotp"]);
        let other = host.login(Login::new("closed", "bob"), &[b"000000"]);
        assert_eq!(other.prompts, 1);
    });
}

/// Password and code in one field: the module splits, and the password goes on to pam_unix.
#[test]
fn password_and_code_in_one_field() {
    World::run(|world| {
        let _otpd = world.otpd("[[policy]]\nname = \"one field\"\nmatch = { service = [\"forward\", \"first\", \"try\"] }\nconcatenate = true\n");
        let unix = "required pam_unix.so nodelay use_first_pass";
        world.stack("forward", &[&format!("requisite {MODULE} forward_pass"), unix]);
        world.stack("strict", &[&format!("requisite {MODULE} forward_pass"), unix]);
        world.stack(
            "first",
            &["required pam_unix.so nodelay", &format!("required {MODULE} use_first_pass")],
        );
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let mut try_both = |service: &str, password: &str, code: &str| {
            host.login(Login::new(service, "alice"), &[format!("{password}{code}").as_bytes()])
        };
        let right = try_both("forward", PASSWORD, &token.code());
        assert_eq!((right.code(), right.prompts), (code::SUCCESS, 1), "{}", right.transcript);
        assert_ne!(
            try_both("forward", "wrong", &token.code()).code(),
            code::SUCCESS,
            "a wrong password"
        );
        assert_ne!(
            try_both("forward", PASSWORD, &token.wrong()).code(),
            code::SUCCESS,
            "a wrong code"
        );
        // The policy does not allow one field here: a plain prompt, whose reply is no code.
        assert_ne!(
            try_both("strict", PASSWORD, &token.code()).code(),
            code::SUCCESS,
            "without the policy"
        );
        let records = audit("alice");
        assert!(records.iter().all(|record| !record.to_string().contains("correct horse")));
    });
}

/// sshd lets the stack run for users it refuses, with a filler for what they typed.
#[test]
fn the_filler_of_sshd_is_not_charged() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        world.stack("sshd", &["required pam_unix.so nodelay", &format!("required {MODULE}")]);
        world.stack("alone", &[&format!("required {MODULE}")]);
        let mut host = world.host();
        for length in [0, 1, 6, 13, 20] {
            let filler: Vec<u8> =
                b"\x08\n\r\x7fINCORRECT".iter().copied().cycle().take(length.max(1)).collect();
            assert_eq!(host.login(Login::new("alone", "alice"), &[&filler]).code(), code::AUTH_ERR);
        }
        // A blind conversation gives the password to every prompt.
        let blind = host.converse(Login::new("sshd", "alice"), |_| {
            Answer::Replies(vec![Some(PASSWORD.into())])
        });
        assert_eq!((blind.code(), blind.prompts), (code::AUTH_ERR, 2));
        assert_eq!(document(&["user", "show", "alice"])["failures"], 0);
        assert_eq!(
            host.login(Login::new("alone", "alice"), &[token.code().as_bytes()]).code(),
            code::SUCCESS
        );
    });
}

/// The module asks libpam for a delay after a failure and does not sleep itself.
#[test]
fn a_failure_asks_for_a_delay() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut host = world.host();
        let wrong = host.login(Login::new("login", "alice"), &[token.wrong().as_bytes()]);
        assert!(
            (1_000_000..=3_000_000).contains(&wrong.ended.delay_us),
            "{} µs",
            wrong.ended.delay_us
        );
        assert!(wrong.machine() < Duration::from_secs(1), "{:?}", wrong.machine());
    });
}

/// A login over root's socket is two round trips: what the module says comes in two bursts, with the
/// daemon's answer between them.
#[test]
fn a_login_is_two_round_trips() {
    World::run(|world| {
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        world.stack("login", &[&format!("required {MODULE} socket=/run/e2e/relay")]);
        let relay = UnixListener::bind("/run/e2e/relay").unwrap();
        let bursts = thread::scope(|scope| {
            let bursts = scope.spawn(|| {
                let module = relay.accept().unwrap().0;
                let daemon = UnixStream::connect(harness::otpd::LOGIN_SOCKET).unwrap();
                let speaker = Mutex::new(Vec::new());
                thread::scope(|scope| {
                    scope.spawn(|| pass_on(&module, &daemon, 'm', &speaker));
                    pass_on(&daemon, &module, 'd', &speaker);
                });
                speaker.into_inner().unwrap()
            });
            let code = token.code();
            let outcome = world.host().login(Login::new("login", "alice"), &[code.as_bytes()]);
            assert_eq!(outcome.code(), code::SUCCESS);
            bursts.join().unwrap()
        });
        assert_eq!(bursts, ['m', 'd', 'm', 'd']);
    });
}

/// Passes bytes on until their source ends; writes down who speaks when that changes.
fn pass_on(mut from: &UnixStream, mut to: &UnixStream, who: char, speaker: &Mutex<Vec<char>>) {
    let mut bytes = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        {
            let mut spoken = speaker.lock().unwrap();
            if spoken.last() != Some(&who) {
                spoken.push(who);
            }
        }
        to.write_all(&bytes[..length]).unwrap();
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A panic inside ends in PAM_ABORT; the host lives, hears nothing and can go on.
#[test]
fn a_panic_does_not_take_the_host_along() {
    World::run(|world| {
        assert!(
            std::fs::exists(PANIC_MODULE).unwrap(),
            "cannot run here: build the module with --features test-panic (see harness/settings.rs)"
        );
        let _otpd = world.otpd("");
        let token = enrol("alice", &["--method", "hotp"]);
        world.stack("panic", &[&format!("required {PANIC_MODULE} panic")]);
        world.stack("login", &[&format!("required {MODULE}")]);
        let mut host = world.host_as(0, &[("RUST_BACKTRACE", "full")]);
        for _ in 0..3 {
            assert_eq!(host.login(Login::new("panic", "alice"), &[b"123456"]).code(), code::ABORT);
        }
        assert_eq!(
            host.login(Login::new("login", "alice"), &[token.code().as_bytes()]).code(),
            code::SUCCESS
        );
        assert_eq!(host.end(), (0, String::new()));
    });
}

/// The shipped module has no way to panic on demand.
#[test]
fn the_shipped_module_does_not_know_how_to_panic() {
    World::run(|world| {
        let outcome = world.host().login(Login::new(&service(world, "panic"), "alice"), &[]);
        assert_eq!(outcome.code(), code::SERVICE_ERR);
    });
}
