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

pub use breaker::Circuit;
pub use channel::{Answer, Channel, Failure, Pending, Receipt};
pub use dispatch::{Dispatcher, Health, ProviderId, Report};
pub use hidden::Hidden;
pub use message::{Message, PhoneFormat, Recipient};
pub use provider::Provider;

/// A text of the other side's for a log: without control characters, cut to 200 bytes, and with
/// every occurrence of a secret (the code, the text, passwords) and of the number replaced by `…`.
#[must_use]
pub fn scrub(reply: &str, message: &Message, secrets: &[&Hidden]) -> String {
    redact(reply, message, secrets, 200)
}

/// As [`scrub`], cut to another length.
fn redact(reply: &str, message: &Message, secrets: &[&Hidden], longest: usize) -> String {
    let number = match &message.to {
        Recipient::Phone(number) => vec![number.as_str(), number.digits()],
        Recipient::Mailbox(address) => vec![address.as_str()],
    };
    let hidden = [&message.text, &message.code, &message.subject];
    let hidden = hidden.into_iter().chain(secrets.iter().copied()).map(Hidden::expose);
    let mut text = reply.to_owned();
    for secret in hidden.chain(number).filter(|secret| secret.len() > 2) {
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
