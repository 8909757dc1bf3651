//! How a file of root's is replaced: written beside it, checked by otpd among all the others, and
//! put in its place as a whole or not at all.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::Configuration;
use crate::commands::config;
use crate::failure::{Exit, Failure};

/// Mode of a new file: it holds no secret, and the daemon's user reads it.
const MODE: u32 = 0o644;
/// A folder that otpd does not look into.
const NAME: &str = ".otpctl";

/// What came of a change.
pub(crate) struct Change {
    /// Whether there was anything to change.
    pub(crate) changed: bool,
    /// What otpd says of the files as they are now, line by line.
    pub(crate) said: Vec<String>,
}

/// A copy of the configuration in which one file is another; gone when this is dropped.
pub(super) struct Stage<'a> {
    configuration: &'a Configuration,
    /// The file that is going to be replaced.
    path: &'a Path,
    /// The folder of that file, without links.
    home: PathBuf,
    /// Made for the file, and taken away again if nothing comes of it.
    made_home: bool,
    folder: PathBuf,
    done: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn make(configuration: &'a Configuration, path: &'a Path) -> Result<Self, Failure> {
        if let Ok(to) = fs::read_link(path) {
            return Err(Failure::failed(format!(
                "{}: is a symbolic link to {}; change that file by hand; {UNCHANGED}",
                path.display(),
                to.display()
            )));
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        let made_home = !parent.exists();
        if made_home {
            let made = DirBuilder::new().mode(0o755).create(parent);
            made.map_err(|error| failed(parent, &error))?;
        }
        let home = parent.canonicalize().map_err(|error| failed(parent, &error))?;
        let folder = home.join(NAME);
        let stage = Self { configuration, path, home, made_home, folder, done: false };
        // What an otpctl has left that was killed; the lock says that it does not run.
        match fs::remove_dir_all(&stage.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failed(&stage.folder, &error));
            }
            _ => {}
        }
        stage.fill().map_err(|error| failed(stage.path, &error))?;
        Ok(stage)
    }

    /// Every other file by a link to it, so that nothing is copied that may be a secret.
    fn fill(&self) -> io::Result<()> {
        let private = |folder: &Path| DirBuilder::new().mode(0o700).create(folder);
        private(&self.folder)?;
        private(&self.folder.join(self.drop_ins()))?;
        for file in self.configuration.files.iter().filter(|file| *file != self.path) {
            symlink(std::path::absolute(file)?, self.counterpart(file))?;
        }
        let main = self.counterpart(&self.configuration.main);
        if self.path != self.configuration.main && !main.is_symlink() {
            File::create_new(&main)?;
            fs::set_permissions(&main, Permissions::from_mode(0o600))?;
        }
        Ok(())
    }

    fn drop_ins(&self) -> PathBuf {
        let folder = self.configuration.main.with_extension("d");
        folder.file_name().map(PathBuf::from).unwrap_or_default()
    }

    /// Where a file of the configuration is here.
    fn counterpart(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or(OsStr::new(""));
        if file == self.configuration.main {
            self.folder.join(name)
        } else {
            self.folder.join(self.drop_ins()).join(name)
        }
    }

    /// Puts `text` in place of the file, or with `None` the file away, once otpd has found all well.
    /// Tells what otpd says.
    pub(super) fn put(mut self, text: Option<&str>) -> Result<Vec<String>, Failure> {
        let new = self.counterpart(self.path);
        if let Some(text) = text {
            self.write(&new, text).map_err(|error| failed(self.path, &error))?;
        }
        let main = self.counterpart(&self.configuration.main);
        let said = config::ask(&["check-config"], Some(&main));
        let said = said.map_err(|failure| self.said_of_files(failure))?;
        let replaced = match text {
            Some(_) => fs::rename(&new, self.home.join(self.path.file_name().unwrap_or_default())),
            None => fs::remove_file(self.path),
        };
        replaced.map_err(|error| failed(self.path, &error))?;
        self.done = true;
        // Without it a crash may bring the old file back, which is as good as the new one.
        let _ = File::open(&self.home).and_then(|folder| folder.sync_all());
        Ok(said.iter().map(|line| self.real(line)).collect())
    }

    /// The whole text on the disk, with the owner and the mode of the file that it replaces.
    fn write(&self, new: &Path, text: &str) -> io::Result<()> {
        let old: Option<Metadata> = match fs::symlink_metadata(self.path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mode = old.as_ref().map_or(MODE, |old| old.mode() & 0o7777);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(new)?;
        if let Some(old) = old {
            let made = file.metadata()?;
            if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
                std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
        }
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// What otpd said, of the files where they really are.
    fn real(&self, line: &str) -> String {
        let main = self.configuration.main.parent().unwrap_or(Path::new(""));
        let here = format!("{}/", self.folder.display());
        line.replace(&here, &main.join("").display().to_string())
    }

    fn said_of_files(&self, failure: Failure) -> Failure {
        let message = self.real(failure.message.trim_start_matches("otpd: "));
        Failure { message, ..failure }.and(UNCHANGED)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        if self.made_home && !self.done {
            let _ = fs::remove_dir(&self.home);
        }
    }
}

const UNCHANGED: &str = "nothing was changed";

/// A file or folder that could not be read or written.
pub(super) fn failed(path: &Path, error: &io::Error) -> Failure {
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let message = format!("{message}; run it as root; {UNCHANGED}");
            Failure::new(Exit::Denied, "AccessDenied", message)
        }
        _ => Failure::failed(format!("{message}; {UNCHANGED}")),
    }
}
