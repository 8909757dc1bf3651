//! Where in which file something was written, and what is wrong with it.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

use crate::journal::printable;

/// What is wrong with the configuration: `FILE:LINE:COLUMN: what, and what is allowed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", file.display())]
pub struct ConfigError {
    /// The file, or the folder of the drop-ins.
    pub file: PathBuf,
    /// Counted from 1; 1 where the file as a whole is meant.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
    /// The key, the value and what is allowed.
    pub message: String,
}

impl ConfigError {
    /// A fault of a file as a whole.
    pub(super) fn of_file(file: impl Into<PathBuf>, message: String) -> Self {
        Self { file: file.into(), line: 1, column: 1, message }
    }
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Its permissions, the lowest 12 bits of its mode.
    pub(super) mode: u32,
    /// Its place among the files, in the order in which they are read.
    pub(super) rank: usize,
}

/// Where in which file a key or value stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) source: Arc<Source>,
    /// Bytes of the source's text.
    pub(super) span: Range<usize>,
}

impl Place {
    /// Line and column, each from 1.
    fn position(&self) -> (usize, usize) {
        let text = &self.source.text;
        let before = text.get(..self.span.start).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// What stands there: its first line, printable, cut after 60 characters.
    pub(super) fn excerpt(&self) -> String {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        let mut line: String = printable(text.lines().next().unwrap_or_default());
        if let Some((end, _)) = line.char_indices().nth(60) {
            line.truncate(end);
            line.push('…');
        }
        line
    }

    /// An error at this place.
    pub(super) fn error(&self, message: String) -> ConfigError {
        let (line, column) = self.position();
        ConfigError { file: self.source.path.clone(), line, column, message }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(f, "{}:{line}:{column}", self.source.path.display())
    }
}
