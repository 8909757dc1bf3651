//! What a directory tells of a user.

use otp_core::{
    account::escaped,
    contact::{Contacts, MailAddress, PhoneNumber},
};

/// What a directory tells of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where codes can be delivered.
    pub contacts: Contacts,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// Whether the account is switched off.
    pub disabled: bool,
    /// When the account ends, Unix milliseconds.
    pub expires_ms: Option<i64>,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    #[default]
    Active,
    /// It is switched off.
    Disabled,
    /// Its time is over.
    Expired,
}

impl Standing {
    /// Every state by its name in files, queries and documents.
    pub const ALL: [(&str, Self); 3] =
        [("active", Self::Active), ("disabled", Self::Disabled), ("expired", Self::Expired)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, state)| *state == self).map_or("", |(name, _)| name)
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }
}

impl Record {
    /// Whether the account may be used at this time.
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> Standing {
        match self.expires_ms {
            _ if self.disabled => Standing::Disabled,
            Some(end) if now_ms >= end => Standing::Expired,
            _ => Standing::Active,
        }
    }

    /// Sets the state that a directory names in a word.
    pub(super) fn set(&mut self, state: Standing) {
        self.disabled = state == Standing::Disabled;
        self.expires_ms = (state == Standing::Expired).then_some(i64::MIN);
    }
}

/// The first value of each kind that is a number or an address. What is none is no contact.
pub(super) fn contacts<'a>(
    directory: &str,
    user: &str,
    numbers: impl IntoIterator<Item = &'a str>,
    addresses: impl IntoIterator<Item = &'a str>,
    country: Option<&str>,
) -> Contacts {
    fn first<'a, T, E>(
        (directory, user, what): (&str, &str, &str),
        values: impl IntoIterator<Item = &'a str>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let mut values = values.into_iter().filter(|value| !value.trim().is_empty()).peekable();
        values.peek()?;
        let found = values.find_map(|value| parse(value.trim()).ok());
        if found.is_none() {
            let user = escaped(user);
            log::debug!("directory: {directory}: {user} has no {what} that can be used");
        }
        found
    }
    Contacts {
        mobile: first((directory, user, "number"), numbers, |text| {
            PhoneNumber::parse(text, country)
        }),
        mail: first((directory, user, "address"), addresses, MailAddress::parse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_that_can_be_used_counts() {
        let found =
            contacts("d", "u", ["", " x ", "0170 1234581", "+1"], ["no", "a@b.de"], Some("49"));
        assert_eq!(found.mobile.unwrap().as_str(), "+491701234581");
        assert_eq!(found.mail.unwrap().as_str(), "a@b.de");
        assert_eq!(contacts("d", "u", [], ["@"], None), Contacts::default());
    }

    #[test]
    fn an_account_that_is_switched_off_or_over_is_not_active() {
        for (disabled, expires_ms, expected) in [
            (false, None, Standing::Active),
            (false, Some(11), Standing::Active),
            (false, Some(10), Standing::Expired),
            (true, None, Standing::Disabled),
            (true, Some(1), Standing::Disabled),
        ] {
            let record = Record { disabled, expires_ms, ..Record::default() };
            assert_eq!(record.standing(10), expected, "{record:?}");
        }
        for (name, state) in Standing::ALL {
            let mut record = Record::default();
            record.set(state);
            assert_eq!((Standing::parse(name), record.standing(0)), (Some(state), state));
            assert_eq!(state.name(), name);
        }
        assert_eq!(Standing::parse("Active"), None);
    }
}
