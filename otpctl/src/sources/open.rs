//! Opening and reading one file.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path};

use rustix::fs::{CWD, Mode, OFlags, open, openat};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// The bytes of a regular file that is not empty and not longer than `longest`; a symbolic link is
/// not followed.
///
/// # Errors
/// What it is instead.
pub(crate) fn read(path: &Path, longest: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    bytes(file(path)?, longest)
}

/// The regular file at `path`, no symbolic link. Nothing that blocks or acts when it is opened does.
pub(super) fn file(path: &Path) -> Result<File, String> {
    regular(last(CWD, path.as_os_str()).map_err(why)?)
}

/// The regular file at `rest` within the folder `home`; no link is followed on the way. `None`
/// where there is none.
pub(super) fn beneath(home: &Path, rest: &Path) -> Result<Option<File>, String> {
    let walked = || -> Result<OwnedFd, Errno> {
        let way = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut folder = open(home, way, Mode::empty())?;
        let mut parts = rest.components().filter(|part| *part != Component::CurDir).peekable();
        while let Some(part) = parts.next() {
            let Component::Normal(name) = part else { return Err(Errno::INVAL) };
            if parts.peek().is_none() {
                return last(folder.as_fd(), name);
            }
            folder = openat(&folder, name, way | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Err(Errno::ISDIR)
    };
    match walked() {
        Ok(file) => regular(file).map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::NOTDIR) => Err("on the way to it is a symbolic link, or a file".into()),
        Err(error) => Err(why(error)),
    }
}

fn last(folder: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::empty())
}

fn why(error: Errno) -> String {
    match error {
        Errno::LOOP => "it is a symbolic link; name the file itself".into(),
        Errno::NXIO => NOT_REGULAR.replace("{}", "a socket or a device"),
        other => io::Error::from(other).to_string(),
    }
}

const NOT_REGULAR: &str = "it is {}, not a regular file";

fn regular(file: OwnedFd) -> Result<File, String> {
    let file = File::from(file);
    let kind = metadata(&file)?.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(file),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a FIFO",
        _ => "a device",
    };
    Err(NOT_REGULAR.replace("{}", what))
}

fn metadata(file: &File) -> Result<Metadata, String> {
    file.metadata().map_err(|error| error.to_string())
}

/// All of a file, which may grow meanwhile.
pub(super) fn bytes(file: File, longest: u64) -> Result<Zeroizing<Vec<u8>>, String> {
    let length = metadata(&file)?.len();
    let too_long = |length| format!("it is {length} bytes long, {longest} are the most");
    if length > longest {
        return Err(too_long(length));
    }
    // Room for all, so that growing leaves no copy behind, and for one byte that shows growth.
    let room = usize::try_from(longest.min(length + 4096)).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room.saturating_add(1)));
    let read = file.take(longest + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    match bytes.len() as u64 {
        0 => Err("it is empty".into()),
        length if length > longest => Err(too_long(length)),
        _ => Ok(bytes),
    }
}

/// The user id that owns the file.
pub(super) fn owner(file: &File) -> Result<u32, String> {
    Ok(metadata(file)?.uid())
}

/// The user id that owns the folder that `path` is in.
pub(super) fn owner_of_folder(path: &Path) -> Result<u32, String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let metadata = std::fs::metadata(folder.unwrap_or(Path::new(".")));
    Ok(metadata.map_err(|error| error.to_string())?.uid())
}

/// Whether root's file is there under one name only: others could link to it where hard links are
/// not protected.
pub(super) fn single(file: &File) -> Result<bool, String> {
    Ok(metadata(file)?.nlink() == 1)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    const LONGEST: u64 = 64;

    fn refusal(path: &Path) -> String {
        read(path, LONGEST).map(|bytes| bytes.len()).unwrap_err()
    }

    #[test]
    fn only_a_regular_file_of_some_bytes_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("good"), b"x").unwrap();
        fs::write(path("full"), [b'x'; LONGEST as usize]).unwrap();
        for (name, length) in [("good", 1), ("full", LONGEST as usize)] {
            assert_eq!(read(&path(name), LONGEST).unwrap().len(), length);
        }
        fs::write(path("empty"), b"").unwrap();
        fs::write(path("long"), [b'x'; LONGEST as usize + 1]).unwrap();
        File::create(path("huge")).unwrap().set_len(1 << 30).unwrap();
        fs::create_dir(path("folder")).unwrap();
        symlink("good", path("link")).unwrap();
        nix::unistd::mkfifo(&path("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        for (name, why) in [
            ("missing", "No such file or directory (os error 2)"),
            ("empty", "it is empty"),
            ("long", "it is 65 bytes long, 64 are the most"),
            ("huge", "it is 1073741824 bytes long, 64 are the most"),
            ("folder", "it is a directory, not a regular file"),
            ("link", "it is a symbolic link; name the file itself"),
            ("fifo", "it is a FIFO, not a regular file"),
            ("socket", "it is a socket or a device, not a regular file"),
        ] {
            assert_eq!(refusal(&path(name)), why, "{name}");
        }
        assert_eq!(refusal(Path::new("/dev/zero")), "it is a device, not a regular file");
    }

    #[test]
    fn no_link_leads_out_of_a_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::write(home.join("a/b/secret"), b"x").unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        fs::write(folder.path().join("elsewhere/secret"), b"y").unwrap();
        symlink(folder.path().join("elsewhere"), home.join("out")).unwrap();
        symlink("a", home.join("in")).unwrap();
        symlink("secret", home.join("a/b/link")).unwrap();
        let found = |rest: &str| beneath(&home, Path::new(rest)).map(|file| file.is_some());
        assert_eq!(found("a/b/secret"), Ok(true));
        assert_eq!(found("./a/./b/secret"), Ok(true));
        assert_eq!(found("a/b/none"), Ok(false));
        assert_eq!(found("none/b/secret"), Ok(false));
        for rest in ["out/secret", "in/b/secret", "a/b/link", "../home/a/b/secret", "a", ""] {
            assert!(found(rest).is_err(), "{rest}: {:?}", found(rest));
        }
        // A home may be a link: it is root who says where homes are.
        symlink(&home, folder.path().join("moved")).unwrap();
        let moved = folder.path().join("moved");
        assert!(beneath(&moved, Path::new("a/b/secret")).unwrap().is_some());
    }
}
