//! Everything that the decision needs of one user, read and written as one.

use crate::{
    client::Client,
    contact::Contacts,
    error::Error,
    issued::IssuedCode,
    out_of_band::Challenge,
    recovery::Digest,
    throttle::{Lock, Lockout, Pace, Throttle},
    token::Token,
};

/// One user's security state. The store reads it, a transition of this crate changes it and the
/// store commits it, all in one transaction; nothing is told to anybody before that commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user id at enrolment, where a directory knew it.
    pub uid: Option<u32>,
    /// Failures and the lock.
    pub throttle: Throttle,
    /// A limit of this user's own, successes among it.
    pub pace: Option<Pace>,
    /// Tokens of any state, oldest first.
    pub tokens: Vec<Token>,
    /// Digests of the recovery codes that are left.
    pub recovery: Vec<Digest>,
    /// Delivered codes that are not used yet, oldest first; at most
    /// [`crate::out_of_band::MOST_CHALLENGES`].
    pub challenges: Vec<Challenge>,
    /// Where codes are delivered, as an administrator has set it; a directory may know more.
    pub contacts: Contacts,
    /// Codes that administrators have issued, oldest first; see [`crate::issued`].
    pub issued: Vec<IssuedCode>,
    /// Clients that are registered or remembered, oldest first; see [`crate::client`].
    pub clients: Vec<Client>,
    /// Whether the user may issue codes to others.
    pub administrator: bool,
    /// The last login that was granted, Unix milliseconds.
    pub last_success_ms: Option<i64>,
}

impl Account {
    /// Whether the user counts as enrolled: has a confirmed token, usable or not (R19: a disabled
    /// or expired token is not "no token"). Recovery codes alone do not enrol.
    #[must_use]
    pub fn enrolled(&self) -> bool {
        self.tokens.iter().any(Token::confirmed)
    }

    /// Ends a lock and forgets failures and attempts, as an administrator may.
    pub fn unlock(&mut self) {
        self.throttle.clear();
        self.pace = self.pace.map(|pace| Pace::new(pace.attempts, pace.interval_ms));
    }

    /// Whether codes of the user are evaluated at `now_ms` (Unix milliseconds), after what a clock
    /// that was set back would prolong was shortened. The one place where that is asked before a
    /// code is compared.
    pub(crate) fn open_to_codes(&mut self, lockout: &Lockout, now_ms: i64) -> bool {
        self.throttle.settle(lockout, now_ms);
        if let Some(pace) = &mut self.pace {
            pace.settle(now_ms);
        }
        let in_time = self.pace.is_none_or(|pace| pace.allows(now_ms));
        in_time && self.throttle.locked(lockout, now_ms) == Lock::Open
    }

    pub(crate) fn token_mut(&mut self, id: &str) -> Option<&mut Token> {
        self.tokens.iter_mut().find(|token| token.id == id)
    }
}

/// Longest user name in bytes.
const LONGEST_NAME: usize = 256;
/// Longest label, reason or other text in bytes.
const LONGEST_TEXT: usize = 128;
/// Longest result of [`escaped`] in bytes.
const LONGEST_ESCAPED: usize = 64;

/// The name of a user, as NSS would know it: compared byte for byte, never folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

impl UserName {
    /// Takes 1 to 256 bytes.
    ///
    /// # Errors
    /// [`Error::UserName`] for a name with '/', ':', control characters or white space at an end,
    /// for "." and "..", and for one that starts with '-'.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let refused = !(1..=LONGEST_NAME).contains(&name.len())
            || name.trim() != name
            || name.contains(|c: char| matches!(c, '/' | ':') || c.is_control())
            || name.starts_with('-')
            || matches!(name, "." | "..");
        if refused { Err(Error::UserName) } else { Ok(Self(name.to_owned())) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a label, a reason or another text that lists and records show.
///
/// # Errors
/// [`Error::Text`] for more than 128 bytes and for control characters.
pub fn check_text(text: &str) -> Result<(), Error> {
    if text.len() > LONGEST_TEXT || text.contains(char::is_control) {
        return Err(Error::Text);
    }
    Ok(())
}

/// A text of anybody's for a log line: at most 64 bytes. ASCII that prints and letters and digits
/// of any script stay; all else (controls, the backslash itself, what changes the direction of
/// writing, symbols) becomes `\xNN`, or `\u{…}` from U+0100 on.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        let plain = if c.is_ascii() {
            c != '\\' && (c == ' ' || c.is_ascii_graphic())
        } else {
            c.is_alphanumeric()
        };
        let piece = match u32::from(c) {
            _ if plain => c.to_string(),
            code @ ..=0xff => format!("\\x{code:02x}"),
            code => format!("\\u{{{code:x}}}"),
        };
        if line.len() + piece.len() > LONGEST_ESCAPED {
            break;
        }
        line.push_str(&piece);
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_names_of_real_systems_are_taken() {
        let longest = "x".repeat(256);
        for name in [
            "root",
            "a",
            "alice",
            "Alice",
            "alice.smith",
            "_apt",
            "machine$",
            "user-name",
            "7up",
            "alice@example.com",
            "EXAMPLE\\alice",
            "jürgen",
            "アリス",
            "two words",
            "a..b",
            "...",
            &longest,
        ] {
            assert_eq!(UserName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_of_no_user_are_refused() {
        for name in [
            "",
            " ",
            "   ",
            "\t",
            "\u{a0}",
            " alice",
            "alice ",
            "alice\u{2003}",
            "../x",
            "..",
            ".",
            "a/b",
            "/",
            "a:b",
            "-alice",
            "-",
            "a\nb",
            "alice\n",
            "a\0b",
            "\0",
            "a\u{1b}[2J",
            "a\u{7f}",
            "a\u{85}b",
            &"x".repeat(257),
            &"x".repeat(4096),
            &"ü".repeat(129),
        ] {
            assert_eq!(UserName::parse(name), Err(Error::UserName), "{name:?}");
        }
    }

    #[test]
    fn texts_are_bounded_and_have_no_controls() {
        for text in ["", "My phone", "Мой телефон", &"x".repeat(128)] {
            assert_eq!(check_text(text), Ok(()), "{text:?}");
        }
        for text in ["a\nb", "\u{1b}[2J", "\0", "\u{9b}", &"x".repeat(129), &"ü".repeat(65)] {
            assert_eq!(check_text(text), Err(Error::Text), "{text:?}");
        }
    }

    #[test]
    fn what_could_forge_a_log_line_is_escaped() {
        for (text, line) in [
            ("alice", "alice"),
            ("two words", "two words"),
            ("jürgen", "jürgen"),
            ("アリス", "アリス"),
            ("a\nAccepted\x1b[2J", "a\\x0aAccepted\\x1b[2J"),
            ("a\\nb", "a\\x5cnb"),
            ("\0\u{7f}\u{85}\u{9b}", "\\x00\\x7f\\x85\\x9b"),
            ("a\u{a0}b\u{ad}c", "a\\xa0b\\xadc"),
            ("\u{202e}gro\u{2066}", "\\u{202e}gro\\u{2066}"),
            ("\u{200b}\u{2028}\u{feff}\u{e0041}", "\\u{200b}\\u{2028}\\u{feff}\\u{e0041}"),
            ("😀", "\\u{1f600}"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), line, "{text:?}");
        }
        assert_eq!(escaped(&"x".repeat(65)), "x".repeat(64));
        assert_eq!(escaped(&"\n".repeat(17)), "\\x0a".repeat(16));
        assert_eq!(escaped(&format!("{}\n", "x".repeat(61))), "x".repeat(61));
    }

    proptest! {
        #[test]
        fn escaped_texts_are_short_and_print(text in any::<String>()) {
            let line = escaped(&text);
            prop_assert!(line.len() <= 64);
            prop_assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()));
        }

        #[test]
        fn any_name_is_taken_as_it_is_or_refused(name in any::<String>()) {
            if let Ok(user) = UserName::parse(&name) {
                prop_assert_eq!(user.as_str(), &name);
                prop_assert!(!name.contains(['/', ':', '\0', '\n']));
            }
        }
    }
}
