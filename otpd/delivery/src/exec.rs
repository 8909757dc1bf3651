//! SMS and e-mail over a program of the administrator's.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Answer, Channel, Message, Pending, PhoneFormat, Recipient,
    program::{self, Program},
    sysexits,
};

/// Wrong data, no such user, no such host: the message or its recipient is wrong.
const REFUSED: [i32; 3] = [65, 67, 68];

/// `[provider.sms.NAME]` and `[provider.email.NAME]` of type `exec`. The program is called with
/// `arguments` and then the number or the address, gets the text on its standard input (UTF-8,
/// without a line end) and has no environment. It ends with 0 when the message is sent, and may
/// print the message's id in its first line; 75 is a temporary failure; 65, 67 and 68 mean that
/// the message or its recipient is refused, so that no other provider is asked; any other status
/// is a failure of this provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program: an absolute path that only root can write. Required.
    pub path: PathBuf,
    /// What precedes the number or address. Everybody on the machine can read it. Default: none.
    pub arguments: Vec<String>,
    /// How the number is written. Default: e164.
    pub number: PhoneFormat,
    /// When the program is killed, with its process group. 1–60 s, default 9 s.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let number = PhoneFormat::E164;
        Self { path, arguments: Vec::new(), number, timeout: Duration::from_secs(9) }
    }
}

/// A provider that hands messages to a program.
pub struct Exec(Settings);

impl Exec {
    /// Checks the settings.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: Settings) -> Result<Self, String> {
        program::check(&settings.path)?;
        program::check_limit(settings.timeout)?;
        if settings.arguments.iter().any(|argument| argument.contains('\0')) {
            return Err("arguments: a program's argument holds no NUL".to_owned());
        }
        Ok(Self(settings))
    }

    async fn hand_over(&self, message: &Message) -> Answer {
        let Settings { path, arguments, number, timeout } = &self.0;
        let to = match &message.to {
            Recipient::Phone(phone) => number.of(phone),
            Recipient::Mailbox(address) => address.as_str(),
        };
        let fixed = arguments.iter().map(String::as_str);
        let arguments: Vec<&OsStr> = fixed.chain([to]).map(OsStr::new).collect();
        let program = Program {
            path,
            arguments: &arguments,
            environment: &[],
            folder: Path::new("/"),
            limit: *timeout,
        };
        let output = program.run(message.text.expose().as_bytes()).await?;
        sysexits::judge(&path.display().to_string(), &output, &REFUSED, message)
    }
}

impl Channel for Exec {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }

    fn limit(&self) -> Duration {
        self.0.timeout + program::GRACE
    }
}

#[cfg(test)]
mod tests;
