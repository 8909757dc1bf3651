//! What messages say: a text with placeholders for the code and for the login that asked for it.

use std::{borrow::Cow, fmt};

use zeroize::Zeroizing;

/// Longest template in bytes.
const LONGEST: usize = 4096;
/// Longest message in bytes, with the longest values in it: what the store takes.
const LONGEST_MESSAGE: usize = 5000;
/// Longest value from outside in bytes.
const LONGEST_VALUE: usize = 64;
/// What stands for the code.
pub const CODE: &str = "otp";
/// Every placeholder.
const PLACEHOLDERS: [&str; 6] = [CODE, "user", "service", "host", "source", "minutes"];

/// A text in which every brace belongs to a known placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Cow<'static, str>);

/// What the placeholders stand for.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// `{otp}`: the code.
    pub otp: &'a str,
    /// `{user}`: the login name.
    pub user: &'a str,
    /// `{service}`: the PAM service.
    pub service: &'a str,
    /// `{host}`: this host's name.
    pub host: &'a str,
    /// `{source}`: where the login comes from.
    pub source: &'a str,
    /// `{minutes}`: how long the code is good.
    pub minutes: u64,
}

impl Template {
    /// A text that is known to be right.
    pub(crate) const fn built_in(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Takes 1 to 4096 bytes without control characters other than a line feed.
    ///
    /// # Errors
    /// What is wrong, and which placeholders there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
        if text.is_empty() || text.len() > LONGEST {
            return Err(format!("a text of 1 to {LONGEST} bytes is allowed"));
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err("control characters are not allowed".to_owned());
        }
        let mut rest = text;
        while let Some((literal, name, after)) = next(rest) {
            if literal.contains('}') || name.contains('{') {
                break;
            }
            if !PLACEHOLDERS.contains(&name) {
                let name = name.escape_debug();
                return Err(format!("{{{name}}} is not known: placeholders are {known}"));
            }
            rest = after;
        }
        if rest.contains(['{', '}']) {
            return Err(format!("a brace has no partner: braces stand around {known} only"));
        }
        let template = Self(text.to_owned().into());
        if template.longest() > LONGEST_MESSAGE {
            return Err(format!("with its values it may be longer than {LONGEST_MESSAGE} bytes"));
        }
        Ok(template)
    }

    /// The most bytes that it can have with its values.
    fn longest(&self) -> usize {
        self.0.len().saturating_add(self.0.matches('{').count().saturating_mul(LONGEST_VALUE))
    }

    /// The template itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value of that name is in it.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let mut rest = self.as_str();
        while let Some((_, other, after)) = next(rest) {
            if other == name {
                return true;
            }
            rest = after;
        }
        false
    }

    /// The text with its values. Those from outside (user, service, host, source) lose control
    /// characters and those that hide or turn others, and are cut to 64 bytes.
    #[must_use]
    pub fn render(&self, values: &Values<'_>) -> Zeroizing<String> {
        // A string that grows leaves what it held behind.
        let mut text = Zeroizing::new(String::with_capacity(self.longest()));
        let mut rest = self.as_str();
        while let Some((literal, name, after)) = next(rest) {
            text.push_str(literal);
            match name {
                CODE => text.push_str(values.otp),
                "minutes" => text.push_str(&values.minutes.to_string()),
                "user" => push(&mut text, values.user),
                "service" => push(&mut text, values.service),
                "host" => push(&mut text, values.host),
                _ => push(&mut text, values.source),
            }
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before the next placeholder, its name, and what comes after it.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (literal, after) = text.split_once('{')?;
    let (name, after) = after.split_once('}')?;
    Some((literal, name, after))
}

/// Adds a value from outside.
fn push(text: &mut String, value: &str) {
    let most = text.len() + LONGEST_VALUE;
    for c in value.chars().filter(|c| !unseen(*c)) {
        if text.len() + c.len_utf8() > most {
            break;
        }
        text.push(c);
    }
}

/// Control characters, line separators, and what hides or changes the direction of others.
pub(crate) fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values<'_> = Values {
        otp: "482913",
        user: "alice",
        service: "sshd",
        host: "gate",
        source: "192.0.2.7",
        minutes: 5,
    };

    fn rendered(text: &str, values: &Values<'_>) -> String {
        Template::parse(text).unwrap().render(values).to_string()
    }

    #[test]
    fn placeholders_become_their_values() {
        for (template, text) in [
            ("plain", "plain"),
            ("{otp}", "482913"),
            ("Prüfcode {otp} €\n", "Prüfcode 482913 €\n"),
            (
                "{user}{service} {host}, {source}: {minutes} {otp}{otp}",
                "alicesshd gate, 192.0.2.7: 5 482913482913",
            ),
        ] {
            assert_eq!(rendered(template, &VALUES), text);
            let parsed = Template::parse(template).unwrap();
            assert_eq!((parsed.as_str(), parsed.to_string().as_str()), (template, template));
            assert_eq!(parsed.has(CODE), template.contains("{otp}"));
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        const KNOWN: &str = "{otp}, {user}, {service}, {host}, {source}, {minutes}";
        let brace = format!("a brace has no partner: braces stand around {KNOWN} only");
        let unknown = |name| format!("{name} is not known: placeholders are {KNOWN}");
        let control = "control characters are not allowed".to_owned();
        for (text, expected) in [
            ("{", &brace),
            ("}", &brace),
            ("{otp", &brace),
            ("otp}", &brace),
            ("{otp}}", &brace),
            ("{{otp}}", &brace),
            ("} {otp}", &brace),
            ("{otp} {", &brace),
            ("{}", &unknown("{}")),
            ("{OTP}", &unknown("{OTP}")),
            ("{otp }", &unknown("{otp }")),
            ("{password}", &unknown("{password}")),
            ("{otp}\r", &control),
            ("{otp}\u{7}", &control),
            ("{otp}\u{85}", &control),
            ("", &"a text of 1 to 4096 bytes is allowed".to_owned()),
            (&"x".repeat(4097), &"a text of 1 to 4096 bytes is allowed".to_owned()),
        ] {
            assert_eq!(Template::parse(text).unwrap_err(), *expected, "{text:?}");
        }
        assert!(Template::parse(&"x".repeat(4096)).is_ok());
    }

    #[test]
    fn values_from_outside_bring_no_lines_no_placeholders_and_no_length() {
        let hostile = "{otp}\r\nBcc: x\0\u{202e}\u{2028}\u{200b}é";
        let values = Values { user: hostile, source: hostile, ..VALUES };
        assert_eq!(rendered("{user}|{source}", &values), "{otp}Bcc: xé|{otp}Bcc: xé");
        let long = "é".repeat(100);
        let values = Values { user: &long, service: &long, host: &long, source: &long, ..VALUES };
        for name in ["{user}", "{service}", "{host}", "{source}"] {
            assert_eq!(rendered(name, &values), "é".repeat(32), "{name}");
        }
        assert_eq!(rendered("{user}", &Values { user: &format!("x{long}"), ..VALUES }).len(), 63);
    }

    #[test]
    fn the_text_never_moves_while_it_is_made() {
        let long = "x".repeat(100);
        let values = Values { user: &long, otp: &long, minutes: u64::MAX, ..VALUES };
        let template = Template::parse("{user}{otp}{minutes}{user}{otp}.").unwrap();
        let text = template.render(&values);
        assert!(text.capacity() < 2 * (100 * 5 + template.as_str().len()), "{}", text.capacity());
        assert_eq!(text.len(), 64 + 100 + 20 + 64 + 100 + 1);
    }
}
