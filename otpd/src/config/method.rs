//! `[[method]]`: the parameter sets that tokens are enrolled with.

use otp_core::{
    contact::Channel,
    token::{Algorithm, Factor},
    window::{MOST_LOOK_AHEAD, MOST_STEPS, Windows},
};

use super::{
    duration::{DAY, HOUR, MINUTE, SECOND},
    error::{ConfigError, Place},
    provider::Provided,
    section::{Section, quoted, text},
    settings::{PLAIN_NAME, TITLE, plain_name, title},
    tree::{Node, Table, Value},
};

/// Methods that are not parameter sets of a token; nobody may call one by such a name.
const RESERVED: [&str; 2] = ["recovery", "issued"];

/// A parameter set. A token copies what its codes depend on when it is enrolled; the windows stay
/// with the method, so that a change of them counts for every token at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Unique, for example `acme.totp.1`.
    pub name: String,
    /// For people.
    pub title: String,
    /// Time, counter or delivery.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code, 4–8.
    pub digits: u8,
    /// How far a code may be from where the token should be.
    pub windows: Windows,
    /// Length of generated keys, 10–99 bytes.
    pub key_size: u8,
    /// What a delivered code is given; other methods have no use for it.
    pub delivery: Delivery,
    /// Directories whose users may use it; of none: nobody may.
    pub directories: Vec<String>,
    /// Whether it is in use at all; codes of a disabled one are not accepted.
    pub enabled: bool,
}

/// How codes of a method are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How long a code is good, in milliseconds.
    pub validity_ms: u64,
    /// How many answers are compared with a code.
    pub tries: u8,
    /// `[provider.sms.NAME]` or `[provider.email.NAME]`, in the order in which they are tried; of
    /// none: the only one that there is.
    pub providers: Vec<String>,
}

impl Method {
    /// The built-in "totp", as every app has it.
    fn totp() -> Self {
        Self {
            name: "totp".to_owned(),
            title: "Authenticator app".to_owned(),
            factor: Factor::Totp { t0_ms: 0, period_ms: 30 * SECOND },
            algorithm: Algorithm::Sha1,
            digits: 6,
            windows: Windows::default(),
            key_size: 20,
            delivery: Delivery { validity_ms: 5 * MINUTE, tries: 3, providers: Vec::new() },
            directories: vec!["local".to_owned()],
            enabled: true,
        }
    }

    /// Whether there are users who may use it.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.enabled && !self.directories.is_empty()
    }

    /// How many codes are right at a moment: each try hits one of them with this chance, of
    /// 10 to the power of [`Method::digits`].
    #[must_use]
    pub fn accepted_codes(&self) -> u64 {
        match self.factor {
            Factor::Totp { .. } => {
                u64::from(self.windows.before) + u64::from(self.windows.after) + 1
            }
            Factor::Hotp => u64::from(self.windows.look_ahead) + 1,
            Factor::OutOfBand(_) => 1,
        }
    }

    /// What one guess is worth, in words.
    pub(super) fn odds(&self) -> String {
        let one_in = 10_u64.pow(u32::from(self.digits)) / self.accepted_codes();
        format!("method \"{}\": one guess in {one_in} is right", self.name)
    }

    /// Why no code of it is right at `now_ms` (Unix milliseconds): it begins later.
    #[must_use]
    pub fn not_begun(&self, now_ms: i64) -> Option<String> {
        let Factor::Totp { t0_ms, .. } = self.factor else { return None };
        (t0_ms > now_ms).then(|| {
            format!("method \"{}\" has a t0 in the future: no code is right before it", self.name)
        })
    }

    /// The built-in "sms" and "email".
    fn delivered(channel: Channel) -> Self {
        let (title, validity_ms) = match channel {
            Channel::Sms => ("Code by SMS", 5 * MINUTE),
            Channel::Email => ("Code by e-mail", 10 * MINUTE),
        };
        let delivery = Delivery { validity_ms, tries: 3, providers: Vec::new() };
        Self {
            name: channel.name().to_owned(),
            title: title.to_owned(),
            factor: Factor::OutOfBand(channel),
            algorithm: Algorithm::Sha256,
            key_size: 32,
            delivery,
            ..Self::totp()
        }
    }

    /// The built-in method of that name, else "totp".
    fn built_in(name: &str) -> Self {
        match name {
            "hotp" => Self::hotp(),
            "sms" => Self::delivered(Channel::Sms),
            "email" => Self::delivered(Channel::Email),
            _ => Self::totp(),
        }
    }

    /// The built-in "hotp".
    fn hotp() -> Self {
        Self {
            name: "hotp".to_owned(),
            title: "Counter token".to_owned(),
            factor: Factor::Hotp,
            ..Self::totp()
        }
    }

    fn read(
        mut section: Section,
        name: String,
        directories: &[String],
        provided: &[Provided],
    ) -> Result<Self, ConfigError> {
        let by_name = Self::built_in(&name);
        let kinds = ["totp", "hotp", "sms", "email"];
        let kind =
            section.choice("type", &kinds.map(|kind| (kind, kind)), by_name.name.as_str())?;
        let mut method = Self::built_in(kind);
        if method.name != name {
            method = Self { title: name.clone(), name, directories: Vec::new(), ..method };
        }
        if let Some((title, _)) = section.value("title", TITLE, title)? {
            method.title = title;
        }
        method.digits = section.whole("digits", 4..=8, method.digits)?;
        if let Factor::OutOfBand(channel) = method.factor {
            let names: Vec<_> = names(channel, provided).collect();
            method.delivery = delivery(&mut section, method.delivery, channel, &names)?;
        } else {
            let algorithms = [
                ("sha1", Algorithm::Sha1),
                ("sha256", Algorithm::Sha256),
                ("sha512", Algorithm::Sha512),
            ];
            method.algorithm = section.choice("algorithm", &algorithms, method.algorithm)?;
            method.key_size = section.whole("key_size", 10..=99, method.key_size)?;
        }
        let windows = &mut method.windows;
        match &mut method.factor {
            Factor::Totp { t0_ms, period_ms } => {
                let t0 = section.duration("t0", 0..=36_500 * DAY, 0)?;
                *t0_ms = i64::try_from(t0).unwrap_or(i64::MAX);
                *period_ms = section.duration("time_step", SECOND..=HOUR, *period_ms)?;
                windows.before = section.whole("window_before", 0..=MOST_STEPS, windows.before)?;
                windows.after = section.whole("window_after", 0..=MOST_STEPS, windows.after)?;
            }
            Factor::Hotp => {
                windows.look_ahead =
                    section.whole("look_ahead", 0..=MOST_LOOK_AHEAD, windows.look_ahead)?;
            }
            Factor::OutOfBand(_) => {}
        }
        let known = quoted(directories.iter().map(String::as_str));
        let directory = |value: &_| {
            text(value).filter(|name| directories.iter().any(|d| d == name)).map(str::to_owned)
        };
        if let Some(linked) = section.list("directories", 0, known, directory)? {
            method.directories = linked;
        }
        method.enabled = section.flag("enabled", method.enabled)?;
        section.end()?;
        Ok(method)
    }

    /// What is allowed and yet hardly meant.
    fn lint(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.enabled {
            found.push("is disabled, so nobody can use it".to_owned());
        } else if self.directories.is_empty() {
            found.push(
                "is linked to no directory, so nobody can use it: add directories = [\"local\"]"
                    .to_owned(),
            );
        }
        let codes = 10_u64.pow(u32::from(self.digits));
        if let Factor::OutOfBand(_) = self.factor {
            let tries = u64::from(self.delivery.tries);
            if tries * 50_000 > codes {
                let one_in = codes / tries;
                found.push(format!("allows {tries} guesses at one of {codes} codes, so that one in {one_in} gets in: add digits"));
            }
            return found;
        }
        if self.key_size < 16 {
            found.push(
                "makes keys below the 128 bits that RFC 4226 requires: key_size = 20 is usual"
                    .to_owned(),
            );
        }
        let mut usual = self.algorithm == Algorithm::Sha1 && matches!(self.digits, 6 | 8);
        let accepted = self.accepted_codes();
        let mut wide = false;
        if let Factor::Totp { t0_ms, period_ms } = self.factor {
            usual &= period_ms == 30 * SECOND;
            wide = self.windows.before > 2 || self.windows.after > 2;
            if t0_ms != 0 || !period_ms.is_multiple_of(SECOND) {
                found.push(
                    "cannot be told by a QR code, which has no t0 and whole seconds only"
                        .to_owned(),
                );
            }
            if period_ms > 2 * MINUTE {
                found.push("has steps above the 2 minutes of NIST SP 800-63B".to_owned());
            }
        }
        if !usual {
            found.push("differs from 6 or 8 digits, sha1 and 30 s: some apps ignore that and show wrong codes".to_owned());
        }
        if wide || accepted * 50_000 > codes {
            let one_in = codes / accepted;
            found.push(format!("accepts {accepted} of {codes} codes at a time, so that one guess in {one_in} is right: narrow the windows or add digits"));
        }
        found
    }
}

fn delivery(
    section: &mut Section,
    default: Delivery,
    channel: Channel,
    names: &[&str],
) -> Result<Delivery, ConfigError> {
    let allowed = match names {
        [] => format!("providers, of which there is no [provider.{}.NAME]", channel.name()),
        names => quoted(names.iter().copied()),
    };
    let known = |value: &_| text(value).filter(|name| names.contains(name)).map(str::to_owned);
    Ok(Delivery {
        validity_ms: section.duration("validity", MINUTE..=HOUR, default.validity_ms)?,
        tries: section.whole("tries", 1..=5, default.tries)?,
        providers: section.list("providers", 1, allowed, known)?.unwrap_or(default.providers),
    })
}

/// The names of the providers of a channel.
fn names(channel: Channel, provided: &[Provided]) -> impl Iterator<Item = &str> {
    let carry = move |one: &&Provided| one.id.medium == channel;
    provided.iter().filter(carry).map(|one| one.id.name.as_str())
}

/// Where there are several providers, somebody has to say which one comes first.
fn check_order(
    method: &Method,
    place: Option<&Place>,
    provided: &[Provided],
) -> Result<(), ConfigError> {
    let Factor::OutOfBand(channel) = method.factor else { return Ok(()) };
    let mut carriers = provided.iter().filter(|one| one.id.medium == channel);
    let (Some(_), Some(second)) = (carriers.next(), carriers.next()) else { return Ok(()) };
    if !method.delivery.providers.is_empty() {
        return Ok(());
    }
    let names = quoted(names(channel, provided));
    Err(place.unwrap_or(&second.place).error(format!(
        "method \"{}\" has several providers and no order: add providers = [{names}] to its \
         [[method]], in the order in which they are to be tried",
        method.name
    )))
}

/// The names of the methods that the files set.
pub(super) fn names_set(tree: &Table) -> Vec<String> {
    let Some(Value::List(items)) = tree.get("method").map(|entry| &entry.node.value) else {
        return Vec::new();
    };
    let name = |item: &Node| match &item.value {
        Value::Table(keys) => text(&keys.get("name")?.node.value).map(str::to_owned),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// The built-in methods and those of the files; a table with a built-in method's name changes it.
pub(super) fn read(
    sections: Vec<(Place, Section)>,
    directories: &[String],
    provided: &[Provided],
    warnings: &mut Vec<String>,
) -> Result<Vec<Method>, ConfigError> {
    let mut methods: Vec<_> = ["totp", "hotp", "sms", "email"].map(Method::built_in).into();
    let mut seen = Vec::new();
    let allowed = format!("{PLAIN_NAME}, and not {}", RESERVED.join(", "));
    let free = |value: &_| plain_name(value).filter(|name| !RESERVED.contains(&name.as_str()));
    for (place, mut section) in sections {
        let name = section.name(&place, &allowed, free, &mut seen)?;
        let method = Method::read(section, name, directories, provided)?;
        check_order(&method, Some(&place), provided)?;
        warnings.extend(
            method.lint().iter().map(|what| format!("{place}: method \"{}\" {what}", method.name)),
        );
        match methods.iter_mut().find(|other| other.name == method.name) {
            Some(built_in) => *built_in = method,
            None => methods.push(method),
        }
    }
    methods.iter().try_for_each(|method| check_order(method, None, provided))?;
    Ok(methods)
}
