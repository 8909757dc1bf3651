//! What a person at a terminal sees; script(1) makes the terminal.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::fake::{CODE, Machine, SECRET};

/// otpctl on a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    pub(crate) seen: String,
}

impl Terminal {
    pub(crate) fn run(machine: &Machine, line: &str, environment: &[(&str, &str)]) -> Self {
        let bus = machine.address();
        let command = format!("{} --bus {bus} {line}", env!("CARGO_BIN_EXE_otpctl"));
        let mut child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .current_dir(machine.folder.path())
            .env("TERM", "xterm-256color")
            .env("TZ", "UTC")
            .env_remove("NO_COLOR")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script (package bsdutils) starts");
        let keys = child.stdin.take().unwrap();
        let screen = child.stdout.take().unwrap();
        Self { child, keys, screen, seen: String::new() }
    }

    /// Waits until the screen shows `text` next, at its end.
    pub(crate) fn expect(&mut self, text: &str) {
        let mut bytes = std::mem::take(&mut self.seen).into_bytes();
        let before = bytes.len();
        let mut byte = [0];
        while !bytes[before..].ends_with(text.as_bytes()) {
            assert_eq!(
                self.screen.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&bytes)
            );
            bytes.push(byte[0]);
        }
        self.seen = String::from_utf8(bytes).unwrap();
    }

    pub(crate) fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the end; returns the exit status and everything that was on the screen.
    pub(crate) fn end(mut self) -> (i32, String) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8(rest).unwrap());
        let code = self.child.wait().unwrap().code().unwrap();
        (code, self.seen.replace("\r\n", "\n"))
    }
}

const FIRST: &str = "First code from the app: ";

#[test]
fn enrolling_shows_the_code_and_the_key_and_asks_for_the_first_code() {
    let machine = Machine::start();
    let mut terminal = Terminal::run(&machine, "token add alice --label phone2", &[]);
    terminal.expect(FIRST);
    terminal.press(b"654321\n");
    terminal.expect(FIRST);
    terminal.press(CODE);
    terminal.press(b"\n");
    let (code, screen) = terminal.end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Key: GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ\n"), "{screen}");
    assert!(screen.contains("That is not the code"), "{screen}");
    assert!(screen.contains("The token 01234567 of alice (phone2) is active."), "{screen}");
    assert!(!screen.contains("287082") && !screen.contains("654321"), "typed codes are hidden");
    assert_eq!(machine.state.lock().unwrap().tokens[2].state, "active");
}

#[test]
fn three_wrong_codes_or_an_interrupt_leave_it_pending_and_say_how_to_go_on() {
    for (keys, tries, code) in [(&b"000000\n"[..], 3, 3), (b"\x03", 1, 1), (b"12\x03", 1, 1)] {
        let machine = Machine::start();
        let mut terminal = Terminal::run(&machine, "token add alice", &[]);
        for _ in 0..tries {
            terminal.expect(FIRST);
            terminal.press(keys);
        }
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{screen}");
        for told in ["pending", "otpctl token confirm 01234567", "otpctl token remove 01234567"] {
            assert!(screen.contains(told), "{screen}");
        }
        assert_eq!(machine.state.lock().unwrap().tokens[2].state, "pending");
    }
}

#[test]
fn without_a_person_the_secret_still_goes_to_the_terminal_only() {
    let machine = Machine::start();
    let line = "token add alice --qr terminal --output t.json </dev/null";
    let (code, screen) = Terminal::run(&machine, line, &[]).end();
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("Key: GEZD") && screen.contains("otpctl token confirm"), "{screen}");
    let (code, screen) = Terminal::run(&machine, "token add alice --qr q.png", &[]).end_of_input();
    assert_ne!(code, 0, "no code was typed: {screen}");
    assert!(!screen.contains("Key:") && !screen.contains(SECRET), "{screen}");
}

#[test]
fn a_document_on_a_terminal_has_the_secret_and_asks_nothing() {
    let machine = Machine::start();
    let (code, screen) = Terminal::run(&machine, "--json token add alice", &[]).end();
    assert_eq!(code, 0, "{screen}");
    let document: serde_json::Value = serde_json::from_str(&screen).unwrap();
    assert_eq!((&document["secret"], &document["state"]), (&SECRET.into(), &"pending".into()));
}

#[test]
fn removing_asks_first() {
    for (keys, code, left) in
        [(&b"n\n"[..], 1, 2), (b"\n\n", 1, 2), (b"y\n", 0, 1), (b"Yes\n", 0, 1)]
    {
        let machine = Machine::start();
        let mut terminal = Terminal::run(&machine, "token remove 3f2a91bc", &[]);
        terminal.expect("Remove token 3f2a91bc of alice (phone) for ever? [y/N] ");
        terminal.press(keys);
        let (ended, screen) = terminal.end();
        assert_eq!(ended, code, "{screen}");
        assert_eq!(machine.state.lock().unwrap().tokens.len(), left);
    }
}

#[test]
fn lists_have_headings_and_short_ids() {
    let machine = Machine::start();
    let (_, screen) = Terminal::run(&machine, "token list", &[]).end();
    assert!(
        screen.starts_with("ID        USER   LABEL  METHOD  STATE   LAST USED\n3f2a91bc  alice"),
        "{screen}"
    );
    let (_, screen) = Terminal::run(&machine, "user list --limit 1", &[]).end();
    assert!(screen.contains("1 of 2; --offset 1 shows more"), "{screen}");
}

impl Terminal {
    /// Ctrl-D at the first prompt.
    fn end_of_input(mut self) -> (i32, String) {
        self.expect(FIRST);
        self.press(b"\x04");
        self.end()
    }
}
