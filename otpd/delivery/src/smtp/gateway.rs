//! SMS through a gateway that takes e-mail.

use otp_core::contact::{MailAddress, PhoneNumber};

use super::{
    Settings,
    submission::Submission,
    template::{Template, Values},
};
use crate::{Answer, Channel, Failure, Hidden, Message, Pending, PhoneFormat, Recipient};

/// `[provider.sms.NAME]` of type `smtp`. In `to`, `subject` and `body` stand `{phone}` for the
/// number; in `subject` and `body` also `{text}` for the message and `{otp}` for the code alone.
/// Some gateways want the account's password in one of these two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySettings {
    /// How the gateway is reached.
    pub mail: Settings,
    /// The gateway's address, for example `{phone}@sms.example`; one address when the number is
    /// in it. Required.
    pub to: String,
    /// The subject. Default `[otpd]`.
    pub subject: Hidden,
    /// The text. Default `{text}`.
    pub body: Hidden,
    /// How the number is written: digits or e164. Default: e164.
    pub number: PhoneFormat,
}

impl GatewaySettings {
    /// The defaults around what is required.
    #[must_use]
    pub fn new(mail: Settings, to: String) -> Self {
        let (subject, body) = ("[otpd]".into(), "{text}".into());
        Self { mail, to, subject, body, number: PhoneFormat::default() }
    }
}

/// A provider of SMS that takes e-mail.
pub struct Gateway {
    submission: Submission,
    to: Template,
    subject: Template,
    body: Template,
    /// What no text of ours may repeat of the two.
    secrets: Vec<Hidden>,
    number: PhoneFormat,
}

impl Gateway {
    /// Checks the settings; reads the certificates.
    ///
    /// # Errors
    /// A text that says which setting is wrong and what is allowed.
    pub fn new(settings: GatewaySettings) -> Result<Self, String> {
        let GatewaySettings { mail, to, subject, body, number } = settings;
        let read = |name: &str, text: &Hidden| {
            Template::parse(text.expose(), &["phone", "otp", "text"]).map_err(|_| {
                format!("{name}: a word in braces is none of {{phone}} {{otp}} {{text}}")
            })
        };
        let (subject, body) = (read("subject", &subject)?, read("body", &body)?);
        let gateway = Self {
            submission: Submission::new(mail)?,
            to: Template::parse(&to, &["phone"])
                .map_err(|wrong| format!("to = \"{to}\": {wrong}"))?,
            secrets: [&subject, &body].into_iter().flat_map(Template::secrets).collect(),
            subject,
            body,
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
        self.submission.submit(&to, (&subject, &body), message, &self.secrets).await
    }
}

impl Channel for Gateway {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(self.hand_over(message))
    }
}
