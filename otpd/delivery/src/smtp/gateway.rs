//! SMS through a gateway that takes e-mail.

use otp_core::contact::{MailAddress, PhoneNumber};

use super::{
    Settings,
    submission::Submission,
    template::{Template, Values},
};
use crate::{Answer, Channel, Failure, Message, Pending, PhoneFormat, Recipient};

/// `[provider.sms.NAME]` of type `smtp`. In `to`, `subject` and `body` stand `{phone}` for the
/// number; in `subject` and `body` also `{text}` for the message and `{otp}` for the code alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// How the gateway is reached.
    pub mail: Settings,
    /// The gateway's address, for example `{phone}@sms.example`; one address when the number is
    /// in it. Required.
    pub to: String,
    /// The subject. Default `[otpd]`.
    pub subject: String,
    /// The text. Default `{text}`.
    pub body: String,
    /// How the number is written: digits or e164. Default: e164.
    pub number: PhoneFormat,
}

impl GatewaySettings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(mail: Settings, to: String) -> Self {
        let (subject, body) = ("[otpd]".to_owned(), "{text}".to_owned());
        Self { mail, to, subject, body, number: PhoneFormat::default() }
    }
}

/// A provider of SMS that takes e-mail.
pub struct Gateway {
    submission: Submission,
    to: Template,
    subject: Template,
    body: Template,
    number: PhoneFormat,
}

impl Gateway {
    /// Checks the settings; reads the certificates.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: GatewaySettings) -> Result<Self, String> {
        let GatewaySettings { mail, to, subject, body, number } = settings;
        let read = |name: &str, text: &str, allowed: &[&str]| {
            Template::parse(text, allowed).map_err(|wrong| format!("{name} = \"{text}\": {wrong}"))
        };
        let gateway = Self {
            submission: Submission::new(mail)?,
            to: read("to", &to, &["phone"])?,
            subject: read("subject", &subject, &["phone", "otp", "text"])?,
            body: read("body", &body, &["phone", "otp", "text"])?,
            number,
        };
        if !gateway.subject.has_code() && !gateway.body.has_code() {
            return Err(
                "neither subject nor body holds {text} or {otp}: no code is sent".to_owned()
            );
        }
        let example = "+999999999999999".to_owned();
        let example = PhoneNumber::try_from(example).map_err(|error| error.to_string())?;
        gateway.address(&example).map_err(|error| {
            format!("to = \"{to}\" with a number for {{phone}}: {error}; allowed is one address")
        })?;
        Ok(gateway)
    }

    fn address(&self, phone: &PhoneNumber) -> Result<MailAddress, otp_core::error::Error> {
        let phone = self.number.of(phone);
        MailAddress::parse(&self.to.fill(Values { phone, otp: "", text: "" }))
    }

    async fn hand_over(&self, message: &Message) -> Answer {
        let Recipient::Phone(phone) = &message.to else {
            let text = "this provider carries SMS; e-mail needs a [provider.email.NAME]";
            return Err(Failure::Unavailable(text.to_owned()));
        };
        let to = self.address(phone).map_err(|_| {
            Failure::Unavailable("`to` is no mail address with this number in it".to_owned())
        })?;
        let (otp, text) = (message.code.expose(), message.text.expose());
        let values = Values { phone: self.number.of(phone), otp, text };
        let (subject, body) = (self.subject.fill(values), self.body.fill(values));
        self.submission.submit(&to, (&subject, &body), message).await
    }
}

impl Channel for Gateway {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }
}
