//! Programs that send, or that tell a token: started without a shell, with nothing inherited.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs,
    os::unix::fs::MetadataExt,
    path::{Component, Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    fs::{Access, access},
    io::Errno,
    process::{Pid, Signal, kill_process_group},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    time::timeout,
};
use zeroize::Zeroizing;

use crate::Failure;

/// How much of each output is kept; what comes on top of it is read and dropped.
pub const OUTPUT: usize = 16 * 1024;
/// What starting, killing and reading may take on top of a program's time limit.
pub const GRACE: Duration = Duration::from_secs(1);
/// How long after the program's end its output is waited for, where a process that it left behind
/// still holds the other end.
const REST: Duration = Duration::from_millis(250);
/// The longest time that a program may be given.
const LONGEST: Duration = Duration::from_secs(60);
/// How many symbolic links a path may lead through, as in the kernel.
const LINKS: usize = 40;

/// One start of a program.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Its file, as [`check`] wants it.
    pub path: &'a Path,
    /// What follows the path in its argv. Everybody on the machine can read it.
    pub arguments: &'a [&'a OsStr],
    /// Its whole environment.
    pub environment: &'a [(&'a str, &'a OsStr)],
    /// Its working folder.
    pub folder: &'a Path,
    /// When it is killed, together with its process group.
    pub limit: Duration,
}

/// What a program left.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// The first [`OUTPUT`] bytes of its standard output.
    pub stdout: Zeroizing<Vec<u8>>,
    /// The first [`OUTPUT`] bytes of its standard error.
    pub stderr: Zeroizing<Vec<u8>>,
}

/// Why there is no output. The texts are for the administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It was not started: nothing happened.
    #[error("{0}")]
    NotStarted(String),
    /// It was started, and killed before it ended: nobody knows what it did.
    #[error("{0}")]
    Killed(String),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotStarted(text) => Self::Unavailable(text),
            Fault::Killed(text) => Self::Unknown(text),
        }
    }
}

impl Program<'_> {
    /// Runs the program in a process group of its own, gives it `stdin` and waits for its end. A
    /// program that does not read `stdin` is no error. It inherits no descriptor that this process
    /// has opened: all of them are close-on-exec. At the limit, and when the future is
    /// dropped, the whole group is killed; what the program leaves running after it has ended by
    /// itself (a mail system's delivery, for example) is left alone.
    ///
    /// # Errors
    /// [`Fault::NotStarted`] where [`check`] or the kernel refuses the file, [`Fault::Killed`] at
    /// the limit.
    pub async fn run(&self, stdin: &[u8]) -> Result<Output, Fault> {
        check(self.path).map_err(Fault::NotStarted)?;
        let mut group = Group(self.start()?);
        timeout(self.limit, group.finish(stdin))
            .await
            .unwrap_or_else(|_| Err(format!("had not ended after {} ms", self.limit.as_millis())))
            .map_err(|reason| {
                Fault::Killed(format!("{} {reason} and was killed", self.path.display()))
            })
    }

    fn start(&self) -> Result<Child, Fault> {
        let mut command = Command::new(self.path);
        command.args(self.arguments).env_clear().envs(self.environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.current_dir(self.folder).process_group(0).kill_on_drop(true);
        let path = self.path.display();
        if !self.folder.is_dir() {
            let folder = self.folder.display();
            return Err(Fault::NotStarted(format!(
                "{path}: there is no folder {folder} to run in"
            )));
        }
        command.spawn().map_err(|error| {
            let why = match Errno::from_io_error(&error) {
                Some(Errno::NOENT) => "the interpreter that its first line names does not exist",
                Some(Errno::NOEXEC) => "it is neither a program nor a script that starts with #!",
                Some(Errno::ACCESS) => {
                    "its file system (noexec), its interpreter or a security policy forbids it"
                }
                _ => "the system refuses it",
            };
            Fault::NotStarted(format!("cannot start {path}: {error}: {why}"))
        })
    }
}

/// A running program; what is left of its group when this is dropped dies, unless the program has
/// ended by itself.
struct Group(Child);

impl Group {
    async fn finish(&mut self, input: &[u8]) -> Result<Output, String> {
        let (stdin, stdout, stderr) =
            (self.0.stdin.take(), self.0.stdout.take(), self.0.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A program that reads less than it is given says what it thinks by its status.
                let _ = stdin.write_all(input).await;
            }
        };
        let (mut out, mut err) = (buffer(), buffer());
        let pipes = async { tokio::join!(feed, keep(stdout, &mut out), keep(stderr, &mut err)) };
        let ended = self.0.wait();
        let status = {
            tokio::pin!(pipes);
            tokio::pin!(ended);
            let status = tokio::select! {
                status = &mut ended => {
                    let _ = timeout(REST, pipes).await;
                    status
                }
                _ = &mut pipes => ended.await,
            };
            status.map_err(|error| format!("cannot be waited for ({error})"))?
        };
        Ok(Output { status, stdout: out, stderr: err })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // There is an id only as long as nobody has collected the program: it cannot be another's.
        let id = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

fn buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(OUTPUT))
}

/// Reads to the end and keeps the first [`OUTPUT`] bytes.
async fn keep(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = Zeroizing::new([0; 4096]);
    while let Ok(count @ 1..) = pipe.read(chunk.as_mut_slice()).await {
        let room = OUTPUT.saturating_sub(kept.len());
        kept.extend_from_slice(chunk.get(..count.min(room)).unwrap_or_default());
    }
}

/// Whether a file may be run: an absolute path to a regular file that this process may execute.
/// The file, every folder on the way and the way of every symbolic link belong to root and can be
/// written by nobody else, so that what is started is what root has put there.
///
/// # Errors
/// A text that names the path, what is wrong and what to do.
pub fn check(path: &Path) -> Result<(), String> {
    let wrong = |what: String| format!("{}: {what}", path.display());
    if !path.is_absolute() {
        return Err(wrong("the path of a program starts with /".to_owned()));
    }
    let file = resolve(path).map_err(wrong)?;
    let metadata = fs::symlink_metadata(&file).map_err(|error| wrong(error.to_string()))?;
    if !metadata.is_file() {
        return Err(wrong("it is not a file".to_owned()));
    }
    access(&file, Access::EXEC_OK).map_err(|_| {
        wrong("it cannot be executed by the account that this runs as; chmod a+x".to_owned())
    })
}

/// Whether a program may be given so long before it is killed.
///
/// # Errors
/// A text that says what is allowed.
pub fn check_limit(limit: Duration) -> Result<(), String> {
    if (Duration::from_secs(1)..=LONGEST).contains(&limit) {
        Ok(())
    } else {
        Err(format!(
            "timeout = {} ms: allowed are 1 s to {} s",
            limit.as_millis(),
            LONGEST.as_secs()
        ))
    }
}

/// Follows a path link by link; each step belongs to root alone.
fn resolve(path: &Path) -> Result<PathBuf, String> {
    let mut ahead: VecDeque<OsString> = names(path).collect();
    let (mut place, mut links) = (PathBuf::from("/"), 0);
    trust(&place)?;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            place.pop();
            continue;
        }
        place.push(name);
        if !trust(&place)? {
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err("too many symbolic links".to_owned());
        }
        let target = fs::read_link(&place).map_err(|error| error.to_string())?;
        place.pop();
        if target.is_absolute() {
            place = PathBuf::from("/");
        }
        for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
            ahead.push_front(name);
        }
    }
    Ok(place)
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

/// Whether one step of a path is a symbolic link; the step belongs to root, and nobody else can
/// change it.
fn trust(step: &Path) -> Result<bool, String> {
    let name = step.display();
    let metadata = fs::symlink_metadata(step).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{name} does not exist"),
        _ => format!("{name}: {error}"),
    })?;
    if metadata.uid() != 0 {
        return Err(format!("{name} does not belong to root; chown root"));
    }
    // A link's own mode says nothing.
    if !metadata.is_symlink() && metadata.mode() & 0o022 != 0 {
        return Err(format!("{name} can be written by others than root; chmod go-w"));
    }
    Ok(metadata.is_symlink())
}

#[cfg(test)]
mod tests;
