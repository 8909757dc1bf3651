//! The system's own programs that otpctl runs.

use std::fmt::Display;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use zeroize::Zeroizing;

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
        let said = self.command().output().map_err(|error| self.failed(error))?;
        self.succeeded(said.status, &said.stderr)?;
        Ok(String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// The same where what it prints is a secret of at most `longest` bytes.
    pub(crate) fn run_secret(&self, longest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut command = self.command();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| self.failed(error))?;
        // Room enough that nothing is copied while it is read.
        let room = usize::try_from(longest).unwrap_or_default();
        let mut secret = Zeroizing::new(Vec::with_capacity(room));
        if let Some(stdout) = child.stdout.take() {
            let read = stdout.take(longest).read_to_end(&mut secret);
            read.map_err(|error| self.failed(error))?;
        }
        let said = child.wait_with_output().map_err(|error| self.failed(error))?;
        self.succeeded(said.status, &said.stderr)?;
        Ok(secret)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", FOLDERS.join(":"))
            .env("LC_ALL", "C.UTF-8")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }

    fn succeeded(&self, status: ExitStatus, stderr: &[u8]) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        let why: Vec<_> = String::from_utf8_lossy(stderr).lines().map(printable).collect();
        Err(self.failed(if why.is_empty() { status.to_string() } else { why.join("; ") }))
    }

    fn failed(&self, why: impl Display) -> Failure {
        let what = format!("{} {}", self.path.display(), self.arguments.join(" "));
        Failure::failed(format!("{}: {why}", what.trim_end()))
    }
}
