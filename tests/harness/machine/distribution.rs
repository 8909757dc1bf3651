//! The distributions, and what a machine's root file system is made of.

use std::{fmt, fs, path::PathBuf};

use crate::{process::command, process::run_within, settings};

use super::MAKING;

/// A distribution that machines run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// OpenSSH 9.2, sudo 1.9.13, systemd 252.
    Debian12,
    /// OpenSSH 10, where PAM runs in sshd-session; sudo 1.9.16, systemd 257.
    Debian13,
}

impl Distribution {
    /// Debian's name of the suite.
    pub fn suite(self) -> &'static str {
        match self {
            Self::Debian12 => "bookworm",
            Self::Debian13 => "trixie",
        }
    }

    fn version(self) -> u32 {
        match self {
            Self::Debian12 => 12,
            Self::Debian13 => 13,
        }
    }

    /// Why packages that were built here do not install there.
    pub(crate) fn lacks(self) -> Option<String> {
        let text = fs::read_to_string("/etc/debian_version").unwrap_or_default();
        let here: u32 = text.split('.').next()?.trim().parse().ok()?;
        (here > self.version())
            .then(|| format!("packages built on Debian {here} need its libc; {self} is older"))
    }

    /// The folder of its root file system, which is made where it is not there yet.
    pub(crate) fn root(self) -> PathBuf {
        let mut make = command("tests/machines/root/make");
        make.arg(self.suite()).current_dir(settings::sources());
        make.env("CARGO_TARGET_DIR", settings::target());
        if let Some(mirror) = std::env::var_os("DEBIAN_MIRROR") {
            make.env("DEBIAN_MIRROR", mirror);
        }
        PathBuf::from(run_within(MAKING, &mut make, b"").ok().trim_end())
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debian {}", self.version())
    }
}
