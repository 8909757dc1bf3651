//! What otpd needs on disk: its socket, its key, its store, and what the bus and polkit know of it.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::User;
use otp_ipc::names;
use pam_stack::Machine;

use super::check::{
    OTPD_BUS_POLICY, OTPD_KEY, OTPD_POLKIT, OTPD_SOCKET, OTPD_SPACE, OTPD_STORE, Severity, Subject,
};
use super::policy::Configuration;

const BUS_POLICY: &str = include_str!("../../../packaging/dbus/org.pamotp.Otpd1.conf");
const BUS_POLICIES: [&str; 2] = [
    "/etc/dbus-1/system.d/org.pamotp.Otpd1.conf",
    "/usr/share/dbus-1/system.d/org.pamotp.Otpd1.conf",
];
const ACTIONS: &str = "/usr/share/polkit-1/actions/org.pamotp.otpd1.policy";
/// Where systemd keeps the key while it is a credential.
const CREDENTIAL: &str = "/run/credentials/otpd.service/otpd.kek";
const KEY: &str = "/etc/otpd/kek";
const STORE: &str = "/var/lib/otpd/otpd.db";
/// The least that a store needs to go on, in bytes.
const ROOM: u64 = 16 << 20;

/// Looks at all of them.
pub(crate) fn check(machine: &Machine, configuration: Option<&Configuration>) -> Subject {
    let mut subject = Subject::new("otpd's socket, key, store and bus policy");
    socket(machine, &mut subject);
    policies(machine, &mut subject);
    let key = configuration.and_then(|c| c.keys.file.as_deref()).unwrap_or(KEY);
    let store = match configuration {
        Some(configuration) => configuration.store.path.as_deref(),
        None => Some(STORE),
    };
    let initialised = store.is_none_or(|store| see(machine, store, &mut subject).is_some());
    if initialised {
        self::key(machine, key, &mut subject);
    }
    if let Some(store) = store {
        self::store(machine, store, initialised, &mut subject);
    }
    subject.unseen.sort_unstable();
    subject.unseen.dedup();
    subject
}

/// What is known of a file; that it may not be looked at is noted.
fn see(machine: &Machine, file: &str, subject: &mut Subject) -> Option<Metadata> {
    match fs::symlink_metadata(machine.path(file)) {
        Ok(data) => Some(data),
        Err(error) => {
            if error.kind() == ErrorKind::PermissionDenied {
                subject.unseen.push(format!("{file}: not readable; run it as root"));
            }
            None
        }
    }
}

fn socket(machine: &Machine, subject: &mut Subject) {
    let start = "systemctl enable --now otpd.socket";
    let Some(data) = see(machine, names::LOGIN_SOCKET, subject) else {
        let found = format!("{} is not there", names::LOGIN_SOCKET);
        subject.findings.push(OTPD_SOCKET.found(found, start).in_file(names::LOGIN_SOCKET));
        return;
    };
    let mode = data.mode() & 0o777;
    let wrong = match () {
        () if !data.file_type().is_socket() => "no socket".into(),
        () if data.uid() != 0 => format!("owned by uid {}, not by root", data.uid()),
        () if mode & 0o177 != 0 => format!("mode {mode:04o}, not 0600"),
        () => return,
    };
    let finding = OTPD_SOCKET.found(wrong, "systemctl restart otpd.socket");
    let why = "Others than root could reach the daemon past the bus, or stand in for it.";
    let finding = finding.because(why).rated(Severity::Warning);
    subject.findings.push(finding.in_file(names::LOGIN_SOCKET));
}

/// The bus and polkit have their files, and the first one as it is shipped.
fn policies(machine: &Machine, subject: &mut Subject) {
    match BUS_POLICIES.iter().find_map(|file| fs::read(machine.path(file)).ok().map(|t| (file, t)))
    {
        None => {
            let [_, shipped] = BUS_POLICIES;
            let change = "install otpd again, and systemctl reload dbus";
            let finding = OTPD_BUS_POLICY.found("the file is not there", change);
            subject.findings.push(finding.in_file(shipped));
        }
        Some((file, text)) if text != BUS_POLICY.as_bytes() => {
            let change = "take the file of the otpd package, and systemctl reload dbus";
            let finding = OTPD_BUS_POLICY.found("it is not as otpd ships it", change);
            subject.findings.push(finding.rated(Severity::Hint).in_file(file));
        }
        Some(_) => (),
    }
    if !machine.path(ACTIONS).exists() {
        let finding = OTPD_POLKIT.found("the file is not there", "install otpd again");
        subject.findings.push(finding.in_file(ACTIONS));
    }
}

fn key(machine: &Machine, file: &str, subject: &mut Subject) {
    let new = format!("{file}.new");
    if see(machine, &new, subject).is_some() {
        let finding = OTPD_KEY.found("a rotation of the key was not finished", "otpctl key rotate");
        let why = "otpd takes the key that fits; backups from now on may need the new one.";
        subject.findings.push(finding.rated(Severity::Warning).because(why).in_file(new));
    }
    if machine.path(CREDENTIAL).exists() {
        return;
    }
    let unseen = subject.unseen.len();
    let Some(data) = see(machine, file, subject) else {
        if subject.unseen.len() == unseen {
            let change = "restore it from your backup: no other key opens the store";
            subject.findings.push(OTPD_KEY.found("the key is not there", change).in_file(file));
        }
        return;
    };
    let mode = data.mode() & 0o777;
    let (wrong, change) = match () {
        () if !data.is_file() => ("no regular file".into(), "restore it from your backup".into()),
        () if !is_daemons(&data) => {
            (format!("owned by uid {}", data.uid()), format!("chown otpd {file}"))
        }
        () if mode & 0o077 != 0 => (format!("mode {mode:04o}"), format!("chmod 0400 {file}")),
        () => return,
    };
    subject.findings.push(OTPD_KEY.found(wrong, change).in_file(file));
}

fn store(machine: &Machine, file: &str, initialised: bool, subject: &mut Subject) {
    let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
    if !initialised {
        if subject.unseen.is_empty() {
            let finding = OTPD_STORE.found("there is no store", "otpd init");
            subject.findings.push(finding.in_file(file));
        }
        return;
    }
    let seen = see(machine, &folder.to_string_lossy(), subject);
    if let Some(data) = seen.filter(|data| !is_daemons(data) || data.mode() & 0o077 != 0) {
        let found = format!("uid {}, mode {:04o}", data.uid(), data.mode() & 0o777);
        let change = format!("chown otpd: {0} && chmod 0700 {0}", folder.display());
        let finding = OTPD_STORE.found(found, change).rated(Severity::Warning);
        let why = "The store is the daemon's alone.";
        subject.findings.push(finding.because(why).in_file(folder));
    }
    let Ok(space) = statvfs(&machine.path(folder)) else { return };
    let free = space.blocks_available().saturating_mul(space.fragment_size());
    let read_only = space.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY);
    let found = match () {
        () if read_only => "the file system is read-only".into(),
        () if free < ROOM => format!("{} KiB are free", free >> 10),
        () => return,
    };
    let finding = OTPD_SPACE.found(found, "make room, or mount it writable");
    subject.findings.push(finding.rated(Severity::Lockout).in_file(folder));
}

/// Whether root or the daemon owns it.
fn is_daemons(data: &Metadata) -> bool {
    let daemon = User::from_name(names::DAEMON_USER).ok().flatten();
    data.uid() == 0 || daemon.is_some_and(|user| user.uid.as_raw() == data.uid())
}
