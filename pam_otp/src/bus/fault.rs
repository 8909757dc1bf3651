//! What can go wrong on the way to otpd, for the log.

use std::{fmt::Display, io};

use nix::errno::Errno;
use otp_ipc::names;

/// Why nobody could decide; says what, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The socket does not take connections.
    Connect(Errno),
    /// The connection broke.
    Broken(Errno),
    /// The other end has gone.
    Closed,
    /// The time that the module may use is over.
    Timeout,
    /// Another user than root listens at the socket.
    Stranger(u32),
    /// The bus name belongs to this user, who is neither root nor otpd's.
    Owner(u32),
    /// The other end does not let this process in.
    Rejected,
    /// The other end does not keep to the protocol.
    Malformed(String),
    /// The other end answers with an error: its name and its text.
    Answer(String, String),
}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(errno) => write!(
                f,
                "cannot connect: {errno}; start otpd (systemctl status otpd.socket otpd.service)"
            ),
            Self::Broken(errno) => write!(
                f,
                "the connection broke: {errno}; see why otpd stopped (systemctl status otpd.service)"
            ),
            Self::Closed => f.write_str(
                "the other end has gone; see why otpd stopped (systemctl status otpd.service)",
            ),
            Self::Timeout => f.write_str(
                "no answer in time (option timeout=); see whether otpd hangs (systemctl status otpd.service)",
            ),
            Self::Stranger(uid) => write!(
                f,
                "uid {uid} listens there and not root; remove that socket and restart otpd.socket"
            ),
            Self::Owner(uid) => write!(
                f,
                "uid {uid} owns the name {} and is neither root nor the user {}; end that process and check the bus policy",
                names::BUS_NAME,
                names::DAEMON_USER
            ),
            Self::Rejected => f.write_str("refused by the other end; check what listens there"),
            Self::Malformed(what) => {
                write!(f, "{what}; check that pam_otp and otpd are of one release")
            }
            Self::Answer(name, text) => write!(f, "error {name} ({text}); see whether otpd runs, and its log"),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw))
    }
}

impl From<zbus::Error> for Fault {
    fn from(error: zbus::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
