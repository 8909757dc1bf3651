//! otpd's own program, run for what it does with files: the configuration, the store, the key.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use nix::unistd::geteuid;
use otp_ipc::maintenance::{READY, read_frame, write_frame};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::{Zeroize, Zeroizing};

use crate::failure::{Exit, Failure};
use crate::render::printable;

/// Where packages put the daemon.
const DAEMON: &str = "/usr/sbin/otpd";
/// Where systemd keeps the credentials of the daemon while it runs.
const CREDENTIALS: &str = "/run/credentials/otpd.service";

/// Longest document that the program answers, in bytes.
const ANSWER: u64 = 64 * 1024 * 1024;

/// What the program answers to a question about the configuration.
pub(crate) fn answer(question: &[&str], file: Option<&Path>) -> Result<String, Failure> {
    let mut command = command(question);
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    let answer = command.output().map_err(|error| not_run("config", &error))?;
    let answer = succeeded("config", "InvalidConfiguration", answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A task that the program does as root beside the daemon ([`otp_ipc::maintenance`]).
pub(crate) struct Task {
    /// The verb, for messages.
    verb: &'static str,
    child: Child,
    input: ChildStdin,
}

impl Task {
    /// Starts `task` with its request. `verb` is what the person typed.
    pub(crate) fn start(
        verb: &'static str,
        task: &str,
        request: &impl Serialize,
    ) -> Result<Self, Failure> {
        need_root(verb)?;
        let mut child = command(&[task])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| not_run(verb, &error))?;
        let input = child.stdin.take();
        let input = input.ok_or_else(|| Failure::failed(format!("{verb}: no pipe to otpd")))?;
        let mut task = Self { verb, child, input };
        // A request may hold a passphrase.
        let request = serde_json::to_vec(request).map(Zeroizing::new);
        let request = request.map_err(|error| Failure::failed(format!("{verb}: {error}")))?;
        task.send(&request)?;
        Ok(task)
    }

    /// Sends one more frame. That the program ended early is told by [`Self::finish`].
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<(), Failure> {
        match write_frame(&mut self.input, frame) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::failed(format!("{}: cannot speak to otpd: {error}", self.verb)))
            }
            _ => Ok(()),
        }
    }

    /// Waits until the program has read what goes when the daemon ends: its credentials.
    pub(crate) fn ready(mut self) -> Result<Self, Failure> {
        let mut said = [0; READY.len()];
        let read = self.child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut said));
        if matches!(read, Some(Ok(()))) && said == READY {
            return Ok(self);
        }
        let unclear = unclear(self.verb);
        self.finish().and(Err(unclear))
    }

    /// What the program says before it goes on: a document in a frame.
    pub(crate) fn answer<T: DeserializeOwned>(mut self) -> Result<(Self, T), Failure> {
        let said = self.child.stdout.as_mut().map(|stdout| read_frame(stdout, ANSWER));
        if let Some(Ok(Some(said))) = said
            && let Ok(answer) = serde_json::from_slice(&said)
        {
            return Ok((self, answer));
        }
        let unclear = unclear(self.verb);
        self.finish().and(Err(unclear))
    }

    /// Its document, which is the first frame of what it answered, and the rest.
    pub(crate) fn told<'a, T: DeserializeOwned>(
        verb: &str,
        mut answer: &'a [u8],
    ) -> Result<(T, &'a [u8]), Failure> {
        let document = read_frame(&mut answer, ANSWER).ok().flatten();
        let document = document.and_then(|frame| serde_json::from_slice(&frame).ok());
        document.map(|document| (document, answer)).ok_or_else(|| unclear(verb))
    }

    /// What the program answered, when it has ended well.
    pub(crate) fn finish(self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Self { verb, child, input } = self;
        drop(input);
        let answer = child.wait_with_output();
        let mut answer = answer.map_err(|error| Failure::failed(format!("{verb}: {error}")))?;
        if !answer.status.success() {
            // Half an answer may be half a secret: only why it failed is told.
            answer.stdout.zeroize();
        }
        succeeded(verb, "Failed", answer).map(Zeroizing::new)
    }
}

fn unclear(verb: &str) -> Failure {
    Failure::failed(format!("{verb}: otpd does not answer as it should; is it of this version?"))
}

/// Refuses what only root can do, before anybody is asked for anything.
pub(crate) fn need_root(verb: &str) -> Result<(), Failure> {
    if geteuid().is_root() {
        return Ok(());
    }
    let message = format!("{verb}: only root may do this: it reads the store and its key");
    Err(Failure::new(Exit::Denied, "AccessDenied", message))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(daemon());
    command.args(arguments).env_clear();
    // Only root can read it, as only root can read all of the configuration.
    if Path::new(CREDENTIALS).is_dir() {
        command.env("CREDENTIALS_DIRECTORY", CREDENTIALS);
    }
    command
}

fn not_run(verb: &str, error: &std::io::Error) -> Failure {
    let daemon = daemon();
    Failure::failed(format!("{verb}: {}: {error}; is otpd installed?", daemon.display()))
}

fn succeeded(verb: &str, error: &'static str, answer: Output) -> Result<Vec<u8>, Failure> {
    if answer.status.success() {
        return Ok(answer.stdout);
    }
    let said = Zeroizing::new([answer.stdout, answer.stderr].concat());
    let said: Vec<_> = String::from_utf8_lossy(&said).lines().map(printable).collect();
    let message = if said.is_empty() {
        format!("{verb}: {}: {}", daemon().display(), answer.status)
    } else {
        said.join("\n")
    };
    Err(Failure::new(Exit::Failed, error, message))
}

/// The daemon beside this program, as after a build, or the installed one. Never by `PATH`.
fn daemon() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join("otpd")))
        .filter(|beside| beside.is_file())
        .unwrap_or_else(|| DAEMON.into())
}
