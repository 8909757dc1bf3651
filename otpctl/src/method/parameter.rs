//! `KEY=VALUE` of a method: our names and those of Ubisecure, each in its own unit.

use std::ops::RangeInclusive;
use std::str::FromStr;

use toml_edit::{Array, Value};

use super::meant;

/// What a key takes.
enum Kind {
    Text,
    /// A list of names, separated by commas.
    Names,
    /// A whole number.
    Whole(RangeInclusive<i64>),
    /// One of the words, and what it is in our files.
    Words(&'static [(&'static str, &'static str)]),
    Flag(&'static [(&'static str, bool)]),
    /// A whole number with its unit.
    Time,
    /// A whole number of milliseconds, without a unit.
    Milliseconds(RangeInclusive<i64>),
}

use Kind::{Flag, Milliseconds, Names, Text, Time, Whole, Words};

/// The words of our keys for themselves.
const TYPES: &[(&str, &str)] =
    &[("totp", "totp"), ("hotp", "hotp"), ("sms", "sms"), ("email", "email")];
const ALGORITHMS: &[(&str, &str)] = &[("sha1", "sha1"), ("sha256", "sha256"), ("sha512", "sha512")];
const UBISECURE_ALGORITHMS: &[(&str, &str)] =
    &[("HmacSHA1", "sha1"), ("HmacSHA256", "sha256"), ("HmacSHA512", "sha512")];

/// Every key as it is typed, the key of our files, and what it takes. otpd checks it all once more,
/// and what stands together.
const KEYS: &[(&str, &str, Kind)] = &[
    ("title", "title", Text),
    ("type", "type", Words(TYPES)),
    ("enabled", "enabled", Flag(&[("true", true), ("false", false)])),
    ("algorithm", "algorithm", Words(ALGORITHMS)),
    ("digits", "digits", Whole(4..=8)),
    ("t0", "t0", Time),
    ("time_step", "time_step", Time),
    ("window_before", "window_before", Whole(0..=9)),
    ("window_after", "window_after", Whole(0..=9)),
    ("look_ahead", "look_ahead", Whole(0..=50)),
    ("key_size", "key_size", Whole(10..=99)),
    ("validity", "validity", Time),
    ("tries", "tries", Whole(1..=5)),
    ("providers", "providers", Names),
    ("status", "enabled", Flag(&[("enabled", true), ("disabled", false)])),
    ("totpWindowBefore", "window_before", Whole(0..=9)),
    ("totpWindowAfter", "window_after", Whole(0..=9)),
    ("totpDigits", "digits", Whole(4..=8)),
    ("totpAlgorithm", "algorithm", Words(UBISECURE_ALGORITHMS)),
    ("totpT0", "t0", Milliseconds(0..=i64::MAX)),
    ("totpTimeStep", "time_step", Milliseconds(1_000..=3_600_000)),
    ("totpKeySize", "key_size", Whole(10..=99)),
];

/// How Ubisecure writes any of its parameters: `configuration=totpDigits 6`.
const CONFIGURATION: &str = "configuration";

/// Units of a time, as in the configuration.
const UNITS: [(&str, i64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// One parameter of a method, as our files have it.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// As it was typed.
    typed: &'static str,
    /// The key in our files.
    pub(crate) key: &'static str,
    /// The value in our files.
    pub(crate) value: Value,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err("write KEY=VALUE, such as digits=8".to_owned());
        };
        if key != CONFIGURATION {
            return Self::read(key, value);
        }
        match value.trim().split_once(char::is_whitespace) {
            Some((key, value)) => Self::read(key, value.trim()),
            None => Err("write configuration=\"KEY VALUE\", such as \"totpDigits 6\"".to_owned()),
        }
    }
}

impl Parameter {
    fn read(key: &str, value: &str) -> Result<Self, String> {
        let known = KEYS.iter().find(|(name, ..)| *name == key);
        let Some((typed, key, kind)) = known else {
            if key == "directories" {
                return Err("`otpctl method link NAME DIRECTORY` sets directories".to_owned());
            }
            let names = || KEYS.iter().map(|(name, ..)| *name).chain([CONFIGURATION]);
            let all: Vec<_> = names().collect();
            let meant = meant(key, names());
            return Err(format!("there is no key {key}{meant} There are: {}", all.join(", ")));
        };
        let value = kind.read(value).map_err(|allowed| format!("allowed are {allowed}"))?;
        Ok(Self { typed, key, value })
    }

    /// The time that it says, in milliseconds.
    pub(crate) fn milliseconds(&self) -> Option<i64> {
        self.value.as_str().and_then(milliseconds)
    }
}

impl Kind {
    /// The value as our files have it, or what is allowed.
    fn read(&self, given: &str) -> Result<Value, String> {
        let whole = |range: &RangeInclusive<i64>| {
            let digits = !given.is_empty() && given.bytes().all(|byte| byte.is_ascii_digit());
            let number = given.parse().ok().filter(|number| digits && range.contains(number));
            number.ok_or_else(|| match *range.end() {
                i64::MAX => format!("{} and more", range.start()),
                end => format!("{} to {end}", range.start()),
            })
        };
        match self {
            Text => Ok(given.into()),
            Names => {
                let names = given.split(',').map(str::trim).filter(|name| !name.is_empty());
                Ok(Value::Array(names.collect::<Array>()))
            }
            Whole(range) => whole(range).map(Value::from),
            Words(words) => one_of(words, given).map(Value::from),
            Flag(words) => one_of(words, given).map(Value::from),
            Time => match milliseconds(given) {
                Some(_) => Ok(given.into()),
                None => Err("whole numbers with a unit: 30000ms, 30s, 5m, 2h or 1d".to_owned()),
            },
            Milliseconds(range) => match whole(range) {
                Ok(number) => Ok(format!("{number}ms").into()),
                Err(allowed) => Err(format!("{allowed}, in milliseconds and without a unit")),
            },
        }
    }
}

fn one_of<T: Copy>(words: &[(&str, T)], given: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let meant = meant(given, all.iter().copied());
        format!("{}{}", all.join(", "), meant.trim_end_matches('.'))
    })
}

/// A whole number with its unit, in milliseconds.
pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit)?;
    digits.parse::<i64>().ok()?.checked_mul(*length)
}

/// Parameters of one method, each at most once.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<Parameter>);

impl Parameters {
    /// # Errors
    /// What is said twice, by whichever of its names.
    pub(crate) fn new(given: Vec<Parameter>) -> Result<Self, String> {
        let mut all: Vec<Parameter> = Vec::new();
        for one in given {
            if let Some(first) = all.iter().find(|other| other.key == one.key) {
                let (first, second) = (first.typed, one.typed);
                return Err(if first == second {
                    format!("{first} is given twice")
                } else {
                    format!("{first} and {second} are the same and both given")
                });
            }
            all.push(one);
        }
        Ok(Self(all))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Parameter> {
        self.0.iter().find(|parameter| parameter.key == key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, String), String> {
        let parameter: Parameter = text.parse()?;
        Ok((parameter.key.to_owned(), parameter.value.to_string().trim().to_owned()))
    }

    #[test]
    fn u03_our_names_and_those_of_ubisecure_are_taken() {
        for (text, key, value) in [
            ("digits=8", "digits", "8"),
            ("totpDigits=8", "digits", "8"),
            ("configuration=totpDigits 8", "digits", "8"),
            ("configuration= totpAlgorithm  HmacSHA256 ", "algorithm", "\"sha256\""),
            ("totpAlgorithm=HmacSHA1", "algorithm", "\"sha1\""),
            ("algorithm=sha512", "algorithm", "\"sha512\""),
            ("totpWindowBefore=9", "window_before", "9"),
            ("totpWindowAfter=0", "window_after", "0"),
            ("totpT0=0", "t0", "\"0ms\""),
            ("totpTimeStep=60000", "time_step", "\"60000ms\""),
            ("time_step=1m", "time_step", "\"1m\""),
            ("totpKeySize=99", "key_size", "99"),
            ("title=Acme \"A\" = 1", "title", "'Acme \"A\" = 1'"),
            ("status=disabled", "enabled", "false"),
            ("enabled=true", "enabled", "true"),
            ("providers=main, smsc", "providers", "[\"main\", \"smsc\"]"),
        ] {
            assert_eq!(read(text).unwrap(), (key.to_owned(), value.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_range_or_no_number_is_refused() {
        for (text, told) in [
            ("digits=3", "4 to 8"),
            ("digits=9", "4 to 8"),
            ("totpDigits=+6", "4 to 8"),
            ("totpDigits=", "4 to 8"),
            ("totpDigits=x", "4 to 8"),
            ("totpWindowBefore=-1", "0 to 9"),
            ("totpWindowAfter=10", "0 to 9"),
            ("totpKeySize=9", "10 to 99"),
            ("totpKeySize=100", "10 to 99"),
            ("totpT0=-1", "0 and more"),
            ("totpTimeStep=0", "1000 to 3600000, in milliseconds and without a unit"),
            ("totpTimeStep=30s", "in milliseconds and without a unit"),
            ("time_step=30", "30000ms, 30s"),
            ("time_step=30 s", "30000ms, 30s"),
            ("totpAlgorithm=HmacSHA265", "HmacSHA512; did you mean HmacSHA256?"),
            ("algorithm=SHA1", "sha512; did you mean sha1?"),
            ("enabled=yes", "true, false"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }

    #[test]
    fn x01_each_systems_keys_are_in_their_own_unit() {
        for (text, milliseconds) in [
            ("totpTimeStep=30000", 30_000),
            ("time_step=30000ms", 30_000),
            ("time_step=30s", 30_000),
            ("validity=2h", 7_200_000),
            ("t0=1d", 86_400_000),
        ] {
            let parameter: Parameter = text.parse().unwrap();
            assert_eq!(parameter.milliseconds(), Some(milliseconds), "{text}");
        }
    }

    #[test]
    fn a_typing_error_is_answered_with_the_key_that_was_meant() {
        for (text, told) in [
            ("digts=6", "did you mean digits?"),
            ("totpdigits=6", "did you mean totpDigits?"),
            ("totpWindowsBefore=6", "did you mean totpWindowBefore?"),
            ("window-before=6", "did you mean window_before?"),
            ("step=30s", "did you mean time_step?"),
            ("after=1", "did you mean window_after?"),
            ("xyz=1", "there is no key xyz. There are: title, type, "),
            ("configuration=totpDigist 6", "did you mean totpDigits?"),
            ("configuration=totpDigits", "totpDigits 6"),
            ("digits", "KEY=VALUE"),
            ("directories=local", "otpctl method link"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let given = |texts: &[&str]| {
            Parameters::new(texts.iter().map(|text| text.parse().unwrap()).collect())
        };
        assert!(given(&["digits=6", "totpKeySize=20"]).is_ok());
        for texts in [["digits=6", "totpDigits=6"], ["digits=6", "configuration=totpDigits 8"]] {
            let refused = given(&texts).unwrap_err();
            assert_eq!(refused, "digits and totpDigits are the same and both given");
        }
        assert_eq!(given(&["digits=6", "digits=6"]).unwrap_err(), "digits is given twice");
    }
}
