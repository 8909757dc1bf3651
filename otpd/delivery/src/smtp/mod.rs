//! E-mail by SMTP submission (RFC 6409), and SMS through a gateway that takes e-mail.

mod gateway;
mod login;
mod session;
mod submission;
mod template;

use std::{path::PathBuf, time::Duration};

use otp_core::contact::MailAddress;

use crate::{Answer, Channel, Failure, Hidden, Message, Pending, Recipient};

pub use gateway::{Gateway, GatewaySettings};
use submission::Submission;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// `starttls`: STARTTLS must be offered and must succeed before anything is said.
    #[default]
    StartTls,
    /// `implicit`: TLS from the first byte (RFC 8314).
    Implicit,
    /// `none`: everybody on the way reads the codes; for a relay at this machine. Takes no
    /// credentials.
    None,
}

/// How we prove who we are (RFC 4954).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mechanism {
    /// `any`: PLAIN, else LOGIN.
    #[default]
    Any,
    /// `plain`: RFC 4616.
    Plain,
    /// `login`: for servers that know nothing else.
    Login,
    /// `xoauth2`: an OAuth 2.0 access token in place of the password (Google, Microsoft).
    XOAuth2,
}

/// `[provider.email.NAME]` of type `smtp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The server's name, which its certificate must hold, or its address. Required.
    pub server: String,
    /// Its port. Default: 587 for STARTTLS, 465 for implicit TLS, 25 without TLS.
    pub port: Option<u16>,
    /// How the connection is protected. Default: starttls.
    pub tls: Tls,
    /// Certificates in PEM that are trusted as roots instead of the system's. Default: the
    /// system's.
    pub ca: Option<PathBuf>,
    /// Whom we log in as; only under TLS, and never without: where the server takes no login,
    /// nothing is sent. Default: no login.
    pub user: Option<String>,
    /// The user's password; for xoauth2 the access token. Required with `user`, unless there is a
    /// `token_program`.
    pub password: Option<Hidden>,
    /// How we log in. Default: any.
    pub mechanism: Mechanism,
    /// For xoauth2: a program (an absolute path that only root can write) that prints an access
    /// token, with its arguments; it is run for each message. Default: none.
    pub token_program: Vec<String>,
    /// What From shows: `address` or `Name <address>`. Required.
    pub from: String,
    /// The envelope's sender, who gets the bounces. Default: the address in `from`.
    pub envelope_from: Option<MailAddress>,
    /// Our host's name, for EHLO and the Message-ID. Default: the machine's.
    pub hello: String,
    /// The limit for one message, from the connection to the server's last word. 1–9 s, default
    /// 8 s.
    pub timeout: Duration,
}

impl Settings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(server: String, from: String, hello: String) -> Self {
        Self {
            server,
            port: None,
            tls: Tls::default(),
            ca: None,
            user: None,
            password: None,
            mechanism: Mechanism::default(),
            token_program: Vec::new(),
            from,
            envelope_from: None,
            hello,
            timeout: Duration::from_secs(8),
        }
    }
}

/// A provider of e-mail over SMTP. Each message has a connection of its own.
pub struct Smtp(Submission);

impl Smtp {
    /// Checks the settings; reads the certificates.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Submission::new(settings).map(Self)
    }

    async fn hand_over(&self, message: &Message) -> Answer {
        let Recipient::Mailbox(to) = &message.to else {
            let text = "SMS over SMTP needs a gateway: [provider.sms.NAME] with `to`";
            return Err(Failure::Unavailable(text.to_owned()));
        };
        let contents = (message.subject.expose(), message.text.expose());
        self.0.submit(to, contents, message, &[]).await
    }
}

impl Channel for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }
}

#[cfg(test)]
mod tests;
