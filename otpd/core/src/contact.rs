//! Where codes are delivered: telephone numbers (ITU-T E.164) and mail addresses (RFC 5321).

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Fewest digits of a number with its country code.
const SHORTEST_NUMBER: usize = 7;
/// Most digits of a number with its country code (E.164 section 6).
const LONGEST_NUMBER: usize = 15;
/// Longest mail address in bytes (RFC 5321 section 4.5.3.1.3, without the brackets).
const LONGEST_ADDRESS: usize = 254;
/// Longest local part in bytes (RFC 5321 section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;
/// Stars in place of what is hidden; always as many, so that they tell no length.
const STARS: &str = "*****";

/// The way out of band that a code takes (NIST SP 800-63B section 5.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// A text message to a telephone.
    Sms,
    /// E-mail.
    Email,
}

impl Channel {
    /// `sms` or `email`: the name of the built-in method and of the provider's table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// Whether the text is a country's code without its `+` (ITU-T E.164 section 6.2.1): 1 to 3 digits,
/// the first not 0.
#[must_use]
pub fn is_country_code(text: &str) -> bool {
    (1..=3).contains(&text.len())
        && text.bytes().all(|digit| digit.is_ascii_digit())
        && !text.starts_with('0')
}

/// A telephone number as E.164 writes it: `+` and 7 to 15 digits, the first not 0.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as people write it. Spaces, dashes, dots, slashes and parentheses between the
    /// digits are dropped and `00` in front counts as `+`; a number without either is a national one:
    /// it gets `country` (digits without `+`) in place of its leading 0, if `country` is given.
    ///
    /// # Errors
    /// [`Error::PhoneNumber`] for letters, for another length and for a national number without a
    /// country.
    pub fn parse(text: &str, country: Option<&str>) -> Result<Self, Error> {
        let separator = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}');
        let bare: String = text.trim().chars().filter(|c| !separator(*c)).collect();
        let digits = match (bare.strip_prefix('+'), bare.strip_prefix("00"), country) {
            (Some(digits), ..) | (None, Some(digits), _) => digits.to_owned(),
            (None, None, Some(country)) => {
                format!("{country}{}", bare.strip_prefix('0').unwrap_or(&bare))
            }
            (None, None, None) => return Err(Error::PhoneNumber),
        };
        let length = (SHORTEST_NUMBER..=LONGEST_NUMBER).contains(&digits.len());
        if length && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0') {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(Error::PhoneNumber)
        }
    }

    /// With its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without its `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }

    /// For people: the first and the last two digits, `+49*****81`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (head, tail) = (self.0.get(..3), self.0.get(self.0.len().saturating_sub(2)..));
        format!("{}{STARS}{}", head.unwrap_or_default(), tail.unwrap_or_default())
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text, None)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

impl std::fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

/// A mail address of ASCII letters, without quotes, comments and a display name: `local@domain`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

impl MailAddress {
    /// Takes at most 254 bytes: a dot-atom (RFC 5322 section 3.2.3) of at most 64 bytes that does
    /// not start with '-', '@', and a host name.
    ///
    /// # Errors
    /// [`Error::MailAddress`] for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (local, domain) = text.split_once('@').ok_or(Error::MailAddress)?;
        let atom = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&c);
        let local_fits = local.len() <= LONGEST_LOCAL
            && !local.starts_with('-')
            && local.split('.').all(|part| !part.is_empty() && part.bytes().all(atom));
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if local_fits && domain.split('.').all(label) && text.len() <= LONGEST_ADDRESS {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::MailAddress)
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For people: the first character and the domain, `a*****@example.com`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or_default();
        format!("{}{STARS}@{domain}", local.get(..1).unwrap_or_default())
    }
}

impl TryFrom<String> for MailAddress {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0
    }
}

impl std::fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Where one user's codes are delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contacts {
    /// The telephone of SMS codes.
    pub mobile: Option<PhoneNumber>,
    /// The mailbox of e-mail codes.
    pub mail: Option<MailAddress>,
}

impl Contacts {
    /// Whether codes can be delivered that way.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        match channel {
            Channel::Sms => self.mobile.is_some(),
            Channel::Email => self.mail.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, country, number) in [
            ("+491701234581", None, "+491701234581"),
            ("+49 170 1234581", None, "+491701234581"),
            (" +49 (170) 123-45/81 ", None, "+491701234581"),
            ("0049.170.1234581", None, "+491701234581"),
            ("0170 1234581", Some("49"), "+491701234581"),
            ("170 1234581", Some("49"), "+491701234581"),
            ("+1 202 555 0143", Some("49"), "+12025550143"),
            ("+6834123", None, "+6834123"),
            ("+123456789012345", None, "+123456789012345"),
        ] {
            assert_eq!(PhoneNumber::parse(text, country).unwrap().as_str(), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            "+49",
            "+491701",
            "+1234567890123456",
            "0170 1234581",
            "491701234581",
            "+49170CALLME",
            "+49170123４５８１",
            "++491701234581",
            "+49+1701234581",
            "+0491701234581",
            "0000491701234581",
            "+491701234581\n+15550000",
            "+491701234581;ext=5",
            "+491701234581,+15550000000",
            "-oProxyCommand",
        ] {
            assert_eq!(PhoneNumber::parse(text, None), Err(Error::PhoneNumber), "{text:?}");
        }
        assert!(PhoneNumber::parse("0", Some("49")).is_err());
        assert!(PhoneNumber::parse("00", Some("49")).is_err());
    }

    #[test]
    fn country_codes_are_one_to_three_digits() {
        for (text, is_one) in [
            ("1", true),
            ("49", true),
            ("683", true),
            ("", false),
            ("0", false),
            ("049", false),
            ("6834", false),
            ("+49", false),
            ("4a", false),
            ("４９", false),
        ] {
            assert_eq!(is_country_code(text), is_one, "{text:?}");
        }
    }

    #[test]
    fn addresses_are_plain_or_refused() {
        let local = "x".repeat(64);
        for text in
            ["a@b", "alice@example.com", "a.b+tag@sub.example.org", &format!("{local}@example.com")]
        {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "alice",
            "@example.com",
            "alice@",
            "a@b@c",
            "a..b@example.com",
            ".a@example.com",
            "-f@example.com",
            "alice@-example.com",
            "alice@exa mple.com",
            "alice@example..com",
            "alice@example.com\r\nBcc: eve@example.com",
            "\"a b\"@example.com",
            "Alice <alice@example.com>",
            "alice@example.com,eve@example.com",
            "älice@example.com",
            "alice@[127.0.0.1]",
            &format!("{local}x@example.com"),
            &format!("a@{}.com", "x".repeat(64)),
            &format!("a@{}com", "example.".repeat(32)),
        ] {
            assert_eq!(MailAddress::parse(text), Err(Error::MailAddress), "{text:?}");
        }
    }

    #[test]
    fn what_people_see_is_masked() {
        let number = PhoneNumber::parse("+491701234581", None).unwrap();
        assert_eq!((number.masked().as_str(), number.digits()), ("+49*****81", "491701234581"));
        let short = PhoneNumber::parse("+6834123", None).unwrap();
        assert_eq!(short.masked().len(), number.masked().len());
        let address = MailAddress::parse("alice@example.com").unwrap();
        assert_eq!(address.masked(), "a*****@example.com");
        assert_eq!(format!("{number:?} {address:?}"), "+49*****81 a*****@example.com");
    }
}
