//! The files' contents as one tree, in which every key and value knows where it was written.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    error::{ConfigError, Place, Source},
    show::Text,
};

/// Keys and what they are set to.
pub(super) type Table = BTreeMap<String, Entry>;

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Place,
    pub(super) node: Node,
}

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

impl Node {
    /// The value as it is written, for a message.
    pub(super) fn excerpt(&self) -> String {
        match self.value {
            // Its keys may stand anywhere; its own place is its name.
            Value::Table(_) => "{…}".to_owned(),
            _ => self.place.excerpt(),
        }
    }

    /// The value as TOML on one line.
    pub(super) fn toml(&self) -> String {
        match &self.value {
            Value::Text(text) => Text(text).to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(Self::toml).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(entries) => {
                let entry = |(key, entry): (&String, &Entry)| {
                    format!("{} = {}", Text(key), entry.node.toml())
                };
                let entries: Vec<_> = entries.iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Value::Other => self.place.excerpt(),
        }
    }
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Whole(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// Fractions, dates and numbers beyond 64 bits: no key takes them.
    Other,
}

/// Reads one file's text.
pub(super) fn parse(source: &Arc<Source>) -> Result<Table, ConfigError> {
    let place = |span: Range<usize>| Place { source: Arc::clone(source), span };
    match DeTable::parse(&source.text) {
        Ok(document) => Ok(table(document.into_inner(), &place)),
        Err(error) => {
            let at = place(error.span().unwrap_or(0..0));
            Err(at.error(format!("not TOML: {}", error.message())))
        }
    }
}

fn table(table: DeTable<'_>, place: &dyn Fn(Range<usize>) -> Place) -> Table {
    let entry = |(key, value): (Spanned<DeString<'_>>, Spanned<DeValue<'_>>)| {
        let at = place(key.span());
        (key.into_inner().into_owned(), Entry { key: at, node: node(value, place) })
    };
    table.into_iter().map(entry).collect()
}

fn node(value: Spanned<DeValue<'_>>, place: &dyn Fn(Range<usize>) -> Place) -> Node {
    let at = place(value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(digits) => {
            i64::from_str_radix(digits.as_str(), digits.radix()).map_or(Value::Other, Value::Whole)
        }
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Array(items) => {
            Value::List(items.into_iter().map(|item| node(item, place)).collect())
        }
        DeValue::Table(entries) => Value::Table(table(entries, place)),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    };
    Node { place: at, value }
}

/// Adds a later file: its tables are merged, its `[[lists]]` are appended, and a key that is set
/// already is an error that names both places.
pub(super) fn merge(into: &mut Table, from: Table) -> Result<(), ConfigError> {
    merge_at("", into, from)
}

fn merge_at(path: &str, into: &mut Table, from: Table) -> Result<(), ConfigError> {
    for (name, later) in from {
        let path = format!("{path}{name}");
        let Some(earlier) = into.get_mut(&name) else {
            into.insert(name, later);
            continue;
        };
        match (&mut earlier.node.value, later.node.value) {
            (Value::Table(earlier), Value::Table(later)) => {
                merge_at(&format!("{path}."), earlier, later)?
            }
            (Value::List(earlier), Value::List(mut later)) if tables(earlier) && tables(&later) => {
                earlier.append(&mut later);
            }
            _ => {
                let message =
                    format!("{path} is set twice: here and at {}; remove one of them", earlier.key);
                return Err(later.key.error(message));
            }
        }
    }
    Ok(())
}

fn tables(list: &[Node]) -> bool {
    list.iter().all(|item| matches!(item.value, Value::Table(_)))
}
