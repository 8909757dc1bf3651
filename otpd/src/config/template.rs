//! `[template]`: what messages say.

use super::{error::ConfigError, section::Section};
use crate::template::{CODE, Template as Text};

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
    pub(super) fn read(mut section: Section) -> Result<Self, ConfigError> {
        let default = Self::default();
        let template = Self {
            sms: section
                .parsed("sms", |text| line(text).and_then(with_code))?
                .unwrap_or(default.sms),
            subject: section.parsed("subject", line)?.unwrap_or(default.subject),
            body: section
                .parsed("body", |text| Text::parse(text).and_then(with_code))?
                .unwrap_or(default.body),
        };
        section.end()?;
        Ok(template)
    }
}

fn line(text: &str) -> Result<Text, String> {
    if text.contains('\n') {
        return Err("one line is allowed".to_owned());
    }
    Text::parse(text)
}

fn with_code(template: Text) -> Result<Text, String> {
    if template.has(CODE) { Ok(template) } else { Err("the code is missing: add {otp}".to_owned()) }
}
