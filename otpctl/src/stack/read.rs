//! The files of a service, read in the order and with the includes that libpam reads.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::assemble::{Assembled, assemble};
use crate::control::{Control, word, words};
use crate::line::{Entry, Kind, Line, Place, Problem, Service};

/// How deep files may include each other.
const DEEPEST: usize = 16;
const PAM_D: &str = "/etc/pam.d";
const VENDOR_PAM_D: &str = "/usr/lib/pam.d";
const PAM_CONF: &str = "/etc/pam.conf";
/// The service that stands in for what has no lines of a kind.
const OTHER: &str = "other";

/// The files of a machine.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    /// Debian's libpam knows `@include`, and looks for included files in /etc/pam.d only.
    debian: bool,
}

impl Machine {
    /// The machine whose root is this folder.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let debian = inside(&root, Path::new("/etc/debian_version")).exists();
        Self { root, debian }
    }

    /// Where a file of the machine is seen from here. A link at its end is followed inside the root.
    #[must_use]
    pub fn path(&self, file: impl AsRef<Path>) -> PathBuf {
        const LINKS: usize = 16;
        let mut path = inside(&self.root, file.as_ref());
        if self.root == Path::new("/") {
            return path;
        }
        for _ in 0..LINKS {
            match fs::read_link(&path) {
                Ok(target) if target.is_absolute() => path = inside(&self.root, &target),
                Ok(target) => path = path.with_file_name("").join(target),
                Err(_) => break,
            }
        }
        path
    }

    /// The services that have a file, sorted. Files that others include are not services, nor are
    /// the copies that package managers and editors leave.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let folders = [PAM_D, VENDOR_PAM_D].map(|folder| fs::read_dir(self.path(folder)));
        let files = folders.into_iter().flatten().flatten().flatten();
        let files = files.filter(|file| self.path(self.named(&file.path())).is_file());
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| is_service(name)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn named(&self, path: &Path) -> PathBuf {
        Path::new("/").join(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// The file of a module, if the machine has it.
    #[must_use]
    pub fn module(&self, path: &str) -> Option<PathBuf> {
        let found = |file: String| Some(self.path(file)).filter(|file| file.is_file());
        if path.starts_with('/') {
            return found(path.replace("/$ISA/", "/"));
        }
        let lib = |folder: &str| -> Vec<String> {
            let inner = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
            let inner = inner.filter_map(|entry| entry.file_name().into_string().ok());
            inner.map(|name| format!("{folder}/{name}/security/{path}")).collect()
        };
        let plain = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
        let plain = plain.map(|folder| format!("{folder}/security/{path}"));
        plain.into_iter().chain(lib("/lib")).chain(lib("/usr/lib")).find_map(found)
    }

    /// Reads a service, as `pam_start` and the first call of an application do.
    #[must_use]
    pub fn service(&self, name: &str) -> Service {
        let name = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        let mut service = Service { name: name.clone(), ..Service::default() };
        let mut reader = Reader { machine: self, service: &mut service };
        if let Err(problem) = reader.everything(&name) {
            service.refused = Some(problem);
        }
        service
    }
}

fn inside(root: &Path, file: &Path) -> PathBuf {
    root.join(file.strip_prefix("/").unwrap_or(file))
}

fn is_service(name: &str) -> bool {
    const SHARED: [&str; 9] = [
        "common-",
        "system-auth",
        "password-auth",
        "postlogin",
        "fingerprint-auth",
        "smartcard-auth",
        "system-",
        "config-util",
        "base-",
    ];
    const COPIES: [&str; 7] = ["~", ".bak", ".orig", ".rpmnew", ".rpmsave", ".rpmorig", ".swp"];
    let copy = COPIES.iter().any(|end| name.ends_with(end)) || name.contains(".dpkg-");
    !copy && !name.starts_with('.') && !SHARED.iter().any(|start| name.starts_with(start))
}

/// Where a file stands in the order of reading.
#[derive(Clone, Default)]
struct Level {
    /// The one kind that is wanted of an included file.
    wanted: Option<Kind>,
    includes: usize,
    substacks: usize,
    via: Vec<Place>,
}

/// A text that libpam gives up at: everything is refused.
type Parsed = Result<(), Problem>;

struct Reader<'a> {
    machine: &'a Machine,
    service: &'a mut Service,
}

impl Reader<'_> {
    fn everything(&mut self, name: &str) -> Parsed {
        let folders = [PAM_D, VENDOR_PAM_D].map(|folder| self.machine.path(folder).is_dir());
        if !folders.contains(&true) {
            let (file, text) = self.open(&[PAM_CONF.into()]).ok_or_else(|| Problem {
                place: Place { file: PAM_CONF.into(), line: 0 },
                why: "there is neither /etc/pam.d nor /etc/pam.conf".into(),
            })?;
            return self.parse(&file, &text, None, &Level::default());
        }
        let both = |name: &str| [PAM_D, VENDOR_PAM_D].map(|folder| Path::new(folder).join(name));
        let own = self.open(&both(name));
        if let Some((file, text)) = &own {
            self.service.file = Some(file.clone());
            self.parse(file, text, Some(name), &Level::default())?;
        }
        match self.open(&both(OTHER)) {
            Some((file, text)) => self.parse(&file, &text, Some(OTHER), &Level::default()),
            None if own.is_some() => Ok(()),
            None => Err(Problem {
                place: Place { file: Path::new(PAM_D).join(name), line: 0 },
                why: format!("neither {name} nor {OTHER} has a file"),
            }),
        }
    }

    /// The first of these files that can be opened.
    fn open(&mut self, files: &[PathBuf]) -> Option<(PathBuf, String)> {
        files.iter().find_map(|file| match fs::read(self.machine.path(file)) {
            Ok(bytes) => Some((file.clone(), String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == ErrorKind::IsADirectory => {
                Some((file.clone(), String::new()))
            }
            Err(error) => {
                if error.kind() == ErrorKind::PermissionDenied {
                    self.service.unreadable.push(file.clone());
                }
                None
            }
        })
    }

    /// Reads a file; in /etc/pam.conf, each line names its service first.
    fn parse(&mut self, file: &Path, text: &str, known: Option<&str>, level: &Level) -> Parsed {
        let (lines, unfinished) = assemble(text);
        for line in &lines {
            let place = Place { file: file.to_owned(), line: line.number };
            if let Some(why) = line.differs {
                let problem = Problem { place: place.clone(), why: why.into() };
                self.service.differs.push(problem);
            }
            let named = match known {
                Some(known) => Some((known.to_owned(), line.text.as_str())),
                None => word(&line.text),
            };
            let Some((service, rest)) = named else { continue };
            let other = service.eq_ignore_ascii_case(OTHER);
            if other || service.eq_ignore_ascii_case(&self.service.name) {
                self.line(&service, line, rest, place, level)?;
            }
        }
        if unfinished {
            let place = Place { file: file.to_owned(), line: text.lines().count() };
            return Err(Problem { place, why: "the file ends in a line that goes on".into() });
        }
        Ok(())
    }

    /// Reads one line behind its service.
    fn line(
        &mut self,
        service: &str,
        read: &Assembled,
        text: &str,
        place: Place,
        level: &Level,
    ) -> Parsed {
        let (kind, rest) = word(text).unwrap_or_default();
        let quiet = kind.starts_with('-');
        let written = kind.strip_prefix('-').unwrap_or(&kind);
        if self.machine.debian && written.eq_ignore_ascii_case("@include") {
            return self.at_include(service, read, rest, place, level);
        }
        let wanted = level.wanted.unwrap_or(Kind::Auth);
        let (kind, mut broken) = match Kind::parse(written) {
            Some(kind) => (kind, None),
            None => (wanted, Some(format!("`{written}` is no kind of line"))),
        };
        if level.wanted.is_some_and(|wanted| wanted != kind) {
            return Ok(());
        }
        let (control, rest) = match word(rest) {
            Some((control, rest)) => (control, rest),
            None => {
                broken = Some("the control is missing".into());
                (String::new(), "")
            }
        };
        let mut line = Line {
            place,
            via: level.via.clone(),
            text: read.text.trim().to_owned(),
            kind,
            quiet,
            level: level.substacks,
            control: Control::parse(&control),
            entry: Entry::Broken(String::new()),
        };
        let substack = control.eq_ignore_ascii_case("substack");
        let module = word(rest);
        if substack || control.eq_ignore_ascii_case("include") {
            let name = module.map(|(name, _)| name);
            return self.include(service, line, name, substack, level);
        }
        line.entry = match (broken, module) {
            (Some(why), _) => Entry::Broken(why),
            (None, None) => Entry::Broken("the module is missing".into()),
            (None, Some((path, rest))) => Entry::Module { path, arguments: words(rest) },
        };
        self.push(service, line);
        Ok(())
    }

    fn push(&mut self, service: &str, line: Line) {
        if service.eq_ignore_ascii_case(OTHER) {
            self.service.other.push(line);
        } else {
            self.service.own.push(line);
        }
    }

    /// `include` and `substack`: the lines of one kind of another file, or a line that fails.
    fn include(
        &mut self,
        service: &str,
        mut line: Line,
        name: Option<String>,
        substack: bool,
        level: &Level,
    ) -> Parsed {
        line.control = Control::bad(&line.control.written);
        if substack {
            let entry = Entry::Substack(name.clone().unwrap_or_default());
            self.push(service, Line { entry, ..line.clone() });
        }
        let inner = Level {
            wanted: Some(line.kind),
            includes: level.includes + 1,
            substacks: level.substacks + usize::from(substack),
            via: [level.via.as_slice(), std::slice::from_ref(&line.place)].concat(),
        };
        if let Err(why) = self.included(service, name.as_deref(), &inner) {
            line.entry = Entry::Broken(why);
            self.push(service, line);
        }
        Ok(())
    }

    /// Debian's `@include`: the lines of all kinds. Where it fails, everything is refused.
    fn at_include(
        &mut self,
        service: &str,
        read: &Assembled,
        rest: &str,
        place: Place,
        level: &Level,
    ) -> Parsed {
        let inner = Level {
            includes: level.includes + 1,
            via: [level.via.as_slice(), std::slice::from_ref(&place)].concat(),
            ..level.clone()
        };
        let name = word(rest).map(|(name, _)| name);
        match (self.included(service, name.as_deref(), &inner), level.wanted) {
            (Ok(()), _) => Ok(()),
            (Err(why), None) => Err(Problem { place, why }),
            (Err(why), Some(kind)) => {
                let line = Line {
                    place,
                    via: level.via.clone(),
                    text: read.text.trim().to_owned(),
                    kind,
                    quiet: false,
                    level: level.substacks,
                    control: Control::bad("@include"),
                    entry: Entry::Broken(why),
                };
                self.push(service, line);
                Ok(())
            }
        }
    }

    /// Reads an included file; says why that is not possible.
    fn included(&mut self, service: &str, name: Option<&str>, level: &Level) -> Result<(), String> {
        let name = name.ok_or("no file is named")?;
        if level.includes >= DEEPEST {
            return Err(format!("{name}: files include each other {DEEPEST} times"));
        }
        let folders: &[&str] = if self.machine.debian { &[PAM_D] } else { &[PAM_D, VENDOR_PAM_D] };
        let files: Vec<_> = match name.starts_with('/') {
            true => vec![PathBuf::from(name)],
            false => folders.iter().map(|folder| Path::new(folder).join(name)).collect(),
        };
        let unreadable = self.service.unreadable.len();
        let Some((file, text)) = self.open(&files) else {
            let there = self.service.unreadable.len() > unreadable;
            let why = if there { "it cannot be read" } else { "there is no such file" };
            return Err(format!("{name}: {why}"));
        };
        self.parse(&file, &text, Some(service), level)
            .map_err(|problem| format!("{}: {}", problem.place.file.display(), problem.why))
    }
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;
