//! A terminal with somebody at it: sudo and su ask there.

use std::{
    fs::File,
    io::{Read, Write},
    process::Command,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    pty::openpty,
};

use crate::process::{Process, SOON};

/// How a program at a terminal went.
#[derive(Debug)]
pub struct Sitting {
    /// Its exit code.
    pub code: i32,
    /// All that was on the terminal; the lines that were typed are not echoed.
    pub transcript: String,
    /// How long it ran.
    pub took: Duration,
}

/// What is on the terminal and whether the program is still there.
#[derive(Default)]
struct Screen {
    text: String,
    closed: bool,
}

/// Runs a program at a terminal of its own; each reply is typed when its prompt shows up.
pub fn sit(program: &Command, replies: &[(&str, &str)]) -> Sitting {
    let start = Instant::now();
    let pty = openpty(None, None).expect("a pseudo-terminal");
    // What the program leaves behind must not keep the terminal open.
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("close on exec");
    }
    // setsid makes the terminal the controlling one of the program, as a login does.
    let mut setsid = crate::process::command("setsid");
    setsid
        .args(["--wait", "--ctty"])
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear();
    setsid.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let slave = pty.slave;
    setsid.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
    let mut process = Process::start(&mut setsid);
    drop(setsid);
    let mut keyboard = File::from(pty.master.try_clone().unwrap());
    let screen = Arc::new((Mutex::new(Screen::default()), Condvar::new()));
    watch(File::from(pty.master), Arc::clone(&screen));
    let mut read = 0;
    for (prompt, reply) in replies {
        let Some(end) = await_text(&screen, read, prompt) else { break };
        read = end;
        keyboard.write_all(format!("{reply}\n").as_bytes()).unwrap();
    }
    let status = process
        .wait(SOON)
        .unwrap_or_else(|| panic!("{program:?} does not end: {:?}", screen.0.lock().unwrap().text));
    let took = start.elapsed();
    await_text(&screen, 0, "\u{0}");
    let transcript = screen.0.lock().unwrap().text.replace("\r\n", "\n");
    Sitting { code: status.code().unwrap_or(-1), transcript, took }
}

/// Collects what is written until the last writer is gone.
fn watch(mut master: File, screen: Arc<(Mutex<Screen>, Condvar)>) {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
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
