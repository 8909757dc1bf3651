//! `{phone}`, `{otp}` and `{text}` in the texts of an e-mail to an SMS gateway.

use std::iter;

use zeroize::{Zeroize, Zeroizing};

use crate::Hidden;

/// A text with places for values; what a value holds is never looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Hidden),
    Phone,
    Otp,
    Message,
}

/// What the places are filled with.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) phone: &'a str,
    pub(super) otp: &'a str,
    pub(super) text: &'a str,
}

impl Part {
    fn value<'a>(&'a self, values: Values<'a>) -> &'a str {
        match self {
            Self::Text(text) => text.expose(),
            Self::Phone => values.phone,
            Self::Otp => values.otp,
            Self::Message => values.text,
        }
    }
}

impl Template {
    /// Reads a template. A brace that does not stand around a word of small letters is a brace.
    ///
    /// # Errors
    /// The name of a place that there is not, among the `allowed` ones.
    pub(super) fn parse(text: &str, allowed: &[&str]) -> Result<Self, String> {
        let (mut parts, mut rest) = (Vec::new(), text);
        let mut plain = Zeroizing::new(String::with_capacity(text.len()));
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            let word = after.split_once('}').filter(|(word, _)| {
                !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase())
            });
            let Some((word, behind)) = word else {
                plain.push('{');
                rest = after;
                continue;
            };
            let part = match word {
                "phone" => Part::Phone,
                "otp" => Part::Otp,
                "text" => Part::Message,
                _ => Part::Text(Hidden::default()),
            };
            if !allowed.contains(&word) {
                let places: Vec<_> = allowed.iter().map(|word| format!("{{{word}}}")).collect();
                return Err(format!("{{{word}}}: allowed are {}", places.join(" ")));
            }
            parts.extend([Part::Text(plain.as_str().into()), part]);
            plain.zeroize();
            rest = behind;
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain.as_str().into()));
        Ok(Self(parts))
    }

    /// Whether a code gets into the text.
    pub(super) fn has_code(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Otp | Part::Message))
    }

    /// What may be a password in the text around the places: each line and each word, with and
    /// without the name before it (`password: …`, `password=…`).
    pub(super) fn secrets(&self) -> Vec<Hidden> {
        let forms = |text: &str| {
            let value = text.split_once([':', '=']).map_or(text, |(_, value)| value);
            let quoted = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
            [text.trim().into(), value.trim_matches(quoted).into()]
        };
        let between = |c: char| c.is_whitespace() || matches!(c, '&' | ',' | ';');
        let texts = self.0.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.expose()),
            Part::Phone | Part::Otp | Part::Message => None,
        });
        let lines = texts.flat_map(str::lines);
        lines.flat_map(|line| iter::once(line).chain(line.split(between))).flat_map(forms).collect()
    }

    /// Fills the places.
    pub(super) fn fill(&self, values: Values<'_>) -> Zeroizing<String> {
        let length = self.0.iter().map(|part| part.value(values).len()).sum();
        let mut filled = Zeroizing::new(String::with_capacity(length));
        self.0.iter().for_each(|part| filled.push_str(part.value(values)));
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_their_names_stood() {
        let values = Values { phone: "+491701234581", otp: "482913", text: "{otp} {phone}" };
        for (template, filled) in [
            ("", ""),
            ("{text}", "{otp} {phone}"),
            ("{phone}@sms.example", "+491701234581@sms.example"),
            ("a {otp}{otp} b", "a 482913482913 b"),
            ("{", "{"),
            ("{}{{otp}}", "{}{482913}"),
            ("{\"to\": \"{phone}\"}", "{\"to\": \"+491701234581\"}"),
            ("{OTP} } {otp", "{OTP} } {otp"),
        ] {
            let read = Template::parse(template, &["phone", "otp", "text"]).unwrap();
            assert_eq!(read.fill(values).as_str(), filled, "{template}");
        }
    }

    #[test]
    fn a_place_that_there_is_not_is_named() {
        for (template, name) in [("{user}", "{user}"), ("{phone} {otp}", "{otp}")] {
            let told = Template::parse(template, &["phone"]).unwrap_err();
            assert_eq!(told, format!("{name}: allowed are {{phone}}"));
        }
    }
}
