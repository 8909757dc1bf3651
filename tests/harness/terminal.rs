//! A terminal with somebody at it: sudo and su ask there.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::Command,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    pty::openpty,
};

use crate::process::{Process, SOON};

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
    // setsid makes the terminal the controlling one of the program, as a login does.
    let mut setsid = crate::process::command("setsid");
    setsid
        .args(["--wait", "--ctty"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear();
    setsid.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let pty = openpty(None, None).expect("a pseudo-terminal");
    Seat::take(setsid, pty.master, pty.slave).finish(replies)
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
    /// Starts a program at a terminal, given by its two ends.
    pub(crate) fn take(mut program: Command, master: OwnedFd, slave: OwnedFd) -> Self {
        let (name, started) = (format!("{program:?}"), Instant::now());
        program.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let process = Process::start(&mut program);
        let screen = Arc::new((Mutex::new(Screen::default()), Condvar::new()));
        watch(File::from(master.try_clone().unwrap()), Arc::clone(&screen));
        Self { process, name, started, keyboard: File::from(master), screen, read: 0 }
    }

    /// Waits for a text after what has been read; false when the program ended without it.
    pub fn reads(&mut self, text: &str) -> bool {
        let end = await_text(&self.screen, self.read, text);
        self.read = end.unwrap_or(self.read);
        end.is_some()
    }

    /// Waits for a text after what has been read; the test fails without it.
    pub fn expect(&mut self, text: &str) {
        assert!(self.reads(text), "{}: no {text:?} on the terminal:\n{}", self.name, self.text());
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// All that was on the terminal up to now.
    pub fn text(&self) -> String {
        self.screen.0.lock().unwrap().text.replace("\r\n", "\n")
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
        await_text(&self.screen, 0, "\u{0}");
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

/// Waits for `text` after the first `from` bytes; its end, or `None` when the program is gone.
fn await_text(screen: &(Mutex<Screen>, Condvar), from: usize, text: &str) -> Option<usize> {
    let (mut state, end) = (screen.0.lock().unwrap(), Instant::now() + SOON);
    loop {
        if let Some(at) = state.text[from..].find(text) {
            return Some(from + at + text.len());
        }
        if state.closed {
            return None;
        }
        let left = end.checked_duration_since(Instant::now());
        let left =
            left.unwrap_or_else(|| panic!("{text:?} is not on the terminal:\n{}", state.text));
        state = screen.1.wait_timeout(state, left).unwrap().0;
    }
}
