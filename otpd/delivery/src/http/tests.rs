//! Against servers on loopback that answer as they are told.

mod auth;
mod hostile;
mod recipes;
mod rules;
mod sending;
mod server;

use super::*;
use crate::Recipient;

/// The code of [`message`].
const CODE: &str = "482913";

pub(super) fn message() -> Message {
    Message {
        text: Hidden::from("482913 is your code & more"),
        subject: Hidden::from("Your code"),
        serial: "SMS0001".to_owned(),
        until_ms: 1_440_938_460_000,
        ..Message::example(Recipient::phone())
    }
}
