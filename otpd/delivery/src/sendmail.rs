//! E-mail over the machine's own mail system: its `sendmail` program.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use otp_core::contact::MailAddress;
use zeroize::Zeroizing;

use crate::{
    Answer, Channel, Failure, Message, Pending, Recipient,
    mail::Sender,
    program::{self, Program},
    sysexits,
};

/// No such user, no such host: the recipient is wrong.
const REFUSED: [i32; 2] = [67, 68];

/// `[provider.email.NAME]` of type `sendmail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program, taking sendmail's arguments (Postfix, Exim, OpenSMTPD, msmtp, …); an absolute
    /// path that only root can write. Default `/usr/sbin/sendmail`.
    pub path: PathBuf,
    /// What From shows: `address` or `Name <address>`. Required.
    pub from: String,
    /// The envelope's sender, who gets the bounces. Default: the address in `from`.
    pub envelope_from: Option<MailAddress>,
    /// Our host's name, in the Message-ID. Default: the machine's.
    pub hello: String,
    /// When the program is killed. 1–60 s, default 9 s.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(from: String, hello: String) -> Self {
        let path = "/usr/sbin/sendmail".into();
        Self { path, from, envelope_from: None, hello, timeout: Duration::from_secs(9) }
    }
}

/// A provider of e-mail that hands messages to a program.
pub struct Sendmail {
    path: PathBuf,
    sender: Sender,
    timeout: Duration,
}

impl Sendmail {
    /// Checks the settings.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let Settings { path, from, envelope_from, hello, timeout } = settings;
        program::check(path)?;
        program::check_limit(*timeout)?;
        let sender = Sender::new(from, envelope_from.as_ref(), hello)?;
        Ok(Self { path: path.clone(), sender, timeout: *timeout })
    }

    async fn hand_over(&self, message: &Message) -> Answer {
        let Recipient::Mailbox(to) = &message.to else {
            return Err(Failure::Unavailable("sendmail carries e-mail only".to_owned()));
        };
        let contents = (message.subject.expose(), message.text.expose());
        let mail = self.sender.write(to, contents, message)?;
        let from = self.sender.envelope().as_str();
        let arguments = ["-i", "-f", from, "--", to.as_str()].map(AsRef::as_ref);
        let program = Program {
            path: &self.path,
            arguments: &arguments,
            environment: &[],
            folder: Path::new("/"),
            limit: self.timeout,
        };
        let output = program.run(&unix_lines(&mail)).await?;
        let name = self.path.display().to_string();
        // What it prints is not an id.
        sysexits::judge(&name, &output, &REFUSED, message)
            .map(|receipt| crate::Receipt { id: None, ..receipt })
    }
}

impl Channel for Sendmail {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }

    fn limit(&self) -> Duration {
        self.timeout + program::GRACE
    }
}

/// Lines that end in LF alone: what is given to programs of a Unix system.
fn unix_lines(mail: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(mail.iter().copied().filter(|c| *c != b'\r').collect())
}

#[cfg(test)]
mod tests;
