//! The system's own programs that otpctl runs.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::render::printable;

/// Where they are; the caller's `PATH` has no say.
const FOLDERS: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// A program with its arguments.
pub(crate) struct Tool {
    path: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
}

impl Tool {
    /// The program of this name, `None` where the machine has none.
    pub(crate) fn find(name: &str, arguments: &[&str]) -> Option<Self> {
        let mut paths = FOLDERS.iter().map(|folder| PathBuf::from(folder).join(name));
        let path = paths.find(|path| path.is_file())?;
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Some(Self { path, arguments, environment: Vec::new() })
    }

    /// The same; that it is not there is an error.
    pub(crate) fn need(name: &str, arguments: &[&str]) -> Result<Self, Failure> {
        Self::find(name, arguments)
            .ok_or_else(|| Failure::failed(format!("{name}: this machine has no such program")))
    }

    /// The one of a command line.
    pub(crate) fn of(command: &[String]) -> Result<Self, Failure> {
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        match words.split_first() {
            Some((name, arguments)) => Self::need(name, arguments),
            None => Err(Failure::failed("no program is named")),
        }
    }

    /// The same with one more variable in its environment, which is empty otherwise.
    pub(crate) fn env(mut self, name: &'static str, value: String) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Runs it to its end; what it printed, if it ended well, else what it complained of.
    pub(crate) fn run(&self) -> Result<String, Failure> {
        let said = Command::new(&self.path)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .output();
        let what = format!("{} {}", self.path.display(), self.arguments.join(" "));
        let said = said.map_err(|error| Failure::failed(format!("{what}: {error}")))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if said.status.success() {
            return Ok(text(&said.stdout));
        }
        let why: Vec<_> = text(&said.stderr).lines().map(printable).collect();
        let why = if why.is_empty() { said.status.to_string() } else { why.join("; ") };
        Err(Failure::failed(format!("{}: {why}", what.trim_end())))
    }
}
