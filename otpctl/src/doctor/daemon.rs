//! The daemon as it runs, what it says of itself, and whose tokens it has.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Group, getuid};
use otp_ipc::{StatusDocument, UserDocument, UserFilter};

use super::check::{
    CLOCK, Finding, OTPD_CONFIG, OTPD_CONFIG_WARNING, OTPD_DEGRADED, OTPD_SILENT, OTPD_UNIT,
    POLICY_DENY, POLICY_SKIP, Subject, USERS_ADMIN, USERS_NONE, USERS_RECOVERY,
};
use super::policy::Configuration;
use super::shape::listed;
use crate::bus::Session;
use crate::commands::config;
use crate::failure::{Exit, Failure};
use crate::program;
use crate::render::Output;

const SYSTEMCTL: &str = "/usr/bin/systemctl";
const TIMEDATECTL: &str = "/usr/bin/timedatectl";
/// It is there where systemd runs.
const SYSTEMD: &str = "/run/systemd/system";
/// Groups whose members administer machines.
const ADMINISTRATORS: [&str; 3] = ["sudo", "wheel", "admin"];

/// The configuration as it counts, and what is wrong with it.
pub(crate) fn configuration() -> (Option<Configuration>, Subject) {
    let mut subject = Subject::new("otpd's configuration");
    match config::ask(&["check-config"], None) {
        Ok(said) => {
            let warnings = config::of_kind(&said, "warning: ").into_iter();
            subject.findings.extend(warnings.map(warning));
        }
        Err(failure) => return (None, refused(subject, &failure)),
    }
    let shown = program::answer(&["show-config"], None);
    let read = shown.ok().and_then(|text| toml::from_str::<Configuration>(&text).ok());
    match &read {
        Some(configuration) => subject.findings.extend(policies(configuration)),
        None => subject.unseen.push("otpd's policies: otpd and otpctl are of two releases".into()),
    }
    (read, subject)
}

/// Why the daemon's own program does not take the configuration, or that it cannot be asked.
fn refused(mut subject: Subject, failure: &Failure) -> Subject {
    if failure.error == "InvalidConfiguration" && getuid().is_root() {
        let change = "correct it; `otpctl config check` checks it";
        subject.findings.push(OTPD_CONFIG.found(&failure.message, change));
    } else {
        let why = failure.message.lines().next().unwrap_or_default();
        subject.unseen.push(format!("otpd's configuration: {why}"));
    }
    subject
}

/// `FILE:LINE:COLUMN: TEXT: CHANGE`
fn warning(text: &str) -> Finding {
    let change = "see otpd(8); `otpctl config check` checks it";
    let finding = OTPD_CONFIG_WARNING.found(text, change);
    let mut parts = text.splitn(4, ':');
    match (parts.next(), parts.next().and_then(|line| line.parse().ok()), parts.nth(1)) {
        (Some(file), Some(line), Some(said)) if file.starts_with('/') => {
            let place = pam_stack::Place { file: file.into(), line };
            Finding { found: said.trim().to_owned(), ..finding }.at(&place)
        }
        _ => finding,
    }
}

/// Policies that leave nothing to ask.
fn policies(configuration: &Configuration) -> Vec<Finding> {
    let all = configuration.policy.iter().filter(|policy| policy.matches_all());
    let found = |policy: &super::policy::Policy| format!("policy \"{}\"", policy.name);
    all.filter_map(|policy| match policy.factor.as_str() {
        "skip" => Some(POLICY_SKIP.found(found(policy), "narrow its `match`, or require a code")),
        "deny" => Some(POLICY_DENY.found(found(policy), "narrow its `match`")),
        _ => None,
    })
    .collect()
}

/// What systemd knows of the units.
pub(crate) fn units() -> Subject {
    let mut subject = Subject::new("otpd's units");
    if !Path::new(SYSTEMD).is_dir() {
        subject.unseen.push("otpd's units: systemd does not run here".into());
        return subject;
    }
    let properties = "--property=Id,LoadState,UnitFileState,ActiveState";
    let asked = Command::new(SYSTEMCTL)
        .args(["show", properties, "otpd.socket", "otpd.service"])
        .env_clear()
        .output();
    match asked.ok().filter(|done| done.status.success()) {
        Some(done) => subject.findings = of_units(&String::from_utf8_lossy(&done.stdout)),
        None => subject.unseen.push("otpd's units: systemctl does not answer".into()),
    }
    subject
}

/// Judges what `systemctl show` prints: a paragraph for each unit.
fn of_units(text: &str) -> Vec<Finding> {
    let unit = |paragraph: &str| -> BTreeMap<String, String> {
        let pairs = paragraph.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let units: Vec<_> = text.split("\n\n").map(unit).filter(|unit| !unit.is_empty()).collect();
    let mut findings = Vec::new();
    let is = |unit: &BTreeMap<String, String>, name: &str, value: &str| {
        unit.get(name).is_some_and(|found| found == value)
    };
    for unit in &units {
        let id = unit.get("Id").map(String::as_str).unwrap_or_default();
        let (wrong, change) = match () {
            () if is(unit, "LoadState", "masked") => {
                ("is masked", format!("systemctl unmask {id} && systemctl start {id}"))
            }
            () if is(unit, "LoadState", "not-found") => {
                ("is not installed", "install otpd, and systemctl daemon-reload".into())
            }
            () if is(unit, "ActiveState", "failed") => {
                ("has failed", format!("journalctl -u {id}, then systemctl restart {id}"))
            }
            () => continue,
        };
        findings.push(OTPD_UNIT.found(format!("{id} {wrong}"), change));
    }
    let on = |state: &str| state.starts_with("enabled") || ["static", "linked"].contains(&state);
    let starts = units.iter().any(|unit| unit.get("UnitFileState").is_some_and(|state| on(state)));
    let runs = units.iter().any(|unit| is(unit, "ActiveState", "active"));
    if findings.is_empty() && !(starts && runs) {
        let found = if starts { "neither unit is active" } else { "neither unit is enabled" };
        findings.push(OTPD_UNIT.found(found, "systemctl enable --now otpd.socket otpd.service"));
    }
    findings
}

/// Whether the clock is kept right.
pub(crate) fn clock() -> Subject {
    let mut subject = Subject::new("the clock");
    let asked = Command::new(TIMEDATECTL)
        .args(["show", "--property=NTPSynchronized", "--value"])
        .env_clear()
        .output();
    let said = asked.ok().filter(|done| done.status.success());
    match said.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).as_deref() {
        Some("yes") => (),
        Some("no") => {
            let change = "timedatectl set-ntp true, or set up chrony";
            subject.findings.push(CLOCK.found("the clock is not synchronised", change));
        }
        _ => subject.unseen.push("the clock: timedatectl does not answer".into()),
    }
    subject
}

/// What the daemon says, asked over the bus.
pub(crate) async fn running(
    bus: Option<&str>,
    out: &Output,
    asking: &[&str],
    configuration: Option<&Configuration>,
) -> Subject {
    let mut subject = Subject::new("otpd as it runs, and its users");
    if !getuid().is_root() {
        subject.unseen.push("otpd as it runs, and its users: run it as root".into());
        return subject;
    }
    match ask(bus, out).await {
        Ok((status, users)) => {
            let problems = status.problems.iter();
            let change = "journalctl -u otpd; `otpctl status`";
            subject.findings.extend(problems.map(|what| OTPD_DEGRADED.found(what, change)));
            let administrators = administrators();
            subject.findings.extend(people(&users, &administrators, asking, configuration));
        }
        Err(failure) if failure.exit == Exit::Unavailable => {
            let change = "systemctl status otpd; journalctl -u otpd";
            subject.findings.push(OTPD_SILENT.found(&failure.message, change));
        }
        Err(failure) => subject.unseen.push(format!("otpd as it runs: {}", failure.message)),
    }
    subject
}

async fn ask(
    bus: Option<&str>,
    out: &Output,
) -> Result<(StatusDocument, Vec<UserDocument>), Failure> {
    let session = Session::open(bus, out.clone()).await?;
    let failed = |error| crate::bus::failure("otpd", &error);
    let status = session.manager.status().await.map_err(failed)?;
    let mut users = Vec::new();
    loop {
        let offset = Some(u32::try_from(users.len()).unwrap_or(u32::MAX));
        let filter = UserFilter { offset, ..UserFilter::default() };
        let (page, total) = session.manager.list_users(&filter).await.map_err(failed)?;
        let last = page.is_empty();
        users.extend(page);
        if last || users.len() as u64 >= total {
            return Ok((status, users));
        }
    }
}

/// The members of the groups that administer.
fn administrators() -> Vec<String> {
    let groups = ADMINISTRATORS.iter().filter_map(|name| Group::from_name(name).ok().flatten());
    let mut names: Vec<_> = groups.flat_map(|group| group.mem).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether those who need a code have a token; `asking` are the services at which
/// otpd alone knows who has one.
fn people(
    users: &[UserDocument],
    administrators: &[String],
    asking: &[&str],
    configuration: Option<&Configuration>,
) -> Vec<Finding> {
    let spared = |service: &&&str| {
        configuration.is_some_and(|configuration| {
            let spares = [configuration.skips(service), configuration.ignores(service)];
            spares.iter().any(Option::is_some)
                || configuration.at(service).iter().any(|policy| policy.unenrolled == "enrol")
        })
    };
    let Some(strict) = asking.iter().find(|service| !spared(service)) else { return Vec::new() };
    if users.iter().all(|user| user.usable == 0) {
        let found = format!("{strict} asks for a code, and nobody has a token");
        return vec![USERS_NONE.found(found, "otpctl token add USER")];
    }
    let of = |name: &String| users.iter().find(|user| user.user == *name);
    let named = |wanted: &dyn Fn(Option<&UserDocument>) -> bool| {
        let names = administrators.iter().filter(|name| wanted(of(name)));
        listed(&names.map(String::as_str).collect::<Vec<_>>(), "and")
    };
    let mut findings = Vec::new();
    if let Some(names) = named(&|user| user.is_none_or(|user| user.usable == 0)) {
        findings.push(USERS_ADMIN.found(format!("no token: {names}"), "otpctl token add USER"));
    }
    let lacks = |user: Option<&UserDocument>| user.is_some_and(|u| u.usable > 0 && u.recovery == 0);
    if let Some(names) = named(&lacks) {
        let found = format!("no recovery codes: {names}");
        findings.push(USERS_RECOVERY.found(found, "otpctl recovery new USER"));
    }
    findings
}

#[cfg(test)]
#[path = "daemon/tests.rs"]
mod tests;
