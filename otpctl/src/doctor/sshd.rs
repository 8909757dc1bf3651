//! sshd's settings, as sshd itself works them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Group, getuid};
use pam_stack::{Machine, Role, Stack};

use super::check::{
    Check, Finding, SSHD_CONFIG, SSHD_EMPTY_PASSWORD, SSHD_GRACE, SSHD_KEY_FIRST, SSHD_NO_PROMPT,
    SSHD_PAM, SSHD_PASSWORD, SSHD_RELOAD, SSHD_ROOT, SSHD_WITHOUT_CODE, Subject,
};
use super::policy::Configuration;
use super::shape::listed;
use super::sshd_files::Files;

const PROGRAMS: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];
/// sshd writes it when it starts and when it reads its configuration again.
const PID_FILE: &str = "/run/sshd.pid";
/// The PAM service where no other one is set.
pub(crate) const SERVICE: &str = "sshd";
const PROMPT: &str = "keyboard-interactive";

/// The settings of one kind of connection, as `sshd -T` prints them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
    /// The `Match` block that it is about.
    block: Option<usize>,
}

impl Settings {
    /// Reads what `sshd -T` prints.
    pub(crate) fn parse(text: &str, block: Option<usize>) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let values = lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Self { values: values.collect(), block }
    }

    fn get(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    fn on(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// The PAM service.
    pub(crate) fn service(&self) -> &str {
        Some(self.get("pamservicename")).filter(|name| !name.is_empty()).unwrap_or(SERVICE)
    }

    /// The ways in: each a list of methods that are all needed, none of them switched off.
    fn ways(&self) -> Vec<Vec<&str>> {
        let methods = [
            ("publickey", "pubkeyauthentication"),
            ("password", "passwordauthentication"),
            (PROMPT, "kbdinteractiveauthentication"),
            ("gssapi-with-mic", "gssapiauthentication"),
            ("hostbased", "hostbasedauthentication"),
        ];
        let on =
            |method: &&str| methods.iter().any(|(name, switch)| name == method && self.on(switch));
        let lists = self.get("authenticationmethods");
        if ["", "any"].contains(&lists) {
            let single = methods.iter().map(|(name, _)| *name).filter(|method| on(method));
            return single.map(|method| vec![method]).collect();
        }
        let lists = lists.split_whitespace();
        let lists = lists.map(|list| list.split(',').filter_map(|m| m.split(':').next()).collect());
        lists.filter(|list: &Vec<&str>| list.iter().all(&on)).collect()
    }

    /// Whether whoever comes to PAM has proved to have a key or a ticket before.
    pub(crate) fn proved(&self) -> bool {
        let mut asking = self.ways().into_iter().filter(|way| asks_pam(way)).peekable();
        asking.peek().is_some() && asking.all(|way| way.iter().any(|method| !is_pam(method)))
    }
}

fn is_pam(method: &str) -> bool {
    [PROMPT, "password"].contains(&method)
}

fn asks_pam(way: &[&str]) -> bool {
    way.iter().any(|method| is_pam(method))
}

/// What is known of sshd: its settings, outside of `Match` blocks first.
pub(crate) struct Sshd {
    pub(crate) settings: Vec<Settings>,
    files: Files,
    /// What could not be looked at.
    unseen: Vec<String>,
    /// Why sshd does not take its configuration.
    pub(super) refused: Option<String>,
    pub(super) stale: bool,
}

impl Sshd {
    /// Asks sshd; `None` where there is none.
    pub(crate) fn ask(machine: &Machine) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|program| Path::new(program).is_file())?;
        let files = Files::read(machine);
        let stale = stale(&files);
        let mut sshd =
            Self { settings: Vec::new(), files, unseen: Vec::new(), refused: None, stale };
        match settings(program, None) {
            Ok(text) => sshd.settings.push(Settings::parse(&text, None)),
            Err(why) if getuid().is_root() && !why.starts_with("Missing privilege") => {
                sshd.refused = Some(why);
            }
            Err(why) => {
                sshd.unseen
                    .push(format!("sshd's settings: {why}; run it as root, with sshd started"));
            }
        }
        if sshd.settings.is_empty() {
            return Some(sshd);
        }
        for (number, block) in sshd.files.blocks.iter().enumerate() {
            let text = block.connection(member).and_then(|c| settings(program, Some(&c)));
            match text {
                Ok(text) => sshd.settings.push(Settings::parse(&text, Some(number))),
                Err(why) => sshd.unseen.push(format!("sshd: {}: {why}", block.text)),
            }
        }
        Some(sshd)
    }

    /// Settings that were printed elsewhere.
    #[cfg(test)]
    pub(crate) fn of(settings: Vec<Settings>, files: Files) -> Self {
        Self { settings, files, unseen: Vec::new(), refused: None, stale: false }
    }

    /// Looks at the settings; `asking` is the stack of a service that asks for a code.
    pub(crate) fn check<'a>(
        &self,
        asking: impl Fn(&str) -> Option<&'a Stack>,
        configuration: Option<&Configuration>,
    ) -> Subject {
        let blocks = match self.files.blocks.len() {
            0 => String::new(),
            1 => " and its Match block".into(),
            number => format!(" and its {number} Match blocks"),
        };
        let mut subject = Subject::new(format!("sshd's settings{blocks}"));
        subject.unseen.clone_from(&self.unseen);
        if let Some(why) = &self.refused {
            subject.findings.push(SSHD_CONFIG.found(why, "correct it; `sshd -t` checks it"));
        }
        let mut asks = false;
        for settings in &self.settings {
            let Some(stack) = asking(settings.service()) else { continue };
            asks = true;
            for finding in (Look { settings, files: &self.files, stack, configuration }).check() {
                let known = |known: &Finding| {
                    (known.check, &known.found, known.line)
                        == (finding.check, &finding.found, finding.line)
                };
                if !subject.findings.iter().any(known) {
                    subject.findings.push(finding);
                }
            }
        }
        if asks && self.stale {
            let change = "sshd -t && systemctl reload ssh (sshd on some systems)";
            subject
                .findings
                .push(SSHD_RELOAD.found("sshd_config is newer than the running sshd", change));
        }
        if !asks && self.refused.is_none() && self.unseen.is_empty() {
            subject.title = "sshd: its PAM stack asks for no code".into();
        }
        subject
    }
}

/// What `sshd -T` prints for a connection, or why it prints nothing.
fn settings(program: &str, connection: Option<&str>) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("-T").env_clear();
    if let Some(connection) = connection {
        command.args(["-C", connection]);
    }
    let done = command.output().map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(said.lines().next().unwrap_or("sshd -T fails").trim().to_owned())
}

fn member(group: &str) -> Option<String> {
    Group::from_name(group).ok().flatten()?.mem.into_iter().next()
}

/// Whether a file has changed since sshd read it.
fn stale(files: &Files) -> bool {
    let changed = |file: &Path| fs::metadata(file).and_then(|data| data.modified()).ok();
    let Some(started) = changed(Path::new(PID_FILE)) else { return false };
    files.read.iter().filter_map(|file| changed(file)).any(|changed| changed > started)
}

/// One kind of connection under the eye.
struct Look<'a> {
    settings: &'a Settings,
    files: &'a Files,
    stack: &'a Stack,
    configuration: Option<&'a Configuration>,
}

impl Look<'_> {
    fn check(&self) -> Vec<Finding> {
        let settings = self.settings;
        if !settings.on("usepam") {
            return vec![self.finding(&SSHD_PAM, "usepam", "UsePAM", "write `UsePAM yes`")];
        }
        let mut findings = Vec::new();
        findings.extend(self.without_code());
        findings.extend(self.prompt());
        findings.extend(self.key_first());
        if settings.on("permitemptypasswords") {
            let change = "write `PermitEmptyPasswords no`";
            let name = "PermitEmptyPasswords";
            findings.push(self.finding(&SSHD_EMPTY_PASSWORD, "permitemptypasswords", name, change));
        }
        findings.extend(self.root());
        findings.extend(self.grace());
        findings
    }

    /// The line that sets a value, or that it is by default so.
    fn finding(&self, check: &Check, keyword: &str, name: &str, change: &str) -> Finding {
        match self.files.find(keyword, self.settings.block) {
            Some(line) => check.found(&line.text, change).at(&line.place),
            None => {
                let found = format!("{name} {} (by default)", self.settings.get(keyword));
                let finding = check.found(found, change);
                match self.files.read.first() {
                    Some(file) => finding.in_file(file),
                    None => finding,
                }
            }
        }
    }

    fn without_code(&self) -> Option<Finding> {
        let ways = self.settings.ways();
        let open: Vec<_> = ways.iter().filter(|way| !asks_pam(way)).map(|w| w.join(",")).collect();
        let list = listed(&open.iter().map(String::as_str).collect::<Vec<_>>(), "and")?;
        let change = match self.stack.has(Role::First) {
            true => "write `AuthenticationMethods keyboard-interactive`",
            false => "write `AuthenticationMethods publickey,keyboard-interactive`",
        };
        let name = "AuthenticationMethods";
        let finding = self.finding(&SSHD_WITHOUT_CODE, "authenticationmethods", name, change);
        Some(finding.because(format!("{list} alone never asks PAM, and so for no code.")))
    }

    /// Whether sshd can put the question to the person.
    fn prompt(&self) -> Option<Finding> {
        let mut codes = self.stack.codes();
        let one_field = ["use_first_pass", "try_first_pass", "forward_pass"];
        if codes.any(|(_, _, line)| one_field.iter().any(|option| line.has(option))) {
            return None;
        }
        let ways = self.settings.ways();
        // Where nothing asks PAM, that is what is wrong.
        if !ways.is_empty() && !ways.iter().any(|way| asks_pam(way)) {
            return None;
        }
        let prompts = ways.iter().any(|way| way.contains(&PROMPT));
        let blind = ways.iter().any(|way| way.contains(&"password"));
        match (prompts, blind) {
            (false, _) if !self.settings.on("kbdinteractiveauthentication") => Some(self.finding(
                &SSHD_NO_PROMPT,
                "kbdinteractiveauthentication",
                "KbdInteractiveAuthentication",
                "write `KbdInteractiveAuthentication yes`",
            )),
            (false, _) => Some(self.finding(
                &SSHD_NO_PROMPT,
                "authenticationmethods",
                "AuthenticationMethods",
                "write `AuthenticationMethods keyboard-interactive`",
            )),
            (true, true) => Some(self.finding(
                &SSHD_PASSWORD,
                "passwordauthentication",
                "PasswordAuthentication",
                "write `PasswordAuthentication no`",
            )),
            (true, false) => None,
        }
    }

    /// A stack with nothing but the code is behind a key only.
    fn key_first(&self) -> Option<Finding> {
        if self.stack.has(Role::First) || self.stack.has(Role::Unknown) {
            return None;
        }
        let alone = |way: &Vec<&str>| asks_pam(way) && way.iter().all(|method| is_pam(method));
        self.settings.ways().iter().any(alone).then(|| {
            let change = "write `AuthenticationMethods publickey,keyboard-interactive`";
            let name = "AuthenticationMethods";
            self.finding(&SSHD_KEY_FIRST, "authenticationmethods", name, change)
        })
    }

    fn root(&self) -> Option<Finding> {
        let value = self.settings.get("permitrootlogin");
        let typed = self.settings.ways().iter().all(|way| asks_pam(way));
        (typed && !["yes", "no"].contains(&value)).then(|| {
            let change = "write `PermitRootLogin no`, or `yes` where root logs in";
            self.finding(&SSHD_ROOT, "permitrootlogin", "PermitRootLogin", change)
        })
    }

    fn grace(&self) -> Option<Finding> {
        let grace = self.settings.get("logingracetime").parse().ok().filter(|s: &u64| *s > 0)?;
        let configuration = self.configuration?;
        let enrols = configuration.enrols(self.settings.service()).is_some();
        let (needed, what) = match () {
            () if enrols => (configuration.at_login(), "to set up an app at the login"),
            () if configuration.delivers() => (60, "for a code to arrive"),
            () => return None,
        };
        (grace < needed).then(|| {
            let change = format!("write `LoginGraceTime {needed}`");
            let why = format!("sshd ends the login after {grace} s; {needed} s {what} are usual.");
            let name = "LoginGraceTime";
            self.finding(&SSHD_GRACE, "logingracetime", name, &change).because(why)
        })
    }
}
