//! Every trap as a small machine, and the same machine repaired.

use std::fs;

use pam_stack::Machine;

use super::check::{ALL, Finding, Severity, Subject};
use super::policy::Configuration;
use super::sshd::{self, Settings, Sshd};
use super::sshd_files::Files;
use super::sshd_running::Daemon;
use super::stacks::Stacks;
use super::{everything, files, pam, report, setups};

mod beside_traps;
mod pam_traps;
mod sshd_traps;

/// A machine of these files, on top of a Debian with pam_otp. Lines of `FILE` follow `== FILE`.
fn machine(text: &str) -> (tempfile::TempDir, Machine) {
    const BASE: &str = "== etc/debian_version\n13\n== usr/lib/x86_64-linux-gnu/security/pam_otp.so\n\
        == etc/pam.d/common-auth\nauth [success=1 default=ignore] pam_unix.so nullok\n\
        auth requisite pam_deny.so\nauth required pam_permit.so\n\
        == etc/pam.d/other\n@include common-auth\n";
    let root = tempfile::tempdir().unwrap();
    for text in [BASE, text] {
        for part in text.split("== ").filter(|part| !part.trim().is_empty()) {
            let (name, text) = part.split_once('\n').unwrap();
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let machine = Machine::at(root.path());
    (root, machine)
}

/// The services of a machine with findings about stacks and sshd, hints included.
fn look(machine: &Machine, configuration: &str, settings: &[&str]) -> Vec<Subject> {
    let configuration: Configuration = toml::from_str(configuration).unwrap();
    let stacks = Stacks::read(machine, &everything(machine));
    let settings: Vec<_> = settings
        .iter()
        .enumerate()
        .map(|(n, text)| Settings::parse(text, n.checked_sub(1)))
        .collect();
    let sshd = Sshd::of(settings, Files::read(machine));
    pam(machine, &stacks, Some(&sshd), Some(&configuration), true)
}

/// `severity id file:line`, the worst first, without what is always told of a bare machine.
fn told(subjects: &[Subject]) -> Vec<String> {
    let findings = subjects.iter().flat_map(|subject| &subject.findings);
    let mut told: Vec<_> = findings.map(|finding| (finding.severity, shown(finding))).collect();
    told.sort();
    told.into_iter().map(|(_, text)| text).collect()
}

fn shown(finding: &Finding) -> String {
    let word = finding.severity.word().to_lowercase();
    let file = finding.file.as_ref().map(|file| file.to_str().unwrap().to_owned());
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    format!("{word} {} {}{line}", finding.check, file.unwrap_or_default()).trim().to_owned()
}

#[test]
fn every_check_is_seen_in_a_test() {
    let tests = [
        include_str!("tests.rs"),
        include_str!("tests/beside_traps.rs"),
        include_str!("tests/pam_traps.rs"),
        include_str!("tests/sshd_traps.rs"),
        include_str!("daemon/tests.rs"),
        include_str!("../../../tests/suites/doctor.rs"),
    ]
    .join("");
    let unseen: Vec<_> = ALL.iter().map(|c| c.id).filter(|id| !tests.contains(id)).collect();
    assert!(unseen.is_empty(), "no test for {unseen:?}");
    for check in ALL {
        let words = check.why.ends_with('.') && check.why.len() <= 80;
        assert!(words, "{}: {}", check.id, check.why);
    }
    let mut ids: Vec<_> = ALL.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), ALL.len(), "two checks have one name");
}

#[test]
fn what_otpd_needs_on_disk() {
    use std::os::unix::fs::PermissionsExt;
    let policy = include_str!("../../../packaging/dbus/org.pamotp.Otpd1.conf");
    let (root, machine) = machine("== etc/otpd/kek\nx\n== var/lib/otpd/otpd.db\nx\n");
    let put = |name: &str, text: &str| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(root.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    let owner = |name: &str, uid: u32| {
        std::os::unix::fs::chown(root.path().join(name), Some(uid), None).unwrap();
    };
    let found = || told(&[files::check(&machine, None)]);
    mode("etc/otpd/kek", 0o440);
    mode("var/lib/otpd", 0o755);
    assert_eq!(
        found(),
        [
            "lockout otpd-key /etc/otpd/kek",
            "lockout otpd-socket /run/otpd/login.sock",
            "warning otpd-bus-policy /usr/share/dbus-1/system.d/org.pamotp.Otpd1.conf",
            "warning otpd-polkit /usr/share/polkit-1/actions/org.pamotp.otpd1.policy",
            "warning otpd-store /var/lib/otpd",
        ]
    );
    put("usr/share/dbus-1/system.d/org.pamotp.Otpd1.conf", policy);
    put("usr/share/polkit-1/actions/org.pamotp.otpd1.policy", "");
    put("run/otpd/x", "");
    let socket = root.path().join("run/otpd/login.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    mode("run/otpd/login.sock", 0o666);
    mode("etc/otpd/kek", 0o400);
    mode("var/lib/otpd", 0o700);
    assert_eq!(found(), ["warning otpd-socket /run/otpd/login.sock"]);
    mode("run/otpd/login.sock", 0o600);
    assert_eq!(found(), [""; 0]);
    put("etc/otpd/kek.new", "");
    assert_eq!(found(), ["warning otpd-key /etc/otpd/kek.new"]);
    fs::remove_file(root.path().join("etc/otpd/kek.new")).unwrap();
    put("etc/dbus-1/system.d/org.pamotp.Otpd1.conf", "<busconfig/>");
    assert_eq!(found(), ["hint otpd-bus-policy /etc/dbus-1/system.d/org.pamotp.Otpd1.conf"]);
    fs::remove_file(root.path().join("etc/otpd/kek")).unwrap();
    owner("run/otpd/login.sock", 4242);
    assert!(found().contains(&"lockout otpd-key /etc/otpd/kek".to_owned()));
    assert!(found().contains(&"warning otpd-socket /run/otpd/login.sock".to_owned()));
    fs::remove_file(root.path().join("var/lib/otpd/otpd.db")).unwrap();
    assert!(found().contains(&"lockout otpd-store /var/lib/otpd/otpd.db".to_owned()));
}

#[test]
fn what_was_set_up_is_still_there() {
    const CODE: &str = "@include common-auth\nauth required pam_otp.so\n";
    const NONE: &str = "@include common-auth\n";
    let record = |service: &str| {
        format!("{{\"service\":\"{service}\",\"request\":\"x\",\"undo_at\":60000}}\n")
    };
    let kept = |service: &str, stack: &str| {
        let record = record(service);
        format!("== etc/pam.d/sshd\n{stack}== var/lib/otpctl/kept/{service}/record.json\n{record}")
    };
    let pending = format!(
        "== etc/pam.d/sshd\n{NONE}== var/lib/otpctl/pending/record.json\n{}",
        record("sshd")
    );
    let damaged = "== var/lib/otpctl/kept/sshd/record.json\n{\n".to_owned();
    for (files, expected, unseen) in [
        (kept("sshd", CODE), &[][..], 0),
        (kept("sshd", NONE), &["bypass setup-gone /etc/pam.d/sshd"], 0),
        (kept("all", CODE), &[], 0),
        (kept("all", NONE), &["bypass setup-gone"], 0),
        (kept("gone", CODE), &[], 0),
        (pending, &["hint setup-pending"], 0),
        (damaged, &[], 1),
        (String::new(), &[], 0),
    ] {
        let (_root, machine) = machine(&files);
        let stacks = Stacks::read(&machine, &everything(&machine));
        let subject = setups::check(&machine, &stacks, &jiff::tz::TimeZone::UTC);
        let subjects: Vec<_> = subject.into_iter().collect();
        assert_eq!(told(&subjects), expected, "{files}");
        assert_eq!(subjects.iter().map(|s| s.unseen.len()).sum::<usize>(), unseen, "{files}");
    }
}

#[test]
fn the_report_fits_and_names_all() {
    let (_root, machine) =
        machine("== etc/pam.d/sudo\n@include common-auth\nauth optional pam_otp.so nulok\n");
    let mut subjects = look(&machine, "", &[]);
    subjects.push(Subject { unseen: vec!["the clock: no".into()], ..Subject::new("the clock") });
    let text = report::text(&subjects, false);
    assert_eq!(text, include_str!("../../tests/golden/doctor.txt"));
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    let document = serde_json::to_string_pretty(&report::document(&subjects)).unwrap();
    assert_eq!(document + "\n", include_str!("../../tests/golden/doctor.json"));
    let outcome = |severity| {
        let findings = vec![super::check::CLOCK.found("", "").rated(severity)];
        report::outcome(&[Subject { findings, ..Subject::default() }]).err().map(|f| f.exit as u8)
    };
    let all = [Severity::Bypass, Severity::Lockout, Severity::Warning, Severity::Hint];
    assert_eq!(all.map(outcome), [Some(9), Some(8), None, None]);
    assert_eq!(report::outcome(&subjects).err().map(|f| f.exit as u8), Some(9));
}
