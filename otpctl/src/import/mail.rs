//! `SmtpSMSProvider` and `SMTPEmailProvider`: mail, to an SMS gateway and to people.

use std::time::Duration;

use super::fields::Fields;
use super::section::Section;
use super::{number, places};

/// The keys that both classes have under names of their own.
struct Keys {
    server: &'static str,
    port: &'static str,
    start_tls: &'static str,
    use_ssl: &'static str,
    key: &'static str,
    certificate: &'static str,
    user: &'static str,
    password: &'static str,
}

pub(super) fn gateway(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("smtp");
    let keys = Keys {
        server: "mailserver",
        port: "mailserver_port",
        start_tls: "start_tls",
        use_ssl: "use_ssl",
        key: "keyfile",
        certificate: "certfile",
        user: "mailuser",
        password: "mailpassword",
    };
    server(fields, &keys, &mut section)?;
    section.set("from", fields.required("mailsender")?);
    section.set("to", places(&fields.required("mailto")?));
    let subject = fields.text("subject")?.unwrap_or_else(|| "[LinOTP]".to_owned());
    section.set("subject", places(&subject));
    let body = fields.text("body")?.unwrap_or_else(|| "<otp>".to_owned());
    section.set("body", places(&body));
    number(fields, &mut section)?;
    // What becomes of an error: here every one is told to the administrator.
    fields.flag("raise_exception")?;
    Ok(section)
}

pub(super) fn email(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("smtp");
    let keys = Keys {
        server: "SMTP_SERVER",
        port: "SMTP_PORT",
        start_tls: "START_TLS",
        use_ssl: "USE_SSL",
        key: "KEYFILE",
        certificate: "CERTFILE",
        user: "SMTP_USER",
        password: "SMTP_PASSWORD",
    };
    server(fields, &keys, &mut section)?;
    let from = fields.text("EMAIL_FROM")?.unwrap_or_else(|| {
        section.note("EMAIL_FROM was not set: this is LinOTP's default, set your own in `from`.");
        "linotp@example.com".to_owned()
    });
    section.set("from", from);
    if let Some(subject) = fields.text("EMAIL_SUBJECT")? {
        let subject = toml::Value::from(subject.replace("<otp>", "{otp}"));
        section.note(&format!("EMAIL_SUBJECT: write subject = {subject} into [template]."));
    }
    if fields.text("TEMPLATE")?.is_some() {
        section.note("TEMPLATE is left out: write the text into `body` in [template].");
    }
    Ok(section)
}

fn server(fields: &mut Fields, keys: &Keys, section: &mut Section) -> Result<(), String> {
    let mut server = fields.required(keys.server)?;
    let mut port = fields.whole(keys.port, 1..=65_535)?;
    if let (None, Some((host, number))) = (port, server.rsplit_once(':')) {
        let number = number.parse().ok().filter(|number| (1..=65_535).contains(number));
        let wrong = || format!("{}: what follows the colon is no port", keys.server);
        port = Some(number.ok_or_else(wrong)?);
        server = host.to_owned();
    }
    let (start_tls, use_ssl) = (fields.flag(keys.start_tls)?, fields.flag(keys.use_ssl)?);
    let (user, password) = (fields.text(keys.user)?, fields.text(keys.password)?);
    let (tls, usual) = match (use_ssl, start_tls) {
        (true, _) => ("implicit", 465),
        (false, true) => ("starttls", 587),
        (false, false) if user.is_some() => {
            section.note("LinOTP sends the password in clear; here it is sent under TLS only.");
            ("starttls", 25)
        }
        (false, false) => {
            section.note(
                "As LinOTP has it, everybody on the way reads the codes: take tls = \"starttls\".",
            );
            ("none", 25)
        }
    };
    section.set("server", server);
    section.set("port", port.unwrap_or(usual));
    section.set("tls", tls);
    if fields.text(keys.key)?.is_some() | fields.text(keys.certificate)?.is_some() {
        let (key, certificate) = (keys.key, keys.certificate);
        section.note(&format!("{key} and {certificate} are left out: log in with a password."));
    }
    match (user, password) {
        (None, _) => {}
        (Some(_), None) => return Err(format!("{} needs {}", keys.user, keys.password)),
        (Some(user), Some(password)) => {
            section.set("user", user);
            section.set("password", password);
        }
    }
    if let Some((time, _)) = fields.timeouts("TIMEOUT")? {
        section.set_time("timeout", time.clamp(Duration::from_secs(1), Duration::from_secs(9)));
    }
    Ok(())
}
