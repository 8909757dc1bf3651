//! `type = "sendmail"`: the machine's own mail system.

use otp_delivery::{Provider, sendmail::Settings};

use super::{Reader, Result, smtp::envelope_from};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    let mut settings = Settings::new(reader.required_text("from")?, reader.hello()?);
    settings.path = reader.path_or("path", settings.path)?;
    settings.envelope_from = envelope_from(&mut reader.section)?;
    settings.timeout = reader.program_time(settings.timeout)?;
    Ok(Provider::Sendmail(settings))
}
