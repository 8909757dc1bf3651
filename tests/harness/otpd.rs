//! The daemon under test, and otpctl.

use std::{
    fs,
    os::{
        fd::OwnedFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixDatagram, UnixListener},
        },
    },
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    bus::activated,
    code::Token,
    namespace::{PROGRAMS, owned, show_to_daemon},
    process::{Output, Process, SOON, command, run},
};

/// The configuration file.
pub const CONFIGURATION: &str = "/etc/otpd/otpd.toml";
/// The socket of root's logins.
pub const LOGIN_SOCKET: &str = "/run/otpd/login.sock";
const NOTIFY: &str = "/run/e2e/notify";

/// How the daemon gets its login socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It binds it itself, as root.
    Itself,
    /// It is passed in, as systemd does; the daemon starts as its own user.
    Activated,
}

/// A running otpd.
pub struct Otpd {
    process: Process,
    notify: UnixDatagram,
    start: Start,
    listener: Option<OwnedFd>,
}

impl Otpd {
    /// Writes the configuration, makes key and store and starts the daemon.
    pub(crate) fn start(configuration: &str, start: Start) -> Self {
        fs::write(CONFIGURATION, configuration).unwrap();
        show_to_daemon(CONFIGURATION);
        run(command(&program("otpd")).arg("init"), b"").ok();
        let _ = fs::remove_file(NOTIFY);
        let notify = UnixDatagram::bind(NOTIFY).unwrap();
        fs::set_permissions(NOTIFY, fs::Permissions::from_mode(0o777)).unwrap();
        let listener = (start == Start::Activated).then(|| {
            let listener = UnixListener::bind(LOGIN_SOCKET).unwrap();
            fs::set_permissions(LOGIN_SOCKET, fs::Permissions::from_mode(0o600)).unwrap();
            OwnedFd::from(listener)
        });
        let process = launch(start, listener.as_ref());
        let mut otpd = Self { process, notify, start, listener };
        otpd.await_ready();
        otpd
    }

    /// Starts it again after [`Otpd::stop`] or [`Otpd::kill`]; returns how long that took.
    pub fn restart(&mut self) -> Duration {
        let start = Instant::now();
        self.process = launch(self.start, self.listener.as_ref());
        self.await_ready();
        start.elapsed()
    }

    fn await_ready(&mut self) {
        let end = Instant::now() + SOON;
        self.notify.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut message = [0; 4096];
        loop {
            let length = self.notify.recv(&mut message).unwrap_or(0);
            if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                return;
            }
            if let Some(status) = self.process.wait(Duration::ZERO) {
                panic!("otpd ended before it was ready: {status}");
            }
            assert!(Instant::now() < end, "otpd is not ready within {SOON:?}");
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&mut self) {
        self.process.signal(Signal::SIGTERM);
        let status = self.process.wait(SOON).expect("otpd ends on SIGTERM");
        assert!(status.success(), "otpd ended with {status}");
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.wait(SOON).expect("a killed process ends");
    }

    /// Any signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// SIGSTOP: it is there and does nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.process.pid()
    }
}

fn launch(start: Start, listener: Option<&OwnedFd>) -> Process {
    match (start, listener) {
        (Start::Activated, Some(listener)) => {
            let as_daemon =
                format!("setpriv --reuid=otpd --regid=otpd --clear-groups {}", program("otpd"));
            let stdin = listener.try_clone().unwrap();
            Process::start(
                activated(&as_daemon)
                    .env("NOTIFY_SOCKET", NOTIFY)
                    .stdin(stdin)
                    .stdout(Stdio::null()),
            )
        }
        _ => Process::start(
            command(&program("otpd")).env("NOTIFY_SOCKET", NOTIFY).stdout(Stdio::null()),
        ),
    }
}

/// Where a program under test is on the private machine.
pub fn program(name: &str) -> String {
    format!("{PROGRAMS}/{name}")
}

/// An otpctl command; run by root unless changed.
pub fn otpctl(arguments: &[&str]) -> Command {
    let mut otpctl = command(&program("otpctl"));
    otpctl.args(arguments);
    otpctl
}

/// Runs otpctl as root with `input` on its standard input.
pub fn otpctl_with(arguments: &[&str], input: &[u8]) -> Output {
    run(&mut otpctl(arguments), input)
}

/// Enrols an active token; `arguments` are further ones of `token add`.
pub fn enrol(user: &str, arguments: &[&str]) -> Token {
    let file = format!("/run/e2e/token-{user}-{}", fs::read_dir("/run/e2e").unwrap().count());
    let add = ["--json", "token", "add", user, "--no-confirm", "--output", &file];
    otpctl_with(&[&add, arguments].concat(), b"").ok();
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Issues a code; `arguments` are further ones of `code issue`.
pub fn issue(user: &str, arguments: &[&str]) -> String {
    told(&[&["--json", "code", "issue", user], arguments].concat())
}

/// Registers a client and issues the code that enrols it.
pub fn add_client(user: &str, arguments: &[&str]) -> String {
    told(&[&["--json", "client", "add", user, "--code"], arguments].concat())
}

/// Runs otpctl, which writes a code to a file of its own; the code.
fn told(arguments: &[&str]) -> String {
    static CODES: AtomicUsize = AtomicUsize::new(0);
    let file = format!("/run/e2e/code-{}", CODES.fetch_add(1, Ordering::Relaxed));
    otpctl_with(&[arguments, &["--output", &file]].concat(), b"").ok();
    let text = fs::read_to_string(&file).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["code"].as_str().unwrap().to_owned()
}

/// The audit records of a user, oldest first.
pub fn audit(user: &str) -> Vec<Value> {
    items(&["audit", "--user", user])
}

/// The items of a list that otpctl prints.
pub fn items(arguments: &[&str]) -> Vec<Value> {
    let mut list = document(arguments);
    serde_json::from_value(list["items"].take()).unwrap()
}

/// The JSON document that otpctl prints.
pub fn document(arguments: &[&str]) -> Value {
    let text = otpctl_with(&[&["--json"], arguments].concat(), b"").ok();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Makes a file that only the daemon may read.
pub fn give_to_daemon(path: &str, mode: u32) {
    owned(path, mode);
}
