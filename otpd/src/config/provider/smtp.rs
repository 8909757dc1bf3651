//! `type = "smtp"`: e-mail by submission, and SMS through a gateway that takes e-mail.

use otp_core::contact::MailAddress;
use otp_delivery::{
    Hidden, PhoneFormat, Provider,
    smtp::{GatewaySettings, Mechanism, Settings, Tls},
};

use super::{Reader, Result};
use crate::config::{
    duration::SECOND,
    section::{Section, text},
};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    settings(reader).map(Provider::Smtp)
}

/// The same with the form of the e-mail that the gateway wants.
pub(super) fn gateway(reader: &mut Reader<'_>) -> Result<Provider> {
    let mail = settings(reader)?;
    let mut settings = GatewaySettings::new(mail, reader.required_text("to")?);
    settings.subject = contents(reader, "subject", &settings.subject, false)?;
    settings.body = contents(reader, "body", &settings.body, true)?;
    settings.number = phone_format(&mut reader.section)?;
    Ok(Provider::SmtpGateway(settings))
}

fn settings(reader: &mut Reader<'_>) -> Result<Settings> {
    let (server, from) = (reader.required_text("server")?, reader.required_text("from")?);
    let mut settings = Settings::new(server, from, String::new());
    let ways = [("starttls", Tls::StartTls), ("implicit", Tls::Implicit), ("none", Tls::None)];
    settings.tls = reader.section.choice("tls", &ways, settings.tls)?;
    settings.port = reader.section.number("port", 1..=65_535)?;
    settings.ca = reader.path("ca")?;
    settings.user = reader.text("user")?;
    settings.password = reader.secret("password")?;
    let mechanisms = [
        ("any", Mechanism::Any),
        ("plain", Mechanism::Plain),
        ("login", Mechanism::Login),
        ("xoauth2", Mechanism::XOAuth2),
    ];
    settings.mechanism = reader.section.choice("mechanism", &mechanisms, settings.mechanism)?;
    let program = "a program's absolute path and its arguments";
    let token_program = reader.section.list("token_program", 1, program, super::plain)?;
    settings.token_program = token_program.unwrap_or_default();
    settings.envelope_from = envelope_from(&mut reader.section)?;
    settings.hello = reader.hello()?;
    settings.timeout = reader.time("timeout", SECOND..=9 * SECOND, settings.timeout)?;
    Ok(settings)
}

/// Who gets the bounces.
pub(super) fn envelope_from(section: &mut Section) -> Result<Option<MailAddress>> {
    let address = section
        .value("envelope_from", "a mail address", |value| MailAddress::parse(text(value)?).ok())?;
    Ok(address.map(|(address, _)| address))
}

/// How the number is written.
pub(super) fn phone_format(section: &mut Section) -> Result<PhoneFormat> {
    let formats = [("e164", PhoneFormat::E164), ("digits", PhoneFormat::Digits)];
    section.choice("number", &formats, PhoneFormat::default())
}

/// What the e-mail says, in one line or in several. The gateway may want a password in it, which
/// is not in what it says by default.
fn contents(
    reader: &mut Reader<'_>,
    key: &'static str,
    default: &Hidden,
    several: bool,
) -> Result<Hidden> {
    let (vault, section) = (&reader.around.vault, &mut reader.section);
    let Some(text) = vault.hidden(section, key, |text| text != default.expose())? else {
        return Ok(Hidden::new(reader.by_default(key, default.expose())));
    };
    if text.expose().contains(|c: char| c.is_control() && !(several && c == '\n')) {
        let (path, but) = (reader.section.path(), if several { " but \\n" } else { "" });
        return Err(reader.place.error(format!("{path}{key}: allowed is {}{but}", super::TEXT)));
    }
    Ok(text)
}
