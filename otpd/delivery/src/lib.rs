//! Carries one-time codes to people, over SMS gateways, modems and e-mail.
//!
//! This crate is told a message and providers in order; it tells what became of it. It knows no
//! store, no token and no user but the name that a template shows, so that it can run apart from
//! what holds the keys.

mod breaker;
mod channel;
mod dispatch;
pub mod exec;
pub mod gnokii;
mod hidden;
pub mod http;
mod mail;
mod message;
pub mod modemmanager;
pub mod program;
mod provider;
pub mod sendmail;
pub mod smpp;
pub mod smtp;
#[cfg(test)]
mod stand_in;
mod sysexits;
pub mod tls;

use std::cmp::Reverse;

pub use breaker::Circuit;
pub use channel::{Answer, Channel, Failure, Pending, Receipt};
pub use dispatch::{Dispatcher, Health, ProviderId, Report};
pub use hidden::Hidden;
pub use message::{Message, PhoneFormat, Recipient};
pub use provider::Provider;

/// Longest text of the other side's in a log, in bytes.
const TEXT: usize = 200;
/// Fewest digits that are hidden as the part of a number that follows the country's code.
const NATIONAL: usize = 6;

/// A text of the other side's for a log: without control characters, cut to 200 bytes, and with
/// every occurrence of a secret (the code, the text, passwords) and of the number replaced by `…`.
#[must_use]
pub fn scrub(reply: &str, message: &Message, secrets: &[&Hidden]) -> String {
    redact(reply, message, secrets, TEXT)
}

/// As [`scrub`], cut to another length.
fn redact(reply: &str, message: &Message, secrets: &[&Hidden], longest: usize) -> String {
    let lower;
    let mut hidden: Vec<&str> = match &message.to {
        Recipient::Phone(number) => {
            let digits = number.digits();
            // The country's code has one to three digits; many a reply goes without it.
            let national = (1..=3).filter_map(|code| digits.get(code..));
            national
                .filter(|part| part.len() >= NATIONAL)
                .chain([number.as_str(), digits])
                .collect()
        }
        Recipient::Mailbox(address) => {
            lower = address.as_str().to_ascii_lowercase();
            vec![address.as_str(), &lower]
        }
    };
    hidden.extend([&message.text, &message.code, &message.subject].map(Hidden::expose));
    hidden.extend(secrets.iter().map(|secret| secret.expose()));
    hidden.retain(|secret| secret.len() > 2);
    // One may be a part of another, whose rest must not stay.
    hidden.sort_unstable_by_key(|secret| Reverse(secret.len()));
    let mut text = reply.to_owned();
    for secret in hidden {
        text = text.replace(secret, "…");
    }
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > longest {
            break;
        }
        line.push(c);
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use otp_core::contact::MailAddress;

    use super::*;

    #[test]
    fn nothing_secret_stays_and_no_part_of_it() {
        let message = |to| Message { subject: Hidden::from("Your code"), ..Message::example(to) };
        let phone = message(Recipient::phone());
        let mail = MailAddress::parse("Alice@Example.com").unwrap();
        let mail = message(Recipient::Mailbox(mail));
        let secrets = [&Hidden::from("pass"), &Hidden::from("key482913key"), &Hidden::from("")];
        for (message, reply, expected) in [
            (&phone, "a 482913 b", "a … b"),
            (&phone, "482913 is your code", "…"),
            (&phone, "text=482913%20is%20your%20code", "text=…%20is%20your%20code"),
            (&phone, "key482913key pass", "… …"),
            (&phone, "+491701234581", "…"),
            (&phone, "%2B491701234581", "%2B…"),
            (&phone, "00491701234581", "00…"),
            (&phone, "to 01701234581", "to 0…"),
            (&phone, "to +49 1701234581", "to +49 …"),
            (&mail, "<Alice@Example.com>", "<…>"),
            (&mail, "<alice@example.com>", "<…>"),
            (&phone, "a\r\nb\u{9b}c\0", "a  b c"),
        ] {
            assert_eq!(scrub(reply, message, &secrets), expected, "{reply:?}");
        }
        for (reply, length) in
            [("x".repeat(300), 200), ("é".repeat(300), 200), ("…".repeat(300), 198)]
        {
            assert_eq!(scrub(&reply, &phone, &[]).len(), length);
        }
    }
}
