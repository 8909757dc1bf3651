//! What is printed: each finding with its line, the reason and the change; then what is well, and
//! what could not be looked at.

use std::fmt::Write as _;

use serde::Serialize;

use super::check::{Finding, Severity, Subject};
use crate::failure::{Exit, Failure};
use crate::render::printable;

const WIDTH: usize = 80;
const INDENT: usize = 9;

#[derive(Serialize)]
struct Item<'a> {
    severity: Severity,
    check: &'a str,
    file: Option<String>,
    line: Option<usize>,
    found: &'a str,
    why: &'a str,
    change: &'a str,
    services: &'a [String],
}

impl<'a> Item<'a> {
    fn of(finding: &'a Finding) -> Self {
        let Finding { severity, check, file, line, found, why, change, services } = finding;
        let file = file.as_ref().map(|file| file.to_string_lossy().into_owned());
        Self { severity: *severity, check, file, line: *line, found, why, change, services }
    }
}

/// The document for programs.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    items: Vec<Item<'a>>,
    total: usize,
    /// What was looked at and is well.
    ok: Vec<&'a str>,
    /// What could not be looked at.
    unseen: Vec<&'a str>,
}

/// The worst first; of the same severity in the order in which it was looked at.
fn sorted(subjects: &[Subject]) -> Vec<&Finding> {
    let mut findings: Vec<_> = subjects.iter().flat_map(|subject| &subject.findings).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Those that are well: looked at, with nothing but hints.
fn well(subjects: &[Subject]) -> impl Iterator<Item = &str> {
    let well = |subject: &&Subject| {
        let only_hints = subject.findings.iter().all(|f| f.severity == Severity::Hint);
        only_hints && (subject.unseen.is_empty() || subject.title.starts_with("PAM"))
    };
    subjects.iter().filter(well).map(|subject| subject.title.as_str())
}

fn unseen(subjects: &[Subject]) -> impl Iterator<Item = &str> {
    subjects.iter().flat_map(|subject| &subject.unseen).map(String::as_str)
}

/// The document of `--json`.
pub(crate) fn document(subjects: &[Subject]) -> Document<'_> {
    let items: Vec<_> = sorted(subjects).into_iter().map(Item::of).collect();
    let total = items.len();
    Document { items, total, ok: well(subjects).collect(), unseen: unseen(subjects).collect() }
}

/// The text for people; with `quiet` nothing but what is wrong.
pub(crate) fn text(subjects: &[Subject], quiet: bool) -> String {
    let mut out = String::new();
    for finding in sorted(subjects) {
        out.push_str(&entry(finding));
        out.push('\n');
    }
    if !quiet {
        for title in well(subjects) {
            out.push_str(&wrapped("ok", title));
        }
    }
    for what in unseen(subjects) {
        out.push_str(&wrapped("unseen", what));
    }
    out
}

fn entry(finding: &Finding) -> String {
    let file = finding.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    let place = match (file, finding.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file,
        (None, _) => finding.check.to_owned(),
    };
    let mut text = wrapped(finding.severity.word(), &place);
    for line in finding.found.lines() {
        text.push_str(&wrapped("", line));
    }
    let own = |service: &String| finding.file.as_ref().is_some_and(|file| file.ends_with(service));
    let why = match finding.services.as_slice() {
        [] => finding.why.clone(),
        [one] if own(one) => finding.why.clone(),
        services => format!("{} It concerns {}.", finding.why, services.join(", ")),
    };
    text.push_str(&wrapped("", &why));
    text.push_str(&wrapped("", &format!("Change: {}.", finding.change)));
    text
}

/// A word, and beside it a text in lines that fit.
fn wrapped(word: &str, text: &str) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for part in printable(text).split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + part.chars().count() > WIDTH - INDENT {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(part);
    }
    lines.push(line);
    let first = std::iter::once(word).chain(std::iter::repeat(""));
    lines.iter().zip(first).fold(String::new(), |mut out, (line, word)| {
        let _ = writeln!(out, "{}", format!("{word:INDENT$}{line}").trim_end());
        out
    })
}

/// The exit status that the findings come to.
pub(crate) fn outcome(subjects: &[Subject]) -> Result<(), Failure> {
    let count = |severity| {
        let all = subjects.iter().flat_map(|subject| &subject.findings);
        all.filter(|finding| finding.severity == severity).count()
    };
    let places = |count: usize| match count {
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    match (count(Severity::Bypass), count(Severity::Lockout)) {
        (0, 0) => Ok(()),
        (0, lockouts) => Err(Failure::new(
            Exit::Lockout,
            "Lockout",
            format!("doctor: somebody could be locked out: {}", places(lockouts)),
        )),
        (bypasses, _) => Err(Failure::new(
            Exit::Bypass,
            "Bypass",
            format!("doctor: a login could be bypassed: {}", places(bypasses)),
        )),
    }
}
