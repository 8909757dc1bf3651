//! What a login shows to somebody who enrols there with an app: the key as a QR code and as text.
//!
//! It fits a terminal of 80 columns and 24 rows, of which the prompt has the last. The first line is
//! text, because clients put their own words in front of it; the QR code follows, and everything
//! else stands at its right.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::text::{Locale, Message};

/// The word that shows the key alone.
pub const TEXT: &str = "text";
/// The word that shows the QR code for the other background.
pub const INVERT: &str = "invert";
/// The word that shows the QR code again.
pub const QR: &str = "qr";

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Rows that the QR code may have: those of a terminal without the first line and the prompt.
const ROWS: usize = 22;
/// ISO/IEC 18004 asks for four light modules around the code.
const QUIET: usize = 4;
/// What scanners read on a screen with ease, and what they just read.
const LEAST_QUIET: [usize; 2] = [2, 1];
/// Columns between the QR code and the text beside it.
const GAP: usize = 2;
/// Characters of a key that stand together.
const GROUP: usize = 4;

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// With the QR code, for a terminal with a dark background: light modules are drawn.
    Dark,
    /// With the QR code, for one with a light background: dark modules are drawn.
    Light,
    /// Without the QR code.
    Text,
}

/// What is said besides the QR code.
pub struct Texts {
    /// The language.
    pub locale: Locale,
    /// The key in base32, for those who type it.
    pub key: Zeroizing<String>,
    /// What else has to be typed, a line each.
    pub parameters: Vec<String>,
    /// For how long the key is good, in milliseconds.
    pub validity_ms: u64,
    /// The caption.
    pub label: Option<String>,
    /// A page where people register otherwise.
    pub registration_uri: Option<String>,
}

/// What there is to show.
pub struct Poster {
    picture: Option<Picture>,
    texts: Texts,
}

impl Poster {
    /// With the QR code of the first of the URIs, from the one that says most to the one that says
    /// least, that leaves scanners enough light around it; without one where none fits, or the
    /// texts do not fit beside it.
    #[must_use]
    pub fn new(uris: &[Zeroizing<String>], texts: Texts) -> Self {
        let fitting = |least| uris.iter().find_map(|uri| Picture::new(uri.as_bytes(), least));
        let picture = LEAST_QUIET.into_iter().find_map(fitting);
        let picture = picture
            .filter(|picture| texts.lines(picture.room(), true, true).len() <= picture.rows());
        Self { picture, texts }
    }

    /// Whether there is a QR code.
    #[must_use]
    pub fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// The language of its texts.
    #[must_use]
    pub fn locale(&self) -> Locale {
        self.texts.locale
    }

    /// The lines, without a newline at the end. Where there is no QR code every view is
    /// [`View::Text`].
    #[must_use]
    pub fn draw(&self, view: View) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        let Some(picture) = self.picture.as_ref().filter(|_| view != View::Text) else {
            text.push_str(&self.locale().say(Message::GiveKey));
            for line in self.texts.lines(COLUMNS, false, self.has_picture()) {
                text.push('\n');
                text.push_str(&line);
            }
            return text;
        };
        let lines = self.texts.lines(picture.room(), true, true);
        let above = picture.rows().saturating_sub(lines.len()) / 2;
        text.push_str(&self.locale().say(Message::Scan));
        for row in 0..picture.rows() {
            text.push('\n');
            picture.draw(row, view == View::Light, &mut text);
            if let Some(line) = row.checked_sub(above).and_then(|at| lines.get(at))
                && !line.is_empty()
            {
                text.extend(std::iter::repeat_n(' ', GAP));
                text.push_str(line);
            }
        }
        text
    }
}

impl Texts {
    /// The text, in lines of at most `width` columns: `beside` the QR code or without it, and with
    /// what can be typed where there is one (`qr`).
    fn lines(&self, width: usize, beside: bool, qr: bool) -> Vec<Zeroizing<String>> {
        let say = |message| self.locale.say(message);
        let mut lines = Vec::new();
        if beside {
            lines.extend(wrapped(&say(Message::OrTypeKey), width));
            lines.push(Zeroizing::default());
        }
        lines.extend(key_lines(&self.locale.ask(Message::Key, &[]), &self.key, width));
        lines.extend(self.parameters.iter().flat_map(|parameter| wrapped(parameter, width)));
        let mut part = |text: String| {
            lines.push(Zeroizing::default());
            lines.extend(wrapped(&text, width));
        };
        part(say(within(self.validity_ms)));
        part(say(match (beside, qr) {
            (_, false) => Message::Again,
            (false, true) => Message::AgainOrQr { qr: QR },
            (true, true) => Message::AgainOrViews { text: TEXT, invert: INVERT },
        }));
        if let Some(label) = &self.label {
            part(self.locale.shown(label));
        }
        if let Some(uri) = &self.registration_uri {
            part(say(Message::Register { uri }));
        }
        lines
    }
}

/// `Key: ABCD EFGH …` with `head` before the key, further lines below the first group.
fn key_lines(head: &str, key: &str, width: usize) -> Vec<Zeroizing<String>> {
    let before: usize = head.chars().map(columns).sum();
    // A row of four groups is what people take in; more only where there is the whole terminal.
    let groups = if width < COLUMNS { 4 } else { width.saturating_sub(before) / (GROUP + 1) };
    let in_line = GROUP * groups.max(1);
    let mut lines: Vec<Zeroizing<String>> = Vec::new();
    for (at, symbol) in key.chars().enumerate() {
        if at % in_line == 0 {
            // Made in its full size, so that no part of the key is left behind where it grows.
            let mut line = Zeroizing::new(String::with_capacity(head.len() + 2 * in_line));
            match at {
                0 => line.push_str(head),
                _ => line.extend(std::iter::repeat_n(' ', before)),
            }
            lines.push(line);
        } else if at % GROUP == 0 {
            lines.iter_mut().last().into_iter().for_each(|line| line.push(' '));
        }
        lines.iter_mut().last().into_iter().for_each(|line| line.push(symbol));
    }
    lines
}

/// Text in lines of at most `width` columns; a word that is longer is broken.
fn wrapped(text: &str, width: usize) -> Vec<Zeroizing<String>> {
    let mut lines: Vec<Zeroizing<String>> = Vec::new();
    let mut taken = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length: usize = word.chars().map(columns).sum();
        match lines.last_mut() {
            Some(line) if taken + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                taken += 1 + length;
            }
            _ => {
                lines.push(Zeroizing::default());
                taken = 0;
                for symbol in word.chars() {
                    if taken + columns(symbol) > width {
                        lines.push(Zeroizing::default());
                        taken = 0;
                    }
                    lines.iter_mut().last().into_iter().for_each(|line| line.push(symbol));
                    taken += columns(symbol);
                }
            }
        }
    }
    lines
}

/// Columns that a character takes at most: the wide ones of East Asia begin at U+1100, and
/// typographic signs are as narrow as letters.
fn columns(symbol: char) -> usize {
    match symbol {
        '\0'..'\u{1100}' | '\u{2010}'..='\u{202f}' => 1,
        _ => 2,
    }
}

/// Until when the first code is wanted, in whole minutes where it is some.
fn within(ms: u64) -> Message<'static> {
    let seconds = u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX);
    match seconds / 60 {
        minutes if minutes > 0 && seconds % 60 == 0 => Message::WithinMinutes { minutes },
        _ => Message::WithinSeconds { seconds },
    }
}

/// A QR code and how much light is around it.
struct Picture {
    code: QrCode,
    width: usize,
    quiet: usize,
}

impl Picture {
    /// With the lowest error correction: a screen has no stains, and a smaller code is easier to
    /// read. `None` where it does not fit with `least` light modules around it.
    fn new(text: &[u8], least: usize) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let width = code.width();
        let fits = |quiet: &usize| (width + 2 * quiet).div_ceil(2) <= ROWS;
        let quiet = (least..=QUIET).rev().find(fits)?;
        Some(Self { code, width, quiet })
    }

    /// Modules along a side.
    fn side(&self) -> usize {
        self.width + 2 * self.quiet
    }

    /// Rows of the terminal that it takes.
    fn rows(&self) -> usize {
        self.side().div_ceil(2)
    }

    /// Columns that it leaves for text.
    fn room(&self) -> usize {
        COLUMNS.saturating_sub(self.side() + GAP)
    }

    /// Two rows of modules as one line, a character for each column. Half blocks are square in
    /// nearly every font, and no colour is needed, which a PAM message cannot carry.
    fn draw(&self, row: usize, dark_is_drawn: bool, text: &mut String) {
        for x in 0..self.side() {
            let upper = self.dark(x, 2 * row) == dark_is_drawn;
            let lower = self.dark(x, 2 * row + 1) == dark_is_drawn;
            text.push(match (upper, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
    }

    /// Whether the module is dark; around the code all are light.
    fn dark(&self, x: usize, y: usize) -> bool {
        match (x.checked_sub(self.quiet), y.checked_sub(self.quiet)) {
            (Some(x), Some(y)) if x < self.width && y < self.width => {
                self.code[(x, y)] == Color::Dark
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[path = "poster_tests.rs"]
mod tests;
