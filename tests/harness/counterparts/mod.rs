//! Whom codes are delivered to: gateways, mail servers, an SMSC and modems, all on loopback and
//! none of them ours. Each keeps what arrived.

pub mod certificates;
pub mod front;
pub mod gateway;
pub mod gnokii;
pub mod modem;
mod pdu;
pub mod sendmail;
pub mod smsc;
pub mod smtp;

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::fd::AsRawFd,
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, sockopt::ReuseAddr};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    process::{command, run, until},
    settings,
};

/// A message as a counterpart understood it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Received {
    /// The number or the address, as it was sent.
    pub to: String,
    /// The subject; of e-mail only.
    #[serde(default)]
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Received {
    /// The first run of exactly `digits` digits in the text.
    pub fn code(&self, digits: usize) -> String {
        self.text
            .split(|c: char| !c.is_ascii_digit())
            .find(|run| run.len() == digits)
            .unwrap_or_else(|| panic!("no {digits} digits in {:?}", self.text))
            .to_owned()
    }
}

/// Somebody who takes messages.
pub trait Counterpart {
    /// The section `[provider.sms.NAME]` or `[provider.email.NAME]` that sends to it.
    fn provider(&self, name: &str) -> String;

    /// What arrived up to now, oldest first.
    fn messages(&self) -> Vec<Received>;

    /// Waits for the n-th message (from 1) and returns it.
    fn await_message(&self, n: usize) -> Received {
        until(&format!("message {n}"), || self.messages().len() >= n);
        self.messages().swap_remove(n - 1)
    }

    /// Makes sure that nothing comes beyond `n` messages.
    fn stays_at(&self, n: usize) {
        until(&format!("message {n}"), || self.messages().len() >= n);
        thread::sleep(Duration::from_millis(500));
        assert_eq!(self.messages().len(), n, "messages");
    }
}

/// A folder for a counterpart's files; the daemon may write there.
pub(crate) fn folder(name: &str) -> String {
    let count = fs::read_dir("/run/e2e").unwrap().count();
    let folder = format!("/run/e2e/{name}-{count}");
    fs::create_dir(&folder).unwrap();
    folder
}

/// A script of `tests/counterparts` with the interpreter that has its libraries.
pub(crate) fn python(script: &str) -> Command {
    let interpreter = settings::target().join("counterparts/bin/python");
    assert!(
        interpreter.exists(),
        "cannot run here: {} is missing; tests/run installs it",
        interpreter.display()
    );
    let mut python = command(interpreter.to_str().unwrap());
    python.arg(settings::sources().join("tests/counterparts").join(script));
    python
}

/// What an app shows that was given the URIs, one a line: of each the `user`, the `issuer` and the
/// `code`, of a time-based token that of `time` in Unix seconds.
pub fn app(uris: &str, time: u64) -> Vec<serde_json::Value> {
    let shown = run(python("otpauth.py").arg(time.to_string()), uris.as_bytes()).ok();
    shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The documents that a script wrote, one a line; a line that is not finished is left for later.
fn documents<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let finished = text.rsplit_once('\n').map_or("", |(finished, _)| finished);
    finished
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A port of loopback that nobody has. Nothing listens there meanwhile: a program that another test
/// starts at this moment has the socket, too, until it is executed, and [`await_port`] would take it
/// for the server.
pub(crate) fn free_port() -> u16 {
    let (kind, flags) = (SockType::Stream, SockFlag::SOCK_CLOEXEC);
    let socket = socket::socket(AddressFamily::Inet, kind, flags, None).unwrap();
    socket::setsockopt(&socket, ReuseAddr, &true).unwrap();
    socket::bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    socket::getsockname::<SockaddrIn>(socket.as_raw_fd()).unwrap().port()
}

/// Waits until somebody listens there.
pub(crate) fn await_port(what: &str, port: u16) {
    until(&format!("{what} listens"), || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
}
