//! What `otpctl setup` has set up, and whether it is still there.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use pam_stack::Machine;
use serde::Deserialize;

use super::check::{Finding, SETUP_GONE, SETUP_PENDING, Subject};
use super::stacks::Stacks;
use crate::time::brief;

const FOLDER: &str = "/var/lib/otpctl";
/// The service that stands for all.
const ALL: &str = "all";

/// What is needed of a record of setup.
#[derive(Deserialize)]
struct Record {
    service: String,
    request: String,
    undo_at: i64,
}

/// Looks at the records; `None` where nothing was set up.
pub(crate) fn check(machine: &Machine, stacks: &Stacks, zone: &TimeZone) -> Option<Subject> {
    let mut subject = Subject::new("what otpctl setup has set up");
    let mut some = false;
    for folder in kept(machine, &mut subject.unseen) {
        if let Some(record) = read(machine, &folder, &mut subject.unseen) {
            some = true;
            subject.findings.extend(gone(machine, stacks, &record));
        }
    }
    if let Some(record) = read(machine, &Path::new(FOLDER).join("pending"), &mut subject.unseen) {
        some = true;
        let until = brief(record.undo_at, zone);
        let found = format!("otpctl setup {}, undone at {until}", record.request);
        let change = "otpctl setup --keep, or --undo";
        subject.findings.push(SETUP_PENDING.found(found, change));
    }
    (some || !subject.unseen.is_empty()).then_some(subject)
}

/// A service that asks for no code any more.
fn gone(machine: &Machine, stacks: &Stacks, record: &Record) -> Option<Finding> {
    let service = record.service.as_str();
    let change = format!("set it up again, or `otpctl setup --remove {service}`");
    let finding = SETUP_GONE.found(format!("kept: otpctl setup {}", record.request), change);
    if service == ALL {
        let every = Stacks::read(machine, &machine.services());
        return every.with_code().is_empty().then_some(finding);
    }
    let looked_at = stacks.names().any(|name| name == service);
    let file = machine.service(service).file.filter(|_| looked_at)?;
    stacks.asking(service).is_none().then(|| finding.in_file(file))
}

/// The folders of what was kept.
fn kept(machine: &Machine, unseen: &mut Vec<String>) -> Vec<PathBuf> {
    let folder = Path::new(FOLDER).join("kept");
    match fs::read_dir(machine.path(&folder)) {
        Ok(entries) => {
            let mut found: Vec<_> =
                entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
            found.sort();
            found
        }
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                unseen.push(format!("{}: {error}; run it as root", folder.display()));
            }
            Vec::new()
        }
    }
}

fn read(machine: &Machine, folder: &Path, unseen: &mut Vec<String>) -> Option<Record> {
    let path = folder.join("record.json");
    let record = match fs::read(machine.path(&path)) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        // That the folder is closed is told once.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        Err(error) => Err(error.to_string()),
    };
    record.map_err(|why| unseen.push(format!("{}: {why}", path.display()))).ok()
}
