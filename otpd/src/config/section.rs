//! Reads the keys of one table: types, ranges and defaults, and what is left over is an error.

use std::{fmt::Display, ops::RangeInclusive};

use super::{
    duration,
    error::{ConfigError, Place},
    tree::{Entry, Node, Table, Value},
};

type Result<T> = std::result::Result<T, ConfigError>;

/// A table that is being read. Each key is taken once; [`Section::end`] refuses the others.
pub(super) struct Section {
    /// The table's dotted name with a dot at its end; empty for the file as a whole.
    path: String,
    entries: Table,
    known: Vec<&'static str>,
    /// What was read, defaults included, as lines of TOML without a secret.
    shown: Vec<String>,
}

impl Section {
    /// The files as a whole.
    pub(super) fn root(entries: Table) -> Self {
        Self::at(String::new(), entries)
    }

    fn at(path: String, entries: Table) -> Self {
        Self { path, entries, known: Vec::new(), shown: Vec::new() }
    }

    /// The table's dotted name with a dot at its end.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Notes what a key counts as.
    pub(super) fn show(&mut self, key: &str, value: impl Display) {
        self.shown.push(format!("{key} = {value}"));
    }

    /// The value of a key that is read elsewhere.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.entries.remove(key).map(|entry| entry.node)
    }

    fn below(&self, key: &str, node: Node) -> Result<Self> {
        match node.value {
            Value::Table(entries) => Ok(Self::at(format!("{}{key}.", self.path), entries)),
            _ => Err(self.refusal(key, &node, &"a table")),
        }
    }

    fn refusal(&self, key: &str, node: &Node, allowed: &dyn Display) -> ConfigError {
        let (path, value) = (&self.path, node.excerpt());
        node.place.error(format!("{path}{key} = {value}: allowed are {allowed}"))
    }

    /// What is allowed in a range, with a word to those who tried nought for "no limit".
    fn bounds(&self, key: &str, mut allowed: String) -> String {
        if self.entries.get(key).is_some_and(|entry| nought(&entry.node.value)) {
            allowed.push_str(" (0 never means unlimited)");
        }
        allowed
    }

    /// `[key]`; an absent table is an empty one.
    pub(super) fn table(&mut self, key: &'static str) -> Result<Self> {
        match self.take(key) {
            Some(node) => self.below(key, node),
            None => Ok(Self::at(format!("{}{key}.", self.path), Table::new())),
        }
    }

    /// `[[key]]`, in order.
    pub(super) fn tables(&mut self, key: &'static str) -> Result<Vec<(Place, Self)>> {
        let Some(node) = self.take(key) else { return Ok(Vec::new()) };
        let Value::List(items) = node.value else {
            return Err(self.refusal(key, &node, &format!("tables [[{key}]]")));
        };
        items.into_iter().map(|item| Ok((item.place.clone(), self.below(key, item)?))).collect()
    }

    /// The name of a `[[table]]`, which it must have and which no other of its kind has.
    pub(super) fn name(
        &mut self,
        at: &Place,
        allowed: &str,
        parse: impl FnOnce(&Value) -> Option<String>,
        seen: &mut Vec<(String, Place)>,
    ) -> Result<String> {
        let Some((name, place)) = self.value("name", allowed, parse)? else {
            return Err(at.error(format!("{}name is missing: allowed is {allowed}", self.path)));
        };
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == name) {
            return Err(place.error(format!(
                "{}name = \"{name}\" is taken: the first one is at {first}",
                self.path
            )));
        }
        seen.push((name.clone(), place));
        Ok(name)
    }

    /// The tables below this one, by name, with the place of each.
    pub(super) fn children(self) -> Result<Vec<(String, Place, Self)>> {
        let Self { path, entries, .. } = self;
        let parent = Self::at(path, Table::new());
        let child = |(name, entry): (String, Entry)| {
            parent.below(&name, entry.node).map(|child| (name, entry.key, child))
        };
        entries.into_iter().map(child).collect()
    }

    /// Any value: `parse` answers `None` to what `allowed` does not describe.
    pub(super) fn value<T>(
        &mut self,
        key: &'static str,
        allowed: impl Display,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<(T, Place)>> {
        let Some(node) = self.take(key) else { return Ok(None) };
        match parse(&node.value) {
            Some(value) => {
                self.show(key, node.toml());
                Ok(Some((value, node.place)))
            }
            None => Err(self.refusal(key, &node, &allowed)),
        }
    }

    /// A text that tells itself what is wrong with it.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> std::result::Result<T, String>,
    ) -> Result<Option<(T, Place)>> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let Some(given) = text(&node.value) else {
            return Err(self.refusal(key, &node, &"a text"));
        };
        let wrong = |why| {
            let (path, value) = (&self.path, node.excerpt());
            node.place.error(format!("{path}{key} = {value}: {why}"))
        };
        let value = parse(given).map_err(wrong)?;
        self.show(key, node.toml());
        Ok(Some((value, node.place)))
    }

    /// A list; an item that is not allowed is named by its own place. An empty list is refused
    /// where `least` is 1.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        least: usize,
        allowed: impl Display,
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let allowed =
            format!("a list of {}{allowed}", if least > 0 { "at least one of " } else { "" });
        match &node.value {
            Value::List(items) if items.len() >= least => {
                let item = |item: &Node| {
                    parse(&item.value).ok_or_else(|| self.refusal(key, item, &allowed))
                };
                let list = items.iter().map(item).collect::<Result<_>>()?;
                self.show(key, node.toml());
                Ok(Some(list))
            }
            _ => Err(self.refusal(key, &node, &allowed)),
        }
    }

    /// A list of at least one text, or one text alone where `alone` says so; each tells itself what
    /// is wrong with it.
    pub(super) fn texts<T, E: Display>(
        &mut self,
        key: &'static str,
        alone: bool,
        parse: impl Fn(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<Vec<T>>> {
        let Some(node) = self.take(key) else { return Ok(None) };
        let item = |item: &Node| {
            let wrong = |why: &dyn Display| {
                let (path, value) = (&self.path, item.excerpt());
                item.place.error(format!("{path}{key} = {value}: {why}"))
            };
            let given = text(&item.value).ok_or_else(|| wrong(&"a text is allowed here"))?;
            parse(given).map_err(|why| wrong(&why))
        };
        let texts = match &node.value {
            Value::List(items) if !items.is_empty() => items.iter().map(item).collect(),
            Value::Text(_) if alone => item(&node).map(|one| vec![one]),
            _ if alone => Err(self.refusal(key, &node, &"a text and a list of at least one")),
            _ => Err(self.refusal(key, &node, &"a list of at least one text")),
        }?;
        self.show(key, node.toml());
        Ok(Some(texts))
    }

    /// A whole number with its default.
    pub(super) fn whole<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
        default: T,
    ) -> Result<T>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let given = self.number(key, range)?;
        Ok(given.unwrap_or_else(|| self.by_default(key, default, default)))
    }

    /// A whole number.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let allowed = self.bounds(key, format!("{} to {}", range.start(), range.end()));
        let number = |value: &Value| match value {
            Value::Whole(number) => {
                T::try_from(*number).ok().filter(|number| range.contains(number))
            }
            _ => None,
        };
        Ok(self.value(key, allowed, number)?.map(|(number, _)| number))
    }

    /// A length of time in milliseconds.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64> {
        let given = self.optional_duration(key, range)?;
        let spelled = || format!("\"{}\"", duration::spell(default));
        Ok(given.unwrap_or_else(|| self.by_default(key, default, spelled())))
    }

    /// A length of time in milliseconds that need not be said.
    pub(super) fn optional_duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>> {
        let (least, most) = (duration::spell(*range.start()), duration::spell(*range.end()));
        let range_text =
            format!("\"{least}\" to \"{most}\", a whole number with its unit ms, s, m, h or d");
        let allowed = self.bounds(key, range_text);
        let time =
            |value: &Value| duration::parse(text(value)?).filter(|time| range.contains(time));
        Ok(self.value(key, allowed, time)?.map(|(time, _)| time))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> Result<T> {
        let allowed = quoted(words.iter().map(|(word, _)| *word));
        let pick = |value: &Value| {
            let given = text(value)?;
            words.iter().find(|(word, _)| *word == given).map(|(_, choice)| *choice)
        };
        let given = self.value(key, allowed, pick)?.map(|(choice, _)| choice);
        let word =
            || words.iter().find(|(_, choice)| *choice == default).map_or("", |(word, _)| *word);
        Ok(given.unwrap_or_else(|| self.by_default(key, default, quoted([word()].into_iter()))))
    }

    /// true or false.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool> {
        let flag = |value: &Value| if let Value::Flag(flag) = value { Some(*flag) } else { None };
        let given = self.value(key, "true and false", flag)?.map(|(flag, _)| flag);
        Ok(given.unwrap_or_else(|| self.by_default(key, default, default)))
    }

    fn by_default<T>(&mut self, key: &str, default: T, shown: impl Display) -> T {
        self.show(key, shown);
        default
    }

    /// No key may be left that nothing has asked for. Tells what was read, as lines of TOML.
    pub(super) fn end(self) -> Result<Vec<String>> {
        let Some((name, entry)) = self.entries.iter().min_by_key(|(_, entry)| entry.key.span.start)
        else {
            return Ok(self.shown);
        };
        let known = self.known.join(", ");
        Err(entry
            .key
            .error(format!("{}{name} is not a known key: allowed here are {known}", self.path)))
    }
}

fn nought(value: &Value) -> bool {
    matches!(value, Value::Whole(0))
        || text(value).is_some_and(|text| text == "0" || duration::parse(text) == Some(0))
}

/// The text, where the value is one.
pub(super) fn text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

/// `"a", "b"`
pub(super) fn quoted<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}
