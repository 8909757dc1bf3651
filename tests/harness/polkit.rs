//! The distribution's polkitd on the private machine: otpd's actions and no others, and the rules
//! that a test gives.

use std::fs;

use nix::sys::signal::Signal;

use crate::process::{Process, command, run, until};

/// The description of otpd's actions, in the sources.
pub const POLICY: &str = "packaging/polkit/org.pamotp.otpd1.policy";
/// Where polkitd finds descriptions of actions; private, with [`POLICY`] in it, where polkit is
/// installed.
pub const ACTIONS: &str = "/usr/share/polkit-1/actions";
/// Where polkitd finds the administrator's rules.
const RULES: &str = "/etc/polkit-1/rules.d";

/// A running polkitd; killed when dropped.
pub struct Polkit(Process);

impl Polkit {
    /// Starts polkitd, which makes itself the user polkitd, with `rules` (JavaScript) as the
    /// administrator's only ones.
    pub(crate) fn start(rules: &str) -> Self {
        let _ = fs::remove_dir_all(RULES);
        fs::create_dir_all(RULES).unwrap();
        fs::write(format!("{RULES}/10-test.rules"), rules).unwrap();
        let polkit = Process::start(command("/usr/lib/polkit-1/polkitd").arg("--no-debug"));
        let owner = format!("u {}\n", polkit.pid());
        let mut ask = command("busctl");
        ask.args(["--system", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus"]);
        ask.args(["org.freedesktop.DBus", "GetConnectionUnixProcessID"]);
        ask.args(["s", "org.freedesktop.PolicyKit1"]);
        until("polkitd is on the bus", || run(&mut ask, b"").stdout == owner);
        Self(polkit)
    }

    /// SIGSTOP: it is there and says nothing.
    pub fn freeze(&self) {
        self.0.signal(Signal::SIGSTOP);
    }

    /// Ends [`Polkit::freeze`].
    pub fn thaw(&self) {
        self.0.signal(Signal::SIGCONT);
    }
}
