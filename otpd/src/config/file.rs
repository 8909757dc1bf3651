//! Which files are read, and which are trusted.

use std::{
    ffi::OsStr,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{fs::OFlags, process::geteuid};

use super::error::{ConfigError, Place, Source};

/// Largest file in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Reads `main` and, in the order of their names, the `*.toml` files of the folder beside it that
/// is called like it with `.d` in place of `.toml`. The main file may be missing where `optional`
/// says so; the folder may always be. Files and folders must belong to root (or to this process's
/// own user) and be writable by no one else; a symbolic link is judged by what it leads to.
pub(super) fn read_all(main: &Path, optional: bool) -> Result<Vec<Arc<Source>>, ConfigError> {
    let mut sources = Vec::new();
    let folder = match main.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !vet_folder(folder)? {
        return if optional { Ok(sources) } else { Err(missing(main)) };
    }
    match read(main, 0)? {
        Some(source) => sources.push(source),
        None if optional => {}
        None => return Err(missing(main)),
    }
    for path in drop_ins(&main.with_extension("d"))? {
        let rank = sources.len();
        sources.push(read(&path, rank)?.ok_or_else(|| missing(&path))?);
    }
    Ok(sources)
}

fn missing(path: &Path) -> ConfigError {
    ConfigError::of_file(path, "the file is missing".to_owned())
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    ConfigError::of_file(path, format!("cannot be read: {error}"))
}

/// The names are compared byte by byte; hidden files and other endings are left out.
fn drop_ins(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if !vet_folder(folder)? {
        return Ok(Vec::new());
    }
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        if is_drop_in(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether what is called so in the folder of drop-ins is read.
pub(super) fn is_drop_in(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
    path.extension() == Some(OsStr::new("toml")) && !hidden
}

/// Whether the folder exists; an error where it cannot be trusted.
fn vet_folder(folder: &Path) -> Result<bool, ConfigError> {
    match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => vet(folder, &metadata).map(|()| true),
        Ok(_) => Err(ConfigError::of_file(folder, "is not a folder".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_symlink() => Ok(false),
        Err(error) => Err(unreadable(folder, &error)),
    }
}

/// Who may write here decides who may log in.
pub(crate) fn vet(path: &Path, metadata: &Metadata) -> Result<(), ConfigError> {
    let owner = metadata.uid();
    if owner != 0 && owner != geteuid().as_raw() {
        let message =
            format!("belongs to user id {owner}: allowed is root (chown root {})", path.display());
        return Err(ConfigError::of_file(path, message));
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = metadata.mode() & 0o7777;
        let message = format!(
            "is writable by its group or by others (mode {mode:04o}): allowed is its owner alone (chmod go-w {})",
            path.display()
        );
        return Err(ConfigError::of_file(path, message));
    }
    Ok(())
}

/// For reading. A FIFO does not hold up the start; whoever opens sees to it that it is a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// `None` where there is no such file. Everything is judged on the opened file, so that it cannot
/// be another one by then; a link to nothing is an error and not a missing file.
fn read(path: &Path, rank: usize) -> Result<Option<Arc<Source>>, ConfigError> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(ConfigError::of_file(path, "is not a regular file".to_owned()));
    }
    vet(path, &metadata)?;
    let (text, mode) = (text(path, &file)?, metadata.mode() & 0o7777);
    Ok(Some(Arc::new(Source { path: path.to_owned(), text, mode, rank })))
}

fn text(path: &Path, file: &File) -> Result<String, ConfigError> {
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(ConfigError::of_file(
            path,
            format!("is larger than the {LARGEST} bytes that are allowed"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let text =
            String::from_utf8_lossy(error.as_bytes().get(..at).unwrap_or_default()).into_owned();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        let source = Arc::new(Source { path: path.to_owned(), text, mode: 0, rank: 0 });
        Place { source, span: at..at }
            .error(format!("byte 0x{byte:02x} is not UTF-8: allowed is text in UTF-8"))
    })
}
