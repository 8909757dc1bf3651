//! Text in the language of man(7), in ASCII.

use std::fmt::Write;

/// Longest line of the source.
const WIDTH: usize = 78;

/// A manual page that is being written.
pub(super) struct Roff(String);

impl Roff {
    /// A page with its title and its NAME.
    pub(super) fn page(name: &str, section: u8, manual: &str, about: &str) -> Self {
        let mut page = Self(String::new());
        let title = escape(&name.to_uppercase());
        page.line(&format!(".TH {title} {section} \"\" \"pam_otp\" \"{manual}\""));
        // Names of commands and options are not to be divided.
        page.line(".nh").line(".ad l");
        page.section("NAME").line(&format!("{} \\- {}", escape(name), escape(about)));
        page
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn end(self) -> String {
        self.0
    }

    fn line(&mut self, line: &str) -> &mut Self {
        self.0.push_str(line);
        self.0.push('\n');
        self
    }

    pub(super) fn section(&mut self, title: &str) -> &mut Self {
        self.line(&format!(".SH {}", quoted(title)))
    }

    pub(super) fn subsection(&mut self, title: &str) -> &mut Self {
        self.line(&format!(".SS {}", quoted(title)))
    }

    /// A command, and what may follow it: words in the language of man(7).
    pub(super) fn synopsis(&mut self, command: &str, words: &[String]) -> &mut Self {
        self.line(&format!(".SY {}", quoted(command)));
        words.iter().for_each(|word| {
            self.line(word);
        });
        // It divides words again.
        self.line(".YS").line(".nh")
    }

    /// Sentences; what lacks its full stop gets one.
    pub(super) fn paragraphs(&mut self, texts: &[String]) -> &mut Self {
        for text in texts {
            self.paragraph().fill(text);
        }
        self
    }

    /// Begins a paragraph, as a heading does by itself.
    fn paragraph(&mut self) -> &mut Self {
        let last = self.0.lines().last().unwrap_or_default();
        if last.starts_with(".SH") || last.starts_with(".SS") { self } else { self.line(".PP") }
    }

    /// An entry with its tag, in the language of man(7); one without a text is a line of its own.
    pub(super) fn entry(&mut self, tag: &str, text: &str) -> &mut Self {
        if text.is_empty() {
            return self.paragraph().line(tag);
        }
        self.line(".TP").line(tag).fill(text)
    }

    /// Lines as they are.
    pub(super) fn verbatim(&mut self, lines: &[String]) -> &mut Self {
        self.paragraph().line(".nf");
        for line in lines {
            self.line(&at_line_start(escape(line.strip_prefix("  ").unwrap_or(line))));
        }
        self.line(".fi")
    }

    /// The last section: pages with their sections.
    pub(super) fn see_also(&mut self, pages: &[(String, u8)]) {
        self.section("SEE ALSO");
        for (at, (name, section)) in pages.iter().enumerate() {
            let comma = if at + 1 < pages.len() { "," } else { "" };
            self.line(&format!(".BR {} ({section}){comma}", escape(name)));
        }
    }

    /// Text of which `code`, --options and page(1) are bold, in lines of their own where possible.
    fn fill(&mut self, text: &str) -> &mut Self {
        let ended = text.ends_with(['.', ':', '!', '?', '\u{2026}']);
        let text = format!("{}{}", text.trim_end(), if ended { "" } else { "." });
        let mut line = String::new();
        for word in marked(&text).split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                let full = std::mem::take(&mut line);
                self.line(&at_line_start(full));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&at_line_start(line))
    }
}

pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escape(text))
}

pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escape(text))
}

/// An argument of a request.
fn quoted(text: &str) -> String {
    let text = escape(text);
    if text.contains(' ') { format!("\"{text}\"") } else { text }
}

/// The text, with bold type for what is between grave accents, for options and for other pages.
fn marked(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            out.push_str(&bold(part));
            continue;
        }
        for word in part.split_inclusive([' ', '\n']) {
            out.push_str(&marked_word(&word.replace('\n', " ")));
        }
    }
    out
}

fn marked_word(word: &str) -> String {
    let punctuation = |c: char| matches!(c, ' ' | ',' | ';' | ':' | '.' | '[' | ']');
    let bare = word.trim_matches(punctuation);
    let page = bare.split_once('(').filter(|(name, rest)| {
        let mut rest = rest.chars();
        !name.is_empty() && rest.next().is_some_and(|c| c.is_ascii_digit()) && rest.as_str() == ")"
    });
    let (name, end) = match page {
        Some((name, _)) => (name, name.len()),
        None if bare.starts_with("--") && bare.len() > 2 => (bare, bare.len()),
        None => return escape(word),
    };
    let Some((before, rest)) = word.split_once(bare) else { return escape(word) };
    let section = bare.get(end..).unwrap_or_default();
    format!("{}{}{}{}", escape(before), bold(name), escape(section), escape(rest))
}

/// No character means anything but itself, and each is ASCII.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '"' => out.push_str("\\(dq"),
            '\u{2026}' => out.push_str("..."),
            c if c.is_ascii() => out.push(c),
            c => {
                // Writing to a text does not fail.
                let _ = write!(out, "\\[u{:04X}]", u32::from(c));
            }
        }
    }
    out
}

/// A line that begins so is text, not a request.
fn at_line_start(line: String) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}
