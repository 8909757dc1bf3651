//! Booted systems: Debian as it is installed, with systemd as its first process.
//!
//! [`Machine::run`] gives the test a thread of its own in a private mount namespace. There it lays
//! an overlay in memory over the distribution's root file system, which is made once, and boots it
//! with systemd-nspawn on a private network that ends at loopback, in control groups of its own.
//! Programs go in through the machine's namespaces. All ends with the test, also with one that
//! panics, and the machine's journal is printed then; what a killed test leaves are empty control
//! groups, which the next one removes.

mod distribution;
mod groups;
mod inside;
mod ssh;

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

use nix::{
    mount::{MsFlags, mount},
    pty::openpty,
    sched::{CloneFlags, unshare},
};

use self::groups::Groups;
pub use self::{distribution::Distribution, ssh::Login};
use crate::{
    process::{run, status, until_within},
    settings,
    terminal::Seat,
};

/// How long making a root file system may take.
const MAKING: Duration = Duration::from_secs(600);
/// How long booting, shutting down and installing may take on a busy machine.
const BOOT: Duration = Duration::from_secs(90);
/// How systemd-nspawn ends where the machine reboots; its own unit would start it again.
const REBOOTS: i32 = 133;
/// Where the file system of a machine is put together: seen in the machine's thread alone.
const PLACE: &str = "machines/overlay";
/// How much of its journal and its console a failed machine prints, in lines.
const TAIL: usize = 150;

/// A booted system.
pub struct Machine {
    distribution: Distribution,
    /// The terminal of its console; systemd-nspawn is the program there.
    console: Mutex<Option<Seat>>,
    /// Its first process; 0 while it is off.
    leader: AtomicI32,
    groups: Groups,
}

impl Machine {
    /// Runs a test on a machine that has just booted.
    pub fn run(distribution: Distribution, test: impl FnOnce(&Self) + Send) {
        if let Some(reason) = distribution.lacks() {
            assert!(!settings::strict(), "cannot run here: {reason}");
            eprintln!("cannot run here: {reason}");
            return;
        }
        let place = settings::target().join(PLACE);
        let root = distribution.root();
        // systemd-nspawn ends with the thread that has started it.
        let done = thread::scope(|scope| {
            let machine = || {
                lay_out(&root, &place);
                let machine = Self::new(distribution);
                let done = catch_unwind(AssertUnwindSafe(|| {
                    machine.power_on();
                    test(&machine);
                }));
                if done.is_err() {
                    machine.tell();
                }
                done
            };
            scope.spawn(machine).join()
        });
        match done {
            Ok(Ok(())) => (),
            Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
        }
    }

    fn new(distribution: Distribution) -> Self {
        Self {
            distribution,
            console: Mutex::default(),
            leader: AtomicI32::new(0),
            groups: Groups::make(),
        }
    }

    /// What it runs.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// Boots it, and waits until all its units have been started.
    pub fn power_on(&self) {
        let pty = openpty(None, None).expect("a pseudo-terminal");
        let mut nspawn = self.groups.enter();
        nspawn.args(["setsid", "--wait", "--ctty", "setpriv", "--pdeathsig", "KILL"]);
        nspawn.args(["systemd-nspawn", "--quiet", "--register=no", "--keep-unit"]);
        nspawn.args(["--private-network", "--link-journal=no", "--resolv-conf=off"]);
        nspawn.args(["--timezone=off", "--boot", "--machine", self.distribution.suite()]);
        nspawn.arg("--directory").arg(settings::target().join(PLACE).join("root"));
        nspawn.env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1").env("TERM", "vt220");
        *self.console.lock().unwrap() =
            Some(Seat::take("the console", nspawn, (pty.master, pty.slave)));
        self.await_boot();
    }

    fn await_boot(&self) {
        until_within(BOOT, "the machine has a first process", || {
            let leader = self.find_leader();
            self.leader.store(leader.unwrap_or(0), Ordering::Relaxed);
            leader.is_some()
        });
        let mut state = String::new();
        until_within(BOOT, "the machine has booted", || {
            thread::sleep(Duration::from_millis(50));
            let mut ask = self.command("root", &["systemctl", "is-system-running"]);
            state = run(&mut ask, b"").stdout;
            ["running\n", "degraded\n"].contains(&state.as_str())
        });
        if state != "running\n" {
            let failed = self.command("root", &["systemctl", "--failed", "--no-legend"]);
            panic!("{} boots with failed units:\n{}", self.distribution, output(failed));
        }
    }

    /// The child of systemd-nspawn that is the first process of a namespace of its own.
    fn find_leader(&self) -> Option<i32> {
        let mut console = self.console.lock().unwrap();
        let process = console.as_mut().expect("the machine is on").process();
        if let Some(status) = process.wait(Duration::ZERO) {
            drop(console);
            panic!("systemd-nspawn ended: {status}");
        }
        let nspawn = process.pid().to_string();
        let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let status = status(pid);
            (status.get("PPid")? == &nspawn && status.get("NSpid")?.ends_with("\t1")).then_some(pid)
        });
        children.last()
    }

    /// Reboots it as `systemctl reboot` does, and waits until it is there again.
    pub fn reboot(&self) {
        self.ok(&["systemctl", "reboot"]);
        self.await_end(REBOOTS);
        self.power_on();
    }

    /// Shuts it down; what it has written stays for [`Machine::power_on`].
    pub fn power_off(&self) {
        self.ok(&["systemctl", "poweroff"]);
        self.await_end(0);
    }

    fn await_end(&self, code: i32) {
        let mut console = self.console.lock().unwrap();
        let process = console.as_mut().expect("the machine is on").process();
        let status = process.wait(BOOT).expect("the machine shuts down");
        assert_eq!(status.code(), Some(code), "systemd-nspawn ended with {status}");
        self.leader.store(0, Ordering::Relaxed);
        *console = None;
    }

    /// Pulls the plug: all its processes are killed at once.
    pub fn power_cut(&self) {
        self.groups.kill();
        self.leader.store(0, Ordering::Relaxed);
        *self.console.lock().unwrap() = None;
    }

    /// Does something at its console, where it has written its messages and asks for a login.
    pub fn with_console<R>(&self, deed: impl FnOnce(&mut Seat) -> R) -> R {
        deed(self.console.lock().unwrap().as_mut().expect("the machine is on"))
    }

    /// Prints what somebody needs to know who looks for the fault.
    fn tell(&self) {
        let console = self.console.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let console = console.as_ref().map(Seat::text).unwrap_or_default();
        eprintln!("--- {}, the console:\n{}", self.distribution, tail(&console));
        if self.leader.load(Ordering::Relaxed) != 0 {
            let journal = catch_unwind(AssertUnwindSafe(|| {
                output(self.command("root", &["journalctl", "--boot", "--no-pager", "-n150"]))
            }));
            eprintln!("--- {}, the journal:\n{}", self.distribution, journal.unwrap_or_default());
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.groups.kill();
    }
}

/// Moves the calling thread into a mount namespace of its own and puts the file system together.
fn lay_out(root: &Path, place: &Path) {
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
        panic!("cannot run here: private mounts are not allowed ({error})");
    }
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .expect("make mounts private");
    // systemd-nspawn keeps its files there, and refuses to clean up on a disk.
    let memory = |place: &Path| {
        mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .unwrap_or_else(|error| panic!("a tmpfs on {}: {error}", place.display()));
    };
    memory(Path::new("/run"));
    fs::create_dir_all(place).unwrap();
    memory(place);
    let folders = ["root", "upper", "work"].map(|name| place.join(name));
    folders.iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let [merged, upper, work] = &folders;
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        root.display(),
        upper.display(),
        work.display()
    );
    mount(Some("overlay"), merged, Some("overlay"), MsFlags::empty(), Some(layers.as_str()))
        .unwrap_or_else(|error| panic!("cannot run here: no overlay of file systems: {error}"));
}

/// What a program printed, on both of its outputs.
fn output(mut program: Command) -> String {
    let done = run(&mut program, b"");
    done.stdout + &done.stderr
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
