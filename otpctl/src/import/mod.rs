//! Providers of LinOTP in our configuration: its JSON as it is, read by the rules of its classes.
//!
//! What LinOTP does without being told is written out where ours differs; what cannot be the same
//! is a comment in the result.

mod device;
mod fields;
mod http;
mod json;
mod mail;
mod rest;
mod section;
mod smpp;

use std::str::FromStr;

use zeroize::Zeroizing;

use fields::Fields;
use section::Section;

/// A class of LinOTP's providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Http,
    Rest,
    Smtp,
    Smpp,
    Device,
    Email,
}

/// Every class: its name in LinOTP, and the key by which its JSON is recognised.
const CLASSES: [(Class, &str, &str); 6] = [
    (Class::Device, "DeviceSMSProvider", "CONFIGFILE"),
    (Class::Email, "SMTPEmailProvider", "SMTP_SERVER"),
    (Class::Smtp, "SmtpSMSProvider", "mailserver"),
    (Class::Smpp, "SMPPSMSProvider", "system_id"),
    (Class::Rest, "RestSMSProvider", "PAYLOAD"),
    (Class::Http, "HttpSMSProvider", "URL"),
];

impl Class {
    fn name(self) -> &'static str {
        CLASSES.iter().find(|(class, ..)| *class == self).map_or("", |(_, name, _)| name)
    }

    fn of(json: &serde_json::Map<String, serde_json::Value>) -> Option<Self> {
        CLASSES.iter().find(|(.., key)| json.contains_key(*key)).map(|(class, ..)| *class)
    }
}

impl FromStr for Class {
    type Err = String;

    /// With or without the Python packages in front, of which LinOTP has had several.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.rsplit('.').next().unwrap_or_default();
        let found = CLASSES.iter().find(|(_, known, _)| *known == name);
        found.map(|(class, ..)| *class).ok_or_else(|| {
            let known: Vec<_> = CLASSES.iter().map(|(_, known, _)| *known).collect();
            format!("allowed are {}, also with packages in front", known.join(", "))
        })
    }
}

/// Our TOML for a provider called `name` from LinOTP's JSON.
///
/// # Errors
/// What is wrong, where, and what to do; never a value, which may be a password.
pub(crate) fn translate(
    text: &str,
    class: Option<Class>,
    name: &str,
) -> Result<Zeroizing<String>, String> {
    let json = json::read(text)?;
    let class = class.or_else(|| Class::of(&json)).ok_or_else(|| {
        let keys: Vec<_> =
            CLASSES.iter().map(|(_, class, key)| format!("{key} ({class})")).collect();
        format!("no provider is recognised: none of the keys {} is there", keys.join(", "))
    })?;
    let mut fields = Fields::new(class.name(), json);
    let made = match class {
        Class::Http => http::translate(&mut fields),
        Class::Rest => rest::translate(&mut fields),
        Class::Smtp => mail::gateway(&mut fields),
        Class::Smpp => smpp::translate(&mut fields),
        Class::Device => device::translate(&mut fields),
        Class::Email => mail::email(&mut fields),
    }?;
    fields.end()?;
    let medium = if class == Class::Email { "email" } else { "sms" };
    Ok(made.print(&format!("LinOTP's {}", class.name()), &["provider", medium, name]))
}

/// A text with LinOTP's places in ours. Where it writes the code it means the whole message.
fn places(text: &str) -> String {
    text.replace("<phone>", "{phone}").replace("<otp>", "{text}")
}

/// The number's form, by keys that all SMS classes take. LinOTP sends the number as it is stored;
/// here it starts with + and the country.
fn number(fields: &mut Fields, section: &mut Section) -> Result<(), String> {
    // It keeps the +, and there is nothing else in our numbers that it would drop.
    fields.flag("MSISDN")?;
    match fields.text("SUPPRESS_PREFIX")?.as_deref() {
        Some("+") => section.set("number", "digits"),
        Some(prefix) => {
            let note = format!(
                "SUPPRESS_PREFIX {prefix:?} is left out: numbers start with + and the country here. \
                 Set `number` if the gateway wants them otherwise."
            );
            section.note(&note);
        }
        None => {}
    }
    Ok(())
}

/// The same where the protocol has a form of its own.
fn number_as_it_is(fields: &mut Fields) -> Result<(), String> {
    fields.flag("MSISDN")?;
    fields.text("SUPPRESS_PREFIX").map(drop)
}

#[cfg(test)]
mod tests;
