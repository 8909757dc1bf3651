//! Everything that the decision needs of one user, read and written as one.

use crate::{error::Error, recovery::Digest, throttle::Throttle, token::Token};

/// One user's security state. The store reads it, a transition of this crate changes it and the
/// store commits it, all in one transaction; nothing is told to anybody before that commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user id at enrolment, where a directory knew it.
    pub uid: Option<u32>,
    /// Failures and the lock.
    pub throttle: Throttle,
    /// Tokens of any state, oldest first.
    pub tokens: Vec<Token>,
    /// Digests of the recovery codes that are left.
    pub recovery: Vec<Digest>,
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
