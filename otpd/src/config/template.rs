//! `[template]`: what messages say.

use std::fmt::{self, Display, Formatter};

use otp_delivery::smpp::{Alphabet, parts};

use super::{error::ConfigError, section::Section, show::Text as Quoted};
use crate::{
    template::{CODE, Template as Text, Values},
    text::Language,
};

/// What messages say in one language. `{otp}`, `{user}`, `{service}`, `{host}`, `{source}` and
/// `{minutes}` stand for their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The text of an SMS: one line.
    pub sms: Text,
    /// The subject of an e-mail: one line.
    pub subject: Text,
    /// The text of an e-mail.
    pub body: Text,
}

/// What messages say in each language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    /// `[template]`.
    english: Template,
    /// `[template.LANGUAGE]`.
    translated: Vec<(Language, Template)>,
}

impl Template {
    fn built_in(language: Language) -> Self {
        let [sms, subject, body] = match language {
            Language::English => ENGLISH,
            Language::German => GERMAN,
            Language::French => FRENCH,
            Language::Spanish => SPANISH,
        };
        Self {
            sms: Text::built_in(sms),
            subject: Text::built_in(subject),
            body: Text::built_in(body),
        }
    }

    /// Reads the keys of one table, with what counts where one is missing.
    fn read(
        section: &mut Section,
        default: Self,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let sms = section.parsed("sms", |text| line(text).and_then(with_code))?;
        if let Some((template, place)) = &sms
            && parts(&template.render(&TYPICAL), Alphabet::Gsm7) > 1
        {
            let path = section.path();
            warnings.push(format!(
                "{place}: {path}sms does not fit into one SMS where its values are long: it has \
                 room for 160 characters, or for 70 where one of them is not of GSM 03.38"
            ));
        }
        let subject = section.parsed("subject", line)?;
        let body = section.parsed("body", |text| Text::parse(text).and_then(with_code))?;
        Ok(Self {
            sms: sms.map_or(default.sms, |(sms, _)| sms),
            subject: subject.map_or(default.subject, |(subject, _)| subject),
            body: body.map_or(default.body, |(body, _)| body),
        })
    }

    fn write(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "sms = {}", Quoted(self.sms.as_str()))?;
        writeln!(f, "subject = {}", Quoted(self.subject.as_str()))?;
        writeln!(f, "body = {}", Quoted(self.body.as_str()))
    }
}

impl Templates {
    /// A text that `[template]` changes counts in every language that has none of its own.
    pub(super) fn read(
        mut section: Section,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let usual = Template::built_in(Language::English);
        let english = Template::read(&mut section, usual.clone(), warnings)?;
        let mut translated = Vec::new();
        for (name, language) in Language::ALL {
            if language == Language::English {
                continue;
            }
            let own = Template::built_in(language);
            let changed = |given: &Text, usual: &Text, own| {
                if given == usual { own } else { given.clone() }
            };
            let default = Template {
                sms: changed(&english.sms, &usual.sms, own.sms),
                subject: changed(&english.subject, &usual.subject, own.subject),
                body: changed(&english.body, &usual.body, own.body),
            };
            let mut section = section.table(name)?;
            translated.push((language, Template::read(&mut section, default, warnings)?));
            section.end()?;
        }
        section.end()?;
        Ok(Self { english, translated })
    }

    /// What messages say in a language.
    #[must_use]
    pub fn of(&self, language: Language) -> &Template {
        let own = self.translated.iter().find(|(other, _)| *other == language);
        own.map_or(&self.english, |(_, template)| template)
    }
}

impl Display for Templates {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[template]")?;
        self.english.write(f)?;
        self.translated.iter().try_for_each(|(language, template)| {
            writeln!(f, "\n[template.{}]", language.name())?;
            template.write(f)
        })
    }
}

/// SMS, subject and body. An SMS has no character that GSM 03.38 lacks: it would cost two.
const ENGLISH: [&str; 3] = [
    "{otp} is your code for {service} on {host}",
    "Your code for {host}",
    "{otp} is your code for {service} on {host}.\n\nIt was asked for by a login of {user} from \
     {source} and is good for {minutes} minutes. Give it to nobody. If you did not log in, \
     somebody knows your password: change it.\n",
];
const GERMAN: [&str; 3] = [
    "{otp} ist Ihr Code für {service} auf {host}",
    "Ihr Code für {host}",
    "{otp} ist Ihr Code für {service} auf {host}.\n\nEr wurde für eine Anmeldung von {user} aus \
     {source} angefordert und gilt {minutes} Minuten. Geben Sie ihn an niemanden weiter. Wenn Sie sich \
     nicht angemeldet haben, kennt jemand Ihr Passwort: ändern Sie es.\n",
];
const FRENCH: [&str; 3] = [
    "{otp} est votre code pour {service} sur {host}",
    "Votre code pour {host}",
    "{otp} est votre code pour {service} sur {host}.\n\nIl a été demandé lors d’une connexion de \
     {user} depuis {source} et reste valable {minutes} minutes. Ne le communiquez à personne. \
     Si vous ne vous êtes pas connecté, quelqu’un connaît votre mot de passe\u{a0}: \
     changez-le.\n",
];
const SPANISH: [&str; 3] = [
    "{otp} es su clave para {service} en {host}",
    "Su clave para {host}",
    "{otp} es su clave para {service} en {host}.\n\nSe pidió para un inicio de sesión de {user} \
     desde {source} y es válida durante {minutes} minutos. No se la dé a nadie. Si usted no ha \
     iniciado sesión, alguien conoce su contraseña: cámbiela.\n",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_texts_are_what_the_files_may_say_and_an_sms_is_one() {
        for (name, language) in Language::ALL {
            let template = Template::built_in(language);
            assert!(line(template.sms.as_str()).and_then(with_code).is_ok(), "{name}");
            assert!(line(template.subject.as_str()).is_ok(), "{name}");
            assert!(Text::parse(template.body.as_str()).and_then(with_code).is_ok(), "{name}");
            assert!(!template.subject.has(CODE), "{name}");
            assert_eq!(parts(&template.sms.render(&TYPICAL), Alphabet::Gsm7), 1, "{name}");
            for value in ["user", "service", "host", "source", "minutes"] {
                assert!(template.body.has(value), "{name}: {value}");
            }
        }
    }
}
