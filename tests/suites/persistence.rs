//! What survives a restart, and what the daemon refuses to start on.

use std::fs;

use harness::{
    Login, MODULE, World,
    otpd::{CONFIGURATION, document, enrol, give_to_daemon, otpctl_with, program},
    pam::code,
    process::{Output, command, run},
};

const STORE: &str = "/var/lib/otpd/otpd.db";
const KEY: &str = "/etc/otpd/kek";

#[test]
fn locks_and_used_codes_survive_a_restart() {
    World::run(|world| {
        let mut otpd = world.otpd("[lockout]\nafter = 3\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        let used = token.code();
        assert_eq!(login(&used), code::SUCCESS);
        for restart in [true, false] {
            if restart {
                otpd.stop();
            } else {
                otpd.kill();
            }
            otpd.restart();
            assert_eq!(login(&used), code::AUTH_ERR, "a used code after a restart");
        }
        assert_eq!(document(&["user", "show", "alice"])["failures"], 2);
        assert_eq!(login(&token.wrong()), code::AUTH_ERR);
        assert_eq!(document(&["user", "show", "alice"])["lock"], "locked");
        otpd.kill();
        otpd.restart();
        let fresh = token.code();
        assert_eq!(login(&fresh), code::AUTH_ERR, "locked after a restart");
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        assert_eq!(login(&fresh), code::SUCCESS);
    });
}

/// Starts the daemon where it must not start; returns what it said.
fn refuses(world: &World) -> String {
    let done: Output = run(&mut command(&program("otpd")), b"");
    assert_ne!(done.code(), 0, "it started");
    format!("{}{}{}", done.stdout, done.stderr, world.log().records().join("\n"))
}

#[test]
fn it_refuses_to_start_without_what_was_initialised() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        enrol("alice", &[]);
        otpd.stop();
        for (path, word) in [(STORE, "store"), (KEY, "key")] {
            let away = format!("{path}.away");
            fs::rename(path, &away).unwrap();
            let told = refuses(world);
            assert!(told.contains(path) && told.contains(word), "{told}");
            let init = run(command(&program("otpd")).arg("init"), b"");
            assert_ne!(init.code(), 0, "init made a new {word} beside the old rest");
            assert!(!fs::exists(path).unwrap(), "{path} was made anew");
            fs::rename(&away, path).unwrap();
        }
        fs::write(KEY, [0x5a; 32]).unwrap();
        let told = refuses(world);
        assert!(told.contains("key"), "another key: {told}");
    });
}

#[test]
fn it_refuses_a_store_or_key_that_others_can_reach() {
    World::run(|world| {
        world.otpd("").stop();
        for path in [STORE, KEY] {
            give_to_daemon(path, 0o644);
            assert!(refuses(world).contains(path), "{path} 0644");
            give_to_daemon(path, 0o600);
            let away = format!("{path}.away");
            fs::rename(path, &away).unwrap();
            std::os::unix::fs::symlink(&away, path).unwrap();
            assert!(refuses(world).contains(path), "{path} is a symlink");
            fs::remove_file(path).unwrap();
            fs::rename(&away, path).unwrap();
        }
    });
}

/// Never initialised: it says what to run, and makes nothing.
#[test]
fn it_refuses_to_start_before_init() {
    World::run(|world| {
        world.bus(harness::BusKind::Daemon);
        fs::write(CONFIGURATION, "").unwrap();
        let told = refuses(world);
        assert!(told.contains("otpd init"), "{told}");
        assert!(!fs::exists(STORE).unwrap() && !fs::exists(KEY).unwrap());
    });
}

#[test]
fn init_can_be_repeated() {
    World::run(|world| {
        let mut otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        otpd.stop();
        run(command(&program("otpd")).arg("init"), b"").ok();
        otpd.restart();
        assert_eq!(
            world.host().login(Login::new("login", "alice"), &[token.code().as_bytes()]).code(),
            code::SUCCESS
        );
    });
}

/// A store without room: nobody is admitted, and all is well again when there is room.
#[test]
fn a_full_disk_refuses_and_recovers() {
    World::run(|world| {
        let mount = |options: &str| {
            run(
                command("mount").args(["-t", "tmpfs", "-o", options, "tmpfs", "/var/lib/otpd"]),
                b"",
            )
            .ok()
        };
        mount("size=2m,mode=700,uid=61999,gid=61999");
        let _otpd = world.otpd("");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let mut host = world.host();
        let mut login =
            |code: &str| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        assert_eq!(login(&token.code()), code::SUCCESS);
        fs::write("/run/e2e/fill", vec![1; 4 << 20]).unwrap();
        run(
            command("sh").args(["-c", "cat /run/e2e/fill >/var/lib/otpd/fill 2>/dev/null || true"]),
            b"",
        )
        .ok();
        let mut refused = None;
        for _ in 0..200 {
            let code = token.code();
            match login(&code) {
                code::SUCCESS => continue,
                other => {
                    assert_eq!(other, code::AUTHINFO_UNAVAIL);
                    refused = Some(code);
                    break;
                }
            }
        }
        let refused = refused.expect("the disk is full");
        fs::remove_file("/var/lib/otpd/fill").unwrap();
        assert_eq!(login(&refused), code::SUCCESS, "with room again");
        assert_eq!(login(&refused), code::AUTH_ERR, "the same code again");
    });
}
