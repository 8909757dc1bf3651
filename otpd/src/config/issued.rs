//! `[issued]`: codes that administrators issue. `[clients]`: the register of clients.

use otp_core::issued::{FEWEST_DIGITS, MOST_DIGITS, MOST_USES, Reach};

use super::{
    duration::{DAY, HOUR, MINUTE},
    error::ConfigError,
    section::Section,
    settings::{PLAIN_NAME, plain_name},
    tree::Value,
};

/// Codes that administrators issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Whether any are issued and accepted.
    pub enabled: bool,
    /// How long a code is good where nothing else is asked for, in milliseconds.
    pub validity_ms: u64,
    /// Digits of a code.
    pub digits: u8,
    /// How often a code may be given where nothing else is asked for.
    pub uses: u8,
    /// Whether administrators can read a code again while it is good.
    pub readable: bool,
    /// Where a code may be given where nothing else is asked for.
    pub reach: Reach,
    /// Wrong codes in place of a password, of all users, after which none is accepted for a while.
    pub guesses_per_hour: u32,
}

/// The register of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// How many may be registered, of all users.
    pub most: u32,
    /// Where only registered clients may log in.
    pub enforce: Enforce,
}

/// Where only registered clients may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enforce {
    /// Nowhere: any client may.
    Nowhere,
    /// At every PAM service.
    Everywhere,
    /// At these.
    At(Vec<String>),
}

impl Clients {
    /// Whether only registered clients may log in at this PAM service.
    #[must_use]
    pub fn enforced(&self, service: &str) -> bool {
        match &self.enforce {
            Enforce::Nowhere => false,
            Enforce::Everywhere => true,
            Enforce::At(services) => services.iter().any(|only| only == service),
        }
    }
}

/// The shortest and the longest time for which a code is good, in milliseconds.
pub const VALIDITY_MS: std::ops::RangeInclusive<u64> = MINUTE..=7 * DAY;

pub(super) fn issued(mut section: Section) -> Result<Issued, ConfigError> {
    let reveals = [("while-valid", true), ("once", false)];
    let reaches = [Reach::Both, Reach::Local, Reach::Remote].map(|reach| (reach.name(), reach));
    let issued = Issued {
        enabled: section.flag("enabled", false)?,
        validity_ms: section.duration("validity", VALIDITY_MS, 2 * HOUR)?,
        digits: section.whole("digits", FEWEST_DIGITS..=MOST_DIGITS, 8)?,
        uses: section.whole("uses", 1..=MOST_USES, 1)?,
        readable: section.choice("reveal", &reveals, true)?,
        reach: section.choice("scope", &reaches, Reach::Both)?,
        guesses_per_hour: section.whole("guesses_per_hour", 10..=100_000, 1000)?,
    };
    section.end()?;
    Ok(issued)
}

pub(super) fn clients(mut section: Section) -> Result<Clients, ConfigError> {
    let most = section.whole("most", 1..=999_999, 999)?;
    let allowed = format!("true, false and a list of PAM services, each {PLAIN_NAME}");
    let enforce = section.value("enforce", allowed, |value| match value {
        Value::Flag(true) => Some(Enforce::Everywhere),
        Value::Flag(false) => Some(Enforce::Nowhere),
        Value::List(items) if !items.is_empty() => {
            let services = items.iter().map(|item| plain_name(&item.value));
            services.collect::<Option<_>>().map(Enforce::At)
        }
        _ => None,
    })?;
    section.end()?;
    Ok(Clients { most, enforce: enforce.map_or(Enforce::Nowhere, |(enforce, _)| enforce) })
}
