//! What a login needs of PAM, and where it comes from.

use std::{
    ffi::{CStr, CString},
    ops::Deref,
    time::Duration,
};

use pam::{
    constants::{PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO},
    conv::Conv,
    items::{AuthTok, RHost, RUser, Service, Tty, User},
    module::PamHandle,
};
use zeroize::Zeroizing;

use crate::ffi;

/// Longest message in bytes that a conversation takes: PAM_MAX_MSG_SIZE without the NUL.
pub(crate) const PROMPT: usize = 511;

/// A PAM item that is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// The name of the stack, for example `sshd`.
    Service,
    /// Who is to be logged in.
    User,
    /// The host that asks.
    Rhost,
    /// The user who asks.
    Ruser,
    /// The terminal.
    Tty,
}

/// How much a line in the log matters; `syslog(3)` has the meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Nobody gets in.
    Critical,
    /// A setting must be changed.
    Error,
    /// An administrator may want to know.
    Notice,
    /// For the option `debug`.
    Debug,
}

/// What a login needs of the program that wants it. All bytes are those of the host, unchecked.
pub(crate) trait Host {
    /// Who is to be logged in, asked for where it is not known; `None` where that failed.
    fn user(&mut self) -> Option<Vec<u8>>;
    /// An item, if it is set.
    fn item(&self, item: Item) -> Option<Vec<u8>>;
    /// The password that an earlier module has asked for.
    fn authtok(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Makes `password` the one that later modules see; whether that worked.
    fn set_authtok(&mut self, password: &[u8]) -> bool;
    /// A variable of the PAM environment.
    fn env(&mut self, name: &CStr) -> Option<Vec<u8>>;
    /// Asks the person; `None` where there is no conversation, it failed, or it gave no reply.
    fn prompt(&mut self, text: &str, echo: bool) -> Option<Zeroizing<Vec<u8>>>;
    /// Tells the person; failures are of no consequence.
    fn notice(&mut self, text: &str);
    /// Tells the administrator; what could forge or hide a line is escaped.
    fn log(&self, priority: Priority, message: &str);
    /// Makes a failed login last about so long.
    fn fail_delay(&mut self, delay: Duration);
}

impl Host for PamHandle {
    fn user(&mut self) -> Option<Vec<u8>> {
        // It prompts where needed and stores the answer as an item. Its own result is not used: it
        // cannot carry a name that is not UTF-8.
        let _ = self.get_user(None);
        self.item(Item::User)
    }

    fn item(&self, item: Item) -> Option<Vec<u8>> {
        match item {
            Item::Service => copied::<Service>(self),
            Item::User => copied::<User>(self),
            Item::Rhost => copied::<RHost>(self),
            Item::Ruser => copied::<RUser>(self),
            Item::Tty => copied::<Tty>(self),
        }
    }

    fn authtok(&self) -> Option<Zeroizing<Vec<u8>>> {
        let token = self.get_item::<AuthTok>().ok()??;
        Some(Zeroizing::new(token.as_bytes().to_vec()))
    }

    fn set_authtok(&mut self, password: &[u8]) -> bool {
        let mut terminated = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        terminated.extend_from_slice(password);
        terminated.push(0);
        CStr::from_bytes_with_nul(&terminated).is_ok_and(|p| ffi::set_authtok(self, p))
    }

    fn env(&mut self, name: &CStr) -> Option<Vec<u8>> {
        ffi::getenv(self, name)
    }

    fn prompt(&mut self, text: &str, echo: bool) -> Option<Zeroizing<Vec<u8>>> {
        let style = if echo { PAM_PROMPT_ECHO_ON } else { PAM_PROMPT_ECHO_OFF };
        // Fetched anew for every prompt: the host may have replaced it.
        let conversation = self.get_item::<Conv>().ok()??;
        let reply = conversation.send(style, text).ok()??;
        Some(Zeroizing::new(reply.as_bytes().to_vec()))
    }

    fn notice(&mut self, text: &str) {
        if let Ok(Some(conversation)) = self.get_item::<Conv>() {
            let _ = conversation.send(PAM_TEXT_INFO, text);
        }
    }

    fn log(&self, priority: Priority, message: &str) {
        let priority = match priority {
            Priority::Critical => libc::LOG_CRIT,
            Priority::Error => libc::LOG_ERR,
            Priority::Notice => libc::LOG_NOTICE,
            Priority::Debug => libc::LOG_DEBUG,
        };
        if let Ok(line) = CString::new(log_line(message)) {
            ffi::syslog(self, priority, &line);
        }
    }

    fn fail_delay(&mut self, delay: Duration) {
        ffi::fail_delay(self, delay);
    }
}

/// A text item, copied at once: the host may replace it whenever it is called.
fn copied<'a, T>(handle: &'a PamHandle) -> Option<Vec<u8>>
where
    T: pam::items::Item<'a> + Deref<Target = &'a CStr>,
{
    let item = handle.get_item::<T>().ok()??;
    Some(item.to_bytes().to_vec())
}

/// `text` as one line: what moves the cursor, changes the reading direction or is invisible is
/// escaped, and at most 1,024 bytes are kept.
fn log_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unprintable(character) {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    cut(&line, 1024).to_owned()
}

/// `text` as a person may see it at a prompt: without what moves the cursor or changes the reading
/// direction, and no longer than [`PROMPT`].
pub(crate) fn prompt_text(text: &str) -> String {
    let printable: String = text.chars().filter(|c| !is_unprintable(*c)).collect();
    cut(&printable, PROMPT).to_owned()
}

/// Bytes of the host as text of at most `limit` bytes; what is not UTF-8 becomes `\xNN`.
pub(crate) fn host_text(bytes: &[u8], limit: usize) -> String {
    let mut text = String::with_capacity(bytes.len().min(limit));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
        if text.len() > limit {
            break;
        }
    }
    cut(&text, limit).to_owned()
}

/// C0, DEL, C1, line and paragraph separators, bidirectional controls and invisible characters.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The longest start of `text` that has at most `limit` bytes.
fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_log_line_is_one_line() {
        let table = [
            ("plain", "plain"),
            ("a\nAccepted code for root\u{1b}[2J", "a\\u{a}Accepted code for root\\u{1b}[2J"),
            ("\u{9b}31m \u{202e}x \u{7f}", "\\u{9b}31m \\u{202e}x \\u{7f}"),
            ("Grüße", "Grüße"),
        ];
        for (text, line) in table {
            assert_eq!(log_line(text), line);
        }
    }

    #[test]
    fn a_prompt_has_no_control_characters() {
        assert_eq!(prompt_text("Co\u{1b}[2Jde\r\n:\u{202e} "), "Co[2Jde: ");
        assert_eq!(prompt_text(&"ü".repeat(300)), "ü".repeat(255));
    }

    #[test]
    fn bytes_of_the_host_become_text() {
        let table: [(&[u8], usize, &str); 6] = [
            (b"sshd", 256, "sshd"),
            (b"", 256, ""),
            (b"a\xffb\xc3", 256, "a\\xffb\\xc3"),
            (b"\xff\xff", 6, "\\xff\\x"),
            ("grüße".as_bytes(), 3, "gr"),
            (b"line\nfeed", 256, "line\nfeed"),
        ];
        for (bytes, limit, text) in table {
            assert_eq!(host_text(bytes, limit), text);
        }
    }

    proptest! {
        #[test]
        fn text_is_bounded_and_clean(bytes in proptest::collection::vec(any::<u8>(), 0..2000), limit in 0usize..600) {
            let text = host_text(&bytes, limit);
            prop_assert!(text.len() <= limit);
            let line = log_line(&String::from_utf8_lossy(&bytes));
            prop_assert!(line.len() <= 1024 && !line.chars().any(is_unprintable));
            let prompt = prompt_text(&String::from_utf8_lossy(&bytes));
            prop_assert!(prompt.len() <= PROMPT && !prompt.chars().any(is_unprintable));
        }
    }
}
