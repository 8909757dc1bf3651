//! What a program says by its exit status (BSD's sysexits.h).

use zeroize::Zeroizing;

use crate::{Failure, Message, Receipt, program::Output, redact, scrub};

/// The temporary failure.
const TEMPORARY: i32 = 75;
/// Longest id of a message.
const ID: usize = 128;

/// Status 0 is success, and the first line of the output is the provider's id of the message.
///
/// # Errors
/// [`Failure::Refused`] for a status out of `refused`, [`Failure::Unknown`] for a program that a
/// signal has ended, [`Failure::Unavailable`] for every other status.
pub(crate) fn judge(
    name: &str,
    output: &Output,
    refused: &[i32],
    message: &Message,
) -> Result<Receipt, Failure> {
    match output.status.code() {
        Some(0) => {
            let first = output.stdout.split(|c| *c == b'\n').next().unwrap_or_default();
            let id = Some(redact(&text(&[first]), message, &[], ID)).filter(|id| !id.is_empty());
            Ok(Receipt { id, reply: said(&[&output.stdout, &output.stderr], message) })
        }
        Some(code) => {
            let said = said(&[&output.stderr, &output.stdout], message);
            let text = format!("{name} ended with {code} ({}): {said}", meaning(code));
            let text = text.trim_end_matches(": ").to_owned();
            Err(if refused.contains(&code) {
                Failure::Refused(text)
            } else {
                Failure::Unavailable(text)
            })
        }
        None => Err(Failure::Unknown(format!("{name}: {}", output.status))),
    }
}

/// What a program wrote, in one line, scrubbed.
pub(crate) fn said(outputs: &[&[u8]], message: &Message) -> String {
    scrub(&text(outputs), message, &[])
}

fn text(outputs: &[&[u8]]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for output in outputs {
        text.push_str(&Zeroizing::new(String::from_utf8_lossy(output).into_owned()));
        text.push(' ');
    }
    text
}

fn meaning(code: i32) -> &'static str {
    match code {
        64 => "wrong usage",
        65 => "wrong data",
        66 => "no input",
        67 => "unknown recipient",
        68 => "unknown host",
        69 => "a service is unavailable",
        70 => "an internal error",
        71 => "an error of the system",
        72 => "a file of the system is missing",
        73 => "a file cannot be made",
        74 => "an error while reading or writing",
        TEMPORARY => "a temporary failure",
        76 => "the other side broke the protocol",
        77 => "permission denied",
        78 => "wrong configuration",
        126 => "cannot be executed",
        127 => "a command was not found",
        _ => "failed",
    }
}
