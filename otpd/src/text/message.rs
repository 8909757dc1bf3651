//! Every message there is, with the values that it needs.

use std::borrow::Cow;

/// A message. Values stand in it as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Makes a prompt of a text.
    Prompt {
        /// The text.
        text: &'a str,
    },
    /// A text, with what else may be typed.
    WithWords {
        /// The text.
        text: &'a str,
        /// The words, separated.
        words: &'a str,
    },
    /// The word that asks for another code.
    Resend,
    /// Asks for a code: the prompt of every login that is not sent one.
    Code,
    /// Asks for a code that an administrator has handed out.
    IssuedCode,
    /// Asks for the first code of a new token.
    FirstCode,
    /// Asks for password and code in one field.
    Combined,
    /// A code is on its way.
    Sent {
        /// Where to, masked.
        to: &'a str,
    },
    /// Nobody took the code.
    NotSent {
        /// Where to, masked.
        to: &'a str,
    },
    /// Enough was sent.
    NoFurther {
        /// Where to, masked.
        to: &'a str,
    },
    /// A code was sent for the next try, in a program with a single field.
    SentForLater {
        /// Where to, masked.
        to: &'a str,
    },
    /// The same where none was sent.
    NeededForLater,
    /// Above the QR code of a new token.
    Scan,
    /// The same key for those who type it.
    Key {
        /// The key.
        key: &'a str,
    },
    /// Where to register instead.
    Register {
        /// A URI.
        uri: &'a str,
    },
    /// How long a new token waits for its first code.
    Lifetime {
        /// Minutes.
        minutes: u32,
    },
}

/// A value of a message.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(u32),
}

impl<'a> Message<'a> {
    /// Its name in the catalogues, and its values by theirs.
    pub(super) fn parts(self) -> (&'static str, Vec<(&'static str, Value<'a>)>) {
        let text = |value: &'a str| Value::Text(Cow::Borrowed(value));
        match self {
            Self::Prompt { text: inner } => ("prompt", vec![("text", text(inner))]),
            Self::WithWords { text: inner, words } => {
                ("with-words", vec![("text", text(inner)), ("words", text(words))])
            }
            Self::Resend => ("resend", vec![]),
            Self::Code => ("code", vec![]),
            Self::IssuedCode => ("issued-code", vec![]),
            Self::FirstCode => ("first-code", vec![]),
            Self::Combined => ("combined", vec![]),
            Self::Sent { to } => ("sent", vec![("to", text(to))]),
            Self::NotSent { to } => ("not-sent", vec![("to", text(to))]),
            Self::NoFurther { to } => ("no-further", vec![("to", text(to))]),
            Self::SentForLater { to } => ("sent-for-later", vec![("to", text(to))]),
            Self::NeededForLater => ("needed-for-later", vec![]),
            Self::Scan => ("scan", vec![]),
            Self::Key { key } => ("key", vec![("key", text(key))]),
            Self::Register { uri } => ("register", vec![("uri", text(uri))]),
            Self::Lifetime { minutes } => ("lifetime", vec![("minutes", Value::Number(minutes))]),
        }
    }
}
