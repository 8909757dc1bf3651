//! A terminal with somebody at it: sudo and su ask there.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::Command,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::openpty,
    sys::termios::{LocalFlags, tcgetattr},
};

use crate::process::{Process, SOON, until};

/// How a program at a terminal went.
#[derive(Debug)]
pub struct Sitting {
    /// Its exit code.
    pub code: i32,
    /// All that was on the terminal; a line that was typed is there where the terminal showed it.
    pub transcript: String,
    /// How long it ran.
    pub took: Duration,
}

/// Runs a program at a terminal of its own; each reply is typed when its prompt shows up.
pub fn sit(program: &Command, replies: &[(&str, &str)]) -> Sitting {
    seat(program).finish(replies)
}

/// The same, with somebody at the terminal who does other things in between.
pub fn seat(program: &Command) -> Seat {
    // setsid makes the terminal the controlling one of the program, as a login does.
    let mut setsid = crate::process::command("setsid");
    setsid
        .args(["--wait", "--ctty"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear();
    setsid.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let pty = openpty(None, None).expect("a pseudo-terminal");
    Seat::take(&format!("{program:?}"), setsid, (pty.master, pty.slave))
}

/// A seat at the terminal of a program that runs; leaving it hangs the terminal up.
pub struct Seat {
    process: Process,
    name: String,
    started: Instant,
    keyboard: File,
    screen: Arc<(Mutex<Screen>, Condvar)>,
    /// How much of the screen has been read.
    read: usize,
}

/// What is on the terminal and whether the program is still there.
#[derive(Default)]
struct Screen {
    text: String,
    closed: bool,
}

impl Seat {
    /// Starts a program at a terminal, given by its two ends; the tests' reports call it `name`.
    pub(crate) fn take(
        name: &str,
        mut program: Command,
        (master, slave): (OwnedFd, OwnedFd),
    ) -> Self {
        let started = Instant::now();
        // What the program leaves behind must not keep the terminal open.
        for end in [&master, &slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("close on exec");
        }
        program.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let process = Process::start(&mut program);
        let screen = Arc::new((Mutex::new(Screen::default()), Condvar::new()));
        watch(File::from(master.try_clone().unwrap()), Arc::clone(&screen));
        Self {
            process,
            name: name.to_owned(),
            started,
            keyboard: File::from(master),
            screen,
            read: 0,
        }
    }

    /// Waits for a text after what has been read; false when the program ended without it.
    pub fn reads(&mut self, text: &str) -> bool {
        let found = self.wait_for(&[text]);
        self.read = found.map_or(self.read, |(end, _)| end);
        found.is_some()
    }

    /// Waits for a text after what has been read; the test fails without it.
    pub fn expect(&mut self, text: &str) {
        assert!(self.reads(text), "{}: no {text:?} on the terminal:\n{}", self.name, self.text());
    }

    /// Waits for one of two texts after what has been read; whether it is the first one.
    pub fn reads_either(&mut self, first: &str, second: &str) -> bool {
        let (at, which) = self.wait_for(&[first, second]).unwrap_or_else(|| {
            panic!(
                "{}: no {first:?} and no {second:?} on the terminal:\n{}",
                self.name,
                self.text()
            )
        });
        self.read = at;
        which == 0
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Waits until the terminal hides what is typed.
    pub fn await_hidden(&self) {
        until("the terminal hides what is typed", || {
            let modes = tcgetattr(&self.keyboard).expect("a terminal has modes");
            !modes.local_flags.contains(LocalFlags::ECHO)
        });
    }

    /// All that was on the terminal up to now.
    pub fn text(&self) -> String {
        self.screen().text.replace("\r\n", "\n")
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.screen.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one of `texts` after what has been read; its end and which one it is, or `None` when
    /// the program is gone.
    fn wait_for(&self, texts: &[&str]) -> Option<(usize, usize)> {
        let (mut state, end) = (self.screen(), Instant::now() + SOON);
        loop {
            let unread = &state.text[self.read..];
            let ends = texts.iter().map(|text| Some(unread.find(text)? + text.len()));
            let found = ends.enumerate().filter_map(|(n, end)| Some((self.read + end?, n))).min();
            if found.is_some() || state.closed {
                return found;
            }
            let left = end.checked_duration_since(Instant::now()).unwrap_or_else(|| {
                panic!("{texts:?} is not on the terminal of {}:\n{}", self.name, state.text)
            });
            state = self.screen.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The process that runs the program.
    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Types each reply when its prompt shows up, and waits for the end of the program.
    pub fn finish(mut self, replies: &[(&str, &str)]) -> Sitting {
        for (prompt, reply) in replies {
            if !self.reads(prompt) {
                break;
            }
            self.type_line(reply);
        }
        let status = self.process.wait(SOON);
        let status =
            status.unwrap_or_else(|| panic!("{} does not end: {:?}", self.name, self.text()));
        let took = self.started.elapsed();
        self.wait_for(&[]);
        Sitting { code: status.code().unwrap_or(-1), transcript: self.text(), took }
    }
}

/// Collects what is written until the last writer is gone, or the seat is left.
fn watch(mut master: File, screen: Arc<(Mutex<Screen>, Condvar)>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while Arc::strong_count(&screen) > 1 {
            let mut ready = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ready, PollTimeout::from(100u8)) == Ok(0) {
                continue;
            }
            let length = master.read(&mut bytes).unwrap_or(0);
            let mut state = screen.0.lock().unwrap();
            state.text += &String::from_utf8_lossy(&bytes[..length]);
            state.closed = length == 0;
            screen.1.notify_all();
            if state.closed {
                return;
            }
        }
    });
}
