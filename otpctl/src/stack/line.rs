//! A service and its lines, as they were read.

use std::path::PathBuf;

use crate::control::Control;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of pam.conf(5)")]
pub enum Kind {
    Auth,
    Account,
    Password,
    Session,
}

impl Kind {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [
            ("auth", Self::Auth),
            ("account", Self::Account),
            ("password", Self::Password),
            ("session", Self::Session),
        ]
        .into_iter()
        .find_map(|(name, kind)| name.eq_ignore_ascii_case(word).then_some(kind))
    }
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// As the machine names it, whatever folder stands for its root.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
}

/// What a line has libpam do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Call a module.
    Module {
        /// As it is written: a name, or an absolute path.
        path: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
    /// Begin a stack of its own, whose lines follow one level deeper.
    Substack(String),
    /// Fail, for this reason.
    Broken(String),
}

/// A line that counts.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it is.
    pub place: Place,
    /// The lines that include it, the service's own one first.
    pub via: Vec<Place>,
    /// As it is written, joined and without its comment.
    pub text: String,
    /// Its kind; where libpam cannot read the kind, what it takes it for.
    pub kind: Kind,
    /// A `-` stands in front: that its module is missing is not logged.
    pub quiet: bool,
    /// How many substacks it is in.
    pub level: usize,
    /// What becomes of what it returns.
    pub control: Control,
    /// What it does.
    pub entry: Entry,
}

/// Something about a file or a line that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What.
    pub why: String,
}

/// What libpam makes of a service.
#[derive(Clone, Debug, Default)]
pub struct Service {
    /// In lower case, as libpam has it.
    pub name: String,
    /// Its own file, if it has one.
    pub file: Option<PathBuf>,
    /// The lines of all kinds, and those of `other`.
    pub(crate) own: Vec<Line>,
    pub(crate) other: Vec<Line>,
    /// Why libpam refuses everything at this service, if it does.
    pub refused: Option<Problem>,
    /// Where releases of libpam differ.
    pub differs: Vec<Problem>,
    /// Files that are there and that this process may not read: the answer is incomplete.
    pub unreadable: Vec<PathBuf>,
}

impl Service {
    /// The lines of a kind: its own, or without any those of the service `other`.
    #[must_use]
    pub fn lines(&self, kind: Kind) -> Vec<Line> {
        let of = |lines: &[Line]| -> Vec<Line> {
            lines.iter().filter(|line| line.kind == kind).cloned().collect()
        };
        let own = of(&self.own);
        if own.is_empty() { of(&self.other) } else { own }
    }

    /// Whether lines of a kind are those of the service `other`.
    #[must_use]
    pub fn falls_back(&self, kind: Kind) -> bool {
        self.own.iter().all(|line| line.kind != kind)
    }
}
