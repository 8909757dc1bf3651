//! sshd's settings, as sshd itself works them out.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Group, getuid};
use pam_stack::{Machine, Role, Stack};

use super::check::{
    Check, Finding, SSHD_CONFIG, SSHD_EMPTY_PASSWORD, SSHD_GRACE, SSHD_KEY_FIRST, SSHD_NO_PROMPT,
    SSHD_OPTIONS, SSHD_PAM, SSHD_PASSWORD, SSHD_RELOAD, SSHD_ROOT, SSHD_UNTRIED, SSHD_WITHOUT_CODE,
    Subject,
};
use super::policy::Configuration;
use super::shape::listed;
use super::sshd_files::Files;
use super::sshd_running::{Daemon, PROC, daemons};
use super::sshd_settings::{PROMPT, asks_pam, is_pam};
pub(crate) use super::sshd_settings::{SERVICE, Settings};

const PROGRAMS: [&str; 2] = ["/usr/sbin/sshd", "/usr/bin/sshd"];
/// sshd writes it when it starts and when it reads its configuration again.
const PID_FILE: &str = "/run/sshd.pid";

/// What is known of sshd: its settings, outside of `Match` blocks first.
pub(crate) struct Sshd {
    pub(crate) settings: Vec<Settings>,
    /// Each sshd with what it was told, and the files that it reads.
    pub(super) daemons: Vec<(Daemon, Files)>,
    /// What could not be looked at.
    unseen: Vec<String>,
    /// What could not be tried and says who gets in.
    pub(super) untried: Vec<Finding>,
    /// Why sshd does not take its configuration.
    pub(super) refused: Option<String>,
    pub(super) stale: bool,
}

impl Sshd {
    /// Asks sshd; `None` where there is none.
    pub(crate) fn ask(machine: &Machine) -> Option<Self> {
        let program = PROGRAMS.into_iter().find(|program| Path::new(program).is_file())?;
        let mut sshd = Self::of(Vec::new(), Files::read(machine));
        sshd.daemons.clear();
        for daemon in daemons(Path::new(PROC), &PROGRAMS) {
            let files = match &daemon.file {
                Some(file) => Files::of(machine, file),
                None => Files::read(machine),
            };
            sshd.stale |= daemon.file.is_none() && stale(&files);
            sshd.daemons.push((daemon, files));
        }
        for number in 0..sshd.daemons.len() {
            sshd.ask_one(program, number);
        }
        Some(sshd)
    }

    /// The settings of one sshd, also in its `Match` blocks.
    fn ask_one(&mut self, program: &str, number: usize) {
        let Some((daemon, files)) = self.daemons.get(number) else { return };
        let options = daemon.arguments();
        if daemon.file.as_ref().is_some_and(|file| file.is_relative()) {
            return self.untried.push(daemon.untried("the path is not absolute"));
        }
        if daemon.cut {
            self.untried.push(daemon.untried("the rest of its command line cannot be seen"));
        }
        match settings(program, &options, None) {
            Ok(text) => {
                self.settings.push(Settings::parse(&text, None).of_daemon(number));
            }
            Err(why) if !options.is_empty() => return self.untried.push(daemon.untried(&why)),
            Err(why) if getuid().is_root() && !why.starts_with("Missing privilege") => {
                return self.refused = Some(why);
            }
            Err(why) => {
                let what = format!("sshd's settings: {why}; run it as root, with sshd started");
                return self.unseen.push(what);
            }
        }
        for (block, known) in files.blocks.iter().enumerate() {
            let text = known.connection(member);
            match text.and_then(|connection| settings(program, &options, Some(&connection))) {
                Ok(text) => {
                    let settings = Settings::parse(&text, Some(block));
                    self.settings.push(settings.of_daemon(number));
                }
                Err(why) => match untried(files, block, &why) {
                    Some(finding) => self.untried.push(finding),
                    None => self.unseen.push(format!("sshd: {}: {why}", known.text)),
                },
            }
        }
    }

    /// Settings that were printed elsewhere.
    pub(crate) fn of(settings: Vec<Settings>, files: Files) -> Self {
        Self {
            settings,
            daemons: vec![(Daemon::default(), files)],
            unseen: Vec::new(),
            untried: Vec::new(),
            refused: None,
            stale: false,
        }
    }

    /// Looks at the settings; `asking` is the stack of a service that asks for a code.
    pub(crate) fn check<'a>(
        &self,
        asking: impl Fn(&str) -> Option<&'a Stack>,
        configuration: Option<&Configuration>,
    ) -> Subject {
        let blocks = match self.daemons.iter().map(|(_, files)| files.blocks.len()).sum() {
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
            let Some((daemon, files)) = self.daemons.get(settings.daemon) else { continue };
            asks = true;
            for finding in (Look { settings, daemon, files, stack, configuration }).check() {
                let known = |known: &Finding| {
                    (known.check, &known.found, &known.file, known.line)
                        == (finding.check, &finding.found, &finding.file, finding.line)
                };
                if !subject.findings.iter().any(known) {
                    subject.findings.push(finding);
                }
            }
        }
        if asks || asking(SERVICE).is_some() {
            subject.findings.extend(self.untried.iter().cloned());
        }
        if asks && self.stale {
            let change = "sshd -t && systemctl reload ssh (sshd on some systems)";
            subject
                .findings
                .push(SSHD_RELOAD.found("sshd_config is newer than the running sshd", change));
        }
        if !asks && self.refused.is_none() && self.unseen.is_empty() && subject.findings.is_empty()
        {
            subject.title = "sshd: its PAM stack asks for no code".into();
        }
        subject
    }
}

impl Daemon {
    /// Its options could not be tried.
    pub(super) fn untried(&self, why: &str) -> Finding {
        let pid = self.pid.unwrap_or_default();
        let found = format!("sshd with pid {pid}: {}", self.arguments().join(" "));
        let why = format!("{} They could not be tried: {why}.", SSHD_OPTIONS.why);
        SSHD_OPTIONS.found(found, "write them in a file of /etc/ssh/sshd_config.d").because(why)
    }
}

/// A `Match` block that could not be tried, if it says who gets in.
pub(super) fn untried(files: &Files, block: usize, why: &str) -> Option<Finding> {
    let line = files.authenticates(block)?;
    let text = &files.blocks.get(block)?.text;
    let change = format!("see what `sshd -T -C user=…,host=…,addr=…` makes of `{text}`");
    let why = format!("{} It could not be tried: {why}.", SSHD_UNTRIED.why);
    Some(SSHD_UNTRIED.found(&line.text, change).because(why).at(&line.place))
}

/// What `sshd -T` prints for a connection, or why it prints nothing.
fn settings(program: &str, options: &[String], connection: Option<&str>) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("-T").args(options).env_clear();
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

/// Somebody in a group: one of its members, or whose own group it is.
fn member(group: &str) -> Option<String> {
    let group = Group::from_name(group).ok().flatten()?;
    let own = || first_of(&fs::read_to_string("/etc/passwd").ok()?, group.gid.as_raw());
    group.mem.into_iter().next().or_else(own)
}

/// The first user in a passwd file whose own group has this number.
pub(super) fn first_of(passwd: &str, gid: u32) -> Option<String> {
    let mut users = passwd.lines().map(|line| line.split(':'));
    users.find_map(|mut fields| {
        let name = fields.next()?;
        let own = fields.nth(2)?.parse::<u32>().ok()?;
        (own == gid && !name.is_empty()).then(|| name.to_owned())
    })
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
    daemon: &'a Daemon,
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
        if let (Some(option), Some(pid)) = (self.daemon.sets(keyword), self.daemon.pid) {
            let found = format!("-o {option} (of the running sshd, pid {pid})");
            return check.found(found, change);
        }
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
