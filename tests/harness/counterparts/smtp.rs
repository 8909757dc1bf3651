//! Mail servers: aiosmtpd.

use std::{fs, path::PathBuf, process::Stdio};

use serde::Deserialize;

use super::{
    Counterpart, Received, await_port,
    certificates::{Certificate, Flaw},
    documents, folder, free_port, python,
};
use crate::process::Process;

/// Who may send, where anybody must say who it is.
pub const USER: &str = "otp";
/// With this password.
pub const SECRET: &str = "mail-Secret-77";

/// How a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not before STARTTLS; then it wants [`USER`] and [`SECRET`].
    Start,
    /// From the first byte on; then it wants [`USER`] and [`SECRET`].
    Implicit,
    /// Never; anybody may send.
    Plain,
}

/// A message with what only e-mail has.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The recipients of the envelope, separated by commas.
    pub to: String,
    /// The envelope's sender.
    pub from: String,
    /// The header of that name, decoded.
    pub subject: String,
    /// The text, decoded.
    pub text: String,
    /// All headers in turn, decoded.
    pub headers: Vec<(String, String)>,
    /// The message as it came.
    pub raw: String,
    /// Whether it came over TLS.
    pub encrypted: bool,
}

/// A running mail server; ends when dropped.
pub struct Smtp {
    _process: Process,
    port: u16,
    tls: Tls,
    certificate: Option<Certificate>,
    inbox: PathBuf,
}

impl Smtp {
    pub(crate) fn start(tls: Tls, flaw: Flaw) -> Self {
        let (port, inbox) = (free_port(), PathBuf::from(folder("smtp")).join("inbox"));
        let mut server = python("smtp.py");
        let mode = match tls {
            Tls::Start => "start",
            Tls::Implicit => "implicit",
            Tls::Plain => "plain",
        };
        server.args([&port.to_string(), mode]).arg(&inbox).stderr(Stdio::null());
        let certificate = (tls != Tls::Plain).then(|| Certificate::new(flaw));
        if let Some(Certificate { certificate, key, .. }) = &certificate {
            // Not as arguments: everybody can read those.
            let account = inbox.with_file_name("account");
            fs::write(&account, format!("{USER}\n{SECRET}\n")).unwrap();
            server.args([certificate, key]).arg(account);
        }
        let process = Process::start(&mut server);
        await_port("the mail server", port);
        Self { _process: process, port, tls, certificate, inbox }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What arrived, with all that e-mail has.
    pub fn mails(&self) -> Vec<Mail> {
        documents(&self.inbox)
    }

    /// The keys of a provider that say how to reach it.
    pub fn server(&self) -> String {
        let tls = match self.tls {
            Tls::Start => "starttls",
            Tls::Implicit => "implicit",
            Tls::Plain => "none",
        };
        let mut keys = format!(
            "type = \"smtp\"\nserver = \"127.0.0.1\"\nport = {}\ntls = \"{tls}\"\n",
            self.port
        );
        if let Some(certificate) = &self.certificate {
            keys += &format!(
                "user = \"{USER}\"\npassword = \"{SECRET}\"\nca = {:?}\n",
                certificate.authority
            );
        }
        keys
    }

    /// The section of a provider of SMS: the gateway takes the number in the subject.
    pub fn sms_provider(&self, name: &str) -> String {
        format!(
            "[provider.sms.{name}]\n{}from = \"otp@example.com\"\nto = \"gateway@example.net\"\nsubject = \"{{phone}}\"\nbody = \"{{text}}\"\n",
            self.server()
        )
    }
}

impl Counterpart for Smtp {
    fn provider(&self, name: &str) -> String {
        format!("[provider.email.{name}]\n{}from = \"otp@example.com\"\n", self.server())
    }

    fn messages(&self) -> Vec<Received> {
        documents(&self.inbox)
    }
}
