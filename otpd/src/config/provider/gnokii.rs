//! `type = "gnokii"`: a telephone or modem at this machine.

use otp_core::contact::PhoneNumber;
use otp_delivery::{Provider, gnokii::Settings};

use super::{Reader, Result};
use crate::config::section::text;

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    let config = reader.required_path("config")?;
    let state = reader.path_or("state", reader.around.state.clone())?;
    let mut settings = Settings::new(config, state);
    settings.path = reader.path_or("path", settings.path)?;
    let smsc = reader.section.value("smsc", "a number like \"+491710760000\"", |value| {
        PhoneNumber::parse(text(value)?, None).ok()
    })?;
    settings.smsc = smsc.map(|(smsc, _)| smsc);
    settings.timeout = reader.program_time(settings.timeout)?;
    Ok(Provider::Gnokii(settings))
}
