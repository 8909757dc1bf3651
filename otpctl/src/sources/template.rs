//! One file for each user, at a place that follows from the user.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::User;
use otp_ipc::maintenance::import::Source;

use super::{Bytes, GOOGLE_AUTHENTICATOR, longest, open, read, refused};
use crate::failure::Failure;

/// Lists everybody whom the name service switch can list.
const GETENT: &str = "/usr/bin/getent";
/// Longest list of users in bytes.
const LONGEST_LIST: u64 = 16 * 1024 * 1024;

/// A path with `~`, `${HOME}` and `${USER}` in it.
pub(crate) struct Template<'a> {
    pub(crate) text: &'a str,
    /// The files' format, where it is known.
    pub(crate) format: Option<&'a str>,
}

/// A user and the home, or nothing where the system does not know the user.
pub(crate) struct Resident {
    name: String,
    home: Option<(u32, PathBuf)>,
}

impl Resident {
    /// The user of that name.
    ///
    /// # Errors
    /// Where the system does not answer.
    pub(crate) fn named(name: &str) -> Result<Self, Failure> {
        let user = User::from_name(name);
        let user = user.map_err(|error| Failure::failed(format!("import: {name}: {error}")))?;
        let home = user.map(|user| (user.uid.as_raw(), user.dir));
        Ok(Self { name: name.to_owned(), home })
    }

    /// The users that a file names, one on a line, but for comments.
    ///
    /// # Errors
    /// As the file's.
    pub(crate) fn listed(list: &Path) -> Result<Vec<Self>, Failure> {
        let failed = |why: String| Failure::failed(format!("import: {}: {why}", list.display()));
        let names = read(list, LONGEST_LIST).map_err(failed)?;
        let names = std::str::from_utf8(&names).map_err(|error| failed(error.to_string()))?;
        let names = names.lines().map(str::trim);
        names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(Self::named).collect()
    }

    /// Everybody whom the system lists.
    ///
    /// # Errors
    /// Where it does not.
    pub(crate) fn all() -> Result<Vec<Self>, Failure> {
        let answer = Command::new(GETENT).arg("passwd").env_clear().output();
        let answer = answer.map_err(|error| {
            Failure::failed(format!("import: {GETENT}: {error}; name the users with --users"))
        })?;
        if !answer.status.success() {
            let text = format!("import: {GETENT} passwd: {}; try --users", answer.status);
            return Err(Failure::failed(text));
        }
        Ok(String::from_utf8_lossy(&answer.stdout).lines().filter_map(Self::parse).collect())
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = fields.as_slice() else { return None };
        Some(Self { name: (*name).to_owned(), home: Some((uid.parse().ok()?, home.into())) })
    }
}

impl Template<'_> {
    /// The user's file; `None` where there is none.
    pub(crate) fn of(&self, user: &Resident) -> Option<(Source, Bytes)> {
        let mut source = Source {
            path: self.text.to_owned(),
            user: Some(user.name.clone()),
            format: self.format.or_else(|| self.usual()).map(str::to_owned),
            refused: None,
        };
        let Some((uid, home)) = &user.home else {
            return Some(refused(source, Err("this system knows no such user".to_owned())));
        };
        let path = self.expand(&user.name, home)?;
        source.path = path.display().to_string();
        let longest = longest(source.format.as_deref());
        let bytes = match self.open(&path, home) {
            Ok(None) => return None,
            Ok(Some(file)) => {
                let owned = check_owner(&file, *uid, &user.name);
                owned.and_then(|()| open::bytes(file, longest))
            }
            Err(why) => Err(why),
        };
        Some(refused(source, bytes))
    }

    /// What such a path is for where nothing else is said.
    fn usual(&self) -> Option<&'static str> {
        self.text.ends_with(super::DOT_FILE).then_some(GOOGLE_AUTHENTICATOR)
    }

    /// A name that would lead elsewhere has no file, and neither has a user without a home.
    fn expand(&self, name: &str, home: &Path) -> Option<PathBuf> {
        if name.contains('/') || matches!(name, "" | "." | "..") {
            return None;
        }
        let home = home.to_str().filter(|home| home.starts_with('/') && *home != "/")?;
        let home = home.trim_end_matches('/');
        let text = match self.text.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => self.text.to_owned(),
        };
        Some(text.replace("${HOME}", home).replace("${USER}", name).into())
    }

    fn open(&self, path: &Path, home: &Path) -> Result<Option<std::fs::File>, String> {
        if let Ok(rest) = path.strip_prefix(home) {
            return open::beneath(home, rest);
        }
        // The folder is named by root; the user may have a say in the file alone.
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        open::beneath(folder, Path::new(name))
    }
}

/// The file is the user's, or root's who put it there for them.
fn check_owner(file: &std::fs::File, uid: u32, name: &str) -> Result<(), String> {
    let owner = open::owner(file)?;
    if owner == uid || owner == 0 && open::single(file)? {
        return Ok(());
    }
    if owner == 0 {
        return Err("it is root's and has other names; copy it".to_owned());
    }
    Err(format!("it belongs to user id {owner}, not to {name}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_template_names_a_file_of_each_user() {
        for (text, name, home, path) in [
            ("~/.ga", "alice", "/home/alice", Some("/home/alice/.ga")),
            ("~/.ga", "alice", "/home/alice/", Some("/home/alice/.ga")),
            ("${HOME}/.ga", "alice", "/srv/a", Some("/srv/a/.ga")),
            ("/home/${USER}/.ga", "alice", "/srv/a", Some("/home/alice/.ga")),
            ("/var/lib/ga/${USER}", "alice", "/", None),
            ("~/.ga", "daemon", "", None),
            ("~/.ga", "daemon", "none", None),
            ("/x/${USER}", "../root", "/home/x", None),
            ("/x/${USER}", "..", "/home/x", None),
            ("~/~/${USER}", "bob", "/h", Some("/h/~/bob")),
        ] {
            let template = Template { text, format: None };
            let expanded = template.expand(name, Path::new(home));
            assert_eq!(expanded.as_deref(), path.map(Path::new), "{text} {name}");
        }
    }

    #[test]
    fn getents_lines_are_read() {
        let user = Resident::parse("alice:x:1000:1000:A,,,:/home/alice:/bin/sh").unwrap();
        assert_eq!(user.home, Some((1000, "/home/alice".into())));
        for line in ["", "alice", "alice:x:many:1::/:", "alice:x:1:1:"] {
            assert!(Resident::parse(line).is_none(), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_another_users_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".google_authenticator");
        fs::write(&file, "x").unwrap();
        let own = open::owner(&fs::File::open(&file).unwrap()).unwrap();
        let template = Template { text: "~/.google_authenticator", format: None };
        let read = |uid| {
            let home = Some((uid, home.path().to_owned()));
            template.of(&Resident { name: "alice".to_owned(), home })
        };
        let (source, bytes) = read(own).unwrap();
        assert_eq!(source.format.as_deref(), Some("google-authenticator"));
        assert_eq!(bytes.unwrap().as_slice(), b"x");
        if own != 0 {
            let (source, bytes) = read(own + 1).unwrap();
            assert!(bytes.unwrap_err().contains("not to alice"));
            assert!(source.refused.is_some());
        }
        fs::write(&file, vec![b'x'; 65537]).unwrap();
        assert!(read(own).unwrap().1.unwrap_err().contains("65537 bytes"));
        fs::remove_file(&file).unwrap();
        assert!(read(own).is_none());
        std::os::unix::fs::symlink("/etc/shadow", &file).unwrap();
        assert!(read(own).unwrap().1.unwrap_err().contains("symbolic link"));
    }
}
