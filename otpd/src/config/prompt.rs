//! `[prompt.SERVICE]`: what people are asked, and in which language.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
};

use super::{
    error::ConfigError,
    section::{Section, quoted, text},
    settings::{PLAIN_NAME, plain_name},
    show::Text,
    tree::Value,
};
use crate::{template::unseen, text::Language};

/// The table that is for all services.
const DEFAULT: &str = "default";
/// Longest text in bytes.
const LONGEST: usize = 128;

/// A prompt whose text can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Prompt {
    /// `code`: asks for a code.
    Code,
    /// `combined`: asks for password and code in one field.
    Combined,
    /// `issued`: asks for a code that an administrator has handed out.
    Issued,
}

/// By their keys.
const PROMPTS: [(&str, Prompt); 3] =
    [("code", Prompt::Code), ("combined", Prompt::Combined), ("issued", Prompt::Issued)];

type Texts = BTreeMap<Prompt, String>;

/// What people are asked, the same at one service for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    /// `[prompt.default]`.
    default: Table,
    /// `[prompt.SERVICE]`, by service; none of them is empty.
    services: BTreeMap<String, Table>,
}

/// One table; what is not said is as the next one has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    language: Option<Language>,
    /// In every language that has none of its own.
    texts: Texts,
    /// `[prompt.SERVICE.LANGUAGE]`; none of them is empty.
    translated: BTreeMap<Language, Texts>,
}

impl Prompts {
    pub(super) fn read(section: Section) -> Result<Self, ConfigError> {
        let mut prompts = Self::default();
        for (name, place, table) in section.children()? {
            if plain_name(&Value::Text(name.clone())).is_none() {
                let name = Text(&name);
                return Err(
                    place.error(format!("prompt.{name}: allowed are names of {PLAIN_NAME}"))
                );
            }
            let table = Table::read(table)?;
            if name == DEFAULT {
                prompts.default = table;
            } else if table != Table::default() {
                prompts.services.insert(name, table);
            }
        }
        prompts.default.language.get_or_insert_default();
        Ok(prompts)
    }

    /// The language at a service for sessions that have none.
    #[must_use]
    pub fn language(&self, service: &str) -> Language {
        self.tables(service).find_map(|table| table.language).unwrap_or_default()
    }

    /// The text that is set for a service and a language; `None`: that of the catalogue counts.
    #[must_use]
    pub fn text(&self, service: &str, language: Language, prompt: Prompt) -> Option<&str> {
        self.tables(service).find_map(|table| {
            let own = table.translated.get(&language).and_then(|texts| texts.get(&prompt));
            own.or_else(|| table.texts.get(&prompt)).map(String::as_str)
        })
    }

    /// The tables that count at a service, the nearest first.
    fn tables(&self, service: &str) -> impl Iterator<Item = &Table> {
        self.services.get(service).into_iter().chain([&self.default])
    }
}

impl Table {
    fn read(mut section: Section) -> Result<Self, ConfigError> {
        let allowed = quoted(Language::ALL.iter().map(|(name, _)| *name));
        let language = section.value("language", allowed, |value| {
            let given = text(value)?;
            Language::ALL.iter().find(|(name, _)| *name == given).map(|(_, language)| *language)
        })?;
        let texts = texts(&mut section)?;
        let mut translated = BTreeMap::new();
        for (name, language) in Language::ALL {
            let mut section = section.table(name)?;
            let own = self::texts(&mut section)?;
            section.end()?;
            if !own.is_empty() {
                translated.insert(language, own);
            }
        }
        section.end()?;
        Ok(Self { language: language.map(|(language, _)| language), texts, translated })
    }

    fn write(&self, name: &str, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[prompt.{}]", Text(name))?;
        if let Some(language) = self.language {
            writeln!(f, "language = \"{}\"", language.name())?;
        }
        write_texts(&self.texts, f)?;
        self.translated.iter().try_for_each(|(language, texts)| {
            writeln!(f, "\n[prompt.{}.{}]", Text(name), language.name())?;
            write_texts(texts, f)
        })
    }
}

impl Display for Prompts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.default.write(DEFAULT, f)?;
        self.services.iter().try_for_each(|(name, table)| table.write(name, f))
    }
}

fn texts(section: &mut Section) -> Result<Texts, ConfigError> {
    let mut texts = Texts::new();
    for (key, prompt) in PROMPTS {
        if let Some((text, _)) = section.parsed(key, printable)? {
            texts.insert(prompt, text);
        }
    }
    Ok(texts)
}

fn write_texts(texts: &Texts, f: &mut Formatter<'_>) -> fmt::Result {
    for (key, prompt) in PROMPTS {
        if let Some(text) = texts.get(&prompt) {
            writeln!(f, "{key} = {}", Text(text))?;
        }
    }
    Ok(())
}

/// A text that a terminal can show as it is.
fn printable(text: &str) -> Result<String, String> {
    if text.len() > LONGEST || text.trim().is_empty() {
        return Err(format!("a text of 1 to {LONGEST} bytes is allowed, and not of spaces alone"));
    }
    if text.contains(unseen) {
        return Err("control characters and invisible ones are not allowed".to_owned());
    }
    Ok(text.to_owned())
}
