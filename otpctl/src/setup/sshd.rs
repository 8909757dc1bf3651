//! sshd's own settings: the file of ours among them, what counts in the end, and how sshd learns of
//! a change.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use pam_stack::Machine;

use super::stack::First;
use super::{exceptions, file};
use crate::doctor::sshd_files::Files;
use crate::doctor::sshd_settings::Settings;
use crate::failure::Failure;
use crate::service_manager::has_systemd;
use crate::tool::Tool;

pub(super) const CONFIGURATION: &str = "/etc/ssh/sshd_config";
const FOLDER: &str = "/etc/ssh/sshd_config.d";
/// The first value wins, so the file comes first.
pub(super) const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-otpd.conf";

/// Whether the machine has sshd.
pub(super) fn is_there() -> bool {
    Tool::find("sshd", &[]).is_some() && Path::new(CONFIGURATION).exists()
}

/// What has to count, in the order of the file.
pub(super) fn wanted(first: First) -> [(&'static str, &'static str); 4] {
    let methods = match first {
        First::Password => "keyboard-interactive",
        First::Key => "publickey,keyboard-interactive",
    };
    [
        ("UsePAM", "yes"),
        ("KbdInteractiveAuthentication", "yes"),
        ("PasswordAuthentication", "no"),
        ("AuthenticationMethods", methods),
    ]
}

/// The text of our file.
pub(super) fn drop_in(first: First) -> String {
    let lines = wanted(first).map(|(key, value)| format!("{key} {value}\n"));
    let head = "# Written by otpctl setup sshd; otpctl setup --remove sshd takes it away.\n";
    head.to_owned() + &lines.concat()
}

/// Whether a file is ours among sshd's.
pub(super) fn is_drop_in(path: &Path) -> bool {
    path == Path::new(DROP_IN)
}

/// Removes our file where no record tells of it, and nobody has changed it. Whether it was there.
pub(super) fn remove_stray_drop_in() -> Result<bool, Failure> {
    let path = Path::new(DROP_IN);
    let Some(text) = file::read(path)? else { return Ok(false) };
    let ours = [First::Password, First::Key].iter().any(|first| drop_in(*first).as_bytes() == text);
    if ours {
        file::remove(path)?;
    }
    Ok(ours)
}

/// That sshd reads our file before anything else can decide; else what to do.
pub(super) fn includes_drop_in() -> Result<(), Failure> {
    let text = file::read_text(Path::new(CONFIGURATION))?.unwrap_or_default();
    let line = format!("Include {FOLDER}/*.conf");
    if !includes(&text) {
        return Err(Failure::failed(format!(
            "{CONFIGURATION}: does not read {FOLDER}; put this line at its top, then try again: {line}"
        )));
    }
    if !Path::new(FOLDER).is_dir() {
        return Err(Failure::failed(format!("{FOLDER}: no such folder; make it, then try again")));
    }
    Ok(())
}

/// Whether a configuration includes our file outside of any `Match`.
fn includes(text: &str) -> bool {
    let all = settings(text);
    let global = all.iter().take_while(|(_, key, _)| key != "match");
    let mut patterns = global
        .filter(|(_, key, _)| key == "include")
        .flat_map(|(_, _, value)| value.split_whitespace());
    let (folder, name) = DROP_IN.rsplit_once('/').unwrap_or_default();
    patterns.any(|pattern| {
        let pattern = pattern.trim_matches('"');
        let absolute =
            if pattern.starts_with('/') { pattern.into() } else { format!("/etc/ssh/{pattern}") };
        absolute.rsplit_once('/').is_some_and(|(of, names)| {
            of == folder && (names == name || names == "*" || names == "*.conf")
        })
    })
}

/// The settings of a file: line number, key in lower case, value.
fn settings(text: &str) -> Vec<(usize, String, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| {
            let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
            let (key, value) = line.split_at_checked(end).unwrap_or((line, ""));
            let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
            (number, key.to_ascii_lowercase(), value)
        })
        .collect()
}

/// What sshd makes of its configuration, by key in lower case.
pub(super) struct Effective(Settings);

impl Effective {
    /// For everybody whom no `Match` block is about.
    pub(super) fn global() -> Result<Self, Failure> {
        Self::told(&["-T"])
    }

    /// For a user who comes from here.
    pub(super) fn of(user: &str) -> Result<Self, Failure> {
        let who = format!("user={user},host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22");
        Self::told(&["-T", "-C", &who])
    }

    fn told(arguments: &[&str]) -> Result<Self, Failure> {
        prepare();
        let told = Tool::need("sshd", arguments)?.run()?;
        Ok(Self(Settings::parse(&told, None)))
    }

    pub(super) fn get(&self, key: &str) -> &str {
        self.0.get(&key.to_ascii_lowercase())
    }

    /// Whether all that has to count does.
    pub(super) fn has(&self, first: First) -> bool {
        wanted(first).iter().all(|(key, value)| self.get(key) == *value)
    }

    /// Whether nobody gets in today without a key.
    pub(super) fn keys_only(&self) -> bool {
        let off = |key| self.get(key) == "no";
        let mut methods = self.get("authenticationmethods").split_whitespace().peekable();
        let listed = methods.peek().is_some();
        let password = off("passwordauthentication") && off("kbdinteractiveauthentication");
        password || (listed && methods.all(|list| list.contains("publickey")))
    }
}

/// Whether all that has to count does, for everybody and for the user who tries.
pub(super) fn is_set(first: First, user: Option<&str>) -> Result<bool, Failure> {
    let tries = user.map(Effective::of).transpose()?;
    Ok(Effective::global()?.has(first) && tries.is_none_or(|effective| effective.has(first)))
}

/// That the values count, for everybody and for the user who tries; else which line is in the way.
pub(super) fn check(first: First, user: Option<&str>) -> Result<(), Failure> {
    prepare();
    Tool::need("sshd", &["-t"])?.run()?;
    if first == First::Key {
        exceptions::refuse(&Files::read(&Machine::at("/")))?;
    }
    counts(first, &Effective::global()?, "everybody")?;
    user.map_or(Ok(()), |user| counts(first, &Effective::of(user)?, user))
}

fn counts(first: First, effective: &Effective, user: &str) -> Result<(), Failure> {
    let Some((key, value)) =
        wanted(first).into_iter().find(|(key, value)| effective.get(key) != *value)
    else {
        return Ok(());
    };
    let found = effective.get(key);
    let lines = in_the_way(key, value);
    let place =
        if lines.is_empty() { String::new() } else { format!("; look at {}", lines.join(", ")) };
    Err(Failure::failed(format!(
        "sshd takes `{key} {found}` for {user} in place of `{value}`{place}"
    )))
}

/// `FILE:LINE` of what sets a key to another value.
fn in_the_way(key: &str, value: &str) -> Vec<String> {
    let mut files = vec![PathBuf::from(CONFIGURATION)];
    files.extend(fs::read_dir(FOLDER).into_iter().flatten().flatten().map(|entry| entry.path()));
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let text = file::read_text(&path).ok().flatten().unwrap_or_default();
        let other = |(_, name, set): &(usize, String, &str)| {
            name.eq_ignore_ascii_case(key) && *set != value
        };
        let lines = settings(&text).into_iter().filter(other);
        found.extend(lines.map(|(line, ..)| format!("{}:{line}", path.display())));
    }
    found
}

/// Debian's sshd checks nothing while its runtime folder is missing, as before its first start.
fn prepare() {
    let folder = Path::new("/run/sshd");
    if Path::new("/etc/debian_version").exists() && !folder.exists() {
        let _ = fs::create_dir(folder);
    }
}

/// Has the running sshd read its configuration again, and waits until it has; sessions go on. Where
/// that is not possible, what the person has to do.
pub(super) fn reload() -> Result<Option<String>, Failure> {
    const TRIES: u32 = 100;
    let Some(file) = listener().map(|(_, file)| file) else { return tell_to_reload() };
    let started = || fs::metadata(&file).and_then(|data| data.modified()).ok();
    let before = started();
    if let Some(note) = tell_to_reload()? {
        return Ok(Some(note));
    }
    for _ in 0..TRIES {
        let now = started();
        if now.is_some() && now != before && listener().is_some() {
            return Ok(None);
        }
        sleep(Duration::from_millis(100));
    }
    Ok(Some("sshd was told to read its settings again, and has not done so".into()))
}

fn tell_to_reload() -> Result<Option<String>, Failure> {
    if has_systemd() {
        for unit in ["ssh.service", "sshd.service"] {
            if Tool::need("systemctl", &["cat", unit])?.run().is_ok() {
                Tool::need("systemctl", &["try-reload-or-restart", unit])?.run()?;
                return Ok(None);
            }
        }
    } else if let Some((pid, _)) = listener() {
        kill(pid, Signal::SIGHUP)
            .map_err(|error| Failure::failed(format!("sshd, process {pid}: {error}")))?;
        return Ok(None);
    }
    Ok(Some("no sshd is known to run here; if one does, have it read its settings again".into()))
}

/// The sshd that its own file of the process id names, and that file; sshd writes it when it has
/// read its settings.
fn listener() -> Option<(Pid, PathBuf)> {
    let file = PathBuf::from(Effective::of("root").ok()?.get("pidfile"));
    let pid: i32 = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (pid > 1 && name.trim() == "sshd").then(|| (Pid::from_raw(pid), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_file_is_found_among_the_included_ones() {
        for (text, found) in [
            ("Include /etc/ssh/sshd_config.d/*.conf\n", true),
            ("  include\t\"sshd_config.d/*.conf\"\n", true),
            ("Port 22\nInclude /x/*.conf /etc/ssh/sshd_config.d/00-otpd.conf\n", true),
            ("#Include /etc/ssh/sshd_config.d/*.conf\n", false),
            ("Include /etc/ssh/sshd_config.d/50-*.conf\n", false),
            ("Match User x\nInclude /etc/ssh/sshd_config.d/*.conf\n", false),
            ("", false),
        ] {
            assert_eq!(includes(text), found, "{text:?}");
        }
    }

    #[test]
    fn what_keeps_everybody_without_a_key_out_is_known() {
        let of = |pairs: &[(&str, &str)]| {
            let lines = pairs.iter().map(|(key, value)| format!("{key} {value}\n"));
            Effective(Settings::parse(&lines.collect::<String>(), None))
        };
        let off = [("passwordauthentication", "no"), ("kbdinteractiveauthentication", "no")];
        for (methods, keys) in [
            ("any", false),
            ("publickey,password", true),
            ("publickey,password keyboard-interactive", false),
            ("keyboard-interactive", false),
        ] {
            let found = of(&[("authenticationmethods", methods)]).keys_only();
            assert_eq!(found, keys, "{methods}");
        }
        assert!(of(&[&off[..], &[("authenticationmethods", "any")]].concat()).keys_only());
        let set = of(&[
            ("usepam", "yes"),
            ("kbdinteractiveauthentication", "yes"),
            ("passwordauthentication", "no"),
            ("authenticationmethods", "publickey,keyboard-interactive"),
        ]);
        assert!(set.has(First::Key) && !set.has(First::Password));
    }
}
