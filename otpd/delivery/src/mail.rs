//! An e-mail as it is handed to a mail system (RFC 5322).

use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use lettre::{
    Message as Letter,
    message::{
        Mailbox, SinglePart,
        header::{Date, Header, HeaderName, HeaderValue},
    },
};
use otp_core::contact::MailAddress;
use zeroize::Zeroizing;

use crate::{Failure, Message};

/// Subjects are cut to so many characters.
const SUBJECT: usize = 200;
/// A subject of printable ASCII that is not longer stands in its line as it is.
const PLAIN_SUBJECT: usize = 60;
/// Bytes in one encoded word: 60 characters of base64 (RFC 2047 section 2: at most 75 in all).
const ENCODED_WORD: usize = 45;
/// The last second that a date can name, 9999-12-31T23:59:59Z.
const LAST_SECOND: u64 = 253_402_300_799;

/// Who writes.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    from: Mailbox,
    envelope: MailAddress,
    host: String,
}

impl Sender {
    /// Takes what From shows (`address` or `Name <address>`), the envelope's sender if it is
    /// another one, and our host's name.
    ///
    /// # Errors
    /// A text that says which of them is wrong and what is allowed.
    pub(crate) fn new(
        from: &str,
        envelope: Option<&MailAddress>,
        host: &str,
    ) -> Result<Self, String> {
        let allowed = "allowed are an address and Name <address>";
        if from.chars().any(char::is_control) {
            return Err(format!("from holds a control character; {allowed}"));
        }
        let from: Mailbox =
            from.parse().map_err(|_| format!("from = \"{from}\" is no sender; {allowed}"))?;
        let address = MailAddress::parse(from.email.as_ref())
            .map_err(|error| format!("from = \"{from}\": {error}; {allowed}"))?;
        if !is_host(host) {
            return Err(format!("hello = \"{host}\" is not a host's name, for example a.example"));
        }
        let envelope = envelope.cloned().unwrap_or(address);
        Ok(Self { from, envelope, host: host.to_owned() })
    }

    /// Whom failures are reported to.
    pub(crate) fn envelope(&self) -> &MailAddress {
        &self.envelope
    }

    /// Our host's name.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Writes the e-mail: lines of ASCII that end in CR LF. The date is when the code was made.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] without any of the contents.
    pub(crate) fn write(
        &self,
        to: &MailAddress,
        (subject, text): (&str, &str),
        message: &Message,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let failed = |what| Failure::Unavailable(format!("the e-mail cannot be written: {what}"));
        if !message.id.bytes().all(|c| c.is_ascii_alphanumeric()) {
            return Err(failed("the message's id does not fit into a Message-ID"));
        }
        let to = to.as_str().parse().map_err(|_| failed("the mail library refuses the address"))?;
        let letter = Letter::builder()
            .header(Date::new(made(message)))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .raw_header(subject_line(subject))
            .message_id(Some(format!("<{}@{}>", message.id, self.host)))
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .singlepart(SinglePart::plain(text_lines(text)))
            .map_err(|_| failed("the mail library refuses it"))?;
        let mut bytes = Zeroizing::new(letter.formatted());
        if !bytes.ends_with(b"\r\n") {
            bytes.extend_from_slice(b"\r\n");
        }
        Ok(bytes)
    }
}

/// When the code was made.
fn made(message: &Message) -> SystemTime {
    let until = u64::try_from(message.until_ms).unwrap_or_default();
    let made = Duration::from_millis(until.saturating_sub(message.validity_ms));
    SystemTime::UNIX_EPOCH + made.min(Duration::from_secs(LAST_SECOND))
}

/// `Subject`, in one header whatever it holds: controls become spaces, and what is not plain text,
/// or could be taken for an encoded word, is encoded (RFC 2047).
fn subject_line(subject: &str) -> HeaderValue {
    let spaced = subject.chars().take(SUBJECT).map(|c| if c.is_control() { ' ' } else { c });
    let line: String = spaced.collect();
    let plain = line.len() <= PLAIN_SUBJECT && line.is_ascii() && !line.contains("=?");
    let encoded = if plain { line.clone() } else { encoded_words(&line) };
    let name = lettre::message::header::Subject::name();
    HeaderValue::dangerous_new_pre_encoded(name, line, encoded)
}

/// A text without controls but line ends, of which the library makes CR LF: a CR or LF alone is a
/// line's end to some servers and none to others.
fn text_lines(text: &str) -> String {
    let lines = Zeroizing::new(text.replace("\r\n", "\n"));
    let character = |c| match c {
        '\r' | '\n' => '\n',
        '\t' => '\t',
        c if c.is_control() => ' ',
        c => c,
    };
    lines.chars().map(character).collect()
}

fn encoded_words(line: &str) -> String {
    let (mut words, mut word) = (Vec::new(), String::new());
    for c in line.chars() {
        if word.len() + c.len_utf8() > ENCODED_WORD {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let encode = |word: &String| format!("=?utf-8?B?{}?=", BASE64.encode(word.as_bytes()));
    words.iter().map(encode).collect::<Vec<_>>().join("\r\n ")
}

/// Whether a text is a host's name: what may stand behind the '@' of an address.
pub(crate) fn is_host(text: &str) -> bool {
    !text.contains('@') && MailAddress::parse(&format!("a@{text}")).is_ok()
}

#[cfg(test)]
mod tests;
