//! Against servers on loopback that answer as they are told.

mod auth;
mod hostile;
mod recipes;
mod rules;
mod sending;
mod server;

use otp_core::contact::PhoneNumber;

use super::*;
use crate::Recipient;

/// The code of [`message`].
const CODE: &str = "482913";

pub(super) fn message() -> Message {
    Message {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        to: Recipient::Phone(PhoneNumber::parse("+491701234581", None).unwrap()),
        text: Hidden::from("482913 is your code & more"),
        subject: Hidden::from("Your code"),
        code: Hidden::from(CODE),
        user: "alice".to_owned(),
        serial: "SMS0001".to_owned(),
        until_ms: 1_440_938_460_000,
        validity_ms: 300_000,
    }
}
