//! What can come of a login at a stack.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use crate::{Code, Codes, Dispatcher, Line, Mode, Role};

/// How the proofs but for pam_otp's turn out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// Everything that is asked for is right, and nothing else fails.
    Right,
    /// Nothing that is asked for is right.
    Wrong,
    /// Anything.
    Any,
}

/// How the code of another module than pam_otp turns out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// It is right.
    Right,
    /// The module knows the user, and the code is wrong.
    Wrong,
    /// The module does not know the user.
    Absent,
    /// One of these two, or the module fails.
    NotRight,
}

/// A login that is thought through.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The other proofs.
    pub first: First,
    /// The codes of other modules.
    pub other: Other,
    /// What pam_otp returns as a second factor.
    pub second: Codes,
    /// What it returns where it takes a code in place of the password.
    pub issued: Codes,
}

const REFUSED: Codes = Codes::of(&[Code::AUTH_ERR]);
const IGNORED: Codes = Codes::of(&[Code::IGNORE]);
const GRANTED: Codes = Codes::of(&[Code::SUCCESS]);
/// Everything but success.
const NOT_GRANTED: Codes =
    Codes::ANY.without(GRANTED).without(Codes::of(&[Code::NEW_AUTHTOK_REQD]));
/// What comes of a proof that was not given, for whatever reason.
pub(crate) const FAILED: Codes = NOT_GRANTED.without(IGNORED);

impl Case {
    /// All is right.
    pub const RIGHT: Self = Self {
        first: First::Right,
        other: Other::Right,
        second: GRANTED,
        issued: GRANTED.and(IGNORED),
    };
    /// No code is given, whatever else is.
    pub const NO_CODE: Self =
        Self { first: First::Any, other: Other::NotRight, second: FAILED, issued: NOT_GRANTED };
    /// The code is right, and nothing else.
    pub const CODE_ALONE: Self =
        Self { first: First::Wrong, other: Other::NotRight, second: GRANTED, issued: NOT_GRANTED };
    /// The code of another module is right, and nothing else.
    pub const OTHER_ALONE: Self = Self { other: Other::Right, second: FAILED, ..Self::CODE_ALONE };
    /// Nothing is right, and the policy asks for no code.
    pub const NOTHING: Self = Self { second: IGNORED, ..Self::CODE_ALONE };
    /// All is right, and the policy asks for no code.
    pub const LET_OFF: Self = Self { second: IGNORED, issued: IGNORED, ..Self::RIGHT };

    /// All is right but that there is no code: neither pam_otp nor the other module knows the user.
    pub const NOWHERE: Self = Self { other: Other::Absent, ..Self::LET_OFF };

    /// The same with one answer of pam_otp as a second factor.
    #[must_use]
    pub const fn second(self, code: Code) -> Self {
        Self { second: Codes::of(&[code]), ..self }
    }

    /// The same with another module's code.
    #[must_use]
    pub const fn other(self, other: Other) -> Self {
        Self { other, ..self }
    }
}

/// A line that was called, and what it returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which line of the stack.
    pub line: usize,
    /// What it returned.
    pub returned: Code,
}

/// One way through a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// The lines that were called, in their order.
    pub steps: Vec<Step>,
}

impl Run {
    /// What a line returned, if it was called.
    #[must_use]
    pub fn returned(&self, line: usize) -> Option<Code> {
        self.steps.iter().find(|step| step.line == line).map(|step| step.returned)
    }
}

/// Whether a login can succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Never.
    No,
    /// Where the conditions of these lines turn out in one way, and so not for everybody.
    Some(Vec<usize>, Run),
    /// However the conditions turn out under which anybody logs in at all.
    Always(Run),
}

/// The lines of one kind of a service.
#[derive(Clone, Debug)]
pub struct Stack {
    /// In their order, with markers where substacks begin.
    pub lines: Vec<Line>,
}

impl Stack {
    /// The lines of pam_otp.
    pub fn codes(&self) -> impl Iterator<Item = (usize, Mode, &Line)> {
        self.lines.iter().enumerate().filter_map(|(at, line)| match line.role() {
            Role::Code(mode) => Some((at, mode, line)),
            _ => None,
        })
    }

    /// Whether it has a line of this role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.lines.iter().any(|line| line.role() == role)
    }

    /// Runs the stack once; `answer` is what each line that is called returns.
    pub fn run(&self, mut answer: impl FnMut(usize, &Line) -> Code) -> (Code, Run) {
        let (mut state, mut run) = (Dispatcher::default(), Run::default());
        while let Some(at) = state.called(&self.lines) {
            let Some(line) = self.lines.get(at) else { break };
            let returned = answer(at, line);
            run.steps.push(Step { line: at, returned });
            state.took(&self.lines, returned);
        }
        (state.verdict(), run)
    }

    /// Whether a login of this case can succeed, and for whom. Conditions count as far as anybody
    /// can log in under them; where nobody can who has everything right, all of them count. Of two
    /// lines with the same condition both hold or neither.
    #[must_use]
    pub fn judge(&self, case: &Case) -> Judged {
        let conditions = self.conditions();
        let outcomes = self.outcomes(&conditions);
        let (mut found, mut barred) = (None, false);
        for held in outcomes {
            match self.search(case, &|at| holds(&conditions, held, at), None) {
                Some(run) => found = found.or(Some(run)),
                None => barred = true,
            }
        }
        match found {
            None => Judged::No,
            Some(run) if !barred => Judged::Always(run),
            Some(run) => {
                let met = conditions.iter().flatten().copied();
                let met = met.filter(|at| run.returned(*at).is_some()).collect();
                Judged::Some(met, run)
            }
        }
    }

    /// The ways in, the shortest for each way in which the conditions can turn out; those of which
    /// `fails` says so never hold.
    pub fn ways(&self, case: &Case, fails: impl Fn(&Line) -> bool) -> Vec<Run> {
        let conditions = self.conditions();
        let failing = |at: usize| self.lines.get(at).is_some_and(&fails);
        let outcomes = self.outcomes(&conditions).into_iter();
        let run = |held| {
            let holds = |at| match failing(at) {
                true => Some(false),
                false => holds(&conditions, held, at),
            };
            self.search(case, &holds, None)
        };
        outcomes.filter_map(run).collect()
    }

    /// Which conditions hold, for every way in which somebody with everything right gets in; every
    /// way there is where nobody does.
    fn outcomes(&self, conditions: &[Vec<usize>]) -> Vec<u32> {
        let all = 0..1_u32 << conditions.len();
        let lets_in = |held: &u32| {
            let holds = |at: usize| holds(conditions, *held, at);
            self.search(&Case::RIGHT, &holds, None).is_some()
        };
        let some: Vec<_> = all.clone().filter(lets_in).collect();
        if some.is_empty() { all.collect() } else { some }
    }

    /// A way to line `at` in this case, whatever the conditions.
    #[must_use]
    pub fn reaches(&self, case: &Case, at: usize) -> Option<Run> {
        self.search(case, &|_| None, Some(at))
    }

    /// The line that refuses a login at which all is right.
    #[must_use]
    pub fn refuses(&self) -> Option<usize> {
        let (mut state, mut last) = (Dispatcher::default(), None);
        while let Some(at) = state.called(&self.lines) {
            let best = self.answers(&Case::RIGHT, at, Some(true)).iter().next();
            last = Some(at);
            state.took(&self.lines, best.unwrap_or(Code::PERM_DENIED));
            if state.failed() {
                break;
            }
        }
        last
    }

    /// What line `at` can return in a case; `holds` says whether its condition does.
    fn answers(&self, case: &Case, at: usize, holds: Option<bool>) -> Codes {
        let Some(line) = self.lines.get(at) else { return Codes::default() };
        match (line.role(), case.first) {
            (Role::Code(Mode::Second), _) => case.second,
            (Role::Code(Mode::Issued), _) => case.issued,
            (Role::Code(Mode::Challenge), _) if case.second.contains(Code::IGNORE) => {
                REFUSED.and(IGNORED)
            }
            (Role::Code(Mode::Challenge), _) => REFUSED,
            (Role::Fixed(codes), _) => codes,
            (Role::OtherCode, _) => line.other(case.other),
            (Role::Condition, _) => match holds {
                Some(true) => GRANTED,
                Some(false) => NOT_GRANTED,
                None => Codes::ANY,
            },
            (Role::First, First::Right) => self.right(case, at, line),
            (Role::Aside | Role::Unknown, First::Right) => GRANTED.and(IGNORED),
            (Role::First, First::Wrong) if line.may_be_ignored() => NOT_GRANTED,
            (Role::First | Role::Unknown, First::Wrong) => FAILED,
            (Role::Aside, First::Wrong) | (_, First::Any) => Codes::ANY,
        }
    }

    /// What a proof returns that is right: a password with the code behind it is not, before
    /// pam_otp has taken the code off.
    fn right(&self, case: &Case, at: usize, line: &Line) -> Codes {
        let below = self.codes().filter(|(code, ..)| *code > at && case.second == GRANTED);
        let mut below = below.map(|(_, _, code)| code).filter(|_| line.asks_password());
        match below.find(|code| code.has("use_first_pass") || code.has("try_first_pass")) {
            Some(code) if code.has("use_first_pass") => REFUSED,
            Some(_) => GRANTED.and(REFUSED),
            None => GRANTED,
        }
    }

    /// The lines with conditions, those with the same one together. Where there are too many to
    /// try each, the rest are left to chance.
    fn conditions(&self) -> Vec<Vec<usize>> {
        const MANY: usize = 8;
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if line.role() != Role::Condition {
                continue;
            }
            let same = |group: &&mut Vec<usize>| {
                let first = group.first().and_then(|first| self.lines.get(*first));
                first.is_some_and(|first| first.entry == line.entry)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        groups.truncate(MANY);
        groups
    }

    /// The shortest way to success, or to a line that is called.
    fn search(
        &self,
        case: &Case,
        holds: &dyn Fn(usize) -> Option<bool>,
        goal: Option<usize>,
    ) -> Option<Run> {
        let (mut seen, mut open) = (HashSet::new(), VecDeque::new());
        open.push_back((Dispatcher::default(), None::<Rc<Way>>));
        while let Some((mut state, way)) = open.pop_front() {
            let called = state.called(&self.lines);
            let reached = goal.is_some_and(|goal| called == Some(goal));
            let succeeded = goal.is_none() && called.is_none() && state.verdict() == Code::SUCCESS;
            if reached || succeeded {
                return Some(unwind(way));
            }
            let Some(at) = called else { continue };
            for returned in likely_first(self.answers(case, at, holds(at))) {
                let mut next = state.clone();
                next.took(&self.lines, returned);
                if seen.insert(next.clone().coarse()) {
                    let step = Step { line: at, returned };
                    open.push_back((next, Some(Rc::new(Way { step, before: way.clone() }))));
                }
            }
        }
        None
    }
}

/// The steps to a state, the last one first.
struct Way {
    step: Step,
    before: Option<Rc<Self>>,
}

fn unwind(mut way: Option<Rc<Way>>) -> Run {
    let mut steps = Vec::new();
    while let Some(last) = way {
        steps.push(last.step);
        way = last.before.clone();
    }
    steps.reverse();
    Run { steps }
}

/// Whether the condition of line `at` holds; bit N of `held` is that of group N.
fn holds(conditions: &[Vec<usize>], held: u32, at: usize) -> Option<bool> {
    let group = conditions.iter().position(|group| group.contains(&at))?;
    Some(held & (1 << group) != 0)
}

/// The codes of a set; of those with the same effect the one that is seen most often comes first.
fn likely_first(codes: Codes) -> impl Iterator<Item = Code> {
    const LIKELY: [Code; 5] =
        [Code::SUCCESS, Code::AUTH_ERR, Code::IGNORE, Code::AUTHINFO_UNAVAIL, Code::USER_UNKNOWN];
    let likely = LIKELY.into_iter().filter(move |code| codes.contains(*code));
    likely.chain(codes.iter().filter(|code| !LIKELY.contains(code)))
}

#[cfg(test)]
#[path = "question/tests.rs"]
mod tests;
