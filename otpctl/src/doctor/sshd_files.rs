//! Which line of sshd's files sets a value: the first one, and in `Match` blocks before others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pam_stack::{Machine, Place};

const FOLDERS: [&str; 2] = ["/etc/ssh", "/usr/etc/ssh"];
/// What decides which proofs sshd asks for.
const AUTHENTICATION: [&str; 9] = [
    "authenticationmethods",
    "usepam",
    "pamservicename",
    "pubkeyauthentication",
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "gssapiauthentication",
    "hostbasedauthentication",
    "permitemptypasswords",
];
/// How deep sshd follows includes.
const DEEPEST: usize = 16;

/// A line that sets something.
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    pub(crate) place: Place,
    /// In lower case, and by its present name.
    pub(crate) keyword: String,
    pub(crate) value: String,
    /// The whole line.
    pub(crate) text: String,
    /// The `Match` block that it belongs to.
    block: Option<usize>,
}

/// A `Match` line.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) text: String,
    criteria: Vec<String>,
}

/// All lines of sshd_config and what it includes, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    directives: Vec<Directive>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) read: Vec<PathBuf>,
}

impl Files {
    /// Reads the files of a machine.
    pub(crate) fn read(machine: &Machine) -> Self {
        let mut files = Self::default();
        let mains = FOLDERS.map(|folder| Path::new(folder).join("sshd_config"));
        if let Some(main) = mains.iter().find(|main| machine.path(main).is_file()) {
            files.file(machine, main, &mut None, 0);
        }
        files
    }

    /// Reads this file in place of sshd_config.
    pub(crate) fn of(machine: &Machine, main: &Path) -> Self {
        let mut files = Self::default();
        files.file(machine, main, &mut None, 0);
        files
    }

    /// The first line of a `Match` block that says who gets in, and how.
    pub(crate) fn authenticates(&self, block: usize) -> Option<&Directive> {
        let mut lines = self.directives.iter().filter(|line| line.block == Some(block));
        lines.find(|line| AUTHENTICATION.contains(&line.keyword.as_str()))
    }

    fn file(&mut self, machine: &Machine, file: &Path, block: &mut Option<usize>, depth: usize) {
        let Ok(text) = fs::read_to_string(machine.path(file)) else { return };
        self.read.push(file.to_owned());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
            let (keyword, value) = line.split_at_checked(end).unwrap_or_default();
            if keyword.is_empty() || keyword.starts_with('#') {
                continue;
            }
            let value = value.trim_matches([' ', '\t', '=']);
            let keyword = present_name(keyword);
            match keyword.as_str() {
                "include" if depth < DEEPEST => {
                    for pattern in words(value) {
                        for file in matching(machine, &pattern) {
                            self.file(machine, &file, &mut block.clone(), depth + 1);
                        }
                    }
                }
                "match" => {
                    *block = Some(self.blocks.len());
                    self.blocks.push(Block { text: line.to_owned(), criteria: words(value) });
                }
                _ => {
                    let place = Place { file: file.to_owned(), line: number };
                    let (value, text) = (value.to_owned(), line.to_owned());
                    self.directives.push(Directive { place, keyword, value, text, block: *block });
                }
            }
        }
    }

    /// The line that sets a keyword for whom a `Match` block is, or for all: what is in the block
    /// wins, then what is outside of all.
    pub(crate) fn find(&self, keyword: &str, block: Option<usize>) -> Option<&Directive> {
        let in_block = |block: Option<usize>| {
            let lines = self.directives.iter().filter(move |line| line.block == block);
            lines.into_iter().find(|line| line.keyword == keyword)
        };
        in_block(block).or_else(|| in_block(None))
    }
}

impl Block {
    /// A connection that it matches, for `sshd -T -C`; else what is not known of it.
    pub(crate) fn connection(
        &self,
        member: impl Fn(&str) -> Option<String>,
    ) -> Result<String, String> {
        let defaults = [("user", "nobody"), ("host", "localhost"), ("addr", "127.0.0.1")];
        let mut connection: BTreeMap<&str, String> =
            defaults.map(|(key, value)| (key, value.to_owned())).into();
        let mut criteria = self.criteria.iter();
        while let Some(name) = criteria.next() {
            let name = name.to_ascii_lowercase();
            if name == "all" {
                continue;
            }
            let patterns = criteria.next().map(String::as_str).unwrap_or_default();
            let one = patterns.split(',').find(|pattern| !pattern.starts_with('!'));
            let one = one.ok_or("only exclusions")?.replace(['*', '?'], "x");
            match name.as_str() {
                "user" => connection.insert("user", one),
                "group" => {
                    let user = member(&one).ok_or(format!("group {one} has no member"))?;
                    connection.insert("user", user)
                }
                "host" => connection.insert("host", one),
                "address" => {
                    let address = one.split('/').next().unwrap_or_default().replace('x', "1");
                    connection.insert("addr", address)
                }
                "localaddress" => connection.insert("laddr", one),
                "localport" => connection.insert("lport", one),
                other => return Err(format!("{other} is not tried")),
            };
        }
        let pairs = connection.iter().map(|(key, value)| format!("{key}={value}"));
        Ok(pairs.collect::<Vec<_>>().join(","))
    }
}

pub(super) fn present_name(keyword: &str) -> String {
    let keyword = keyword.to_ascii_lowercase();
    match keyword.as_str() {
        "challengeresponseauthentication" | "skeyauthentication" => {
            "kbdinteractiveauthentication".into()
        }
        "dsaauthentication" => "pubkeyauthentication".into(),
        _ => keyword,
    }
}

/// Words of a value, those in double quotes together, up to a comment.
fn words(value: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (n, part) in value.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.to_owned());
            continue;
        }
        let (part, ended) = part.split_once('#').map_or((part, false), |(part, _)| (part, true));
        words.extend(part.split_whitespace().map(str::to_owned));
        if ended {
            break;
        }
    }
    words
}

/// The files that a pattern means; only its last part may have wildcards.
fn matching(machine: &Machine, pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(FOLDERS[0]).join(pattern);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    let entries = fs::read_dir(machine.path(folder)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names
        .filter(|found| !found.starts_with('.') && fits(name.as_bytes(), found.as_bytes()))
        .map(|found| folder.join(found))
        .collect();
    found.sort_unstable();
    found
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            fits(rest, name) || name.split_first().is_some_and(|(_, name)| fits(pattern, name))
        }
        ([b'?', rest @ ..], [_, name @ ..]) => fits(rest, name),
        ([one, rest @ ..], [other, name @ ..]) => one == other && fits(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_counts_is_found() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("etc/ssh/sshd_config.d");
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write(
            "../sshd_config",
            "# UsePAM no\nInclude /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n\
            PasswordAuthentication=no\nMatch User alice,bob Address 10.0.0.0/8\n  UsePAM no\n  X11Forwarding no\n\
            Match Group \"wheel\"\n  Include more\nmatch all\n  PermitRootLogin no\n",
        );
        write("b.conf", "PermitRootLogin yes\nChallengeResponseAuthentication no\n");
        write("a.conf", "PermitRootLogin no\n");
        write("not.txt", "UsePAM no\n");
        write("../more", "MaxAuthTries 3\n");
        let files = Files::read(&Machine::at(root.path()));
        let at = |keyword: &str, block: Option<usize>| {
            let line = files.find(keyword, block)?;
            let name = line.place.file.file_name()?.to_str()?;
            Some(format!("{name}:{}", line.place.line))
        };
        for (keyword, block, place) in [
            ("usepam", None, Some("sshd_config:3")),
            ("usepam", Some(0), Some("sshd_config:6")),
            ("usepam", Some(1), Some("sshd_config:3")),
            ("x11forwarding", None, None),
            ("x11forwarding", Some(0), Some("sshd_config:7")),
            ("x11forwarding", Some(1), None),
            ("maxauthtries", Some(1), Some("more:1")),
            ("permitrootlogin", None, Some("a.conf:1")),
            ("kbdinteractiveauthentication", None, Some("b.conf:2")),
            ("passwordauthentication", None, Some("sshd_config:4")),
        ] {
            assert_eq!(at(keyword, block).as_deref(), place, "{keyword} {block:?}");
        }
        let member = |group: &str| (group == "wheel").then(|| "carol".to_owned());
        let connections: Vec<_> =
            files.blocks.iter().map(|block| block.connection(member).unwrap()).collect();
        assert_eq!(
            connections,
            [
                "addr=10.0.0.0,host=localhost,user=alice",
                "addr=127.0.0.1,host=localhost,user=carol",
                "addr=127.0.0.1,host=localhost,user=nobody",
            ]
        );
    }

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, fit) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("?", "ab", false),
            ("a*b*", "axxbx", true),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), fit, "{pattern} {name}");
        }
    }
}
