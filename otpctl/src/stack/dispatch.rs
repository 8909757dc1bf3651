//! How libpam makes one answer of those of many modules (`pam_dispatch.c`).

use crate::{Action, Code, Entry, Line};

/// What the modules so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Impression {
    Undefined,
    Positive,
    Negative,
}

/// A stack on its way: tells which line is called next, and takes what it returns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dispatcher {
    impression: Impression,
    status: Code,
    /// The state at the beginning of each substack that it is in.
    saved: Vec<(Impression, Code)>,
    level: usize,
    next: usize,
}

impl Default for Dispatcher {
    fn default() -> Self {
        let (impression, status) = (Impression::Undefined, Code::PERM_DENIED);
        Self { impression, status, saved: vec![(impression, status)], level: 0, next: 0 }
    }
}

impl Dispatcher {
    /// The line whose module is called now; `None` at the end.
    pub fn called(&mut self, lines: &[Line]) -> Option<usize> {
        loop {
            let line = lines.get(self.next)?;
            if self.level < line.level {
                self.saved.resize(line.level, (self.impression, self.status));
                self.saved.push((self.impression, self.status));
            }
            if !matches!(line.entry, Entry::Substack(_)) {
                return Some(self.next);
            }
            self.level = line.level;
            self.next += 1;
        }
    }

    /// Takes what the line that is called now returned.
    pub fn took(&mut self, lines: &[Line], returned: Code) {
        let Some(at) = self.called(lines) else { return };
        let Some(line) = lines.get(at) else { return };
        let level = line.level;
        let mut last = at;
        match line.control.action(returned) {
            Action::Ignore => (),
            Action::Reset => {
                if let Some(saved) = self.saved.get(level) {
                    (self.impression, self.status) = *saved;
                }
            }
            action @ (Action::Ok | Action::Done) => {
                let fresh = self.impression == Impression::Positive && self.status == Code::SUCCESS;
                if fresh || self.impression == Impression::Undefined {
                    (self.impression, self.status) = (Impression::Positive, returned);
                }
                if action == Action::Done && self.impression == Impression::Positive {
                    last = end(lines, at, level);
                }
            }
            action @ (Action::Bad | Action::Die) => {
                if self.impression != Impression::Negative {
                    let status =
                        if returned == Code::IGNORE { Code::PERM_DENIED } else { returned };
                    (self.impression, self.status) = (Impression::Negative, status);
                }
                if action == Action::Die {
                    last = end(lines, at, level);
                }
            }
            Action::Jump(count) => match jump(lines, at, level, count) {
                Some(to) => last = to,
                None => {
                    last = end(lines, at, level);
                    (self.impression, self.status) = (Impression::Negative, Code::PERM_DENIED);
                }
            },
        }
        self.level = level;
        self.next = last + 1;
    }

    /// What `pam_authenticate` returns when no line is left.
    #[must_use]
    pub fn verdict(&self) -> Code {
        if self.status == Code::SUCCESS && self.impression != Impression::Positive {
            return Code::PERM_DENIED;
        }
        self.status
    }

    /// Whether a line has failed for good: no success can come of it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.impression == Impression::Negative
    }

    /// The same where it makes no difference which error it was.
    pub(crate) fn coarse(mut self) -> Self {
        let coarse = |code: &mut Code| {
            if *code != Code::SUCCESS {
                *code = Code::PERM_DENIED;
            }
        };
        coarse(&mut self.status);
        self.saved.iter_mut().for_each(|(_, code)| coarse(code));
        self
    }
}

/// The last line of the stack that line `at` is in.
fn end(lines: &[Line], at: usize, level: usize) -> usize {
    let behind = lines.get(at + 1..).unwrap_or_default();
    at + behind.iter().take_while(|line| line.level >= level).count()
}

/// The last of `count` lines behind `at`; a substack counts as one. `None` if there are not so many.
fn jump(lines: &[Line], at: usize, level: usize, count: u32) -> Option<usize> {
    let level_of = |at: usize| lines.get(at).map(|line| line.level);
    let (mut at, mut left) = (at, count);
    while left > 0 && level_of(at + 1).is_some_and(|next| next >= level) {
        at += 1;
        while level_of(at + 1).is_some_and(|next| next > level) {
            at += 1;
        }
        left -= 1;
    }
    (left == 0).then_some(at)
}
