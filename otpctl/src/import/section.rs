//! One table of our configuration, as it is written to a file.

use std::fmt::Write as _;
use std::time::Duration;

use toml::Value;
use zeroize::Zeroizing;

/// A table with its comments, in the order in which it is filled.
pub(super) struct Section {
    notes: Vec<String>,
    values: Vec<(String, Value)>,
    tables: Vec<(&'static str, Vec<(String, String)>)>,
}

impl Section {
    pub(super) fn new(kind: &str) -> Self {
        let kind = ("type".to_owned(), Value::from(kind));
        Self { notes: Vec::new(), values: vec![kind], tables: Vec::new() }
    }

    /// A comment on what is not, or not quite, as it was.
    pub(super) fn note(&mut self, text: &str) {
        self.notes.push(text.replace(char::is_control, " "));
    }

    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.values.push((key.to_owned(), value.into()));
    }

    pub(super) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(super) fn set_time(&mut self, key: &str, time: Duration) {
        self.set(key, format!("{}ms", time.as_millis()));
    }

    /// A table of texts below this one.
    pub(super) fn table(&mut self, key: &'static str, texts: Vec<(String, String)>) {
        if !texts.is_empty() {
            self.tables.push((key, texts));
        }
    }

    /// The table called `path`, translated from `origin`.
    pub(super) fn print(self, origin: &str, path: &[&str]) -> Zeroizing<String> {
        let path = path.iter().map(|part| key(part)).collect::<Vec<_>>().join(".");
        let mut out = Zeroizing::new(format!("# From {origin}. It holds passwords.\n"));
        for note in &self.notes {
            let _ = writeln!(out, "# {note}");
        }
        let _ = writeln!(out, "[{path}]");
        for (name, value) in &self.values {
            let _ = writeln!(out, "{} = {value}", key(name));
        }
        for (table, texts) in &self.tables {
            let _ = writeln!(out, "\n[{path}.{table}]");
            for (name, text) in texts {
                let _ = writeln!(out, "{} = {}", key(name), Value::from(text.as_str()));
            }
        }
        out
    }
}

/// A key, in quotes where it needs them.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
