//! `otpctl doctor`: looks for what lets somebody in without a code, and for what locks somebody
//! out.

mod beside;
mod check;
mod daemon;
mod files;
mod options;
mod policy;
mod report;
mod setups;
mod shape;
mod sshd;
pub(crate) mod sshd_files;
mod sshd_running;
pub(crate) mod sshd_settings;
mod stacks;
#[cfg(test)]
mod tests;

use pam_stack::Machine;

use crate::failure::Failure;
use crate::render::Output;
use check::{Severity, Subject};
use policy::Configuration;
use sshd::Sshd;
use stacks::Stacks;

/// Looks at one service, or at everything.
pub(crate) async fn run(
    service: Option<&str>,
    bus: Option<&str>,
    out: &Output,
) -> Result<(), Failure> {
    let machine = Machine::at("/");
    let names = match service {
        Some(service) => vec![known(&machine, service)?],
        None => everything(&machine),
    };
    let stacks = Stacks::read(&machine, &names);
    let (configuration, about) = daemon::configuration();
    let sshd = Sshd::ask(&machine);
    let mut subjects =
        pam(&machine, &stacks, sshd.as_ref(), configuration.as_ref(), service.is_none());
    subjects.extend(setups::check(&machine, &stacks, &out.zone));
    let mut around = vec![
        about,
        daemon::units(),
        files::check(&machine, configuration.as_ref()),
        daemon::running(bus, out, &stacks.with_no_other(), configuration.as_ref()).await,
        daemon::clock(),
    ];
    if !stacks.any() {
        around.iter_mut().for_each(harmless);
    }
    subjects.append(&mut around);
    out.show(&report::document(&subjects), || report::text(&subjects, out.quiet))?;
    report::outcome(&subjects)
}

/// All services but `other`, at which nobody logs in by that name.
fn everything(machine: &Machine) -> Vec<String> {
    machine.services().into_iter().filter(|name| name != "other").collect()
}

/// The name of a service that has a file.
fn known(machine: &Machine, service: &str) -> Result<String, Failure> {
    let named = machine.service(service);
    match named.file {
        Some(_) => Ok(named.name),
        None => Err(Failure::failed(format!(
            "doctor {service}: neither /etc/pam.d nor /usr/lib/pam.d has such a file; \
             name one of {}",
            machine.services().join(", ")
        ))),
    }
}

/// The stacks, and sshd in front of one of them.
fn pam(
    machine: &Machine,
    stacks: &Stacks,
    sshd: Option<&Sshd>,
    configuration: Option<&Configuration>,
    all: bool,
) -> Vec<Subject> {
    let behind_sshd = |service: &str| {
        let mut settings = sshd.into_iter().flat_map(|sshd| &sshd.settings);
        settings.any(|settings| settings.service() == service)
    };
    // Where sshd's settings are not known, that is told, and nothing is guessed.
    let unknown = sshd.is_some_and(|sshd| sshd.settings.is_empty());
    let proved = |service: &str| {
        let settings = sshd.into_iter().flat_map(|sshd| &sshd.settings);
        let mut settings = settings.filter(|settings| settings.service() == service).peekable();
        let all_proved = settings.peek().is_some() && settings.all(sshd::Settings::proved);
        all_proved || (unknown && service == sshd::SERVICE)
    };
    let mut subjects = vec![stacks.check(machine, configuration, &proved, all)];
    let wanted = |sshd: &&Sshd| all || sshd.settings.is_empty() || stacks.names().any(behind_sshd);
    if let Some(sshd) = sshd.filter(wanted) {
        subjects.push(sshd.check(|service| stacks.asking(service), configuration));
    }
    subjects
}

/// While no stack has pam_otp, nothing about otpd keeps anybody out.
fn harmless(subject: &mut Subject) {
    for finding in &mut subject.findings {
        if finding.severity < Severity::Warning {
            finding.severity = Severity::Warning;
        }
    }
}
