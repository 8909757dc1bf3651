//! `[budget]`: how many codes are delivered, and where to.

use otp_core::contact::Channel;
use otp_delivery::Recipient;

use super::{
    Method,
    duration::{MINUTE, SECOND},
    error::ConfigError,
    provider::Provided,
    section::{Section, text},
};

/// Most digits of a prefix: a country code and the beginning of what comes after it.
const LONGEST_PREFIX: usize = 7;

/// How many codes are delivered. Messages are counted over the last hour, by the time at which
/// they were asked for, whatever became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long after a code no other one is made for the same login that is not granted, in
    /// milliseconds.
    pub resend_ms: u64,
    /// Messages for one user in an hour.
    pub per_user: u32,
    /// Messages to one number or address in an hour.
    pub per_recipient: u32,
    /// Messages over each channel in an hour.
    pub total: u32,
    /// Country codes with their `+` (or longer beginnings of numbers) that SMS may go to; of none:
    /// all.
    pub countries: Vec<String>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            resend_ms: 30 * SECOND,
            per_user: 10,
            per_recipient: 10,
            total: 1000,
            countries: Vec::new(),
        }
    }
}

impl Budget {
    /// Whether messages may go there; a mailbox is in no country.
    #[must_use]
    pub fn reaches(&self, recipient: &Recipient) -> bool {
        match recipient {
            Recipient::Phone(number) => {
                let begins = |prefix: &String| number.as_str().starts_with(prefix);
                self.countries.is_empty() || self.countries.iter().any(begins)
            }
            Recipient::Mailbox(_) => true,
        }
    }

    pub(super) fn read(
        mut section: Section,
        methods: &[Method],
        provided: &[Provided],
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        let Self { resend_ms, per_user, per_recipient, total, .. } = Self::default();
        // A code that nobody could have again before it ends would be no use.
        let validities = methods.iter().map(|method| method.delivery.validity_ms);
        let shortest = validities.min().unwrap_or(5 * MINUTE).min(5 * MINUTE);
        let prefix = |value: &_| {
            let digits = text(value)?.strip_prefix('+')?;
            let fits = (1..=LONGEST_PREFIX).contains(&digits.len())
                && digits.bytes().all(|c| c.is_ascii_digit())
                && !digits.starts_with('0');
            fits.then(|| format!("+{digits}"))
        };
        let allowed = "beginnings of numbers like \"+49\", each '+' and 1 to 7 digits";
        let budget = Self {
            resend_ms: section.duration("resend", 10 * SECOND..=shortest, resend_ms)?,
            per_user: section.whole("per_user", 1..=1000, per_user)?,
            per_recipient: section.whole("per_recipient", 1..=1000, per_recipient)?,
            total: section.whole("total", 1..=1_000_000, total)?,
            countries: section.list("countries", 1, allowed, prefix)?.unwrap_or_default(),
        };
        section.end()?;
        if let Some(Provided { place, id, .. }) =
            provided.iter().find(|one| one.id.medium == Channel::Sms)
            && budget.countries.is_empty()
        {
            warnings.push(format!(
                "{place}: provider \"{id}\" may send to any country, at your cost: name those that \
                 you need, [budget] countries = [\"+49\"]"
            ));
        }
        Ok(budget)
    }
}
