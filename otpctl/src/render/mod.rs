//! What is printed: columns and fields for people, lines for programs, JSON documents.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::Global;
use crate::failure::Failure;
use crate::tty;

mod document;
mod fields;
mod policy;
mod qr;
mod register;

pub(crate) use document::{
    AuditDocument, Directory, DirectoryTest, List, Provider, SecretDocument, SharedDocument,
    Status, Test, Token, User,
};
pub(crate) use fields::{
    audit_line, directories, directory_test, fields, providers, status, token, tokens, user, users,
};
pub(crate) use policy::{Explanation, Policy, explanation, policies};
pub(crate) use qr::{Code as QrCode, Paint};
pub(crate) use register::{
    Client, Code, ReadCode, ToldCode, clients, codes, enabled, left, register,
};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Where and how results go.
#[derive(Clone)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    /// A person reads it.
    pub(crate) terminal: bool,
    pub(crate) zone: TimeZone,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            terminal: tty::output_is_terminal(),
            zone: TimeZone::system(),
        }
    }

    /// Whether what disturbs is left out.
    pub(crate) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a result.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let end: &[u8] = if text.is_empty() || text.ends_with('\n') { b"" } else { b"\n" };
        out.write_all(text.as_bytes())
            .and_then(|()| out.write_all(end))
            .and_then(|()| out.flush())
            .map_err(|error| Failure::write("standard output", &error))
    }

    /// Prints `document` with `--json`, else what `text` makes of it.
    pub(crate) fn show(
        &self,
        document: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json { self.print(&json(document)?) } else { self.print(&text()) }
    }

    /// Prints `document` with `--json`, else the notice that something was done.
    pub(crate) fn done(&self, document: &impl Serialize, notice: &str) -> Result<(), Failure> {
        if self.json { self.print(&json(document)?) } else { self.notice(notice) }
    }

    /// Prints what is good to know, unless it disturbs.
    pub(crate) fn notice(&self, text: &str) -> Result<(), Failure> {
        if self.json || self.quiet { Ok(()) } else { self.print(&printable(text)) }
    }

    /// A notice that may be longer than a line of the terminal; further lines are indented.
    pub(crate) fn note(&self, text: &str) -> Result<(), Failure> {
        folded(text).lines().try_for_each(|line| self.notice(line))
    }

    /// Rows with headings and aligned on a terminal, else with tabs between the cells. Where they
    /// do not fit the terminal, columns whose heading is in `elastic` are cut.
    pub(crate) fn table<const N: usize>(
        &self,
        headings: [&str; N],
        elastic: &[&str],
        rows: &[[String; N]],
    ) -> String {
        if self.terminal { aligned(headings, elastic, rows) } else { lines(rows) }
    }
}

/// A document, laid out for reading. What a terminal could take for a command is escaped: outside
/// of strings JSON has no such character.
pub(crate) fn json(document: &impl Serialize) -> Result<Zeroizing<String>, Failure> {
    escaped(serde_json::to_string_pretty(document))
}

/// The same on one line.
pub(crate) fn json_line(document: &impl Serialize) -> Result<Zeroizing<String>, Failure> {
    escaped(serde_json::to_string(document))
}

fn escaped(document: serde_json::Result<String>) -> Result<Zeroizing<String>, Failure> {
    let document = document.map_err(|error| Failure::failed(format!("JSON: {error}")))?;
    let document = Zeroizing::new(document);
    let mut out = Zeroizing::new(String::with_capacity(document.len()));
    for character in document.chars() {
        if character == '\n' || is_printable(character) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Ok(out)
}

/// Text from elsewhere with everything escaped that is not seen as itself: control characters,
/// also those that change the direction of writing.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            out.push(character);
        } else {
            out.extend(character.escape_unicode());
        }
    }
    out
}

/// [`char::escape_debug`] knows which characters are seen; quotes and backslashes are.
fn is_printable(character: char) -> bool {
    matches!(character, '\'' | '"' | '\\') || character.escape_debug().len() == 1
}

/// Text broken at blanks where it does not fit a terminal.
pub(crate) fn folded(text: &str) -> String {
    const INDENT: &str = "  ";
    let (mut out, mut column) = (String::with_capacity(text.len() + 8), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(INDENT);
            column = INDENT.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

fn lines<const N: usize>(rows: &[[String; N]]) -> String {
    rows.iter().fold(String::new(), |mut out, row| {
        let cells = row.each_ref().map(|cell| printable(cell));
        let _ = writeln!(out, "{}", cells.join("\t"));
        out
    })
}

/// Columns as wide as they need be; if that is too wide together, the widest elastic ones give way.
fn aligned<const N: usize>(headings: [&str; N], elastic: &[&str], rows: &[[String; N]]) -> String {
    const GAP: usize = 2;
    let mut all = vec![headings.map(str::to_owned)];
    all.extend(rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))));
    let mut widths = [0; N];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    while widths.iter().sum::<usize>() + GAP * N.saturating_sub(1) > WIDTH {
        let columns = widths.iter_mut().zip(headings);
        let widest = columns.filter(|(_, heading)| elastic.contains(heading)).max();
        match widest {
            Some((width, heading)) if *width > heading.len() => *width -= 1,
            _ => break,
        }
    }
    all.iter().fold(String::new(), |mut out, row| {
        let cells =
            row.iter().zip(widths).map(|(cell, width)| format!("{:width$}", cut(cell, width)));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(out, "{}", line.trim_end());
        out
    })
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        for (text, shown) in [
            ("alice", "alice"),
            ("DOMAIN\\alice \"x\" 'y'", "DOMAIN\\alice \"x\" 'y'"),
            ("Jörg 漢字", "Jörg 漢字"),
            ("\x1b]0;x\x07", "\\u{1b}]0;x\\u{7}"),
            ("a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("\u{202e}evil\u{2066}", "\\u{202e}evil\\u{2066}"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
        ] {
            assert_eq!(printable(text), shown);
            let document = json(&[text]).unwrap();
            assert!(document.chars().all(|c| c == '\n' || is_printable(c)), "{document:?}");
            let back: Vec<String> = serde_json::from_str(&document).unwrap();
            assert_eq!(back, [text]);
        }
        let beyond = "\u{e0001}";
        assert_eq!(*json_line(&beyond).unwrap(), "\"\\udb40\\udc01\"");
    }

    #[test]
    fn a_table_fits_the_terminal_and_its_widest_column_gives_way() {
        let rows = [
            ["3f2a91bc".into(), "a".repeat(70), "phone".into()],
            ["77aa0011".into(), "bob".into(), "x".repeat(40)],
        ];
        let table = aligned(["ID", "USER", "LABEL"], &["USER", "LABEL"], &rows);
        for line in table.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(table.contains("3f2a91bc") && table.contains('…'), "{table}");
        let rigid = aligned(["ID", "USER", "LABEL"], &[], &rows);
        assert!(rigid.contains(&rows[0][1]) && rigid.contains(&rows[1][2]), "{rigid}");
        let small =
            aligned(["ID", "USER", "LABEL"], &["LABEL"], &[["1", "b", "c"].map(str::to_owned)]);
        assert_eq!(small, "ID  USER  LABEL\n1   b     c\n");
    }

    #[test]
    fn long_text_is_broken_at_blanks() {
        let word = "x".repeat(90);
        let text = format!("{} {word} end", "ab ".repeat(27).trim_end());
        let folded = folded(&text);
        assert_eq!(folded, format!("{}\n  {word}\n  end", "ab ".repeat(27).trim_end()));
        assert_eq!(super::folded("short  text"), "short  text");
    }

    #[test]
    fn a_line_for_programs_has_tabs_only_between_its_cells() {
        assert_eq!(lines(&[["a\tb".to_owned(), "c".to_owned()]]), "a\\u{9}b\tc\n");
    }
}
