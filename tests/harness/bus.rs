//! The system bus of the private machine, at its usual place.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::{
        fd::OwnedFd,
        unix::{
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use nix::sys::signal::Signal;

use crate::process::{Process, command, until};

/// Where the system bus listens.
pub const SOCKET: &str = "/run/dbus/system_bus_socket";
/// The distribution's own configuration; it includes /etc/dbus-1/system.d.
const CONFIGURATION: &str = "--config-file=/usr/share/dbus-1/system.conf";

/// Which program is the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusKind {
    /// The reference implementation.
    Daemon,
    /// The one of Fedora, Arch and others.
    Broker,
}

/// A running system bus.
pub struct Bus(Process);

impl Bus {
    /// Starts a bus on which nobody is yet.
    pub(crate) fn start(kind: BusKind) -> Self {
        let _ = fs::remove_file(SOCKET);
        let bus = match kind {
            BusKind::Daemon => daemon(),
            BusKind::Broker => broker(),
        };
        until("the bus answers", || UnixStream::connect(SOCKET).is_ok());
        Self(bus)
    }

    /// Stops the bus in its tracks: it accepts connections and says nothing.
    pub fn freeze(&self) {
        self.0.signal(Signal::SIGSTOP);
    }

    /// Ends [`Bus::freeze`].
    pub fn thaw(&self) {
        self.0.signal(Signal::SIGCONT);
    }
}

fn daemon() -> Process {
    let mut bus = Process::start(
        command("dbus-daemon")
            .args([CONFIGURATION, "--nofork", "--nopidfile", "--nosyslog", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    );
    let mut address = String::new();
    BufReader::new(bus.child().stdout.take().unwrap()).read_line(&mut address).unwrap();
    assert!(address.contains(SOCKET), "dbus-daemon listens at {address:?}");
    bus
}

/// dbus-broker needs no systemd: its launcher takes the listening socket as fd 3.
fn broker() -> Process {
    let listener = UnixListener::bind(SOCKET).unwrap();
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o666)).unwrap();
    let program = format!("dbus-broker-launch --scope system {CONFIGURATION}");
    Process::start(
        activated(&program)
            .stdin(OwnedFd::from(listener))
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
}

/// A command that gets its standard input as systemd passes a listening socket.
pub(crate) fn activated(program: &str) -> std::process::Command {
    let mut shell = command("sh");
    shell.arg("-c").arg(format!("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec {program}"));
    shell
}

/// Something that listens where a bus or a daemon should be, accepts, and says nothing.
pub struct Silent {
    accepted: Arc<AtomicUsize>,
}

impl Silent {
    /// Listens at `path`, for everybody.
    pub fn listen(path: &str) -> Self {
        let _ = fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        thread::spawn(move || {
            let mut held = Vec::new();
            while Arc::strong_count(&count) > 1 {
                match listener.accept() {
                    Ok((stream, _)) => {
                        held.push(stream);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(_) => thread::sleep(std::time::Duration::from_millis(5)),
                }
            }
        });
        Self { accepted }
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}
