//! A terminal of 80 columns and 24 rows with a person before it: what can be read on it at one
//! moment, and a photograph of it. tmux is the terminal; xterm shows it on an X server that draws
//! into memory.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread::sleep,
    time::Duration,
};

use crate::process::{Process, command, run, until};

/// Columns and rows.
const SIZE: [&str; 4] = ["-x", "80", "-y", "24"];
const CONFIGURATION: &str = "set -g status off\nset -g remain-on-exit on\n\
    set -g remain-on-exit-format ''\nset -g default-terminal screen-256color\n";

/// A terminal in which a program runs; it ends when dropped.
pub struct Screen {
    folder: String,
}

impl Screen {
    /// Runs the program in a terminal of its own.
    pub fn open(program: &Command) -> Self {
        static SCREENS: AtomicUsize = AtomicUsize::new(0);
        let folder = format!("/run/e2e/screen-{}", SCREENS.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(&folder).unwrap();
        fs::write(format!("{folder}/tmux.conf"), CONFIGURATION).unwrap();
        let screen = Self { folder };
        let mut tmux = screen.tmux(&["new-session", "-d"]);
        tmux.args(SIZE).args(["--", "env", "-i"]);
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                tmux.arg(format!("{}={}", name.to_str().unwrap(), value.to_str().unwrap()));
            }
        }
        run(tmux.arg(program.get_program()).args(program.get_args()), b"").ok();
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let folder = &self.folder;
        let mut tmux = command("tmux");
        tmux.args(["-u", "-S", &format!("{folder}/socket"), "-f", &format!("{folder}/tmux.conf")]);
        tmux.args(arguments);
        tmux
    }

    /// What can be read now, without what has scrolled off: 24 lines.
    pub fn text(&self) -> String {
        run(&mut self.tmux(&["capture-pane", "-p"]), b"").ok()
    }

    /// Types a line.
    pub fn type_line(&self, line: &str) {
        if !line.is_empty() {
            run(&mut self.tmux(&["send-keys", "-l", line]), b"").ok();
        }
        run(&mut self.tmux(&["send-keys", "Enter"]), b"").ok();
    }

    /// Waits until this can be read; what can be read then.
    pub fn await_text(&self, text: &str) -> String {
        let mut last = String::new();
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(&format!("{text:?} on the screen"), || {
                last = self.text();
                last.contains(text)
            });
        }));
        if let Err(panic) = seen {
            eprintln!("--- on the screen:\n{}", self.text());
            std::panic::resume_unwind(panic);
        }
        last
    }

    /// Waits until the cursor stands behind this prompt; what can be read then.
    pub fn await_prompt(&self, prompt: &str) -> String {
        let last_line = || {
            let text = self.text();
            text.trim_end().lines().last().unwrap_or_default().to_owned()
        };
        self.await_text(prompt.trim_end());
        until("the prompt is the last line", || last_line().ends_with(prompt.trim_end()));
        self.text()
    }

    /// A photograph of it, as a PNG file: dark as terminals are, or light.
    pub fn photograph(&self, light: bool) -> String {
        let mut x = command("Xvfb");
        x.args(["-displayfd", "1", "-screen", "0", "1000x700x24", "-nolisten", "tcp"]);
        let mut x = Process::start(x.stdout(Stdio::piped()).stderr(Stdio::null()));
        let mut display = String::new();
        let told = x.child().stdout.take().unwrap();
        BufReader::new(told).read_line(&mut display).unwrap();
        let display = format!(":{}", display.trim());
        let (ink, paper) = if light { ("black", "white") } else { ("gray90", "black") };
        let mut xterm = command("xterm");
        xterm.env("DISPLAY", &display).env("HOME", &self.folder);
        // A size of this font at which the rows leave no gap, as in most terminals.
        xterm.args(["-u8", "-geometry", "80x24", "-fa", "DejaVu Sans Mono", "-fs", "12"]);
        xterm.args(["-fg", ink, "-bg", paper, "+sb", "-e"]);
        let attach = self.tmux(&["attach"]);
        xterm.arg(attach.get_program()).args(attach.get_args());
        let _xterm = Process::start(xterm.stderr(Stdio::null()));
        let attached = || run(&mut self.tmux(&["list-clients"]), b"").stdout;
        until("xterm shows it", || !attached().is_empty());
        let file = format!("{}/screen.png", self.folder);
        // xterm draws after it has attached: the picture is taken when it does not change any more.
        let mut before = Vec::new();
        until("the picture is drawn", || {
            sleep(Duration::from_millis(300));
            let mut import = command("import");
            import.env("DISPLAY", &display).args(["-window", "root", &file]);
            run(&mut import, b"").ok();
            let mut colours = command("identify");
            let drawn = run(colours.args(["-format", "%[mean]", &file]), b"").ok();
            let now = drawn.into_bytes();
            let settled = now == before && now != b"0";
            before = now;
            settled
        });
        file
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]).stderr(Stdio::null()).status();
    }
}

/// What a scanner reads in a photograph; nothing where there is no QR code.
pub fn scan(file: &str) -> Option<String> {
    let read = run(
        command("zbarimg").args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file]),
        b"",
    );
    let text = read.stdout.trim_end().to_owned();
    (!text.is_empty()).then_some(text)
}
