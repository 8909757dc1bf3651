//! What people read at a prompt, in their language: the catalogues `*.ftl` (Project Fluent) and the
//! one way to them, in which no message can lack a value.

mod catalogue;
mod message;
mod plain;
#[cfg(test)]
mod tests;

pub use message::Message;

/// A language that there are texts in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
    /// Spanish.
    Spanish,
}

impl Language {
    /// All of them, by their names in settings.
    pub const ALL: [(&'static str, Self); 4] =
        [("en", Self::English), ("de", Self::German), ("fr", Self::French), ("es", Self::Spanish)];

    /// Its name, as ISO 639-1 has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, language)| *language == self).map_or("en", |(name, _)| name)
    }

    fn of_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, language)| *language)
    }
}

/// In which language somebody is spoken to, and whether their terminal shows more than ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locale {
    /// The language.
    pub language: Language,
    /// Whether texts are of ASCII only.
    ascii: bool,
}

impl Locale {
    /// The locale that `tag` names as `LANG` does (`de_AT.UTF-8@euro`). A language without texts, or
    /// none at all, is `usual`; `C` and `POSIX` are English. A charset other than UTF-8 gets ASCII.
    #[must_use]
    pub fn of(tag: Option<&str>, usual: Language) -> Self {
        let tag = tag.unwrap_or_default().split('@').next().unwrap_or_default();
        let (name, charset) = tag.split_once('.').map_or((tag, None), |(n, c)| (n, Some(c)));
        let bare = matches!(name, "C" | "POSIX");
        let utf8 = |charset: &str| {
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
        };
        let language = name.split(['_', '-']).next().and_then(Language::of_name);
        Self {
            language: if bare { Language::English } else { language.unwrap_or(usual) },
            ascii: charset.map_or(bare, |charset| !utf8(charset)),
        }
    }

    /// The text of a message.
    #[must_use]
    pub fn say(self, message: Message<'_>) -> String {
        self.shown(&catalogue::text(self.language, message))
    }

    /// The message as a prompt that also names what else may be typed.
    #[must_use]
    pub fn ask(self, message: Message<'_>, words: &[&str]) -> String {
        let text = catalogue::text(self.language, message);
        let text = self.with_words(&text, words);
        let prompt = catalogue::text(self.language, Message::Prompt { text: &text });
        self.shown(&format!("{prompt} "))
    }

    /// A prompt of the configuration's as it is, but for the words: they stand before the colon at
    /// its end, or at its end where it has none.
    #[must_use]
    pub fn ask_as_configured(self, prompt: &str, words: &[&str]) -> String {
        if words.is_empty() {
            return self.shown(prompt);
        }
        let text = prompt.trim_end().trim_end_matches(':').trim_end();
        let tail = prompt.get(text.len()..).filter(|tail| tail.contains(':')).unwrap_or(": ");
        self.shown(&format!("{}{tail}", self.with_words(text, words)))
    }

    fn with_words(self, text: &str, words: &[&str]) -> String {
        if words.is_empty() {
            return text.to_owned();
        }
        catalogue::text(self.language, Message::WithWords { text, words: &words.join(", ") })
    }

    /// The word that asks for another code.
    #[must_use]
    pub fn resend(self) -> String {
        self.say(Message::Resend)
    }

    /// What was typed asks for another code: in English or in this language.
    #[must_use]
    pub fn is_resend(self, word: &str) -> bool {
        let own = self.resend();
        word.eq_ignore_ascii_case(&own) || word.eq_ignore_ascii_case(&Self::default().resend())
    }

    /// A text of the configuration's, as the terminal can show it.
    #[must_use]
    pub fn shown(self, text: &str) -> String {
        if self.ascii { plain::ascii(text, self.language) } else { text.to_owned() }
    }
}
