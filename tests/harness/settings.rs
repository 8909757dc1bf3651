//! What the person who runs the tests chooses, and where the programs under test are.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// Whether a variable is set to something other than nothing and `0`.
fn chosen(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// `quick` rounds, or `full` ones where `E2E_SOAK` is set.
pub fn rounds(quick: usize, full: usize) -> usize {
    if chosen("E2E_SOAK") { full } else { quick }
}

/// Whether golden files are written instead of compared (`E2E_BLESS`).
pub fn bless() -> bool {
    chosen("E2E_BLESS")
}

/// Whether a test that cannot run fails (`CI`).
pub fn strict() -> bool {
    chosen("CI")
}

/// The place of the running test. In a private mount namespace below a chroot the kernel no longer
/// tells it, so [`crate::namespace`] asks before it enters one.
pub(crate) fn test() -> &'static Path {
    static TEST: LazyLock<PathBuf> = LazyLock::new(|| env::current_exe().unwrap());
    &TEST
}

/// The folder that Cargo builds into, from the place of the running test.
pub(crate) fn target() -> PathBuf {
    test().ancestors().nth(3).expect("target/PROFILE/deps/TEST").to_owned()
}

/// The program of this package that runs logins on libpam.
pub fn pam_host() -> PathBuf {
    test().ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("pam-host")
}

/// A file under test: from the folder `E2E_BIN`, else from `target/debug` (programs) and
/// `target/release` (the module, which is built alone).
pub fn under_test(name: &str) -> PathBuf {
    if let Some(folder) = env::var_os("E2E_BIN") {
        return PathBuf::from(folder).join(name);
    }
    match name {
        "pam_otp.so" => target().join("release/libpam_otp.so"),
        "pam_otp_panic.so" => target().join("test-panic/libpam_otp.so"),
        program => target().join("debug").join(program),
    }
}

/// The top folder of the sources.
pub fn sources() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The Debian packages under test: from the folder `E2E_DEBS`, else from
/// `target/test-deb`, where the suite `packages` leaves them.
pub fn packages() -> Vec<PathBuf> {
    let folder = env::var_os("E2E_DEBS").map_or_else(|| target().join("test-deb"), PathBuf::from);
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut packages: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "deb")).collect();
    packages.sort();
    assert!(!packages.is_empty(), "cannot run here: no packages in {}", folder.display());
    packages
}
