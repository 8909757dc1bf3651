//! Processes of the private machine: started, bounded in time, and all ended with it.

use std::{
    collections::HashMap,
    fs,
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long anything that should happen at once may take on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// A command of the private machine with nothing of the tests' environment.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8");
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// The same, run by a user: a name or a number, without further groups.
pub fn command_as(user: &str, program: &[&str]) -> Command {
    let mut setpriv = command("setpriv");
    setpriv.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    setpriv.args(program);
    setpriv
}

/// What a finished program left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// The exit code; 128 + signal where a signal ended it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Standard output of a program that must not fail.
    pub fn ok(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }
}

/// Runs a program to its end with `input` on its standard input; fails the test after [`SOON`].
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    run_within(SOON, command, input)
}

/// The same with a bound of its own.
pub fn run_within(bound: Duration, command: &mut Command, input: &[u8]) -> Output {
    let start = Instant::now();
    let name = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(command);
    let child = process.child.as_mut().unwrap();
    let (mut stdin, mut stdout, mut stderr) =
        (child.stdin.take().unwrap(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let input = input.to_vec();
    thread::spawn(move || stdin.write_all(&input));
    let errors = thread::spawn(move || read(&mut stderr));
    let text = thread::spawn(move || read(&mut stdout));
    let status =
        process.wait(bound).unwrap_or_else(|| panic!("{name} did not end within {bound:?}"));
    Output {
        status,
        stdout: text.join().unwrap(),
        stderr: errors.join().unwrap(),
        took: start.elapsed(),
    }
}

fn read(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // A pty ends with EIO; what came before counts.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A running program; killed when dropped.
pub struct Process {
    child: Option<Child>,
    pid: Pid,
}

impl Process {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot run here: {:?}: {error}", command.get_program())
        });
        let pid = Pid::from_raw(child.id() as i32);
        Self { child: Some(child), pid }
    }

    /// The program's standard input, output and error as they were piped.
    pub fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("the program runs")
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid, signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.pid));
    }

    /// Waits for the end; `None` when it does not come in time.
    pub fn wait(&mut self, bound: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + bound;
        loop {
            if let Some(status) = self.child().try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > end {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Ends every process of the calling thread's mount namespace but this one.
pub(crate) fn sweep() {
    let Ok(here) = fs::read_link("/proc/thread-self/ns/mnt") else { return };
    let me = std::process::id() as i32;
    for _ in 0..100 {
        let mut left = false;
        for pid in pids().filter(|pid| *pid != me) {
            if fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|namespace| namespace == here)
            {
                left |=
                    state(pid) != Some('Z') && kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
            }
        }
        if !left {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn pids() -> impl Iterator<Item = i32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state(pid: i32) -> Option<char> {
    status(pid).remove("State")?.chars().next()
}

/// The fields of `/proc/PID/status`.
pub fn status(pid: i32) -> HashMap<String, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(k, v)| (k.to_owned(), v.trim().to_owned()))
        .collect()
}

/// How many file descriptors a process has open.
pub fn descriptors(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Waits until `happened`; fails the test, saying `what`, after [`SOON`].
pub fn until(what: &str, happened: impl FnMut() -> bool) {
    until_within(SOON, what, happened);
}

/// The same with a bound of its own.
pub fn until_within(bound: Duration, what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + bound;
    while !happened() {
        assert!(Instant::now() < end, "{what}: not within {bound:?}");
        thread::sleep(Duration::from_millis(5));
    }
}
