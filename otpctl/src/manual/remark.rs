//! What stands above and below the options in the help, taken apart.

use clap::{Command, builder::StyledStr};

/// The remarks of a command, by what they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// What it does: those above the options.
    pub(super) description: Vec<Note>,
    /// Those below the options.
    pub(super) notes: Vec<Note>,
    /// The rows below "Examples:".
    pub(super) examples: Vec<Row>,
    /// The rows of "Exit status:".
    pub(super) statuses: Vec<Row>,
    /// The rows below "Files:".
    pub(super) files: Vec<Row>,
}

/// A remark that is no list of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    Paragraph(String),
    /// A line that ends in a colon, and lines that are indented below it.
    Table {
        title: String,
        lines: Vec<String>,
    },
}

/// A word, a command or a file, and what there is to say of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) tag: String,
    pub(super) text: String,
}

impl Row {
    pub(super) fn new(tag: &str, text: &str) -> Self {
        Self { tag: tag.to_owned(), text: text.to_owned() }
    }
}

impl Remarks {
    pub(super) fn of(command: &Command) -> Self {
        let above = command.get_long_about().or_else(|| command.get_about());
        let below = command.get_after_long_help().or_else(|| command.get_after_help());
        let mut remarks = Self::default();
        remarks.description = remarks.sort(above);
        remarks.notes = remarks.sort(below);
        remarks
    }

    /// Keeps the rows of lists, and returns the rest.
    fn sort(&mut self, help: Option<&StyledStr>) -> Vec<Note> {
        let help = help.map(ToString::to_string).unwrap_or_default();
        let blocks = help.split("\n\n").map(|block| block.trim_matches('\n'));
        blocks.filter(|block| !block.is_empty()).filter_map(|block| self.note(block)).collect()
    }

    fn note(&mut self, block: &str) -> Option<Note> {
        if let Some(statuses) = block.strip_prefix("Exit status:") {
            self.statuses.extend(numbered(statuses));
            return None;
        }
        let mut lines = block.lines();
        let first = lines.next().unwrap_or_default();
        let below: Vec<_> = lines.map(str::to_owned).collect();
        let indented = !below.is_empty() && below.iter().all(|line| line.starts_with("  "));
        match first {
            "Examples:" if indented => self.examples.extend(columns(&below)),
            "Files:" if indented => self.files.extend(columns(&below)),
            title if indented && title.ends_with(':') => {
                return Some(Note::Table { title: title.to_owned(), lines: below });
            }
            _ => return Some(Note::Paragraph(block.replace('\n', " "))),
        }
        None
    }
}

/// Rows of two columns, of which the second may be missing or go on in a line without the first.
fn columns(lines: &[String]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        let more = line.starts_with("        ");
        match (line.trim().split_once("  "), rows.last_mut()) {
            (_, Some(row)) if more => row.text = format!("{} {}", row.text, line.trim()),
            (Some((tag, text)), _) => rows.push(Row::new(tag, text.trim())),
            (None, _) => rows.push(Row::new(line.trim(), "")),
        }
    }
    rows
}

/// `0 done, 1 failed.`: a number begins a row.
fn numbered(text: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for word in text.split_whitespace() {
        match rows.last_mut() {
            _ if word.chars().all(|c| c.is_ascii_digit()) => rows.push(Row::new(word, "")),
            Some(row) => row.text = format!("{} {word}", row.text),
            None => {}
        }
    }
    for row in &mut rows {
        row.text = row.text.trim_matches([' ', ',', ';', '.']).to_owned();
    }
    rows
}
