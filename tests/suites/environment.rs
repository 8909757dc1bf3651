//! The environment of a setuid program belongs to who started it: none of it changes anything.

use std::fs;

use harness::{
    Login, MODULE, NOBODY, PASSWORD, World,
    bus::Silent,
    golden::golden,
    otpd::enrol,
    pam::code,
    process::{command, command_as, run},
    terminal::sit,
};

/// A socket that pretends to be the system bus.
const HOSTILE_BUS: &str = "/run/e2e/evil/bus";
/// The address of that socket where libraries look for the bus.
const OTHER_BUS: (&str, &str) = ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/e2e/evil/bus");
/// Written by everything that must not be run.
const MARKER: &str = "/run/e2e/evil/marker";

/// The variables that libraries of this kind listen to, with what an attacker would put there.
const HOSTILE: [(&str, &str); 18] = [
    ("DBUS_SYSTEM_BUS_ADDRESS", "unixexec:path=/run/e2e/evil/program"),
    ("DBUS_SESSION_BUS_ADDRESS", "unixexec:path=/run/e2e/evil/program"),
    ("DBUS_STARTER_ADDRESS", "unixexec:path=/run/e2e/evil/program"),
    ("DBUS_STARTER_BUS_TYPE", "session"),
    ("RUST_LOG", "trace"),
    ("RUST_BACKTRACE", "full"),
    ("RUST_LIB_BACKTRACE", "1"),
    ("RUST_MIN_STACK", "1"),
    ("TZ", ":/run/e2e/evil/zone"),
    ("TZDIR", "/run/e2e/evil"),
    ("LANG", "de_DE.UTF-8"),
    ("LC_ALL", "../../run/e2e/evil"),
    ("LD_PRELOAD", "/run/e2e/evil/library.so"),
    ("LD_LIBRARY_PATH", "/run/e2e/evil"),
    ("TMPDIR", "/run/e2e/evil"),
    ("XDG_RUNTIME_DIR", "/run/e2e/evil"),
    ("NOTIFY_SOCKET", "/run/e2e/evil/notify"),
    ("OTPD_SOCKET", "/run/e2e/evil/bus"),
];

/// The attacker's files, open to everybody.
fn evil() -> Silent {
    fs::create_dir("/run/e2e/evil").unwrap();
    fs::write("/run/e2e/evil/program", format!("#!/bin/sh\nid >>{MARKER}\n")).unwrap();
    let library = format!(
        "#include <unistd.h>\n#include <fcntl.h>\n__attribute__((constructor)) static void run(void) {{ if (geteuid() == 0) close(open(\"{MARKER}\", O_CREAT | O_WRONLY, 0666)); }}\n"
    );
    run(
        command("cc").args(["-shared", "-fPIC", "-x", "c", "-", "-o", "/run/e2e/evil/library.so"]),
        library.as_bytes(),
    )
    .ok();
    run(command("chmod").args(["-R", "a+rwx", "/run/e2e/evil"]), b"").ok();
    Silent::listen(HOSTILE_BUS)
}

fn su(environment: &[(&str, &str)]) -> std::process::Command {
    let mut su = command_as("65534", &["env"]);
    su.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
    su.args(["su", "alice", "-c", "id -un"]);
    su
}

/// `su` of somebody else's shell, over both lanes.
#[test]
fn su_does_not_see_it() {
    for lane in ["", "bus=system"] {
        World::run(|world| {
            let bus = evil();
            let _otpd = world.otpd("");
            world.stack(
                "su",
                &["requisite pam_unix.so nodelay", &format!("required {MODULE} {lane}")],
            );
            let token = enrol("alice", &["--method", "hotp"]);
            let one_at_a_time = HOSTILE.iter().map(std::slice::from_ref);
            for environment in one_at_a_time.chain([&HOSTILE[..], &[OTHER_BUS]]) {
                let done =
                    sit(&su(environment), &[("Password: ", PASSWORD), ("code: ", &token.code())]);
                assert_eq!(done.code, 0, "{environment:?}: {done:?}");
                golden("su-admitted", &done.transcript);
            }
            let refused =
                sit(&su(&HOSTILE), &[("Password: ", PASSWORD), ("code: ", &token.wrong())]);
            golden("su-refused", &refused.transcript);
            assert!(
                !fs::exists(MARKER).unwrap(),
                "something ran: {:?}",
                fs::read_to_string(MARKER)
            );
            assert_eq!(bus.accepted(), 0, "somebody came to the hostile bus");
        });
    }
}

/// What `su` does to the kernel: nothing of the attacker's is opened, run or connected to.
#[test]
fn su_touches_nothing_of_the_attackers() {
    World::run(|world| {
        let _bus = evil();
        let _otpd = world.otpd("");
        world.stack("su", &[&format!("required {MODULE}")]);
        let token = enrol("alice", &["--method", "hotp"]);
        // LD_PRELOAD and LC_ALL would be obeyed by strace itself, so they are left to the test above.
        let variables =
            HOSTILE.iter().filter(|(name, _)| !name.starts_with("LD_") && !name.starts_with("LC_"));
        let mut strace = command("strace");
        strace.args([
            "-f",
            "-u",
            "nobody",
            "-o",
            "/run/e2e/trace",
            "-e",
            "trace=execve,execveat,open,openat,connect",
        ]);
        strace.args(variables.map(|(name, value)| format!("--env={name}={value}")));
        strace.args(["su", "alice", "-c", "true"]);
        let done = sit(&strace, &[("code: ", &token.code())]);
        let trace = fs::read_to_string("/run/e2e/trace").unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(trace.contains("/run/otpd/login.sock"), "the module was not traced:\n{trace}");
        let touched: Vec<_> = trace
            .lines()
            .filter(|line| line.contains("/run/e2e/evil") && !line.contains("execve("))
            .collect();
        assert!(touched.is_empty(), "{touched:#?}");
        assert!(!fs::exists(MARKER).unwrap());
    });
}

/// A host that has the environment in `environ`, as sudo does: same outcome, silence on stderr.
#[test]
fn a_host_with_it_behaves_as_without() {
    World::run(|world| {
        let bus = evil();
        let _otpd = world.otpd("");
        world.stack("direct", &[&format!("required {MODULE}")]);
        world.stack("bus", &[&format!("required {MODULE} bus=system")]);
        world.stack("gone", &[&format!("required {MODULE} socket=/run/e2e/none")]);
        let token = enrol("alice", &["--method", "hotp"]);
        let environment: Vec<_> =
            HOSTILE.into_iter().filter(|(name, _)| !name.starts_with("LD_")).collect();
        // Of a variable that is set twice the later value holds.
        for environment in [environment.clone(), [environment.as_slice(), &[OTHER_BUS]].concat()] {
            let mut host = world.host_as(0, &environment);
            for service in ["direct", "bus"] {
                let right = host.login(Login::new(service, "alice"), &[token.code().as_bytes()]);
                assert_eq!(
                    (right.code(), right.transcript.as_str()),
                    (code::SUCCESS, "hidden: \"Verification code: \"\n")
                );
                let wrong = host.login(Login::new(service, "alice"), &[token.wrong().as_bytes()]);
                assert_eq!(wrong.code(), code::AUTH_ERR);
            }
            assert_eq!(host.login(Login::new("gone", "alice"), &[]).code(), code::AUTHINFO_UNAVAIL);
            assert_eq!(host.end(), (0, String::new()), "the host's stderr");
        }
        assert!(!fs::exists(MARKER).unwrap());
        assert_eq!(bus.accepted(), 0);
    });
}

/// Neither does otpctl go where a user's environment says.
#[test]
fn otpctl_and_the_daemon_do_not_see_it() {
    World::run(|world| {
        let bus = evil();
        let _otpd = world.otpd("");
        let mut status = harness::otpd::otpctl(&["status"]);
        status.env("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/run/e2e/evil/bus");
        run(&mut status, b"").ok();
        status.env("DBUS_SYSTEM_BUS_ADDRESS", "unixexec:path=/run/e2e/evil/program");
        run(&mut status, b"").ok();
        let mut check = command(&harness::otpd::program("otpd"));
        check
            .arg("check-config")
            .envs(HOSTILE.into_iter().filter(|(name, _)| !name.starts_with("LD_")));
        let done = run(&mut check, b"");
        assert_eq!((done.code(), done.stderr.as_str()), (0, ""));
        assert_eq!(bus.accepted(), 0);
        assert!(!fs::exists(MARKER).unwrap());
    });
}

/// A socket that is not root's is no daemon, even where a stack names it.
#[test]
fn a_daemon_that_is_not_root_is_not_believed() {
    World::run(|world| {
        fs::create_dir("/run/e2e/evil").unwrap();
        run(command("chmod").args(["a+rwx", "/run/e2e/evil"]), b"").ok();
        world
            .stack("login", &[&format!("required {MODULE} socket=/run/e2e/evil/socket timeout=2")]);
        let listen = "import os,socket,time;os.umask(0);s=socket.socket(socket.AF_UNIX);s.bind('/run/e2e/evil/socket');s.listen();c=s.accept()[0];c.send(b'OK 0123456789abcdef0123456789abcdef\\r\\n');time.sleep(9)";
        let mut fake = command("setpriv");
        fake.args([
            &format!("--reuid={NOBODY}"),
            "--regid=65534",
            "--clear-groups",
            "python3",
            "-c",
            listen,
        ]);
        let _fake = harness::process::Process::start(&mut fake);
        harness::process::until("the fake listens", || fs::exists("/run/e2e/evil/socket").unwrap());
        let outcome = world.host().login(Login::new("login", "alice"), &[b"123456"]);
        assert_eq!((outcome.code(), outcome.prompts), (code::AUTHINFO_UNAVAIL, 0));
    });
}
