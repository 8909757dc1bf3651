//! What a login shows to somebody who enrols there with an app: the key as a QR code and as text.
//!
//! It fits a terminal of 80 columns and 24 rows, of which the prompt has the last. The first line is
//! text, because clients put their own words in front of it; the QR code follows, and everything
//! else stands at its right.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

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
/// Above the key, beside the QR code.
const BESIDE: &str = "Or type this key into it:";
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
        let picture = picture.filter(|picture| {
            texts.lines(picture.room(), Some(BESIDE), true).len() <= picture.rows()
        });
        Self { picture, texts }
    }

    /// Whether there is a QR code.
    #[must_use]
    pub fn has_picture(&self) -> bool {
        self.picture.is_some()
    }

    /// The lines, without a newline at the end. Where there is no QR code every view is
    /// [`View::Text`].
    #[must_use]
    pub fn draw(&self, view: View) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(16 * 1024));
        let Some(picture) = self.picture.as_ref().filter(|_| view != View::Text) else {
            text.push_str("Give this key to an authenticator app:");
            for line in self.texts.lines(COLUMNS, None, self.has_picture()) {
                text.push('\n');
                text.push_str(&line);
            }
            return text;
        };
        let lines = self.texts.lines(picture.room(), Some(BESIDE), true);
        let above = picture.rows().saturating_sub(lines.len()) / 2;
        text.push_str("Scan this with an authenticator app:");
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
    /// The text, in lines of at most `width` columns, with words before the key and what can be
    /// typed where there is a QR code.
    fn lines(&self, width: usize, before: Option<&str>, qr: bool) -> Vec<Zeroizing<String>> {
        let line = |text: &str| Zeroizing::new(text.to_owned());
        let mut lines: Vec<_> =
            before.into_iter().flat_map(|before| [line(before), line("")]).collect();
        lines.extend(key_lines(&self.key, width));
        lines.extend(self.parameters.iter().map(|parameter| line(parameter)));
        let mut part = |text: String| {
            lines.push(line(""));
            lines.extend(wrapped(&text, width).into_iter().map(Zeroizing::new));
        };
        part(format!("Then give its first code below, within {}.", in_words(self.validity_ms)));
        part(match (before, qr) {
            (_, false) => "Enter shows this again.".to_owned(),
            (None, true) => "Enter shows this again, \"qr\" shows a QR code.".to_owned(),
            (Some(_), true) => "Enter shows this again; \"text\" leaves out the QR code, \
                 \"invert\" suits light terminals."
                .to_owned(),
        });
        if let Some(label) = &self.label {
            part(label.clone());
        }
        if let Some(uri) = &self.registration_uri {
            part(format!("Or register at {uri}"));
        }
        lines
    }
}

/// `Key: ABCD EFGH …`, further lines below the first group.
fn key_lines(key: &str, width: usize) -> Vec<Zeroizing<String>> {
    const HEAD: &str = "Key: ";
    // A row of four groups is what people take in; more only where there is the whole terminal.
    let groups = if width < COLUMNS { 4 } else { width.saturating_sub(HEAD.len()) / (GROUP + 1) };
    let mut lines: Vec<Zeroizing<String>> = Vec::new();
    for (at, symbol) in key.chars().enumerate() {
        if at % (groups * GROUP) == 0 {
            let mut line = Zeroizing::new(String::with_capacity(width));
            line.push_str(if at == 0 { HEAD } else { "     " });
            lines.push(line);
        } else if at % GROUP == 0 {
            lines.iter_mut().last().into_iter().for_each(|line| line.push(' '));
        }
        lines.iter_mut().last().into_iter().for_each(|line| line.push(symbol));
    }
    lines
}

/// Text in lines of at most `width` columns; a word that is longer is broken.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
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
                lines.push(String::new());
                taken = 0;
                for symbol in word.chars() {
                    if taken + columns(symbol) > width {
                        lines.push(String::new());
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

/// Columns that a character takes at most.
fn columns(symbol: char) -> usize {
    if symbol.is_ascii() { 1 } else { 2 }
}

/// A time in words, in whole minutes where it is some.
fn in_words(ms: u64) -> String {
    match ms.div_ceil(1000) {
        60 => "a minute".to_owned(),
        seconds if seconds > 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
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
