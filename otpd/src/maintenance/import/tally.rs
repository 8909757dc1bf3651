//! What an import came to: for the answer and for the audit trail.

use std::collections::BTreeSet;

use otp_core::{account::escaped, import::Admitted, token::Factor};
use otp_ipc::maintenance::import::{Rejected, Report, Taken, Windows};

use super::{
    admission::{Fate, Token},
    gather::{Found, Refused},
};
use crate::{audit::Origin, config::Config, store::AuditEvent};

/// The event of the audit trail.
const EVENT: &str = "import";

/// What was taken and what not.
pub(super) struct Tally {
    files: Vec<String>,
    taken: Vec<(usize, Taken)>,
    refused: Vec<Refused>,
    users: usize,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    added: usize,
    known: usize,
    raised: usize,
}

impl Counts {
    fn add(&mut self, admitted: Admitted) {
        match admitted {
            Admitted::Added => self.added += 1,
            Admitted::Known { raised } => {
                self.known += 1;
                self.raised += usize::from(raised);
            }
        }
    }
}

/// What it comes to before anything is counted.
pub(super) struct Sum {
    counts: Counts,
    /// How much is not taken.
    pub(super) refused: usize,
}

impl Sum {
    /// Whether an account is other than before.
    pub(super) fn changed(&self) -> bool {
        self.counts.added + self.counts.raised > 0
    }
}

impl Tally {
    pub(super) fn new(files: Vec<String>, refused: Vec<Refused>) -> Self {
        Self { files, taken: Vec::new(), refused, users: 0, counts: Counts::default() }
    }

    /// Whether everything is taken.
    pub(super) fn complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// Nothing of this user's is taken.
    pub(super) fn refuse(&mut self, user: &str, rows: Vec<Found>, reason: &str) {
        for Found { file, row, .. } in rows {
            let (user, reason) = (Some(user.to_owned()), reason.to_owned());
            self.refused.push(Refused { file, line: row.line, user, reason });
        }
    }

    /// What it comes to with what became of all users' tokens.
    pub(super) fn sum(&self, fates: &[Vec<Fate>]) -> Sum {
        let mut sum = Sum { counts: Counts::default(), refused: self.refused.len() };
        for fate in fates.iter().flatten() {
            match &fate.outcome {
                Ok(token) => sum.counts.add(token.admitted),
                Err(_) => sum.refused += 1,
            }
        }
        sum
    }

    /// Adds what became of a user's tokens.
    pub(super) fn count(&mut self, user: &str, fates: Vec<Fate>) {
        self.users += usize::from(fates.iter().any(|fate| fate.outcome.is_ok()));
        for Fate { file, line, outcome } in fates {
            match outcome {
                Ok(token) => self.take(user, file, line, token),
                Err(reason) => {
                    self.refused.push(Refused { file, line, user: Some(user.to_owned()), reason });
                }
            }
        }
    }

    fn take(&mut self, user: &str, file: usize, line: usize, token: Token) {
        self.counts.add(token.admitted);
        let taken = Taken {
            file: self.name(file),
            line,
            user: user.to_owned(),
            label: token.label,
            method: token.method,
            result: word(token.admitted).to_owned(),
            recovery: token.recovery,
            warnings: token.warnings,
        };
        self.taken.push((file, taken));
    }

    fn name(&self, file: usize) -> String {
        self.files.get(file).cloned().unwrap_or_default()
    }

    /// One record for each token that is new or was raised.
    pub(super) fn records(&self, user: &str, fates: &[Fate], now_ms: i64) -> Vec<AuditEvent> {
        let record = |fate: &Fate| {
            let token = fate.outcome.as_ref().ok()?;
            if token.admitted == (Admitted::Known { raised: false }) {
                return None;
            }
            let mut event = Origin::default().event(EVENT, "ok", user, now_ms);
            event.token = Some(token.id.clone());
            event.method = Some(token.method.clone());
            let place = format!("{}:{}", escaped(&self.name(fate.file)), fate.line);
            event.detail = Some(format!("{} from {place}", word(token.admitted)));
            Some(event)
        };
        fates.iter().filter_map(record).collect()
    }

    /// The record of the whole.
    pub(super) fn summary(&self, sum: &Sum, now_ms: i64) -> AuditEvent {
        let Counts { added, known, raised } = sum.counts;
        let (rejected, files) = (sum.refused, self.files.len());
        let mut event = Origin::default().event(EVENT, "ok", "", now_ms);
        event.detail = Some(format!(
            "of {files} files: {added} tokens added, {known} known, {raised} of these raised, \
             {rejected} entries rejected"
        ));
        event
    }

    /// The answer, in the order of the files and their lines.
    pub(super) fn report(mut self, config: &Config, keep: bool, dry_run: bool) -> Report {
        self.taken.sort_by_key(|(file, taken)| (*file, taken.line));
        self.refused.sort_by_key(|refused| (refused.file, refused.line));
        let names: BTreeSet<_> = self.taken.iter().map(|(_, taken)| &*taken.method).collect();
        let methods = names.into_iter().filter_map(|name| windows(config, name)).collect();
        let files = self.files;
        let rejects = self.refused.into_iter().map(|refused| Rejected {
            file: files.get(refused.file).cloned().unwrap_or_default(),
            line: refused.line,
            user: refused.user,
            reason: refused.reason,
        });
        let rejects: Vec<_> = rejects.collect();
        let Counts { added, known, raised } = self.counts;
        Report {
            applied: keep,
            dry_run,
            added,
            known,
            raised,
            rejected: rejects.len(),
            users: self.users,
            tokens: self.taken.into_iter().map(|(_, taken)| taken).collect(),
            rejects,
            methods,
        }
    }
}

fn windows(config: &Config, name: &str) -> Option<Windows> {
    let method = config.method(name)?;
    let counter = matches!(method.factor, Factor::Hotp);
    let windows = method.windows;
    Some(Windows {
        method: name.to_owned(),
        before: (!counter).then_some(windows.before),
        after: (!counter).then_some(windows.after),
        look_ahead: counter.then_some(windows.look_ahead),
    })
}

fn word(admitted: Admitted) -> &'static str {
    match admitted {
        Admitted::Added => "added",
        Admitted::Known { raised: false } => "known",
        Admitted::Known { raised: true } => "raised",
    }
}
