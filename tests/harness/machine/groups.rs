//! The control groups of a machine: two machines in one group hang each other's shutdown, and what
//! is in a machine's own groups is what the machine has started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::process::command;

/// How the groups of all machines begin; the process that made them follows.
const NAME: &str = "pam-otp-machine-";
/// Where programs from outside run: within what the machine's systemd sees, beside its units.
const VISITORS: &str = "payload/visitors";
/// Takes itself into the groups before `--`, then becomes the program behind it.
const JOIN: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; done
shift; exec "$@""#;

/// A group in each hierarchy that systemd keeps its units in; gone when dropped, with all that runs
/// in them.
pub(crate) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes them; sweeps up what a test that was killed has left.
    pub(crate) fn make() -> Self {
        static MACHINES: AtomicUsize = AtomicUsize::new(0);
        let hierarchies = hierarchies();
        assert!(!hierarchies.is_empty(), "cannot run here: no control groups are mounted");
        let number = MACHINES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}{}-{number}", std::process::id());
        hierarchies.iter().for_each(|hierarchy| sweep(hierarchy));
        let groups = Self(hierarchies.iter().map(|hierarchy| hierarchy.join(&name)).collect());
        for group in &groups.0 {
            fs::create_dir(group).unwrap_or_else(|error| {
                panic!("cannot run here: control groups are not ours: {}: {error}", group.display())
            });
        }
        groups
    }

    /// A command that starts a program in the groups; its arguments are still to be added.
    pub(crate) fn enter(&self) -> Command {
        self.enter_below("")
    }

    /// The same for a program that visits the machine.
    pub(crate) fn visit(&self) -> Command {
        for group in &self.0 {
            // Of two that make it at once, the second one finds it.
            let _ = fs::create_dir(group.join(VISITORS));
        }
        self.enter_below(VISITORS)
    }

    fn enter_below(&self, below: &str) -> Command {
        let mut join = command("sh");
        join.args(["-c", JOIN, "join"]).args(self.0.iter().map(|group| group.join(below)));
        join.arg("--");
        join
    }

    /// Kills all that runs in the groups.
    pub(crate) fn kill(&self) {
        self.0.iter().for_each(|group| clear(group));
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.kill();
        self.0.iter().for_each(|group| remove(group));
    }
}

/// The unified hierarchy, and systemd's own one where there is one beside it.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let systemds = |line: &&str| {
        let fields: Vec<_> = line.split(' ').collect();
        fields[2] == "cgroup2" || fields[2] == "cgroup" && fields[3].contains("name=systemd")
    };
    let places = mounts.lines().filter(systemds).filter_map(|line| line.split(' ').nth(1));
    places.map(PathBuf::from).collect()
}

/// Removes the groups of processes that are gone.
fn sweep(hierarchy: &Path) {
    for entry in fs::read_dir(hierarchy).into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let maker = name.strip_prefix(NAME).and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            clear(&entry.path());
            remove(&entry.path());
        }
    }
}

/// Kills the processes of a group and of those below it until there are none.
fn clear(group: &Path) {
    for _ in 0..400 {
        let mut found = Vec::new();
        members(group, &mut found);
        if found.is_empty() {
            return;
        }
        for pid in found {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
    eprintln!("processes in {} do not end", group.display());
}

fn members(group: &Path, found: &mut Vec<i32>) {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // 0 is a process that another namespace hides; none of ours.
    found.extend(text.lines().filter_map(|pid| pid.parse::<i32>().ok()).filter(|pid| *pid > 0));
    below(group).iter().for_each(|group| members(group, found));
}

/// Removes a group and those below it; a moment later where the kernel still holds it.
fn remove(group: &Path) {
    below(group).iter().for_each(|group| remove(group));
    for _ in 0..100 {
        if fs::remove_dir(group).is_ok() || !group.exists() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    eprintln!("{} stays", group.display());
}

fn below(group: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
