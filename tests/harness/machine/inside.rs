//! What is done on a machine: programs, files, its journal.

use std::{fs::File, os::fd::OwnedFd, path::Path, process::Command, sync::atomic::Ordering};

use nix::pty::{PtyMaster, ptsname_r, unlockpt};

use super::{BOOT, Machine};
use crate::{
    process::{Output, run_within},
    settings,
    terminal::{Seat, Sitting},
};

/// Where root finds programs.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Machine {
    /// A program of the machine with its arguments, as a user runs it.
    pub fn command(&self, user: &str, program: &[&str]) -> Command {
        let leader = self.leader.load(Ordering::Relaxed);
        assert_ne!(leader, 0, "the machine is off");
        let mut enter = self.groups.visit();
        enter.args(["nsenter", "--target", &leader.to_string()]);
        enter.args(["--pid", "--mount", "--net", "--ipc", "--uts", "--cgroup"]);
        enter.args(["--", "env", "-i", PATH, "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb"]);
        if user != "root" {
            let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
            enter.args(["setpriv", "--reset-env", &uid, &gid, "--init-groups"]);
        }
        enter.args(program);
        enter
    }

    /// Runs a program as root.
    pub fn run_program(&self, program: &[&str]) -> Output {
        run_within(BOOT, &mut self.command("root", program), b"")
    }

    /// Runs a program as root, which must not fail; its standard output.
    pub fn ok(&self, program: &[&str]) -> String {
        self.ok_with(program, b"")
    }

    /// The same with something on its standard input.
    pub fn ok_with(&self, program: &[&str], input: &[u8]) -> String {
        run_within(BOOT, &mut self.command("root", program), input).ok()
    }

    /// Runs a shell's script as root, which must not fail; its standard output.
    pub fn sh(&self, script: &str) -> String {
        self.ok(&["sh", "-euc", script])
    }

    /// Starts a program at a terminal of the machine, which is the user's.
    pub fn open(&self, user: &str, program: &[&str]) -> Seat {
        let terminal = self.terminal(user);
        // A session within the machine, and a parent there: its programs see whose they are.
        let seated = [&["setsid", "--fork", "--wait", "--ctty"], program].concat();
        Seat::take(&program.join(" "), self.command(user, &seated), terminal)
    }

    /// Runs a program at a terminal of the machine; each reply is typed when its prompt shows up.
    pub fn sit(&self, user: &str, program: &[&str], replies: &[(&str, &str)]) -> Sitting {
        self.open(user, program).finish(replies)
    }

    /// Both ends of a new terminal among the machine's own.
    fn terminal(&self, user: &str) -> (OwnedFd, OwnedFd) {
        let leader = self.leader.load(Ordering::Relaxed);
        let device = |path: &str| {
            let path = format!("/proc/{leader}/root{path}");
            File::options().read(true).write(true).open(&path).unwrap_or_else(|error| {
                panic!("{path}: {error}");
            })
        };
        let master = OwnedFd::from(device("/dev/pts/ptmx"));
        // SAFETY: the descriptor was opened on a multiplexer of pseudo-terminals just now.
        let master = unsafe { PtyMaster::from_owned_fd(master) };
        unlockpt(&master).unwrap();
        let name = ptsname_r(&master).unwrap();
        let slave = device(&name);
        self.ok(&["chown", user, &name]);
        (OwnedFd::from(master), OwnedFd::from(slave))
    }

    /// Writes a file of root's.
    pub fn write(&self, path: &str, mode: u32, contents: impl AsRef<[u8]>) {
        let mode = format!("{mode:o}");
        self.ok_with(&["install", "-D", "-m", &mode, "/dev/stdin", path], contents.as_ref());
    }

    /// Copies a file from outside.
    pub fn copy(&self, from: &Path, to: &str) {
        let contents =
            std::fs::read(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        self.write(to, 0o755, contents);
    }

    /// A file as text.
    pub fn read(&self, path: &str) -> String {
        self.ok(&["cat", path])
    }

    /// What journalctl prints, without its headings.
    pub fn journal(&self, arguments: &[&str]) -> String {
        self.ok(&[&["journalctl", "--no-pager", "--quiet"], arguments].concat())
    }

    /// The end of the journal, for `--after-cursor`.
    pub fn journal_end(&self) -> String {
        let shown = self.journal(&["--lines=0", "--show-cursor"]);
        shown.trim().trim_start_matches("-- cursor: ").to_owned()
    }

    /// Installs the packages under test as an administrator does. There is no network to get others from.
    pub fn install_packages(&self) {
        let packages = settings::packages();
        let mut install = vec!["apt-get", "install", "--yes", "--quiet"];
        let names: Vec<_> = packages
            .iter()
            .map(|package| {
                let name = format!("/root/{}", package.file_name().unwrap().to_str().unwrap());
                self.copy(package, &name);
                name
            })
            .collect();
        install.extend(names.iter().map(String::as_str));
        self.ok(&[&["env", "DEBIAN_FRONTEND=noninteractive"], install.as_slice()].concat());
    }
}
