//! The shapes of stacks that let in without a code, or keep out who has one.

use pam_stack::{Action, Case, Code, Codes, First, Judged, Line, Mode, Other, Role, Run, Stack};

use super::check::{
    Check, Finding, PAM_BROKEN_LINE, PAM_CODE_ALONE, PAM_ENROL_STRANGER, PAM_ERROR_IS_SUCCESS,
    PAM_EXEMPT, PAM_ISSUED, PAM_ISSUED_ALONE, PAM_LET_OFF_REFUSED, PAM_NEVER_ASKED, PAM_NO_PROOF,
    PAM_NO_WAY_IN, PAM_NOTHING_ASKED, PAM_NULLOK, PAM_SENT_TO_STRANGER, Severity,
};
use super::policy::Configuration;

/// A stack with pam_otp in it, and what stands around it.
pub(crate) struct Shape<'a> {
    pub(crate) service: &'a str,
    pub(crate) stack: &'a Stack,
    pub(crate) configuration: Option<&'a Configuration>,
    /// The program has a proof of its own before it asks PAM: sshd with a key.
    pub(crate) proved: bool,
}

/// What can go wrong with pam_otp, and how people say it.
pub(super) const FAILURES: [(Code, &str); 6] = [
    (Code::AUTH_ERR, "the code is wrong"),
    (Code::AUTHINFO_UNAVAIL, "otpd does not answer"),
    (Code::MODULE_UNKNOWN, "the module is missing"),
    (Code::SERVICE_ERR, "an option is wrong"),
    (Code::CONV_ERR, "the program cannot ask"),
    (Code::ABORT, "the module fails"),
];

impl Shape<'_> {
    /// Everything that is wrong with it.
    pub(crate) fn check(&self) -> Vec<Finding> {
        let mut findings = self.broken();
        if self.stack.judge(&Case::RIGHT) == Judged::No {
            let open = self.without_code();
            let shut = self.no_way_in();
            findings.extend(shut.map(|shut| match open.as_slice() {
                [] => shut,
                _ => shut.because("Whoever gives password and code as asked for is refused."),
            }));
            findings.extend(open);
            return findings;
        }
        if self.stack.codes().any(|(_, mode, _)| mode != Mode::Issued) {
            findings.extend(self.without_code());
            findings.extend(self.code_alone());
            findings.extend(self.asked_twice());
            findings.extend(self.let_off());
            findings.extend(self.strangers());
            findings.extend(self.nullok());
            findings.extend(self.beside());
        }
        findings.extend(self.issued());
        findings
    }

    pub(super) fn line(&self, at: usize) -> Option<&Line> {
        self.stack.lines.get(at)
    }

    pub(super) fn finding(
        &self,
        check: &Check,
        at: usize,
        change: impl Into<String>,
    ) -> Option<Finding> {
        let line = self.line(at)?;
        Some(check.found(&line.text, change).at(&line.place))
    }

    /// The first line that asks for the second factor.
    fn second(&self) -> Option<usize> {
        self.stack.codes().find(|(_, mode, _)| *mode != Mode::Issued).map(|(at, ..)| at)
    }

    fn broken(&self) -> Vec<Finding> {
        let why = |line: &Line| match &line.entry {
            pam_stack::Entry::Broken(why) => Some(why.clone()),
            _ => line.control.wrong.map(str::to_owned),
        };
        let broken = self.stack.lines.iter().filter_map(|line| Some((line, why(line)?)));
        broken
            .map(|(line, why)| {
                let change = format!("correct the line: {why}");
                PAM_BROKEN_LINE.found(&line.text, change).at(&line.place)
            })
            .collect()
    }

    fn no_way_in(&self) -> Option<Finding> {
        let at = self.stack.refuses()?;
        let line = self.line(at)?;
        let change = match line.module() {
            "pam_deny" => "put the line behind one that skips it, or take it out",
            _ if line.asks_password() => {
                "the code is still behind the password here: put pam_otp above, or without \
                 use_first_pass"
            }
            _ => "correct the line, or the jump that leads past the one which says yes",
        };
        self.finding(&PAM_NO_WAY_IN, at, change)
    }

    /// Ways in without a code: an error that counts as success, a line that ends the stack early.
    fn without_code(&self) -> Vec<Finding> {
        let mut findings = self.errors();
        let never = Case { second: Codes::default(), ..Case::NO_CODE };
        match self.stack.judge(&never) {
            Judged::No => (),
            Judged::Always(run) => findings.extend(self.never_asked(&run)),
            Judged::Some(..) => findings.extend(self.exempt(&never)),
        }
        if let (true, Judged::Always(run)) = (findings.is_empty(), self.stack.judge(&Case::NO_CODE))
        {
            let at = self.ends(&run);
            findings.extend(at.and_then(|at| {
                self.finding(&PAM_ERROR_IS_SUCCESS, at, "write `required` for pam_otp")
            }));
        }
        findings
    }

    fn errors(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (at, mode, line) in self.stack.codes() {
            if mode == Mode::Issued {
                continue;
            }
            let when = FAILURES.iter().filter(|(code, _)| self.passes(at, *code, Other::NotRight));
            let when: Vec<_> = when.map(|(_, when)| *when).collect();
            if let Some(list) = listed(&when, "or") {
                let finding = PAM_ERROR_IS_SUCCESS.found(&line.text, self.cure(line));
                let why = format!("The login succeeds without a code when {list}.");
                findings.push(finding.because(why).at(&line.place));
            }
        }
        findings
    }

    /// Whether a login that is right but for pam_otp's code passes though line `at` says this.
    pub(super) fn passes(&self, at: usize, code: Code, other: Other) -> bool {
        let case = Case { first: First::Right, other, ..Case::NO_CODE };
        match self.stack.judge(&case.second(code)) {
            Judged::No => false,
            Judged::Some(_, run) | Judged::Always(run) => run.returned(at) == Some(code),
        }
    }

    /// What makes a line of pam_otp count.
    fn cure(&self, line: &Line) -> String {
        let required = Code::all().all(|code| {
            let bad = matches!(line.control.action(code), Action::Bad | Action::Die);
            bad || [Code::SUCCESS, Code::NEW_AUTHTOK_REQD, Code::IGNORE].contains(&code)
        });
        match required {
            true => "put it where no other line can still make a success of it".into(),
            false if line.control.written.contains('=') => {
                format!("write `required` in place of `[{}]`", line.control.written)
            }
            false => format!("write `required` in place of `{}`", line.control.written),
        }
    }

    /// The line that made a run end as it did.
    fn ends(&self, run: &Run) -> Option<usize> {
        let decides = |step: &&pam_stack::Step| {
            let action = self.line(step.line).map(|line| line.control.action(step.returned));
            matches!(action, Some(Action::Done | Action::Jump(_)))
        };
        let last = run.steps.iter().rfind(decides).or(run.steps.last());
        last.map(|step| step.line)
    }

    fn never_asked(&self, run: &Run) -> Option<Finding> {
        let at = self.ends(run)?;
        let (line, code) = (self.line(at)?, self.line(self.second()?)?);
        let change = match line.control.written.as_str() {
            "sufficient" => "write `requisite` in place of `sufficient`, or put pam_otp above",
            _ => "let the line lead to pam_otp, not past it",
        };
        let below = format!("{}:{}", code.place.file.display(), code.place.line);
        let why = format!("It ends the stack with success before {below} asks for a code.");
        Some(self.finding(&PAM_NEVER_ASKED, at, change)?.because(why))
    }

    /// Who meets a condition needs no code, or no proof at all; that root needs none is as
    /// everywhere.
    fn exempt(&self, never: &Case) -> Vec<Finding> {
        let mut told = Vec::new();
        let mut findings = Vec::new();
        let nothing = Case { first: First::Wrong, ..*never };
        let free = match self.proved {
            true => Vec::new(),
            false => self.stack.ways(&nothing, |line| is_rootok(line) || vouches(line)),
        };
        let change = "take the line out, or let the line for the password stand above it";
        let free = free.iter().map(|run| (run, &PAM_NO_PROOF, change));
        let without = self.stack.ways(never, is_rootok);
        let without = without.iter().map(|run| (run, &PAM_EXEMPT, "nothing, if that is meant"));
        for (run, check, change) in free.chain(without) {
            if let Some(at) = self.condition(run).filter(|at| !told.contains(at)) {
                told.push(at);
                findings.extend(self.finding(check, at, change));
            }
        }
        findings
    }

    /// The condition that opened this way: the last one that led past a line.
    fn condition(&self, run: &Run) -> Option<usize> {
        let of = |step: &&pam_stack::Step| {
            let line = self.line(step.line);
            line.is_some_and(|line| line.role() == Role::Condition && !is_rootok(line))
        };
        let leads = |step: &&pam_stack::Step| {
            let action = self.line(step.line).map(|line| line.control.action(step.returned));
            matches!(action, Some(Action::Done | Action::Jump(_)))
        };
        let met = |step: &&pam_stack::Step| step.returned == Code::SUCCESS;
        let steps = || run.steps.iter().filter(of);
        let step = steps().rfind(leads).or_else(|| steps().find(met)).or_else(|| steps().next());
        step.map(|step| step.line)
    }

    fn code_alone(&self) -> Option<Finding> {
        let at = self.second()?;
        if !self.stack.has(Role::First) {
            let finding = self.finding(
                &PAM_CODE_ALONE,
                at,
                "put the line below `@include common-auth` or the one for the password",
            )?;
            let why = "The code is all that is asked for.";
            let other = self.proved || self.stack.has(Role::Unknown);
            return (!other).then(|| finding.because(why).rated(Severity::Warning));
        }
        match self.stack.judge(&Case::CODE_ALONE) {
            Judged::Always(_) => self.finding(
                &PAM_CODE_ALONE,
                at,
                "let the line for the password be `required` or `requisite`",
            ),
            Judged::No | Judged::Some(..) => None,
        }
    }

    /// What becomes of those whom a policy asks for no code.
    fn let_off(&self) -> Vec<Finding> {
        let Some(configuration) = self.configuration else { return Vec::new() };
        let nullok = self.stack.codes().any(|(_, _, line)| is_nullok(line));
        let ignored = configuration.ignores(self.service).filter(|_| nullok);
        let Some(policy) = configuration.skips(self.service).or(ignored) else { return Vec::new() };
        let because = |check: &Check| format!("{} (policy \"{}\")", check.why, policy.name);
        let Some(at) = self.second() else { return Vec::new() };
        let mut findings = Vec::new();
        if self.stack.judge(&Case::LET_OFF) == Judged::No {
            let change = "add `auth required pam_permit.so` below it";
            let finding = self.finding(&PAM_LET_OFF_REFUSED, at, change);
            findings.extend(finding.map(|found| found.because(because(&PAM_LET_OFF_REFUSED))));
        }
        if !self.proved && matches!(self.stack.judge(&Case::NOTHING), Judged::Always(_)) {
            let change = "put a line for the password above it";
            let finding = self.finding(&PAM_NOTHING_ASKED, at, change);
            findings.extend(finding.map(|found| found.because(because(&PAM_NOTHING_ASKED))));
        }
        findings
    }

    /// Keys and codes that somebody gets who has proved nothing.
    fn strangers(&self) -> Vec<Finding> {
        let Some(configuration) = self.configuration else { return Vec::new() };
        let enrols = configuration.enrols(self.service);
        let nothing = Case { first: First::Wrong, ..Case::NO_CODE };
        let mut findings = Vec::new();
        for (at, mode, line) in self.stack.codes() {
            if mode == Mode::Issued || self.proved || self.stack.reaches(&nothing, at).is_none() {
                continue;
            }
            let change = match self.ends_too_late(at) {
                Some(above) => format!(
                    "write `requisite` at {}:{}, so that a wrong password ends the stack",
                    above.place.file.display(),
                    above.place.line
                ),
                None => "put it below a line that ends the stack at a wrong password".into(),
            };
            if let Some(policy) = enrols.filter(|_| mode == Mode::Second && !line.has("no_warn")) {
                let why = format!("{} (policy \"{}\")", PAM_ENROL_STRANGER.why, policy.name);
                let finding = PAM_ENROL_STRANGER.found(&line.text, &*change).because(why);
                findings.push(finding.at(&line.place));
            }
            if configuration.delivers() && line.value("method").is_none_or(|m| m != "totp") {
                findings.push(PAM_SENT_TO_STRANGER.found(&line.text, change).at(&line.place));
            }
        }
        findings
    }

    /// The line for the password above `at` that goes on after a wrong one.
    fn ends_too_late(&self, at: usize) -> Option<&Line> {
        let above = self.stack.lines.get(..at)?;
        above.iter().rfind(|line| line.asks_password() && line.level == 0)
    }

    fn nullok(&self) -> Option<Finding> {
        let configuration = self.configuration?;
        let (at, _, line) = self.stack.codes().find(|(_, mode, _)| *mode == Mode::Second)?;
        let service = self.service;
        match (is_nullok(line), configuration.ignores(service)) {
            (true, None) => {
                let change = format!(
                    "take `nullok` out, or write unenrolled = \"ignore\" in a policy for {service}"
                );
                self.finding(&PAM_NULLOK, at, change)
            }
            (false, Some(policy)) => {
                let change = format!(
                    "add `nullok`, or take unenrolled = \"ignore\" out of policy \"{}\"",
                    policy.name
                );
                self.finding(&PAM_NULLOK, at, change)
            }
            _ => None,
        }
    }

    fn issued(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let nothing =
            Case { first: First::Wrong, issued: Codes::of(&[Code::IGNORE]), ..Case::NO_CODE };
        let alone = matches!(self.stack.judge(&nothing), Judged::Always(_));
        for (at, mode, line) in self.stack.codes() {
            if mode != Mode::Issued {
                continue;
            }
            if alone {
                let change = "put a line for the password below it, or take pam_permit out";
                findings.extend(self.finding(&PAM_ISSUED_ALONE, at, change));
                continue;
            }
            let below = self.stack.lines.get(at..).unwrap_or_default();
            let refuses = matches!(line.control.action(Code::AUTH_ERR), Action::Bad | Action::Die);
            let (why, change) = match () {
                () if !below.iter().any(Line::asks_password) => (
                    "No line below asks for the password of those who have no code.",
                    "put it above `@include common-auth` or the line for the password",
                ),
                () if refuses => (
                    "A wrong code refuses the login, also of those who know the password.",
                    "write `sufficient`",
                ),
                () if self.configuration.is_some_and(|c| !c.issued.enabled) => (
                    "Issued codes are switched off: nobody has one.",
                    "write enabled = true in [issued], or take the line out",
                ),
                () => continue,
            };
            findings.extend(self.finding(&PAM_ISSUED, at, change).map(|f| f.because(why)));
        }
        findings
    }
}

fn is_rootok(line: &Line) -> bool {
    line.module() == "pam_rootok"
}

/// Whether the condition of a line stands for a proof, or somebody has to be given it by name for
/// just that.
fn vouches(line: &Line) -> bool {
    match line.module() {
        "pam_ssh_user_auth" => true,
        "pam_wheel" => !(line.has("trust") && line.has("deny")),
        "pam_exec" => line.has("expose_authtok"),
        "pam_succeed_if" => line.has("ingroup") && line.has("nopasswdlogin"),
        _ => false,
    }
}

pub(super) fn is_nullok(line: &Line) -> bool {
    line.has("nullok") || line.has("nouserok")
}

/// `a, b or c`.
pub(crate) fn listed(words: &[&str], last: &str) -> Option<String> {
    match words {
        [] => None,
        [one] => Some((*one).to_owned()),
        [first @ .., end] => Some(format!("{} {last} {end}", first.join(", "))),
    }
}
