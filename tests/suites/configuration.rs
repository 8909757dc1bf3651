//! A configuration that is wrong: refused with file, line and what is allowed.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use harness::{
    Login, MODULE, World,
    otpd::{CONFIGURATION, enrol, otpctl_with, program},
    pam::code,
    process::{Output, command, run},
};

fn check() -> Output {
    run(command(&program("otpd")).arg("check-config"), b"")
}

/// What is wrong with this file, as `check-config` says it.
fn complaint(text: &[u8]) -> String {
    fs::write(CONFIGURATION, text).unwrap();
    let done = check();
    assert_eq!(done.code(), 1, "accepted: {}: {done:?}", String::from_utf8_lossy(text));
    format!("{}{}", done.stdout, done.stderr)
}

#[test]
fn what_is_right_is_ok() {
    World::run(|_| {
        assert_eq!(check().ok().trim(), "ok", "a missing file");
        let all = "[lockout]\nafter = 5\nfirst = \"60s\"\nlongest = \"15m\"\ndisable_after = 100\n\
                   [[method]]\nname = \"acme\"\ntype = \"totp\"\nalgorithm = \"sha256\"\ndigits = 8\ntime_step = \"30000ms\"\nwindow_before = 1\nwindow_after = 0\ndirectories = [\"local\"]\n\
                   [[policy]]\nname = \"all\"\nmatch = { service = [\"sshd\"] }\nfactor = \"require\"\nunenrolled = \"deny\"\n";
        for text in ["", "# nothing\n", all] {
            fs::write(CONFIGURATION, text).unwrap();
            // Lines before it are warnings, such as of a method that some apps do not know.
            assert_eq!(check().ok().lines().last(), Some("ok"), "{text}");
        }
    });
}

/// Each mistake: the line it is in, and words that the message must have.
#[test]
fn each_mistake_is_told_with_file_line_and_what_is_allowed() {
    let table: [(&[u8], usize, &[&str]); 20] = [
        (b"[lockout]\nlockuot_after = 3\n", 2, &["lockuot_after", "after"]),
        (b"[lokout]\nafter = 3\n", 1, &["lokout", "lockout"]),
        (b"\n\n[lockout]\nafter = \"three\"\n", 4, &["after"]),
        (b"[lockout]\nafter = 0\n", 2, &["after", "1", "0 never means unlimited"]),
        (b"[lockout]\nafter = 1000000\n", 2, &["after"]),
        (b"[lockout]\nafter = -1\n", 2, &["after"]),
        (b"[lockout]\nafter = 1.5\n", 2, &["after"]),
        (b"[lockout]\nfirst = 60\n", 2, &["first", "s"]),
        (b"[lockout]\nfirst = \"0s\"\n", 2, &["first"]),
        (b"[lockout]\nfirst = \"60 parsecs\"\n", 2, &["first"]),
        (b"[[method]]\nname = \"x\"\ntype = \"totp\"\ndigits = 3\n", 4, &["digits", "4", "8"]),
        (b"[[method]]\nname = \"x\"\ntype = \"totp\"\nwindow_before = 10\n", 4, &["window_before", "9"]),
        (b"[[method]]\nname = \"x\"\ntype = \"topt\"\n", 3, &["totp", "hotp"]),
        (b"[[policy]]\nname = \"x\"\nfactor = \"maybe\"\n", 3, &["require", "skip", "deny"]),
        (b"[limits]\nsessions = 0\n", 2, &["sessions", "0 never means unlimited"]),
        (b"[lockout]\nafter = 3\nafter = 4\n", 3, &["duplicate key"]),
        (b"[lockout\nafter = 3\n", 1, &[]),
        (b"after = \n", 1, &[]),
        (b"[lockout]\n# \xff\xfe\nafter = 3\n", 2, &["UTF-8"]),
        (b"[[method]]\nname = \"x\"\ntype = \"totp\"\n\n[[method]]\nname = \"x\"\ntype = \"totp\"\n", 6, &["x"]),
    ];
    World::run(|_| {
        for (text, line, words) in table {
            let complaint = complaint(text);
            let place = format!("{CONFIGURATION}:{line}:");
            assert!(
                complaint.contains(&place),
                "{}: not {place}: {complaint}",
                String::from_utf8_lossy(text)
            );
            for word in words {
                assert!(
                    complaint.contains(word),
                    "{}: no {word:?}: {complaint}",
                    String::from_utf8_lossy(text)
                );
            }
        }
    });
}

/// A file that others may write is nobody's configuration.
#[test]
fn a_file_of_others_is_refused() {
    World::run(|_| {
        fs::create_dir_all("/etc/otpd/otpd.d").unwrap();
        for (path, mode) in
            [(CONFIGURATION, 0o666), (CONFIGURATION, 0o664), ("/etc/otpd/otpd.d/a.toml", 0o646)]
        {
            fs::write(path, "").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            let done = check();
            assert_eq!(done.code(), 1, "{path} {mode:o}");
            assert!(format!("{}{}", done.stdout, done.stderr).contains(path), "{done:?}");
            fs::remove_file(path).unwrap();
        }
        fs::write(CONFIGURATION, "").unwrap();
        run(command("chown").args(["alice", CONFIGURATION]), b"").ok();
        assert_eq!(check().code(), 1, "alice's file");
        fs::remove_file(CONFIGURATION).unwrap();
        symlink("/dev/zero", CONFIGURATION).unwrap();
        assert_eq!(check().code(), 1, "no regular file");
        fs::remove_file(CONFIGURATION).unwrap();
        fs::write("/etc/otpd/otpd.d/b.toml", "[lockout]\nafter = 0\n").unwrap();
        let done = check();
        assert!(
            format!("{}{}", done.stdout, done.stderr).contains("/etc/otpd/otpd.d/b.toml:2:"),
            "{done:?}"
        );
    });
}

/// The daemon does not start on it, and says so.
#[test]
fn the_daemon_does_not_start_on_it() {
    World::run(|world| {
        world.otpd("").stop();
        fs::write(CONFIGURATION, "[lockout]\nafter = 0\n").unwrap();
        let done = run(&mut command(&program("otpd")), b"");
        assert_ne!(done.code(), 0);
        let told = format!("{}{}{}", done.stdout, done.stderr, world.log().records().join("\n"));
        assert!(told.contains(&format!("{CONFIGURATION}:2:")), "{told}");
    });
}

/// A bad reload says what is wrong and changes nothing; a good one holds from then on.
#[test]
fn a_bad_reload_keeps_the_last_good_one() {
    World::run(|world| {
        let otpd = world.otpd("[lockout]\nafter = 2\n");
        world.stack("login", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        fs::write(CONFIGURATION, "[lockout]\nafter = 0\n").unwrap();
        let reload = otpctl_with(&["config", "reload"], b"");
        assert_ne!(reload.code(), 0);
        assert!(reload.stderr.contains(":2:"), "{}", reload.stderr);
        otpd.signal(nix::sys::signal::Signal::SIGHUP);
        world.log().expect(&format!("{CONFIGURATION}:2:"));
        let mut host = world.host();
        let mut login =
            |code: String| host.login(Login::new("login", "alice"), &[code.as_bytes()]).code();
        assert_eq!([login(token.wrong()), login(token.wrong())], [code::AUTH_ERR; 2]);
        assert_eq!(login(token.at(0)), code::AUTH_ERR, "locked after 2, as before");
        fs::write(CONFIGURATION, "[lockout]\nafter = 50\n[[method]]\nname = \"x\"\n").unwrap();
        otpctl_with(&["config", "reload"], b"").ok();
        world.log().expect(&format!("{CONFIGURATION}:3:1: method \"x\" is linked to no directory"));
        otpctl_with(&["user", "unlock", "alice"], b"").ok();
        for _ in 0..5 {
            login(token.wrong());
        }
        assert_eq!(login(token.at(0)), code::SUCCESS, "not locked after 5, as reloaded");
    });
}
