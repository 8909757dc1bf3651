//! What the programs that log people in tell libpam, each in its way.

use std::io;
use std::net::IpAddr;

use nix::unistd::{Uid, User, ttyname};
use pam_client2::Flag;

use super::Login;
use crate::caller;

/// A program that asks libpam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    Sshd,
    Sudo,
    Su,
    Other,
}

/// What is set before the login begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Items {
    pub(super) rhost: Option<String>,
    pub(super) ruser: Option<String>,
    pub(super) tty: Option<String>,
    pub(super) environment: Vec<String>,
}

/// Whether sshd asks this service; `PAMServiceName` may give it a name of the site's own.
pub(crate) fn is_sshd(service: &str) -> bool {
    service.starts_with("sshd") || service.starts_with("ssh-")
}

impl Application {
    /// Whose service this is, as far as its name tells.
    pub(crate) fn of(service: &str) -> Self {
        match service {
            _ if is_sshd(service) => Self::Sshd,
            "sudo" | "sudo-i" => Self::Sudo,
            "su" | "su-l" => Self::Su,
            _ => Self::Other,
        }
    }

    /// sshd refuses empty passwords unless it is told otherwise; sudo wants no notices; su and
    /// login pass nothing.
    pub(super) fn flags(self) -> Flag {
        match self {
            Self::Sshd => Flag::DISALLOW_NULL_AUTHTOK,
            Self::Sudo => Flag::SILENT,
            Self::Su | Self::Other => Flag::NONE,
        }
    }

    pub(super) fn account_flags(self) -> Flag {
        if self == Self::Sudo { Flag::SILENT } else { Flag::NONE }
    }

    /// Whose real user id the program has: of sudo the user who logs in, of su another one, who is
    /// not root: root is asked nothing there.
    pub(super) fn real_user(self, login: &Login<'_>) -> Option<Uid> {
        /// Nobody, where it is not known who became root.
        const NOBODY: Uid = Uid::from_raw(65_534);
        let known = |name: &str| User::from_name(name).ok().flatten().map(|user| user.uid);
        match self {
            Self::Sudo => known(login.user),
            Self::Su => Some(caller::person().and_then(|name| known(&name)).unwrap_or(NOBODY)),
            Self::Sshd | Self::Other => None,
        }
    }

    /// What the program tells of the client and its terminal.
    pub(super) fn items(self, login: &Login<'_>) -> Items {
        let terminal = || ttyname(io::stdin()).ok().map(|path| path.display().to_string());
        let tty = match self {
            _ if login.tty.is_some() => login.tty.map(str::to_owned),
            Self::Sshd => Some("ssh".to_owned()),
            Self::Other => terminal().map(|tty| tty.trim_start_matches("/dev/").to_owned()),
            Self::Sudo | Self::Su => terminal(),
        };
        let ruser = match self {
            Self::Sudo => Some(login.user.to_owned()),
            Self::Su => caller::person(),
            Self::Sshd | Self::Other => None,
        };
        let connection = login.source.filter(|_| self == Self::Sshd).map(connection);
        Items {
            rhost: login.source.map(|address| address.to_string()),
            ruser,
            tty,
            environment: connection.into_iter().collect(),
        }
    }
}

/// `SSH_CONNECTION` as sshd puts it into the PAM environment; the ports and the server's address are
/// made up.
fn connection(source: IpAddr) -> String {
    let server = if source.is_ipv4() { "127.0.0.1" } else { "::1" };
    format!("SSH_CONNECTION={source} 50000 {server} 22")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_tells_what_it_tells() {
        let items = |service, source: Option<&str>, tty| {
            let source = source.map(|source| source.parse().unwrap());
            let login = Login { service, user: "alice", source, tty };
            Application::of(service).items(&login)
        };
        let sshd = items("sshd", Some("203.0.113.7"), None);
        assert_eq!(sshd.rhost.as_deref(), Some("203.0.113.7"));
        assert_eq!((sshd.tty.as_deref(), sshd.ruser), (Some("ssh"), None));
        assert_eq!(sshd.environment, ["SSH_CONNECTION=203.0.113.7 50000 127.0.0.1 22"]);
        let inner = items("sshd-inner", Some("::1"), Some("x"));
        assert_eq!(inner.environment, ["SSH_CONNECTION=::1 50000 ::1 22"]);
        assert_eq!(inner.tty.as_deref(), Some("x"));
        assert!(items("sshd", None, None).environment.is_empty());
        let vpn = items("openvpn", Some("192.0.2.1"), Some("tun0"));
        assert_eq!((vpn.rhost.as_deref(), vpn.environment.len()), (Some("192.0.2.1"), 0));
        assert_eq!(items("sudo", None, None).ruser.as_deref(), Some("alice"));
        for (service, flags) in [
            ("sshd", Flag::DISALLOW_NULL_AUTHTOK),
            ("sudo-i", Flag::SILENT),
            ("su", Flag::NONE),
            ("login", Flag::NONE),
        ] {
            assert_eq!(Application::of(service).flags().bits(), flags.bits(), "{service}");
        }
    }
}
