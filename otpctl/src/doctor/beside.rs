//! Stacks that ask for two codes: by two lines of pam_otp, or by another module as well, while users
//! move to otpd. There one module alone is to ask a user: the other has not seen which codes were
//! used.

use pam_stack::{Case, Code, Judged, Line, Mode, Other, Role, Run};

use super::check::{
    Finding, PAM_ASKED_TWICE, PAM_BESIDE, PAM_CODE_ALONE, PAM_NOWHERE, PAM_OTHER_REFUSES,
    PAM_SECOND_GUESS, Severity,
};
use super::shape::{FAILURES, Shape, is_nullok, listed};

/// Where the lines for a move are.
const MANUAL: &str = "see MOVING FROM ANOTHER MODULE in pam_otp(8)";

impl Shape<'_> {
    /// What is wrong about two modules that ask for codes; where nothing is, that there are two.
    pub(super) fn beside(&self) -> Vec<Finding> {
        let Some((first, _)) = self.others().next() else { return Vec::new() };
        let mut findings = self.accepts_what_otpd_refuses();
        findings.extend(self.others().filter_map(|(at, _)| self.guessed_before(at)));
        findings.extend(self.others().find_map(|(at, _)| self.enough_alone(at)));
        findings.extend(self.nowhere());
        findings.extend(self.needs_both(first));
        if findings.is_empty() {
            findings.extend(self.moving(first));
        }
        findings
    }

    /// Two lines of pam_otp ask in one login.
    pub(super) fn asked_twice(&self) -> Option<Finding> {
        let Judged::Always(run) = self.stack.judge(&Case::RIGHT) else { return None };
        let asks = |at: usize| {
            let line = self.line(at)?;
            let asks = line.role() == Role::Code(Mode::Second) && !line.has("use_first_pass");
            asks.then_some(at)
        };
        let last = run.steps.iter().filter_map(|step| asks(step.line)).nth(1)?;
        self.finding(&PAM_ASKED_TWICE, last, "take one of the lines of pam_otp out")
    }

    /// The lines of the other modules.
    fn others(&self) -> impl Iterator<Item = (usize, &Line)> {
        let lines = self.stack.lines.iter().enumerate();
        lines.filter(|(_, line)| line.role() == Role::OtherCode)
    }

    fn second_factors(&self) -> impl Iterator<Item = (usize, &Line)> {
        let codes = self.stack.codes().filter(|(_, mode, _)| *mode == Mode::Second);
        codes.map(|(at, _, line)| (at, line))
    }

    /// pam_otp refuses or fails, and the other module lets in.
    fn accepts_what_otpd_refuses(&self) -> Vec<Finding> {
        let found = self.second_factors().filter_map(|(at, line)| {
            let only_so = |code: Code| {
                self.passes(at, code, Other::Right) && !self.passes(at, code, Other::NotRight)
            };
            let when = FAILURES.iter().filter(|(code, _)| only_so(*code)).map(|(_, when)| *when);
            let list = listed(&when.collect::<Vec<_>>(), "or")?;
            let skipped = self.others().filter(|(other, _)| *other > at).count().max(1);
            let change = format!(
                "write `[success={skipped} ignore=ignore default=die]` for pam_otp; {MANUAL}"
            );
            let finding = PAM_SECOND_GUESS.found(&line.text, change).at(&line.place);
            Some(finding.because(format!("A code of the other module passes when {list}.")))
        });
        found.collect()
    }

    /// The other module refuses, and pam_otp lets in.
    fn guessed_before(&self, at: usize) -> Option<Finding> {
        let case = Case::RIGHT.other(Other::Wrong);
        let run = self.passing(&case)?;
        run.returned(at).filter(|code| *code != Code::SUCCESS)?;
        let change = format!("let a wrong code end the stack there, by `default=die`; {MANUAL}");
        self.finding(&PAM_SECOND_GUESS, at, change)
    }

    /// The other module's code lets in with a wrong password.
    fn enough_alone(&self, at: usize) -> Option<Finding> {
        if !self.stack.has(Role::First) {
            return None;
        }
        let run = match self.stack.judge(&Case::OTHER_ALONE) {
            Judged::Always(run) => run,
            Judged::No | Judged::Some(..) => return None,
        };
        run.returned(at)?;
        let change = "let the line for the password end the stack, and stand above it";
        let finding = self.finding(&PAM_CODE_ALONE, at, change)?;
        Some(finding.because("The other module's code lets in with a wrong password."))
    }

    /// Whom pam_otp ignores the other module has to refuse: those it does not know, and wrong codes.
    fn nowhere(&self) -> Option<Finding> {
        if !self.ignores() {
            return None;
        }
        let wrong = Case::LET_OFF.other(Other::NotRight);
        let absent = self.passing(&Case::NOWHERE);
        let because = match absent {
            Some(_) => PAM_NOWHERE.why,
            None => "Whoever has no token at otpd gets in with a wrong code.",
        };
        let run = absent.or_else(|| self.passing(&wrong))?;
        let called = self.others().find(|(at, _)| run.returned(*at).is_some());
        let (at, line) = called.or_else(|| self.second_factors().next())?;
        let option = ["nullok", "alwaysok"].into_iter().find(|option| line.has(option));
        let change = match option {
            Some(option) => format!("take `{option}` out"),
            None => "let one of the two modules be `required`, without nullok".to_owned(),
        };
        Some(self.finding(&PAM_NOWHERE, at, change)?.because(because))
    }

    /// Who is known to both is asked by both; then who is known to one alone may be refused.
    fn needs_both(&self, other: usize) -> Option<Finding> {
        let change =
            format!("let the one skip the other, and ignore whom it does not know; {MANUAL}");
        if self.passing(&Case::RIGHT.other(Other::Absent)).is_none() {
            return self.finding(&PAM_OTHER_REFUSES, other, change);
        }
        let run = self.passing(&Case::RIGHT)?;
        let asked = |at: usize| run.returned(at).is_some();
        let both = self.second_factors().any(|(at, _)| asked(at));
        let (at, _) = self.others().find(|(at, _)| both && asked(*at))?;
        let why = "Whoever has codes at both modules is asked for both.";
        Some(self.finding(&PAM_ASKED_TWICE, at, change)?.because(why))
    }

    /// Nothing is wrong; or nobody comes to the other line, or those whom nobody meant.
    fn moving(&self, at: usize) -> Option<Finding> {
        let behind = self.stack.reaches(&Case::RIGHT, at).is_none();
        if let Some(configuration) = self.configuration.filter(|_| behind) {
            let service = self.service;
            if let Some(policy) = configuration.skips(service) {
                let change = "let no policy skip the code here until all have moved";
                let name = &policy.name;
                let why =
                    format!("Whom policy \"{name}\" lets off the code is asked for one here.");
                let finding = self.finding(&PAM_BESIDE, at, change)?.because(why);
                return Some(finding.rated(Severity::Warning));
            }
            if !self.ignores() {
                let change = format!(
                    "take the line out, or write `nullok` for pam_otp and unenrolled = \"ignore\" in \
                     a policy for {service}"
                );
                let why = "Nobody comes to this line: pam_otp asks everybody.";
                let finding = self.finding(&PAM_BESIDE, at, change)?.because(why);
                return Some(finding.rated(Severity::Warning));
            }
        }
        let change = format!("nothing, while users move; then take the line out: {MANUAL}");
        self.finding(&PAM_BESIDE, at, change)
    }

    /// Whether pam_otp ignores who has no token at otpd.
    fn ignores(&self) -> bool {
        let nullok = self.second_factors().any(|(_, line)| is_nullok(line));
        nullok && self.configuration.is_some_and(|known| known.ignores(self.service).is_some())
    }

    /// A way in, for some or for all.
    fn passing(&self, case: &Case) -> Option<Run> {
        match self.stack.judge(case) {
            Judged::No => None,
            Judged::Some(_, run) | Judged::Always(run) => Some(run),
        }
    }
}
