//! `[template]`: what messages say.

use otp_delivery::smpp::{Alphabet, parts};

use super::{error::ConfigError, section::Section};
use crate::template::{CODE, Template as Text, Values};

/// What messages say. `{otp}`, `{user}`, `{service}`, `{host}`, `{source}` and `{minutes}` stand
/// for their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text of an SMS: one line.
    pub sms: Text,
    /// The subject of an e-mail: one line.
    pub subject: Text,
    /// The text of an e-mail.
    pub body: Text,
}

impl Default for Template {
    fn default() -> Self {
        Self {
            sms: Text::built_in("{otp} is your code for {service} on {host}"),
            subject: Text::built_in("Your code for {host}"),
            body: Text::built_in(
                "{otp} is your code for {service} on {host}.\n\nIt was asked for by a login of \
                 {user} from {source} and is good for {minutes} minutes. Give it to nobody. If \
                 you did not log in, somebody knows your password: change it.\n",
            ),
        }
    }
}

impl Template {
    pub(super) fn read(
        mut section: Section,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let default = Self::default();
        let sms = section.parsed("sms", |text| line(text).and_then(with_code))?;
        if let Some((template, place)) = &sms
            && parts(&template.render(&TYPICAL), Alphabet::Gsm7) > 1
        {
            warnings.push(format!(
                "{place}: template.sms does not fit into one SMS where its values are long: it has \
                 room for 160 characters, or for 70 where one of them is not of GSM 03.38"
            ));
        }
        let subject = section.parsed("subject", line)?;
        let body = section.parsed("body", |text| Text::parse(text).and_then(with_code))?;
        section.end()?;
        Ok(Self {
            sms: sms.map_or(default.sms, |(sms, _)| sms),
            subject: subject.map_or(default.subject, |(subject, _)| subject),
            body: body.map_or(default.body, |(body, _)| body),
        })
    }
}

/// The longest values that are usual; this host's name is not known here.
const TYPICAL: Values<'_> = Values {
    otp: "00000000",
    user: "xxxxxxxxxxxxxxxx",
    service: "xxxxxxxx",
    host: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    source: "2001:0db8:ffff:ffff:ffff:ffff:ffff:ffff",
    minutes: 60,
};

fn line(text: &str) -> Result<Text, String> {
    if text.contains('\n') {
        return Err("one line is allowed".to_owned());
    }
    Text::parse(text)
}

fn with_code(template: Text) -> Result<Text, String> {
    if template.has(CODE) { Ok(template) } else { Err("the code is missing: add {otp}".to_owned()) }
}
