//! The person's side of the conversation.

use std::ffi::{CStr, CString};

use pam_client2::{ConversationHandler, ErrorCode};
use serde::Serialize;

use crate::failure::Failure;
use crate::render::printable;
use crate::tty;

/// What a stack says; never what is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub(crate) enum Said {
    /// A prompt, and whether the reply is hidden.
    Asked { text: String, hidden: bool },
    /// A notice, and whether it is an error.
    Told { text: String, error: bool },
}

impl Said {
    /// As it is shown: nothing in it that a terminal obeys, the lines of a notice kept.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Asked { text, .. } => format!("asked: {}", printable(text.trim_end())),
            Self::Told { text, .. } => {
                let lines: Vec<_> = text.trim_end().lines().map(printable).collect();
                let first = if lines.len() > 1 { "told:\n" } else { "told: " };
                format!("{first}{}", lines.join("\n"))
            }
        }
    }
}

/// Takes replies from the person, or from the lines of standard input.
pub(super) struct Conversation<'a> {
    show: &'a mut dyn FnMut(&Said) -> Result<(), Failure>,
    said: Vec<Said>,
    /// Why it was broken off.
    failure: Option<Failure>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(show: &'a mut dyn FnMut(&Said) -> Result<(), Failure>) -> Self {
        Self { show, said: Vec::new(), failure: None }
    }

    /// What was said, and why it was broken off if it was.
    pub(super) fn finish(&mut self) -> (Vec<Said>, Option<Failure>) {
        (std::mem::take(&mut self.said), self.failure.take())
    }

    /// A terminal shows the prompt where the reply is typed; elsewhere it is shown like a notice.
    fn ask(&mut self, prompt: &CStr, hidden: bool) -> Result<CString, ErrorCode> {
        let said = Said::Asked { text: text(prompt), hidden };
        let shown = format!("{} ", said.shown());
        let noted = if tty::interactive() { Ok(()) } else { (self.show)(&said) };
        self.said.push(said);
        let ask = if hidden { tty::secret } else { tty::reply };
        match noted.and_then(|()| ask(&shown)) {
            Ok(Some(reply)) => CString::new(reply.as_slice()).map_err(|_| ErrorCode::CONV_ERR),
            Ok(None) => Err(ErrorCode::CONV_ERR),
            Err(failure) => {
                self.failure = Some(failure);
                Err(ErrorCode::CONV_ERR)
            }
        }
    }

    fn tell(&mut self, notice: &CStr, error: bool) {
        let said = Said::Told { text: text(notice), error };
        if let Err(failure) = (self.show)(&said) {
            self.failure = Some(failure);
        }
        self.said.push(said);
    }
}

impl ConversationHandler for Conversation<'_> {
    fn prompt_echo_on(&mut self, prompt: &CStr) -> Result<CString, ErrorCode> {
        self.ask(prompt, false)
    }

    fn prompt_echo_off(&mut self, prompt: &CStr) -> Result<CString, ErrorCode> {
        self.ask(prompt, true)
    }

    fn text_info(&mut self, notice: &CStr) {
        self.tell(notice, false);
    }

    fn error_msg(&mut self, notice: &CStr) {
        self.tell(notice, true);
    }

    /// No login program knows these.
    fn radio_prompt(&mut self, _prompt: &CStr) -> Result<bool, ErrorCode> {
        Err(ErrorCode::CONV_ERR)
    }
}

fn text(said: &CStr) -> String {
    said.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_shown_and_obeyed_by_no_terminal() {
        let told = |text: &str| Said::Told { text: text.to_owned(), error: false }.shown();
        assert_eq!(told("Good morning.\n"), "told: Good morning.");
        assert_eq!(told("a\n█ █\n"), "told:\na\n█ █");
        assert_eq!(told("\x1b[2J"), "told: \\u{1b}[2J");
        assert_eq!(told(""), "told: ");
        let asked = Said::Asked { text: "Password: ".to_owned(), hidden: true };
        assert_eq!(asked.shown(), "asked: Password:");
    }
}
