//! A program that takes mail as sendmail does: msmtp, which hands it to a mail server.

use std::fs;

use super::{
    Counterpart, Received,
    certificates::Flaw,
    smtp::{Mail, Smtp, Tls},
};

/// msmtp, configured for a mail server that runs until this is dropped.
pub struct Sendmail(Smtp);

impl Sendmail {
    pub(crate) fn start() -> Self {
        let server = Smtp::start(Tls::Plain, Flaw::None);
        let configuration =
            format!("account default\nhost 127.0.0.1\nport {}\ntls off\nauth off\n", server.port());
        fs::write("/etc/msmtprc", configuration).unwrap();
        Self(server)
    }

    /// What arrived, with all that e-mail has.
    pub fn mails(&self) -> Vec<Mail> {
        self.0.mails()
    }
}

impl Counterpart for Sendmail {
    fn provider(&self, name: &str) -> String {
        format!(
            "[provider.email.{name}]\ntype = \"sendmail\"\npath = \"/usr/bin/msmtp\"\nfrom = \"otp@example.com\"\n"
        )
    }

    fn messages(&self) -> Vec<Received> {
        self.0.messages()
    }
}
