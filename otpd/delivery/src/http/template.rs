//! Placeholders, and what their values need where they are put.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::number::Number;
use crate::{Failure, Message, Recipient};

/// What RFC 3986 section 2.3 calls unreserved stays; everything else is encoded, `+` included.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the placeholders stand for in one message.
pub(super) struct Values<'a> {
    message: &'a Message,
    /// The number as this gateway wants it.
    pub(super) phone: String,
}

impl<'a> Values<'a> {
    /// Of a message to a telephone; its number in the gateway's form.
    pub(super) fn new(message: &'a Message, number: &Number) -> Result<Self, Failure> {
        let Recipient::Phone(phone) = &message.to else {
            let what = "a mail address: this provider sends to telephones only".to_owned();
            return Err(Failure::Unavailable(what));
        };
        let phone = number.format(phone).map_err(Failure::Unavailable)?;
        Ok(Self { message, phone })
    }

    /// The text of the message.
    pub(super) fn text(&self) -> &str {
        self.message.text.expose()
    }

    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "phone" => Some(&self.phone),
            "text" => Some(self.text()),
            "otp" => Some(self.message.code.expose()),
            "serial" => Some(&self.message.serial),
            "user" => Some(&self.message.user),
            "uuid" => Some(&self.message.id),
            _ => None,
        }
    }

    /// Fills in a template in one pass, so that braces in a value mean nothing; each value goes
    /// through `escape`. Braces around anything but a placeholder's name are themselves.
    pub(super) fn fill(&self, template: &str, escape: fn(&str) -> String) -> String {
        let (mut filled, mut rest) = (String::new(), template);
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let value =
                after.split_once('}').and_then(|(name, tail)| Some((self.get(name)?, tail)));
            if let Some((value, tail)) = value {
                filled.push_str(&escape(value));
                rest = tail;
            } else {
                filled.push('{');
                rest = after;
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Fills in every string of a JSON document; names of members stay as they are.
    pub(super) fn fill_json(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => Value::String(self.fill(text, plain)),
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), self.fill_json(member)))
                .collect(),
            other => other.clone(),
        }
    }
}

/// As it is.
pub(super) fn plain(value: &str) -> String {
    value.to_owned()
}

/// For a URL and for a form.
pub(super) fn percent(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

/// For a string inside of JSON (RFC 8259 section 7), without its quotes.
pub(super) fn json(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// For an element or an attribute of XML 1.0 (section 2.4); control characters, which it cannot
/// hold, are dropped.
pub(super) fn xml(value: &str) -> String {
    let mut escaped = String::new();
    for c in value.chars().filter(|c| !c.is_control()) {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// For a text of no known syntax: without control characters.
fn bare(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

/// What a value needs in a body of that media type.
pub(super) fn escape_for(content_type: &str) -> fn(&str) -> String {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media.ends_with("/xml") || media.ends_with("+xml") {
        xml
    } else if media.ends_with("/json") || media.ends_with("+json") {
        json
    } else if media == "application/x-www-form-urlencoded" {
        percent
    } else {
        bare
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::message, *};

    fn filled(template: &str, user: &str, escape: fn(&str) -> String) -> String {
        let mut message = message();
        message.user = user.to_owned();
        Values::new(&message, &Number::E164).unwrap().fill(template, escape)
    }

    #[test]
    fn placeholders_are_filled_in_once() {
        for (template, user, expected) in [
            ("{phone} {user}", "alice", "+491701234581 alice"),
            ("{otp}{otp}", "", "482913482913"),
            ("{uuid}/{serial}", "", "0123456789abcdef0123456789abcdef/SMS0001"),
            ("{text}", "", "482913 is your code & more"),
            ("{user}", "{otp}", "{otp}"),
            ("{us{user}er}", "x", "{usxer}"),
            ("{{user}}", "x", "{x}"),
            ("{unknown} { } {} {", "x", "{unknown} { } {} {"),
            ("{user", "x", "{user"),
            ("", "x", ""),
        ] {
            assert_eq!(filled(template, user, plain), expected, "{template}");
        }
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        let hostile = "a&b=\"c'd\r\n<e>{otp}=?utf-8?+%/é";
        for (media, expected) in [
            (
                "application/x-www-form-urlencoded",
                "a%26b%3D%22c%27d%0D%0A%3Ce%3E%7Botp%7D%3D%3Futf-8%3F%2B%25%2F%C3%A9",
            ),
            ("text/xml; charset=utf-8", "a&amp;b=&quot;c&apos;d&lt;e&gt;{otp}=?utf-8?+%/é"),
            ("application/soap+xml", "a&amp;b=&quot;c&apos;d&lt;e&gt;{otp}=?utf-8?+%/é"),
            ("Application/JSON", "a&b=\\\"c'd\\r\\n<e>{otp}=?utf-8?+%/é"),
            ("text/plain", "a&b=\"c'd<e>{otp}=?utf-8?+%/é"),
        ] {
            assert_eq!(filled("{user}", hostile, escape_for(media)), expected, "{media}");
        }
        let mut message = message();
        message.user = hostile.to_owned();
        let template = serde_json::json!({ "{user}": ["{user}", 1, null, { "to": "{phone}" }] });
        let filled = Values::new(&message, &Number::Digits).unwrap().fill_json(&template);
        assert_eq!(
            filled,
            serde_json::json!({ "{user}": [hostile, 1, null, { "to": "491701234581" }] })
        );
    }
}
