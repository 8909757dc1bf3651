//! How a gateway wants the number of a telephone.

use otp_core::contact::{PhoneNumber, is_country_code};
use regex::Regex;

use super::reply;

/// The form of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+491701234581`, as E.164 writes it.
    #[default]
    E164,
    /// `491701234581`.
    Digits,
    /// `00491701234581`.
    DoubleZero,
    /// `01701234581`; numbers of another country are left to another provider.
    National {
        /// The country's code, digits alone: `49`.
        country: String,
    },
    /// Whatever a regular expression makes of `+491701234581`; unchanged where it does not match.
    Pattern {
        /// What is replaced, once: `^\+49`.
        search: String,
        /// What comes instead; `$1` or `${name}` stand for groups.
        replace: String,
    },
}

/// A [`NumberFormat`], ready for use.
pub(super) enum Number {
    E164,
    Digits,
    DoubleZero,
    National(String),
    Pattern(Regex, String),
}

impl Number {
    pub(super) fn new(format: &NumberFormat) -> Result<Self, String> {
        Ok(match format {
            NumberFormat::E164 => Self::E164,
            NumberFormat::Digits => Self::Digits,
            NumberFormat::DoubleZero => Self::DoubleZero,
            NumberFormat::National { country } => {
                if !is_country_code(country) {
                    return Err(format!(
                        "number: the country is \"{country}\"; give its code in digits, like 49"
                    ));
                }
                Self::National(country.clone())
            }
            NumberFormat::Pattern { search, replace } => {
                let search = reply::compile(search).map_err(|error| format!("number: {error}"))?;
                Self::Pattern(search, replace.clone())
            }
        })
    }

    /// The number in this form; the error never holds it.
    pub(super) fn format(&self, number: &PhoneNumber) -> Result<String, String> {
        let formatted = match self {
            Self::E164 => number.as_str().to_owned(),
            Self::Digits => number.digits().to_owned(),
            Self::DoubleZero => format!("00{}", number.digits()),
            Self::National(country) => match number.digits().strip_prefix(country.as_str()) {
                Some(rest) => format!("0{rest}"),
                None => {
                    return Err(format!(
                        "{} is not of the country +{country}, which is the only one of `number`",
                        number.masked()
                    ));
                }
            },
            Self::Pattern(search, replace) => {
                search.replace(number.as_str(), replace.as_str()).into_owned()
            }
        };
        if formatted.is_empty() {
            return Err(format!("`number` leaves nothing of {}", number.masked()));
        }
        Ok(formatted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn national(country: &str) -> NumberFormat {
        NumberFormat::National { country: country.to_owned() }
    }

    fn pattern(search: &str, replace: &str) -> NumberFormat {
        NumberFormat::Pattern { search: search.to_owned(), replace: replace.to_owned() }
    }

    #[test]
    fn each_form() {
        let number = PhoneNumber::parse("+491701234581", None).unwrap();
        for (format, expected) in [
            (NumberFormat::E164, Ok("+491701234581")),
            (NumberFormat::Digits, Ok("491701234581")),
            (NumberFormat::DoubleZero, Ok("00491701234581")),
            (national("49"), Ok("01701234581")),
            (
                national("43"),
                Err("+49*****81 is not of the country +43, which is the only one of `number`"),
            ),
            (pattern(r"^\+(\d\d)", "$1-"), Ok("49-1701234581")),
            (pattern("^[+]43", "0"), Ok("+491701234581")),
            (pattern(".*", ""), Err("`number` leaves nothing of +49*****81")),
        ] {
            let formatted = Number::new(&format).unwrap().format(&number);
            assert_eq!(formatted, expected.map(str::to_owned).map_err(str::to_owned), "{format:?}");
        }
    }

    #[test]
    fn a_form_that_cannot_be_is_refused() {
        for format in [national(""), national("+49"), national("049"), pattern("(", "")] {
            assert!(Number::new(&format).is_err(), "{format:?}");
        }
    }
}
