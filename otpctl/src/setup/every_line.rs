//! `otpctl setup --remove --every-line`: for the day on which the module goes. No stack may fail
//! because it is missing, and none may be left that asks for nothing.

use std::fs;
use std::path::{Path, PathBuf};

use pam_stack::{Case, Judged, Kind, Machine, Role, Stack};

use super::begin::need_root;
use super::end::{open_patiently, remove_from, report};
use super::file;
use super::stack::{Scratch, for_others_than_root};
use super::state::State;
use crate::failure::Failure;
use crate::render::Output;

const PAM_D: &str = "/etc/pam.d";
/// In front of a line that is taken out for good.
const TAKEN_OUT: &str = "# otpctl setup --remove --every-line: ";
/// Behind a line that asks for the password where nothing else did.
const PUT_IN: &str = "# otpctl setup --remove --every-line";

/// Modules that can keep somebody out whatever they prove, and let nobody in.
const CONDITIONS: [&str; 9] = [
    "pam_access.so",
    "pam_faildelay.so",
    "pam_group.so",
    "pam_listfile.so",
    "pam_nologin.so",
    "pam_securetty.so",
    "pam_shells.so",
    "pam_time.so",
    "pam_wheel.so",
];

/// Takes out what setup has put in, then every other line that names the module.
pub(crate) fn every_line(out: &Output) -> Result<(), Failure> {
    need_root()?;
    let state = open_patiently()?;
    let removed = remove_from(&state, None);
    let (files, mut notes) = take_out(&state)?;
    let (services, more) = removed?;
    notes.splice(0..0, more);
    let files: Vec<_> = services.into_iter().chain(files).collect();
    let what = match files.as_slice() {
        [] => "Nothing names pam_otp.so.".to_owned(),
        files => format!("Removed: {}.", files.join(", ")),
    };
    report("removed", &files, &notes, out, &what)
}

/// The files that were changed, and what became of stacks that asked for nothing else.
fn take_out(state: &State) -> Result<(Vec<String>, Vec<String>), Failure> {
    let scratch = state.scratch();
    let copied = Scratch::copy(Path::new("/"), scratch.clone());
    let scratch = copied.map_err(|error| Failure::write(scratch.display(), &error))?;
    let before = scratch.machine();
    let services: Vec<_> =
        before.services().into_iter().filter(|name| names_it(&before, name)).collect();
    let mut changed = Vec::new();
    for path in files()? {
        let Some(text) = file::read_text(&path)? else { continue };
        if !text.contains("pam_otp.so") {
            continue;
        }
        let without = without_module(&text, crossed(&before, &path, &text));
        if without != text {
            scratch.put(&path, &without)?;
            changed.push(path);
        }
    }
    let mut notes = Vec::new();
    for service in services {
        let Some(why) = fault(&scratch.machine(), &service) else { continue };
        let path = Path::new(PAM_D).join(&service);
        let Some(text) = file::read_text(&scratch.path(&path))? else { continue };
        let asks = asks_for_password(&text, &scratch.machine());
        scratch.put(&path, &asks)?;
        notes.push(format!("{}: {why}; it asks for the password now", path.display()));
        if let Some(why) = fault(&scratch.machine(), &service) {
            notes.push(format!("{}: {why}: look at it", path.display()));
        }
        if !changed.contains(&path) {
            changed.push(path);
        }
    }
    for path in &changed {
        let text = file::read(&scratch.path(path))?.unwrap_or_default();
        file::write(path, &text, Some(path))?;
    }
    Ok((changed.iter().map(|path| path.display().to_string()).collect(), notes))
}

fn files() -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(PAM_D).map_err(|error| Failure::write(PAM_D, &error))?;
    let mut files: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files)
}

/// Whether the module decides about logins at a service.
fn names_it(machine: &Machine, service: &str) -> bool {
    let stack = Stack { lines: machine.service(service).lines(Kind::Auth) };
    stack.codes().next().is_some()
}

/// Whether a line has the module called.
fn names_module(line: &str) -> bool {
    active(line)
        .split_whitespace()
        .any(|word| word.trim_matches(['[', ']', '\\']).rsplit('/').next() == Some("pam_otp.so"))
}

/// Whether a jump may cross the lines of a file: one of its own, or one of a file that takes it in.
fn crossed(machine: &Machine, path: &Path, text: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let jumps = |text: &str| text.lines().any(|line| takes_jump(active(line)));
    let takes_in = |text: &str| {
        text.lines().any(|line| active(line).split_whitespace().any(|word| word == name))
    };
    let others = machine.services().into_iter().filter_map(|service| {
        fs::read_to_string(machine.path(Path::new(PAM_D).join(service))).ok()
    });
    jumps(text) || others.into_iter().any(|other| takes_in(&other) && jumps(&other))
}

/// What counts of a line.
fn active(line: &str) -> &str {
    line.split('#').next().unwrap_or_default()
}

/// Whether a line's control has a number of lines to pass over.
fn takes_jump(line: &str) -> bool {
    let control = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    control.is_some_and(|(control, _)| {
        control
            .split('=')
            .skip(1)
            .any(|action| action.trim_start().starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The text with the lines that name the module as comments; `in_place`, with a line that is ignored
/// in the place of each, so that jumps lead where they led.
fn without_module(text: &str, in_place: bool) -> String {
    if !in_place {
        return commented(text, names_module);
    }
    let joined = text.replace("\\\n", " ");
    let changed = joined.split_inclusive('\n').map(|line| {
        let kind = line.split_whitespace().next().filter(|_| names_module(line));
        kind.map_or_else(
            || line.to_owned(),
            |kind| format!("{kind} [default=ignore] pam_permit.so  {TAKEN_OUT}{line}"),
        )
    });
    changed.collect()
}

/// Whether a line is one of `auth`, itself or by Debian's include of all kinds.
fn is_auth(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default().trim_start_matches('-');
    let common = line.split_whitespace().nth(1).is_some_and(|name| name.contains("auth"));
    first.eq_ignore_ascii_case("auth") || (first.eq_ignore_ascii_case("@include") && common)
}

/// The text with a mark in front of some of its lines, and of the lines that continue them.
fn commented(text: &str, meant: impl Fn(&str) -> bool) -> String {
    let (mut out, mut lines) =
        (String::with_capacity(text.len()), text.split_inclusive('\n').peekable());
    while let Some(line) = lines.next() {
        let mut logical = vec![line];
        while goes_on(logical.last().copied().unwrap_or_default())
            && let Some(more) = lines.next()
        {
            logical.push(more);
        }
        let mark = if meant(&logical.concat()) { TAKEN_OUT } else { "" };
        for line in logical {
            out.push_str(mark);
            out.push_str(line);
        }
    }
    out
}

fn goes_on(line: &str) -> bool {
    !line.contains('#') && line.trim_end().ends_with('\\')
}

/// Why a stack without the module cannot be left so.
fn fault(machine: &Machine, service: &str) -> Option<&'static str> {
    let read = machine.service(service);
    if read.falls_back(Kind::Auth) {
        return Some("no auth line is left");
    }
    let stack = for_others_than_root(&Stack { lines: read.lines(Kind::Auth) });
    if stack.judge(&Case::RIGHT) == Judged::No {
        return Some("nobody could log in any more");
    }
    let asks =
        [Role::First, Role::OtherCode, Role::Unknown].into_iter().any(|role| stack.has(role));
    if !asks || stack.judge(&Case::NOTHING) != Judged::No {
        return Some("a login would get in without a proof");
    }
    None
}

/// Whether a line of `auth` goes on to count where the password is put in place of the others.
fn stays(line: &str) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let (control, module) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let module = module.rsplit('/').next().unwrap_or_default();
    module == "pam_rootok.so"
        || matches!(control, "required" | "requisite") && CONDITIONS.contains(&module)
}

/// The text with the distribution's own question for the password in place of all that it asks.
fn asks_for_password(text: &str, machine: &Machine) -> String {
    let there = |name: &str| machine.path(Path::new(PAM_D).join(name)).is_file();
    let line = if there("common-auth") {
        "@include common-auth"
    } else if there("password-auth") {
        "auth    substack    password-auth"
    } else if there("system-auth") {
        "auth    substack    system-auth"
    } else {
        "auth    required    pam_unix.so"
    };
    let ours = format!("{line}  {PUT_IN}\n");
    // Root who runs su goes on to be asked nothing, and who may not come in at all stays out.
    let rest = commented(text, |line| is_auth(line) && !stays(line));
    let at = rest.find(TAKEN_OUT).unwrap_or(rest.len());
    let (head, tail) = rest.split_at_checked(at).unwrap_or((&rest, ""));
    let gap = if head.is_empty() || head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{gap}{ours}{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these files in /etc/pam.d.
    fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/pam.d")).unwrap();
        for (name, text) in files {
            fs::write(root.path().join("etc/pam.d").join(name), text).unwrap();
        }
        let common = root.path().join("etc/pam.d/common-auth");
        if common.exists() {
            fs::write(root.path().join("etc/debian_version"), "12\n").unwrap();
        }
        let machine = Machine::at(root.path());
        (root, machine)
    }

    const COMMON: (&str, &str) = (
        "common-auth",
        "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n\
         auth required pam_permit.so\n",
    );
    const DENY: (&str, &str) = ("other", "auth required pam_deny.so\n");
    const ACCOUNT: &str = "account required pam_unix.so\n";

    /// Behind sshd's key.
    const BESIDE: &str = "auth [success=1 ignore=ignore default=die] pam_otp.so nullok\n\
        auth required pam_oath.so usersfile=/etc/users.oath\nauth required pam_permit.so\n";

    #[test]
    fn a_stack_without_the_module_asks_for_a_password_and_lets_it_in() {
        let one_field = "auth [success=2 default=ignore] pam_unix.so nodelay\n\
             auth requisite pam_otp.so use_first_pass\n\
             auth [success=done default=die] pam_unix.so use_first_pass\n\
             auth requisite pam_otp.so mode=challenge\nauth required pam_permit.so\n";
        for (name, text, replaced) in [
            ("below the password", "@include common-auth\nauth required pam_otp.so\n", false),
            ("alone", "#@include common-auth\nauth required pam_otp.so\n", true),
            ("with permit", "auth required pam_otp.so\nauth required pam_permit.so\n", true),
            ("with conditions", "auth required pam_securetty.so\nauth required pam_otp.so\n", true),
            ("one field", one_field, false),
            (
                "by its path",
                "auth required /lib/security/pam_otp.so\n@include common-auth\n",
                false,
            ),
            ("continued", "auth required \\\n pam_otp.so\n@include common-auth\n", false),
            ("instead", "auth sufficient pam_otp.so mode=issued\n@include common-auth\n", false),
            ("beside another module", BESIDE, false),
            (
                "beside one that lets off",
                &BESIDE.replace("pam_oath.so", "pam_google_authenticator.so nullok"),
                true,
            ),
            ("su", "auth sufficient pam_rootok.so\nauth required pam_otp.so\n", true),
        ] {
            let text = format!("{text}{ACCOUNT}");
            let without = without_module(&text, text.contains("=2"));
            assert!(!without.lines().any(names_module), "{name}: {without}");
            let (root, found) = machine(&[COMMON, DENY, ("x", &without)]);
            assert_eq!(fault(&found, "x").is_some(), replaced, "{name}: {without}");
            if replaced {
                let asks = asks_for_password(&without, &found);
                fs::write(root.path().join("etc/pam.d/x"), &asks).unwrap();
                assert_eq!(fault(&found, "x"), None, "{name}: {asks}");
                assert!(asks.contains(ACCOUNT), "{asks}");
                let conditions = text.lines().filter(|line| stays(line));
                for line in conditions {
                    assert!(asks.lines().any(|now| now == line), "{line}: {asks}");
                }
            }
        }
    }

    /// Whom a jump lets off, and whom a line below keeps out.
    #[test]
    fn jumps_lead_where_they_led() {
        let text = "@include common-auth\n\
             auth [success=1 default=ignore] pam_succeed_if.so user = bob\n\
             auth required \\\n pam_otp.so nullok\n\
             auth required pam_listfile.so file=/etc/denied sense=deny\n";
        let (_root, found) = machine(&[COMMON, DENY, ("x", text)]);
        assert!(crossed(&found, Path::new("/etc/pam.d/x"), text));
        let without = without_module(text, true);
        assert!(!without.lines().any(names_module), "{without}");
        let lines = without.lines().filter(|line| line.starts_with("auth")).count();
        assert_eq!(lines, 3, "{without}");
        assert!(without.contains("auth [default=ignore] pam_permit.so  # otpctl"), "{without}");
        let plain = "@include common-auth\nauth required pam_otp.so\n";
        assert!(!crossed(&found, Path::new("/etc/pam.d/y"), plain));
        let taken =
            "auth [success=2 default=ignore] pam_unix.so\nauth include z\nauth required a.so\n";
        let (_root, found) = machine(&[COMMON, DENY, ("x", taken), ("z", plain)]);
        assert!(crossed(&found, Path::new("/etc/pam.d/z"), plain));
    }

    #[test]
    fn each_distribution_asks_for_the_password_in_its_way() {
        let substack = "auth sufficient pam_unix.so\nauth required pam_deny.so\n";
        for (files, line) in [
            (vec![COMMON], "@include common-auth"),
            (vec![("password-auth", substack)], "auth    substack    password-auth"),
            (vec![("system-auth", substack)], "auth    substack    system-auth"),
            (vec![], "auth    required    pam_unix.so"),
        ] {
            let text = "auth required pam_otp.so\n";
            let files = [&files[..], &[("x", text), DENY]].concat();
            let (root, machine) = machine(&files);
            let asks = asks_for_password(&commented(text, names_module), &machine);
            assert!(asks.starts_with(&format!("{line}  {PUT_IN}\n{TAKEN_OUT}auth")), "{asks}");
            fs::write(root.path().join("etc/pam.d/x"), &asks).unwrap();
            assert_eq!(fault(&machine, "x"), None, "{asks}");
        }
    }

    #[test]
    fn only_lines_that_count_name_the_module() {
        for (line, named) in [
            ("auth required pam_otp.so nullok", true),
            ("auth [default=die] /usr/lib/security/pam_otp.so", true),
            ("#auth required pam_otp.so", false),
            ("auth required pam_otp.so.bak", false),
            ("auth required pam_unix.so # not pam_otp.so", false),
            ("auth required pam_oath.so", false),
        ] {
            assert_eq!(names_module(line), named, "{line}");
        }
    }
}
