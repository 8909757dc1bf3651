//! SMS over a modem or telephone at this machine, with gnokii.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use otp_core::contact::PhoneNumber;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::{
    Answer, Channel, Failure, Message, Pending, Receipt, Recipient,
    program::{self, Fault, Output, Program},
    sysexits::said,
};

/// The release that cannot send.
const BROKEN: &str = "0.6.28";

/// `[provider.sms.NAME]` of type `gnokii`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// gnokii 0.6.29 or newer: an absolute path that only root can write. Default
    /// `/usr/bin/gnokii`.
    pub path: PathBuf,
    /// Its configuration (gnokiirc), an absolute path. Required.
    pub config: PathBuf,
    /// The number of the network's message centre, in place of the SIM's. Default: the SIM's.
    pub smsc: Option<PhoneNumber>,
    /// A folder that this process can write: gnokii's home, where it leaves its log. Required.
    pub state: PathBuf,
    /// When gnokii is killed: a silent modem keeps it for ever. 1–60 s, default 20 s.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(config: PathBuf, state: PathBuf) -> Self {
        let path = "/usr/bin/gnokii".into();
        Self { path, config, smsc: None, state, timeout: Duration::from_secs(20) }
    }
}

/// A provider of SMS over gnokii.
pub struct Gnokii {
    settings: Settings,
    version: OnceCell<()>,
}

impl Gnokii {
    /// Checks the settings. The program's release is checked before the first message.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: Settings) -> Result<Self, String> {
        program::check(&settings.path)?;
        program::check_limit(settings.timeout)?;
        for (name, path) in [("config", &settings.config), ("state", &settings.state)] {
            if !path.is_absolute() {
                let path = path.display();
                return Err(format!("{name} = \"{path}\": the path starts with /"));
            }
        }
        Ok(Self { settings, version: OnceCell::new() })
    }

    async fn hand_over(&self, message: &Message) -> Answer {
        let Recipient::Phone(number) = &message.to else {
            return Err(Failure::Unavailable("gnokii carries SMS only".to_owned()));
        };
        let Settings { config, smsc, .. } = &self.settings;
        let config = config.to_str().ok_or_else(|| {
            Failure::Unavailable("gnokii: config is not a path of UTF-8".to_owned())
        })?;
        self.version.get_or_try_init(|| self.check_version(message)).await?;
        let mut arguments = vec!["--config", config, "--sendsms", number.as_str()];
        if let Some(smsc) = smsc {
            arguments.extend(["--smsc", smsc.as_str()]);
        }
        let text = within_the_plane(message.text.expose());
        let output = self.run(&arguments, text.as_bytes()).await?;
        judge(&output, message)
    }

    /// Refuses the release that cannot send.
    async fn check_version(&self, message: &Message) -> Result<(), Failure> {
        let output = self.run(&["--version"], b"").await?;
        let told = said(&[&output.stdout, &output.stderr], message);
        let release = told
            .split_whitespace()
            .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
        let path = self.settings.path.display();
        match release.map(|release| release.trim_end_matches([',', ';'])) {
            Some(BROKEN) => Err(Failure::Unavailable(format!(
                "{path} is release {BROKEN}, which cannot send; install 0.6.29 or newer"
            ))),
            Some(_) => Ok(()),
            None => Err(Failure::Unavailable(format!("{path} --version tells no release: {told}"))),
        }
    }

    async fn run(&self, arguments: &[&str], stdin: &[u8]) -> Result<Output, Fault> {
        let Settings { path, state, timeout, .. } = &self.settings;
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        // Without a UTF-8 locale gnokii cuts the text at the first letter that is not ASCII.
        let environment = [("LC_ALL", "C.UTF-8".as_ref()), ("HOME", state.as_os_str())];
        Program {
            path,
            arguments: &arguments,
            environment: &environment,
            folder: Path::new(state),
            limit: *timeout,
        }
        .run(stdin)
        .await
    }
}

impl Channel for Gnokii {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }

    /// One port, one gnokii.
    fn width(&self) -> usize {
        1
    }

    fn limit(&self) -> Duration {
        self.settings.timeout + program::GRACE
    }
}

/// gnokii cuts a text at the first character beyond the basic plane and ends with 0: such ones give
/// way to a question mark, so that a code behind them arrives.
fn within_the_plane(text: &str) -> Zeroizing<String> {
    let mut within = Zeroizing::new(String::with_capacity(text.len()));
    within.extend(text.chars().map(|c| if u32::from(c) > 0xffff { '?' } else { c }));
    within
}

/// Status 0 is success; gnokii tells no id.
fn judge(output: &Output, message: &Message) -> Answer {
    let reply = said(&[&output.stderr, &output.stdout], message);
    let Some(code) = output.status.code() else {
        return Err(Failure::Unknown(format!("gnokii: {}", output.status)));
    };
    let meaning = match code {
        0 => return Ok(Receipt { id: None, reply }),
        8 => "the network refused the message (CMS error): check the SIM, its credit and smsc",
        28 => "the SIM is locked: give it its PIN, or switch the PIN off",
        255 => {
            "the port in the configuration is missing or forbidden: check that it exists, and add \
             the account that otpd runs as to the group dialout"
        }
        _ => "failed",
    };
    let text = format!("gnokii ended with {code}: {meaning}: {reply}");
    Err(Failure::Unavailable(text.trim_end_matches(": ").to_owned()))
}

#[cfg(test)]
mod tests;
