//! The person at the terminal: hidden replies and questions.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use nix::sys::termios::{
    FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr, tcsetattr,
};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::render::folded;

/// What interrupts, unless the terminal is set otherwise.
const CTRL_C: u8 = 3;

/// Whether a person can be asked.
pub(crate) fn interactive() -> bool {
    io::stdin().is_terminal()
}

/// Whether what is printed is seen by a person and kept nowhere.
pub(crate) fn output_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether the terminal wants colours: <https://no-color.org>, and not `TERM=dumb`.
#[expect(clippy::disallowed_methods, reason = "how to draw is the caller's to say")]
pub(crate) fn colour() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb")
}

/// Reads a code: without echo from the terminal where there is one, else the next line of standard
/// input. `None` where that has ended. Ctrl-C is a [`Failure`], after the terminal is as it was.
pub(crate) fn secret(prompt: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if !interactive() {
        return next_line();
    }
    let terminal = terminal().map_err(unreadable)?;
    let hidden = Hidden::begin(&terminal).map_err(unreadable)?;
    let interrupt = Some(hidden.interrupt);
    let reply =
        (&terminal).write_all(prompt.as_bytes()).and_then(|()| line(&mut &terminal, interrupt));
    drop(hidden);
    writeln!(&terminal).map_err(unreadable)?;
    reply.map_err(unreadable)
}

/// Reads a reply that is seen while it is typed; else as [`secret`], but that Ctrl-C ends the
/// program as ever.
pub(crate) fn reply(prompt: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if !interactive() {
        return next_line();
    }
    let mut terminal = terminal().map_err(unreadable)?;
    terminal.write_all(prompt.as_bytes()).map_err(unreadable)?;
    line(&mut terminal, None).map_err(unreadable)
}

/// The next line of standard input.
pub(crate) fn next_line() -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(unreadable)?;
    line(&mut File::from(stdin), None).map_err(unreadable)
}

/// Asks for a yes, unless `yes` says it already. Who cannot be asked must say it.
pub(crate) fn agree(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !interactive() {
        return Err(Failure::usage(format!("{question}: nobody can be asked here; give --yes")));
    }
    let mut terminal = terminal().map_err(unreadable)?;
    // What was typed before the question was seen is no answer to it.
    let _ = tcflush(&terminal, FlushArg::TCIFLUSH);
    let asked = folded(&format!("{question}? [y/N]"));
    write!(terminal, "{asked} ").map_err(unreadable)?;
    let reply = line(&mut terminal, None).map_err(unreadable)?.unwrap_or_default();
    if reply.eq_ignore_ascii_case(b"y") || reply.eq_ignore_ascii_case(b"yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was changed"))
}

/// Tells the person something between two questions.
pub(crate) fn tell(text: &str) {
    if let Ok(mut terminal) = terminal() {
        let _ = writeln!(terminal, "{text}");
    }
}

fn terminal() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

fn unreadable(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::Interrupted {
        return Failure::new(Exit::Failed, "Interrupted", "interrupted");
    }
    Failure::failed(format!("cannot ask for a reply: {error}"))
}

/// The next line without its end, at most [`otp_ipc::limits::REPLY`] bytes. It is read byte by
/// byte, so that nothing is kept in a buffer and the next line is there for the next prompt.
/// `interrupt` ends it as well, as an error.
pub(crate) fn line(
    from: &mut impl Read,
    interrupt: Option<u8>,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(otp_ipc::limits::REPLY));
    let mut byte = Zeroizing::new([0_u8; 1]);
    loop {
        match from.read_exact(byte.as_mut()) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(Some(line).filter(|line| !line.is_empty()));
            }
            read => read?,
        }
        match *byte {
            [b'\n'] => break,
            [byte] if Some(byte) == interrupt => return Err(io::ErrorKind::Interrupted.into()),
            _ if line.len() == otp_ipc::limits::REPLY => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is too long"));
            }
            [byte] => line.push(byte),
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

/// The terminal without echo, until this is dropped. Ctrl-C ends the line instead of the program,
/// so that the terminal is put right and the person is told how things stand.
struct Hidden<'a> {
    terminal: &'a File,
    before: Termios,
    interrupt: u8,
}

impl<'a> Hidden<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        use SpecialCharacterIndices::{VEOL, VINTR};
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ISIG);
        let interrupt = before.control_chars.get(VINTR as usize).copied().unwrap_or(CTRL_C);
        if let Some(end_of_line) = hidden.control_chars.get_mut(VEOL as usize) {
            *end_of_line = interrupt;
        }
        tcsetattr(terminal, SetArg::TCSAFLUSH, &hidden)?;
        Ok(Self { terminal, before, interrupt })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_one_line_and_the_next_stays_for_the_next_prompt() {
        let mut input = &b"123456\r\n\n12 34\x03\nrest"[..];
        let mut next = |interrupt| line(&mut input, interrupt).map(|l| l.map(|l| l.to_vec()));
        assert_eq!(next(None).unwrap(), Some(b"123456".to_vec()));
        assert_eq!(next(None).unwrap(), Some(Vec::new()));
        assert_eq!(next(Some(3)).unwrap_err().kind(), io::ErrorKind::Interrupted);
        assert_eq!(next(None).unwrap(), Some(Vec::new()));
        assert_eq!(next(Some(3)).unwrap(), Some(b"rest".to_vec()));
        assert_eq!(next(None).unwrap(), None);
        let most = [b'1'; otp_ipc::limits::REPLY];
        assert_eq!(line(&mut &most[..], None).unwrap().unwrap().len(), most.len());
        assert!(line(&mut &[&most[..], b"1"].concat()[..], None).is_err());
    }
}
