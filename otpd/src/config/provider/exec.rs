//! `type = "exec"`: a program of the administrator's.

use otp_delivery::{Provider, exec::Settings};

use super::{Reader, Result, smtp::phone_format};

pub(super) fn email(reader: &mut Reader<'_>) -> Result<Provider> {
    settings(reader).map(Provider::Exec)
}

/// The same with the form of the number.
pub(super) fn sms(reader: &mut Reader<'_>) -> Result<Provider> {
    let mut settings = settings(reader)?;
    settings.number = phone_format(&mut reader.section)?;
    Ok(Provider::Exec(settings))
}

fn settings(reader: &mut Reader<'_>) -> Result<Settings> {
    let mut settings = Settings::new(reader.required_path("path")?);
    let arguments = reader.section.list("arguments", 0, super::TEXT, super::plain)?;
    settings.arguments = arguments.unwrap_or_default();
    settings.timeout = reader.program_time(settings.timeout)?;
    Ok(settings)
}
