//! An issued code on its way to the user: the message, within the budget.

use otp_core::{
    code::Digits,
    contact::{Channel, Contacts},
    issued::NewCode,
};
use otp_delivery::{Hidden, Message};
use otp_ipc::IssueOptions;

use super::{
    Engine, Error,
    attempt::{address, exhausted, recipient},
    contact::in_force,
    outbox::Letter,
};
use crate::{
    config::Config,
    store::{Outgoing, Work},
    template::Values,
};

/// The service in a message about a code that is good at all of them.
const ANY_SERVICE: &str = "login";

/// A code on its way to the user.
pub(super) struct Sending {
    channel: Channel,
    message: String,
    host: String,
    known: Contacts,
}

impl Engine {
    /// What sends the code, where it is to be sent.
    pub(super) async fn sending(
        &self,
        options: &IssueOptions,
        config: &Config,
        user: &str,
    ) -> Result<Option<Sending>, Error> {
        let channel = match options.send.as_deref() {
            None => return Ok(None),
            Some("sms") => Channel::Sms,
            Some("email") => Channel::Email,
            Some(_) => {
                return Err(Error::InvalidArgument("send: allowed are sms and email".into()));
            }
        };
        let delivered = config.method(channel.name()).map(|method| config.providers_of(method));
        if delivered.is_none_or(|providers| providers.is_empty()) {
            let name = channel.name();
            let text = format!(
                "nobody delivers by {name}; add [provider.{name}.NAME] to the configuration"
            );
            return Err(Error::NoCredential(text));
        }
        let message = super::random_id()?;
        let (host, known) = (self.facts.host.clone(), self.told_contacts(user, [channel]).await?);
        Ok(Some(Sending { channel, message, host, known }))
    }
}

impl Sending {
    /// The message, if the budget has it.
    pub(super) fn letter(
        self,
        work: &Work<'_>,
        user: &str,
        new: &NewCode,
        code: &Digits,
        config: &Config,
        now_ms: i64,
    ) -> Result<Letter, Error> {
        let set = work.account.as_ref().map(|account| account.contacts.clone()).unwrap_or_default();
        let contacts = in_force(&set, &self.known);
        let to = recipient(&contacts, self.channel, &config.budget).ok_or_else(|| {
            let text = "no number or address is known that codes may go to; see otpctl user set";
            Error::NoCredential(text.to_owned())
        })?;
        if exhausted(work, &config.budget, user, self.channel, &to, now_ms)? {
            return Err(Error::Busy(format!("the [budget] for {} is used up", to.masked())));
        }
        let shown = super::readable(code);
        let values = Values {
            otp: shown.expose(),
            user,
            service: new.service.as_deref().unwrap_or(ANY_SERVICE),
            host: &self.host,
            source: "otpctl",
            minutes: new.validity_ms.div_ceil(60_000),
        };
        let language = config.prompts.language(new.service.as_deref().unwrap_or_default());
        let template = config.template.of(language);
        let (text, subject) = match self.channel {
            Channel::Sms => (&template.sms, None),
            Channel::Email => (&template.body, Some(&template.subject)),
        };
        let text = Hidden::new(text.render(&values).to_string());
        let subject = subject.map(|subject| Hidden::new(subject.render(&values).to_string()));
        let message = Message {
            id: self.message,
            text,
            subject: subject.unwrap_or_default(),
            code: shown.clone(),
            user: user.to_owned(),
            serial: new.id.clone(),
            until_ms: now_ms.saturating_add_unsigned(new.validity_ms),
            validity_ms: new.validity_ms,
            to,
        };
        Ok(Letter {
            method: self.channel.name().to_owned(),
            service: values.service.to_owned(),
            sent_ms: now_ms,
            first: false,
            again: false,
            message,
        })
    }
}

/// A letter as the store takes it.
pub(super) fn outgoing(letter: &Letter) -> Outgoing {
    Outgoing {
        id: letter.message.id.clone(),
        channel: letter.message.to.medium(),
        recipient: address(&letter.message.to).to_owned(),
        time_ms: letter.sent_ms,
        until_ms: letter.message.until_ms,
        payload: letter.sealed(),
    }
}
