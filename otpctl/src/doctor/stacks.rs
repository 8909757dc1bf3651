//! The PAM stacks of the services.

use pam_stack::{Action, Code, Kind, Line, Machine, Mode, Place, Role, Service, Stack};

use super::check::{
    Finding, PAM_DIFFERS, PAM_KIND, PAM_NO_WAY_BACK, PAM_REFUSED, PAM_SIBLING, PAM_WITHOUT_CODE,
    Severity, Subject,
};
use super::options;
use super::policy::Configuration;
use super::shape::{Shape, listed};

/// Services at which nobody logs in who could type a code, or that guard nothing further.
const NO_LOGINS: &[&str] = &[
    "atd",
    "chfn",
    "chpasswd",
    "chsh",
    "cron",
    "crond",
    "newusers",
    "other",
    "passwd",
    "runuser",
    "runuser-l",
    "systemd-user",
    "vlock",
    "groupmems",
    "useradd",
    "userdel",
    "usermod",
    "samba",
    "ppp",
    "cups",
];
/// Programs with two services: what the second one is used by.
const SIBLINGS: &[(&str, &str, &str)] =
    &[("sudo", "sudo-i", "`sudo -i`"), ("su", "su-l", "`su -`")];
/// Services of the console.
const CONSOLE: &[&str] = &["login", "gdm-password", "lightdm", "sddm", "xdm"];

/// The services of a machine, read once.
pub(crate) struct Stacks {
    services: Vec<(Service, Stack)>,
}

impl Stacks {
    /// Reads the services of these names.
    pub(crate) fn read(machine: &Machine, names: &[String]) -> Self {
        let read = |name: &String| {
            let service = machine.service(name);
            let stack = Stack { lines: service.lines(Kind::Auth) };
            (service, stack)
        };
        Self { services: names.iter().map(read).collect() }
    }

    /// The stack of a service, if it asks for a second factor.
    pub(crate) fn asking(&self, service: &str) -> Option<&Stack> {
        let named = self.services.iter().find(|(known, _)| known.name == service);
        named.map(|(_, stack)| stack).filter(|stack| asks(stack))
    }

    /// The names of all.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|(service, _)| service.name.as_str())
    }

    /// Whether any line of any service names pam_otp.
    pub(crate) fn any(&self) -> bool {
        self.services.iter().any(|(service, stack)| {
            stack.codes().next().is_some() || !of_wrong_kind(service).is_empty()
        })
    }

    /// The services that ask for a second factor.
    pub(crate) fn with_code(&self) -> Vec<&str> {
        let asking = self.services.iter().filter(|(_, stack)| asks(stack));
        asking.map(|(service, _)| service.name.as_str()).collect()
    }

    /// Those of them at which no other module has users of its own: who has no token is refused.
    pub(crate) fn with_no_other(&self) -> Vec<&str> {
        let alone = self.services.iter().filter(|(_, stack)| !stack.has(Role::OtherCode));
        alone.filter(|(_, stack)| asks(stack)).map(|(service, _)| service.name.as_str()).collect()
    }

    /// Looks at all of them; `proved` tells at which services the program itself has asked for a
    /// proof.
    pub(crate) fn check(
        &self,
        machine: &Machine,
        configuration: Option<&Configuration>,
        proved: &dyn Fn(&str) -> bool,
        all: bool,
    ) -> Subject {
        let mut subject = Subject::new(self.title(all));
        for (service, stack) in &self.services {
            let name = service.name.as_str();
            let mut findings = unreadable(service, &mut subject.unseen);
            findings.extend(of_wrong_kind(service));
            if stack.codes().next().is_some() {
                findings.extend(differs(service));
                findings.extend(options::check(stack, machine, configuration));
                let proved = proved(name);
                findings.extend(Shape { service: name, stack, configuration, proved }.check());
            }
            for finding in findings {
                merge(&mut subject.findings, finding, name);
            }
        }
        subject.findings.extend(self.siblings(machine));
        subject.findings.extend(self.without_code(all));
        subject.findings.extend(self.no_way_back());
        subject.unseen.sort_unstable();
        subject.unseen.dedup();
        subject
    }

    fn title(&self, all: bool) -> String {
        let named = listed(&self.with_code(), "and");
        match (all, named, self.services.first()) {
            (true, Some(named), _) => format!("PAM stacks: a code at {named}"),
            (true, None, _) => "PAM stacks: no service asks for a code".into(),
            (false, _, Some((service, _))) => format!("PAM stack of {}", service.name),
            (false, _, None) => "PAM stack".into(),
        }
    }

    /// Those that ask for a password alone, told once.
    fn without_code(&self, all: bool) -> Option<Finding> {
        let lacks = |(service, stack): &&(Service, Stack)| {
            let name = service.name.as_str();
            let told = SIBLINGS
                .iter()
                .any(|(first, second, _)| *second == name && self.asking(first).is_some());
            let listed = !told && (!all || !NO_LOGINS.contains(&name));
            let open = !asks(stack) && !stack.has(Role::OtherCode);
            stack.has(Role::First) && open && listed
        };
        let lacking = self.services.iter().filter(lacks).map(|(service, _)| service.name.as_str());
        let lacking: Vec<_> = lacking.collect();
        if all && self.with_code().is_empty() {
            return None;
        }
        let named = listed(&lacking, "and")?;
        let finding =
            PAM_WITHOUT_CODE.found(named, "nothing, if that is meant; else `otpctl setup SERVICE`");
        Some(if all { finding } else { finding.because("It asks for no code.") })
    }

    /// The second service of a program whose first one asks for a code.
    fn siblings(&self, machine: &Machine) -> Vec<Finding> {
        let asking = SIBLINGS.iter().filter(|(first, ..)| self.asking(first).is_some());
        let open = asking.filter_map(|(_, second, used_by)| {
            let service = machine.service(second);
            let stack = Stack { lines: service.lines(Kind::Auth) };
            let file = service.file.filter(|_| !asks(&stack) && service.unreadable.is_empty())?;
            let change = "add `auth required pam_otp.so` as in the other file";
            let why = format!("{used_by} uses this service, and it asks for no code.");
            let finding = PAM_SIBLING.found("no line of pam_otp", change).because(why);
            Some(finding.in_file(file))
        });
        open.collect()
    }

    fn no_way_back(&self) -> Option<Finding> {
        let console = |name: &&str| self.services.iter().any(|(s, _)| s.name == **name);
        let mut there = CONSOLE.iter().filter(|name| console(name)).peekable();
        there.peek()?;
        let first = there.clone().next()?;
        let open = there.any(|name| self.asking(name).is_none());
        let (_, stack) = self.services.iter().find(|(service, _)| service.name == **first)?;
        let (_, _, line) = stack.codes().find(|(_, mode, _)| *mode == Mode::Second)?;
        let change = "leave pam_otp out of one service of the console, such as login";
        (!open).then(|| PAM_NO_WAY_BACK.found(&line.text, change).at(&line.place))
    }
}

fn asks(stack: &Stack) -> bool {
    stack.codes().any(|(_, mode, _)| mode != Mode::Issued)
}

/// What libpam refuses, and what this process may not read.
fn unreadable(service: &Service, unseen: &mut Vec<String>) -> Vec<Finding> {
    let files = service.unreadable.iter();
    unseen.extend(files.map(|file| format!("{}: not readable; run it as root", file.display())));
    let refused = service.refused.iter().filter(|_| service.unreadable.is_empty());
    refused
        .map(|problem| PAM_REFUSED.found(&problem.why, "correct the line").at(&problem.place))
        .collect()
}

/// Lines of other kinds than auth.
fn of_wrong_kind(service: &Service) -> Vec<Finding> {
    let kinds = [Kind::Account, Kind::Password, Kind::Session];
    let lines = kinds.into_iter().flat_map(|kind| service.lines(kind));
    let otp = lines.filter(|line| line.module() == "pam_otp");
    otp.map(|line: Line| {
        let fails = matches!(line.control.action(Code::SERVICE_ERR), Action::Bad | Action::Die);
        let finding = PAM_KIND.found(&line.text, "take the line out").at(&line.place);
        if fails { finding } else { finding.rated(Severity::Warning) }
    })
    .collect()
}

fn differs(service: &Service) -> Vec<Finding> {
    let told = service.differs.iter();
    told.map(|problem| PAM_DIFFERS.found(&problem.why, "write it on one line").at(&problem.place))
        .collect()
}

/// Adds a finding, or only the service to the same one.
fn merge(findings: &mut Vec<Finding>, mut finding: Finding, service: &str) {
    let place = |finding: &Finding| Place {
        file: finding.file.clone().unwrap_or_default(),
        line: finding.line.unwrap_or_default(),
    };
    let same = |known: &&mut Finding| {
        known.check == finding.check && place(known) == place(&finding) && known.why == finding.why
    };
    match findings.iter_mut().find(same) {
        Some(known) => known.services.push(service.to_owned()),
        None => {
            finding.services.push(service.to_owned());
            findings.push(finding);
        }
    }
}
