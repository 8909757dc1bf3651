//! What is to be carried, and to whom.

use otp_core::contact::{Channel as Medium, MailAddress, PhoneNumber};
use serde::{Deserialize, Serialize};

use crate::Hidden;

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recipient {
    /// A telephone, by SMS.
    Phone(PhoneNumber),
    /// A mailbox.
    Mailbox(MailAddress),
}

impl Recipient {
    /// By which of the two kinds of provider.
    #[must_use]
    pub fn medium(&self) -> Medium {
        match self {
            Self::Phone(_) => Medium::Sms,
            Self::Mailbox(_) => Medium::Email,
        }
    }

    /// For people: `+49*****81`, `a*****@example.com`.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Phone(number) => number.masked(),
            Self::Mailbox(address) => address.masked(),
        }
    }
}

/// A message with a code in it. Everything is rendered already; a provider's own template may use
/// the parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Unique, 32 lower-case hexadecimal digits: `{uuid}` of templates, idempotency key,
    /// Message-ID.
    pub id: String,
    /// To whom.
    pub to: Recipient,
    /// The text, with the code in it; one SMS where that is possible.
    pub text: Hidden,
    /// The subject; of e-mail only.
    pub subject: Hidden,
    /// The code alone: `{otp}` of templates.
    pub code: Hidden,
    /// The user's login name: `{user}` of templates.
    pub user: String,
    /// The token's id: `{serial}` of templates.
    pub serial: String,
    /// Unix milliseconds after which the code is worth nothing.
    pub until_ms: i64,
    /// How long the code is worth something from when it was made, in milliseconds.
    pub validity_ms: u64,
}

#[cfg(test)]
impl Message {
    /// A code for alice, as tests send it.
    pub(crate) fn example(to: Recipient) -> Self {
        Self {
            id: "0123456789abcdef0123456789abcdef".to_owned(),
            to,
            text: Hidden::from("482913 is your code"),
            subject: Hidden::default(),
            code: Hidden::from("482913"),
            user: "alice".to_owned(),
            serial: "SMS1".to_owned(),
            until_ms: 1_760_000_000_000,
            validity_ms: 300_000,
        }
    }
}

#[cfg(test)]
impl Recipient {
    /// Alice's telephone, as tests know it.
    pub(crate) fn phone() -> Self {
        Self::Phone(PhoneNumber::parse("+491701234581", None).unwrap())
    }

    /// Alice's mailbox, as tests know it.
    pub(crate) fn mailbox() -> Self {
        Self::Mailbox(MailAddress::parse("alice@example.com").unwrap())
    }
}

/// How a provider wants a telephone number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PhoneFormat {
    /// `+491701234581`.
    #[default]
    E164,
    /// `491701234581`.
    Digits,
}

impl PhoneFormat {
    /// Writes a number.
    #[must_use]
    pub fn of(self, number: &PhoneNumber) -> &str {
        match self {
            Self::E164 => number.as_str(),
            Self::Digits => number.digits(),
        }
    }
}
