//! The sshd's that run: their command lines win over the files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::sshd_files::present_name;

/// Where the kernel shows processes.
pub(crate) const PROC: &str = "/proc";
/// Options of sshd that take a value (`getopt` of sshd.c).
const WITH_VALUE: &str = "CEbcfghkopu";
/// How the title of a process that listens ends.
const LISTENER: &str = "[listener]";

/// What a running sshd was told beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// `None` stands for one that is started without options.
    pub(crate) pid: Option<u32>,
    /// The file of `-f`.
    pub(crate) file: Option<PathBuf>,
    /// The values of `-o`, in their order.
    pub(crate) options: Vec<String>,
    /// Its command line goes on where nobody can see it.
    pub(crate) cut: bool,
}

impl Daemon {
    /// The arguments for another sshd that shall have the same settings.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let file = self.file.iter().flat_map(|file| ["-f".into(), file.display().to_string()]);
        let options = self.options.iter().flat_map(|option| ["-o".into(), option.clone()]);
        file.chain(options).collect()
    }

    /// The option that sets a keyword: the first one counts.
    pub(crate) fn sets(&self, keyword: &str) -> Option<&str> {
        let sets = |option: &&String| {
            let end = option.find([' ', '\t', '=']).unwrap_or(option.len());
            present_name(option.get(..end).unwrap_or_default()) == keyword
        };
        self.options.iter().find(sets).map(String::as_str)
    }

    fn is_plain(&self) -> bool {
        self.file.is_none() && self.options.is_empty() && !self.cut
    }

    fn parse(pid: u32, command: &[u8]) -> Option<Self> {
        let (words, exact, cut) = words(command)?;
        let mut daemon = Self { pid: Some(pid), cut, ..Self::default() };
        let mut stays = !exact;
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(letters) = word.strip_prefix('-') else { continue };
            let takes = letters.find(|letter| WITH_VALUE.contains(letter));
            let flags = letters.get(..takes.unwrap_or(letters.len())).unwrap_or_default();
            stays |= flags.contains('D');
            if flags.contains(['i', 't', 'T', 'G', 'R']) {
                return None;
            }
            let Some(at) = takes else { continue };
            let (option, glued) = letters.get(at..)?.split_at(1);
            let mut value = match glued {
                "" => words.next().unwrap_or_default(),
                glued => glued.to_owned(),
            };
            // A title has lost its quotes: a value goes on to the next option.
            while let Some(more) = words.next_if(|word| !exact && !word.starts_with('-')) {
                value = format!("{value} {more}");
            }
            match option {
                _ if value.is_empty() => {}
                "f" => daemon.file = Some(value.into()),
                "o" => daemon.options.push(value),
                _ => {}
            }
        }
        stays.then_some(daemon)
    }
}

/// The arguments of a command line, whether they are exact, and whether some are missing; in the
/// title that a listening sshd gives itself they stand with blanks between, and it ends at some
/// length. `None` for one that serves a connection.
fn words(command: &[u8]) -> Option<(Vec<String>, bool, bool)> {
    let text = String::from_utf8_lossy(command);
    let text = text.trim_end_matches('\0');
    let Some(title) = text.strip_prefix("sshd: ") else {
        return Some((text.split('\0').skip(1).map(str::to_owned).collect(), true, false));
    };
    let (arguments, cut) = match title.split_once(LISTENER) {
        Some((arguments, _)) => (arguments, false),
        None => (title.rsplit_once(' ').filter(|_| title.starts_with('/'))?.0, true),
    };
    Some((arguments.split_whitespace().skip(1).map(str::to_owned).collect(), false, cut))
}

/// The sshd's of root that listen on this machine, not in a container of it. One without options
/// is among them, unless one with options stands in for it. `proc` is where processes are shown.
pub(crate) fn daemons(proc: &Path, programs: &[&str]) -> Vec<Daemon> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let mut running: Vec<_> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let folder = entry.path();
            if !is_here(&folder, programs) {
                return None;
            }
            Daemon::parse(pid, &fs::read(folder.join("cmdline")).ok()?)
        })
        .collect();
    running.sort_by_key(|daemon| daemon.pid);
    let replaced = running.iter().any(|daemon| daemon.file.is_none() && !daemon.is_plain())
        && !running.iter().any(Daemon::is_plain);
    let mut daemons = if replaced { Vec::new() } else { vec![Daemon::default()] };
    for daemon in running.into_iter().filter(|daemon| !daemon.is_plain()) {
        let same = |known: &Daemon| Daemon { pid: daemon.pid, ..known.clone() } == daemon;
        if !daemons.iter().any(same) {
            daemons.push(daemon);
        }
    }
    daemons
}

/// Whether a process runs one of the programs for root, with the root folder and the network of
/// this one.
fn is_here(folder: &Path, programs: &[&str]) -> bool {
    let id = |path: &Path| fs::metadata(path).map(|data| (data.dev(), data.ino())).ok();
    let Ok(program) = fs::read_link(folder.join("exe")) else { return false };
    let program = program.to_string_lossy();
    let program = program.strip_suffix(" (deleted)").unwrap_or(&program);
    let of_root = fs::metadata(folder).is_ok_and(|data| data.uid() == 0);
    let root = id(&folder.join("root"));
    let same_root = root.is_some() && root == id(Path::new("/"));
    let network = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    let same_network = network(folder) == network(&Path::new(PROC).join("self"));
    programs.contains(&program) && of_root && same_root && same_network
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn proc(processes: &[(u32, &str, &str)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (pid, exe, command) in processes {
            let folder = proc.path().join(pid.to_string());
            fs::create_dir(&folder).unwrap();
            symlink(exe, folder.join("exe")).unwrap();
            symlink("/", folder.join("root")).unwrap();
            fs::create_dir(folder.join("ns")).unwrap();
            symlink(fs::read_link("/proc/self/ns/net").unwrap(), folder.join("ns/net")).unwrap();
            fs::write(folder.join("cmdline"), command).unwrap();
        }
        proc
    }

    #[test]
    fn command_lines_of_listening_daemons_are_read() {
        const SSHD: &str = "/usr/sbin/sshd";
        let table: &[(&str, &str, &[&str])] = &[
            (SSHD, "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups\0\0\0", &[""]),
            (SSHD, "/usr/sbin/sshd\0-D\0-oUsePAM=no\0", &["-o UsePAM=no"]),
            (SSHD, "/usr/sbin/sshd\0-Do\0UsePAM no\0", &["-o UsePAM no"]),
            (
                "/usr/sbin/sshd (deleted)",
                "sshd: sshd -o UsePAM no -p 2 -D [listener] 1 of 10-100 startups",
                &["-o UsePAM no"],
            ),
            (
                SSHD,
                "sshd: /usr/sbin/sshd -D -f /etc/ssh/two -o UsePAM=no [listener] 0 of 1",
                &["", "-f /etc/ssh/two -o UsePAM=no"],
            ),
            (SSHD, "sshd: /usr/sbin/sshd -oUsePAM=no -oCiph", &["-o UsePAM=no"]),
            (SSHD, "sshd: bob [priv]\0", &[""]),
            (SSHD, "/usr/sbin/sshd\0-i\0-oUsePAM=no\0", &[""]),
            (SSHD, "/usr/sbin/sshd\0-T\0-oUsePAM=no\0", &[""]),
            ("/home/eve/sshd", "/usr/sbin/sshd\0-D\0-oUsePAM=no\0", &[""]),
        ];
        for (exe, command, expected) in table {
            let proc = proc(&[(7, exe, command)]);
            let found = daemons(proc.path(), &[SSHD]);
            let found: Vec<_> = found.iter().map(|daemon| daemon.arguments().join(" ")).collect();
            assert_eq!(found, *expected, "{command}");
        }
        let two = proc(&[
            (8, SSHD, "/usr/sbin/sshd\0-D\0-oUsePAM=no\0"),
            (9, SSHD, "/usr/sbin/sshd\0-D\0"),
        ]);
        let found = daemons(two.path(), &[SSHD]);
        assert_eq!(found.iter().map(|daemon| daemon.pid).collect::<Vec<_>>(), [None, Some(8)]);
        assert!(Daemon::parse(7, b"sshd: /usr/sbin/sshd -D -o Ciph").unwrap().cut);
        assert_eq!(found[1].sets("usepam"), Some("UsePAM=no"));
        fs::remove_file(two.path().join("8/root")).unwrap();
        symlink("/proc", two.path().join("8/root")).unwrap();
        assert_eq!(daemons(two.path(), &[SSHD]).len(), 1, "that of a container");
        let other = proc(&[(8, SSHD, "/usr/sbin/sshd\0-D\0-oUsePAM=no\0")]);
        fs::remove_file(other.path().join("8/ns/net")).unwrap();
        symlink("net:[1]", other.path().join("8/ns/net")).unwrap();
        assert_eq!(daemons(other.path(), &[SSHD]), [Daemon::default()], "of another network");
    }
}
