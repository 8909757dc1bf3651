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
    /// Above a new token's key where there is no QR code.
    GiveKey,
    /// Above the key beside the QR code.
    OrTypeKey,
    /// The word before the key; see [`super::Locale::ask`]. The key itself is in no message.
    Key,
    /// The new token's codes are made by a counter.
    CounterBased,
    /// The new token's hash function.
    Algorithm {
        /// Its name in apps.
        name: &'a str,
    },
    /// The length of the new token's codes.
    Digits {
        /// Digits.
        digits: u32,
    },
    /// How long the new token shows a code.
    Period {
        /// Seconds.
        seconds: u32,
    },
    /// Until when the first code is wanted.
    WithinMinutes {
        /// Minutes.
        minutes: u32,
    },
    /// The same where it is no whole number of minutes.
    WithinSeconds {
        /// Seconds.
        seconds: u32,
    },
    /// What shows the key again.
    Again,
    /// The same, and what shows it with the QR code.
    AgainOrQr {
        /// The word.
        qr: &'a str,
    },
    /// The same, and what shows it otherwise.
    AgainOrViews {
        /// The word for no QR code.
        text: &'a str,
        /// The word for an inverted one.
        invert: &'a str,
    },
    /// Where to register instead.
    Register {
        /// A URI.
        uri: &'a str,
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
            Self::GiveKey => ("give-key", vec![]),
            Self::OrTypeKey => ("or-type-key", vec![]),
            Self::Key => ("key", vec![]),
            Self::CounterBased => ("counter-based", vec![]),
            Self::Algorithm { name } => ("algorithm", vec![("name", text(name))]),
            Self::Digits { digits } => ("digits", vec![("digits", Value::Number(digits))]),
            Self::Period { seconds } => ("period", vec![("seconds", Value::Number(seconds))]),
            Self::WithinMinutes { minutes } => {
                ("within-minutes", vec![("minutes", Value::Number(minutes))])
            }
            Self::WithinSeconds { seconds } => {
                ("within-seconds", vec![("seconds", Value::Number(seconds))])
            }
            Self::Again => ("again", vec![]),
            Self::AgainOrQr { qr } => ("again-or-qr", vec![("qr", text(qr))]),
            Self::AgainOrViews { text: inner, invert } => {
                ("again-or-views", vec![("text", text(inner)), ("invert", text(invert))])
            }
            Self::Register { uri } => ("register", vec![("uri", text(uri))]),
        }
    }
}
