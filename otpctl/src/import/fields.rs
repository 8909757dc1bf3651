//! The keys of one provider, each taken once and read as LinOTP reads it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

/// What is left of a provider's keys.
pub(super) struct Fields {
    class: &'static str,
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    pub(super) fn new(class: &'static str, left: Map<String, Value>) -> Self {
        Self { class, left, known: Vec::new() }
    }

    /// The value as it is; null, like nothing, is none.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.left.remove(key).filter(|value| !value.is_null())
    }

    /// A text; a number counts as one, an empty text as none.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, String> {
        let text = match self.value(key) {
            Some(value) => Some(scalar(&value).ok_or_else(|| format!("{key} is a text"))?),
            None => None,
        };
        Ok(text.filter(|text| !text.is_empty()))
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Result<String, String> {
        let class = self.class;
        self.text(key)?.ok_or_else(|| format!("{key} is missing: {class} cannot do without it"))
    }

    /// A whole number, also as a text.
    pub(super) fn whole(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        let refused = || format!("{key} is a number from {} to {}", range.start(), range.end());
        number.map(Some).ok_or_else(refused)
    }

    /// true or false, also as a text of any case; false where it is absent.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, String> {
        let text = match self.value(key) {
            None => return Ok(false),
            Some(Value::Bool(flag)) => return Ok(flag),
            Some(value) => scalar(&value).unwrap_or_default().trim().to_ascii_lowercase(),
        };
        match text.as_str() {
            "true" | "yes" | "1" | "on" => Ok(true),
            "false" | "no" | "0" | "off" | "" => Ok(false),
            _ => Err(format!("{key} is true or false")),
        }
    }

    /// Names and texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<(String, String)>, String> {
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Object(map)) => map
                .into_iter()
                .map(|(name, value)| {
                    let text = scalar(&value).ok_or_else(|| format!("{key}: {name} is a text"))?;
                    Ok((name, text))
                })
                .collect(),
            Some(_) => Err(format!("{key} is an object of names and texts")),
        }
    }

    /// Seconds for the connection, and for the answer after it: `5`, `"5"` or `"5,10"`.
    pub(super) fn timeouts(
        &mut self,
        key: &'static str,
    ) -> Result<Option<(Duration, Duration)>, String> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let seconds = |text: &str| {
            let seconds: f64 = text.trim().parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
        };
        let (first, second) = text.split_once(',').unwrap_or((&text, &text));
        let both = seconds(first).zip(seconds(second));
        both.map(Some).ok_or_else(|| format!("{key} is in seconds, such as \"5\" or \"5,10\""))
    }

    /// No key may be left that nothing has asked for.
    pub(super) fn end(self) -> Result<(), String> {
        let left: Vec<_> = self.left.keys().map(String::as_str).collect();
        if left.is_empty() {
            return Ok(());
        }
        let (class, left, known) = (self.class, left.join(", "), self.known.join(", "));
        Err(format!("{class} has no key {left}: remove it or correct it; there are {known}"))
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        // As Python writes it.
        Value::Bool(flag) => Some(if *flag { "True" } else { "False" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
