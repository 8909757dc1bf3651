//! Scripts of root's that stand in for programs in tests.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A folder of root's, the way to it too, in which files may be executed.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/lib").unwrap()
}

/// Only root can make files of root's; who runs the tests otherwise goes without stand-ins.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Writes a script. Another process does the writing: what this one has open for writing, a
/// program that another test starts at this moment would have open too, and a file that is being
/// written cannot be executed.
pub(crate) fn script(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = folder.join(name);
    let mut writer = Command::new("/bin/sh")
        .args(["-c".as_ref(), "cat > \"$0\"".as_ref(), path.as_os_str()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(writer.wait().unwrap().success());
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}
