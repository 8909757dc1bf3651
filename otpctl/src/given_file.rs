//! Files that the person names: read as a whole, never more than belongs there.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::tty;

/// The content of a regular file of at most `longest` bytes; `kind` is what it should be.
pub(crate) fn regular(
    path: &Path,
    longest: u64,
    kind: &str,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let shown = path.display();
    // Without O_NONBLOCK a FIFO would hang here until somebody writes to it.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
    let found = file.metadata().map_err(|error| Failure::failed(format!("{shown}: {error}")))?;
    if !found.is_file() {
        return Err(Failure::failed(format!("{shown}: it is not a regular file, and no {kind}")));
    }
    if found.len() > longest {
        let most = longest / (1024 * 1024);
        return Err(Failure::failed(format!(
            "{shown}: it has more than {most} MiB, too many for a {kind}"
        )));
    }
    read(file, path, longest, usize::try_from(found.len()).unwrap_or(0))
}

/// The content of any file of at most `longest` bytes, of a pipe as well; `-` is standard input.
pub(crate) fn any(path: &Path, longest: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if path == Path::new("-") {
        return read(std::io::stdin().lock(), path, longest, 0);
    }
    let file = File::open(path);
    let file = file.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    read(file, path, longest, 0)
}

/// The first line of any file, without its end; `-` is standard input.
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let line = if path == Path::new("-") {
        tty::next_line()?
    } else {
        let file = File::open(path);
        file.and_then(|mut file| tty::line(&mut file, None))
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?
    };
    line.ok_or_else(|| Failure::failed(format!("{}: it is empty", path.display())))
}

fn read(
    from: impl Read,
    path: &Path,
    longest: u64,
    expected: usize,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Room for all of it, so that growing leaves no copy behind.
    let room = if expected == 0 { usize::try_from(longest).unwrap_or(0) } else { expected };
    let mut bytes = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    let read = from.take(longest.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
    if bytes.len() as u64 > longest {
        return Err(Failure::failed(format!("{}: it is too long", path.display())));
    }
    Ok(bytes)
}
