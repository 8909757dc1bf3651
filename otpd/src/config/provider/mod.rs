//! `[provider.sms.NAME]` and `[provider.email.NAME]`: who delivers codes.

mod exec;
mod gnokii;
mod http;
mod modemmanager;
mod sendmail;
mod smpp;
mod smtp;

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use data_encoding::BASE64;
use otp_core::contact::Channel as Medium;
use otp_delivery::{Hidden, Provider, ProviderId, tls};

use super::{
    Store,
    duration::SECOND,
    error::{ConfigError, Place},
    secret::{Credentials, Vault},
    section::{Section, quoted, text},
    settings::{ABSOLUTE, PLAIN_NAME, absolute, plain_name},
    show::Text,
    tree::Value,
};

type Result<T> = std::result::Result<T, ConfigError>;

/// A provider as it was read.
pub(super) struct Provided {
    pub(super) id: ProviderId,
    pub(super) provider: Provider,
    /// Where its table is.
    pub(super) place: Place,
    /// Its table, defaults included, without secrets.
    pub(super) shown: String,
}

/// What settings default to that are not of the provider itself.
pub(super) struct Surroundings<'a> {
    pub(super) vault: Vault<'a>,
    /// The machine's name.
    host: String,
    /// The store's folder, which otpd can write.
    state: PathBuf,
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(credentials: Credentials<'a>, user: &'a str, store: &Store) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        let state = store.path.parent().unwrap_or(&store.path).to_owned();
        Self { vault: Vault { credentials, user }, host, state }
    }
}

/// Reads one kind of provider.
type Read = fn(&mut Reader<'_>) -> Result<Provider>;

/// The kinds of each medium, by the word in `type`.
fn kinds(medium: Medium) -> &'static [(&'static str, Read)] {
    match medium {
        Medium::Sms => &[
            ("http", http::read),
            ("smtp", smtp::gateway),
            ("smpp", smpp::read),
            ("gnokii", gnokii::read),
            ("modemmanager", modemmanager::read),
            ("exec", exec::sms),
        ],
        Medium::Email => {
            &[("smtp", smtp::read), ("sendmail", sendmail::read), ("exec", exec::email)]
        }
    }
}

/// The providers, those of SMS first, by their names.
pub(super) fn read(
    mut section: Section,
    around: &Surroundings<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Provided>> {
    let mut providers = Vec::new();
    for medium in [Medium::Sms, Medium::Email] {
        for (name, place, table) in section.table(medium.name())?.children()? {
            if plain_name(&Value::Text(name.clone())).is_none() {
                let path = format!("provider.{}.{}", medium.name(), Text(&name));
                let message = format!("{path}: allowed are names of {PLAIN_NAME}");
                return Err(place.error(message));
            }
            let provided = provided(ProviderId { medium, name }, place, table, around)?;
            if let Some((host, remedy)) = provided.provider.in_clear() {
                let Provided { place, id, .. } = &provided;
                warnings.push(format!(
                    "{place}: provider \"{id}\" sends codes and passwords in the clear to {host}, \
                     where everybody on the way can read them: set {remedy}"
                ));
            }
            providers.push(provided);
        }
    }
    section.end()?;
    Ok(providers)
}

fn provided(
    id: ProviderId,
    place: Place,
    mut section: Section,
    around: &Surroundings<'_>,
) -> Result<Provided> {
    let kinds = kinds(id.medium);
    let allowed = quoted(kinds.iter().map(|(kind, _)| *kind));
    let kind = section.value("type", &allowed, |value| {
        let given = text(value)?;
        kinds.iter().find(|(kind, _)| *kind == given).map(|(_, read)| *read)
    })?;
    let path = section.path().trim_end_matches('.').to_owned();
    let Some((read, _)) = kind else {
        return Err(place.error(format!("{path}.type is missing: allowed are {allowed}")));
    };
    let mut reader = Reader { section, place: &place, around };
    let provider = read(&mut reader)?;
    let lines = reader.section.end()?.join("\n");
    // Nobody is connected to; what the settings say together is checked, and the files they name.
    provider.build().map_err(|why| place.error(format!("{path}: {why}")))?;
    let header = format!("[provider.{}.{}]", id.medium.name(), Text(&id.name));
    Ok(Provided { id, provider, place, shown: format!("{header}\n{lines}\n") })
}

/// One provider's table and what the keys of every kind have in common.
struct Reader<'a> {
    section: Section,
    place: &'a Place,
    around: &'a Surroundings<'a>,
}

/// What [`plain`] takes.
const TEXT: &str = "a text without control characters";

/// A text on one line.
fn plain(value: &Value) -> Option<String> {
    text(value).filter(|text| !text.contains(char::is_control)).map(str::to_owned)
}

impl Reader<'_> {
    /// What must be there.
    fn required<T>(&self, key: &str, allowed: &str, value: Option<T>) -> Result<T> {
        let path = self.section.path();
        let missing = || self.place.error(format!("{path}{key} is missing: allowed is {allowed}"));
        value.ok_or_else(missing)
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        Ok(self.section.value(key, TEXT, plain)?.map(|(text, _)| text))
    }

    fn required_text(&mut self, key: &'static str) -> Result<String> {
        let text = self.text(key)?;
        self.required(key, TEXT, text)
    }

    /// A text with its default.
    fn text_or(&mut self, key: &'static str, default: &str) -> Result<String> {
        let given = self.text(key)?;
        Ok(given.unwrap_or_else(|| self.by_default(key, default)))
    }

    fn by_default(&mut self, key: &str, default: &str) -> String {
        self.section.show(key, Text(default));
        default.to_owned()
    }

    fn path(&mut self, key: &'static str) -> Result<Option<PathBuf>> {
        Ok(self.section.value(key, ABSOLUTE, absolute)?.map(|(path, _)| path))
    }

    fn required_path(&mut self, key: &'static str) -> Result<PathBuf> {
        let path = self.path(key)?;
        self.required(key, ABSOLUTE, path)
    }

    /// A path with its default.
    fn path_or(&mut self, key: &'static str, default: PathBuf) -> Result<PathBuf> {
        let given = self.path(key)?;
        Ok(given.unwrap_or_else(|| {
            self.section.show(key, Text(&default.to_string_lossy()));
            default
        }))
    }

    fn secret(&mut self, key: &'static str) -> Result<Option<Hidden>> {
        self.around.vault.secret(&mut self.section, key)
    }

    fn required_secret(&mut self, key: &'static str) -> Result<Hidden> {
        let secret = self.secret(key)?;
        self.required(key, "a text, { file = \"/…\" } and { credential = \"…\" }", secret)
    }

    /// A length of time within whole bounds in milliseconds.
    fn time(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: Duration,
    ) -> Result<Duration> {
        let default = u64::try_from(default.as_millis()).unwrap_or(*range.end());
        self.section.duration(key, range, default).map(Duration::from_millis)
    }

    /// How this machine is called where a mail server asks.
    fn hello(&mut self) -> Result<String> {
        self.text_or("hello", &self.around.host)
    }

    /// How long a program may run.
    fn program_time(&mut self, default: Duration) -> Result<Duration> {
        self.time("timeout", SECOND..=60 * SECOND, default)
    }

    /// Whom to trust over TLS, and who we are.
    fn tls(&mut self) -> Result<tls::Settings> {
        let ca = self.path("ca")?;
        let identity = match self.path("certificate")? {
            Some(certificate) => Some((certificate, self.required_path("key")?)),
            None => None,
        };
        let allowed = "the SHA-256 of the server's public key in base64 (RFC 7469)";
        let pin = self.section.value("pin", allowed, |value| {
            BASE64.decode(text(value)?.as_bytes()).ok()?.try_into().ok()
        })?;
        Ok(tls::Settings { ca, identity, pin: pin.map(|(pin, _)| pin) })
    }
}
