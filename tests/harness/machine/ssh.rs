//! Logins with the real ssh, from a machine to itself.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Machine;
use crate::terminal::{Seat, Sitting};

/// How an ssh login went.
#[derive(Debug)]
pub struct Login {
    /// The remote command ran, as the user.
    pub admitted: bool,
    /// What was on the terminal.
    pub transcript: String,
}

/// Where root of the machine keeps its key.
const KEY: &str = "/root/.ssh/id_ed25519";

impl Machine {
    /// Lets root of the machine log in as a user with its key.
    pub fn authorise_key(&self, user: &str) {
        self.sh(&format!(
            "[ -e {KEY} ] || ssh-keygen -q -t ed25519 -N '' -f {KEY}
            home=$(getent passwd {user} | cut -d: -f6)
            install -d -m 700 -o {user} -g {user} $home/.ssh
            install -m 600 -o {user} -g {user} {KEY}.pub $home/.ssh/authorized_keys"
        ));
    }

    /// Logs in and types each reply when its prompt shows up.
    pub fn ssh(&self, user: &str, replies: &[(&str, &str)]) -> Login {
        let Sitting { code, transcript, .. } = self.open_ssh(user).finish(replies);
        let admitted = code == 0 && transcript.contains(&format!("admitted as {user}\n"));
        Login { admitted, transcript }
    }

    /// Starts a login. Each comes from another address of loopback, because sshd puts off those from
    /// which logins have failed.
    pub fn open_ssh(&self, user: &str) -> Seat {
        static LOGINS: AtomicU32 = AtomicU32::new(0);
        let login = LOGINS.fetch_add(1, Ordering::Relaxed);
        let from = format!("127.1.{}.{}", login / 250, login % 250 + 1);
        let (to, deed) = (format!("{user}@127.0.0.1"), "echo admitted as $(id -un)");
        let mut ssh = vec!["ssh", "-b", &from];
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "NumberOfPasswordPrompts=1",
        ] {
            ssh.extend(["-o", option]);
        }
        self.open("root", &[ssh.as_slice(), &[&to, deed]].concat())
    }
}
