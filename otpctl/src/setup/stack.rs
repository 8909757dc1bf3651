//! Where the code is asked for in the stack of a service, and whether that stack is then what it is
//! meant to be: nobody in without the code, nobody locked out, and no code asked for after a wrong
//! password.

use std::path::{Path, PathBuf};

use pam_stack::{Action, Case, Code, Entry, Judged, Kind, Line, Machine, Mode, Role, Stack};

use serde::{Deserialize, Serialize};

use super::marks;
use crate::failure::Failure;

/// What proves who logs in, before the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub(crate) enum First {
    /// What the stack asks for now.
    Password,
    /// sshd's key; the stack asks for the code alone.
    Key,
}

/// The line that asks for the code.
pub(super) fn line_of_module(nullok: bool) -> String {
    let option = if nullok { " nullok" } else { "" };
    format!("auth    required    pam_otp.so{option}")
}

/// The auth lines of a service.
pub(super) fn auth(machine: &Machine, service: &str) -> Result<Stack, Failure> {
    let read = machine.service(service);
    if let Some(problem) = &read.refused {
        let (file, line) = (problem.place.file.display(), problem.place.line);
        return Err(Failure::failed(format!(
            "{file}:{line}: {}; libpam refuses every login at {service}",
            problem.why
        )));
    }
    Ok(Stack { lines: read.lines(Kind::Auth) })
}

/// The line that asks for a code as a second factor, if there is one.
pub(super) fn code_line(stack: &Stack) -> Option<(usize, &Line)> {
    stack.codes().find(|(_, mode, _)| *mode == Mode::Second).map(|(at, _, line)| (at, line))
}

/// The file's line that asks for the first factor, and what of the stack it stands for: itself, or
/// the lines that it includes.
pub(super) struct FirstLine<'a> {
    pub(super) file: &'a Path,
    /// From 1.
    pub(super) number: usize,
    pub(super) lines: Vec<&'a Line>,
}

/// The last such line of the service's own file.
pub(super) fn first_line(stack: &Stack) -> Option<FirstLine<'_>> {
    let own = |line: &'_ Line| line.via.first().unwrap_or(&line.place).clone();
    let last = stack.lines.iter().rev().find(|line| line.role() == Role::First)?;
    let place = last.via.first().unwrap_or(&last.place);
    let lines = stack.lines.iter().filter(|line| own(line) == *place).collect();
    Some(FirstLine { file: &place.file, number: place.line, lines })
}

/// A text that the file may become.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) text: String,
    /// Included lines are copied into it.
    pub(super) copied: bool,
}

/// The texts that the file may become, the plainer one first.
pub(super) fn candidates(
    text: &str,
    first: &FirstLine<'_>,
    with: First,
    nullok: bool,
) -> Vec<Candidate> {
    // Who is asked for no code has proved the first factor; libpam refuses where no line decides.
    const LET_OFF: &str = "auth    required    pam_permit.so";
    let written = marks::lines_at(text, first.number);
    let more = written.len().saturating_sub(1);
    let ours = vec![marks::put_in(&line_of_module(nullok))];
    let let_off = [ours.clone(), vec![marks::put_in(LET_OFF)]].concat();
    let taken_out: Vec<_> = written.iter().map(|line| marks::take_out(line)).collect();
    let candidate = |above: &[String], ours: &[String], copied| {
        let text = marks::replaced(text, first.number, more, &[above, ours].concat());
        Candidate { text, copied }
    };
    if with == First::Key {
        return vec![candidate(&taken_out, &let_off, false)];
    }
    let mut candidates =
        vec![candidate(&written, &ours, false), candidate(&written, &let_off, false)];
    if let Some(lines) = copied(first) {
        let above = [taken_out, lines].concat();
        candidates.push(candidate(&above, &ours, true));
        candidates.push(candidate(&above, &let_off, true));
    }
    candidates
}

/// The included lines themselves, in a form that ends the stack at a wrong password and goes on
/// below at a right one. `None` where they are not of a kind that can be copied.
fn copied(first: &FirstLine<'_>) -> Option<Vec<String>> {
    let mut lines = first.lines.iter();
    let rest: Vec<_> = match lines.clone().next().map(|line| &line.entry) {
        Some(Entry::Substack(_)) => lines.skip(1).collect(),
        _ if first.lines.iter().all(|line| line.via.is_empty()) => return None,
        _ => lines.by_ref().collect(),
    };
    let count = rest.len();
    rest.iter()
        .enumerate()
        .map(|(at, line)| {
            let Entry::Module { path, arguments } = &line.entry else { return None };
            let control = going_on(line, count - 1 - at)?;
            let quiet = if line.quiet { "-" } else { "" };
            let words = arguments.iter().map(|word| bracketed(word));
            let words = std::iter::once(path.clone()).chain(words).collect::<Vec<_>>().join(" ");
            Some(marks::put_in(&format!("{quiet}auth    {control}    {words}")))
        })
        .collect()
}

/// The control of a copied line: what ended the included stack with success skips the `left` lines
/// below it, and what was to fail in the end fails at once.
fn going_on(line: &Line, left: usize) -> Option<String> {
    let ends = Code::all().any(|code| line.control.action(code) == Action::Done);
    let written = &line.control.written;
    let go_on = if left == 0 { "ok".to_owned() } else { left.to_string() };
    if !ends {
        let deny = line.module() == "pam_deny" && written.eq_ignore_ascii_case("required");
        let plain = !written.contains([' ', '=']);
        return Some(match (deny, plain) {
            (true, _) => "requisite".to_owned(),
            (false, true) => written.clone(),
            (false, false) => format!("[{written}]"),
        });
    }
    if written.eq_ignore_ascii_case("sufficient") {
        return Some(format!("[success={go_on} new_authtok_reqd={go_on} default=ignore]"));
    }
    let pairs = written.split_whitespace().map(|pair| match pair.split_once('=') {
        Some((code, "done")) => format!("{code}={go_on}"),
        _ => pair.to_owned(),
    });
    Some(format!("[{}]", pairs.collect::<Vec<_>>().join(" ")))
}

fn bracketed(word: &str) -> String {
    if word.contains(char::is_whitespace) {
        format!("[{}]", word.replace(']', "\\]"))
    } else {
        word.to_owned()
    }
}

/// The stack as it is for whoever is not root and runs su: what setup is about.
pub(super) fn for_others_than_root(stack: &Stack) -> Stack {
    let others = stack.lines.iter().filter(|line| line.module() != "pam_rootok");
    Stack { lines: others.cloned().collect() }
}

/// What is wrong with a stack that was edited; the reason, for the person.
pub(super) fn fault(stack: &Stack, with: First) -> Option<String> {
    let Some((_, ours)) = code_line(stack) else {
        return Some("the line would not be reached: an earlier one ends the stack".to_owned());
    };
    let place = format!("{}:{}", ours.place.file.display(), ours.place.line);
    let stack = for_others_than_root(stack);
    let (at, _) = code_line(&stack)?;
    if let Judged::Some(_, run) | Judged::Always(run) = stack.judge(&Case::NO_CODE) {
        return Some(format!(
            "a login would get past {place} without a code{}",
            last(&stack, &run)
        ));
    }
    let right = match stack.judge(&Case::RIGHT) {
        Judged::No => {
            return Some(format!("nobody could log in any more, with {place} or without"));
        }
        Judged::Some(_, run) | Judged::Always(run) => run,
    };
    if let Some(other) = beside(&stack, at, &right) {
        return Some(format!(
            "{} asks for a code as well; take its line out first, or see MOVING FROM ANOTHER MODULE \
             in pam_otp(8)",
            other.module()
        ));
    }
    if with == First::Password && stack.reaches(&Case::CODE_ALONE, at).is_some() {
        return Some(format!("{place} would be asked after a wrong password as well"));
    }
    if with == First::Password && stack.judge(&Case::NOTHING) != Judged::No {
        return Some(format!("whom {place} asks for no code would be asked for nothing"));
    }
    if stack.judge(&Case::LET_OFF) == Judged::No {
        return Some(format!("whom {place} asks for no code could not log in"));
    }
    None
}

/// The line of another module for codes that is asked beside line `at`, or in its place.
fn beside<'a>(stack: &'a Stack, at: usize, right: &pam_stack::Run) -> Option<&'a Line> {
    let alone = match stack.judge(&Case::OTHER_ALONE) {
        Judged::No => None,
        Judged::Some(_, run) | Judged::Always(run) => Some(run),
    };
    let both = Some(right).filter(|run| run.returned(at).is_some());
    let mut others =
        stack.lines.iter().enumerate().filter(|(_, line)| line.role() == Role::OtherCode);
    let asked = |other: usize| {
        [alone.as_ref(), both].into_iter().flatten().any(|run| run.returned(other).is_some())
    };
    others.find(|(other, _)| asked(*other)).map(|(_, line)| line)
}

/// The line at which a way through a stack ended.
fn last(stack: &Stack, run: &pam_stack::Run) -> String {
    let line = run.steps.last().and_then(|step| stack.lines.get(step.line));
    line.map_or_else(String::new, |line| {
        format!(": {}:{} ends the stack", line.place.file.display(), line.place.line)
    })
}

/// A part of the machine's files in a folder, in which changes are tried.
pub(super) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    /// Copies what libpam and pam-auth-update read below `root` into the new folder `folder`.
    pub(super) fn copy(root: &Path, folder: PathBuf) -> std::io::Result<Self> {
        const PARTS: [&str; 5] = [
            "etc/pam.d",
            "usr/lib/pam.d",
            "etc/debian_version",
            "var/lib/pam",
            "usr/share/pam-configs",
        ];
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let scratch = Self { folder };
        for part in PARTS {
            let (from, to) = (root.join(part), scratch.folder.join(part));
            if from.is_dir() {
                std::fs::create_dir_all(&to)?;
                for entry in std::fs::read_dir(&from)?.flatten() {
                    if entry.path().is_file() {
                        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
                    }
                }
            } else if from.is_file() {
                std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
                std::fs::copy(from, to)?;
            }
        }
        Ok(scratch)
    }

    /// Where a file of the machine is here.
    pub(super) fn path(&self, file: &Path) -> PathBuf {
        self.folder.join(file.strip_prefix("/").unwrap_or(file))
    }

    /// Makes a file what it is to become.
    pub(super) fn put(&self, file: &Path, text: &str) -> Result<(), Failure> {
        let place = self.path(file);
        std::fs::write(&place, text).map_err(|error| Failure::write(place.display(), &error))
    }

    pub(super) fn machine(&self) -> Machine {
        Machine::at(&self.folder)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[cfg(test)]
mod tests;
