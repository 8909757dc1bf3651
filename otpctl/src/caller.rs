//! Who became root and runs this program.

use std::fs;

use nix::unistd::{Uid, User, getuid};

/// The login name of the person: whoever called sudo, else whoever logged in. `None` where that is
/// root, or nobody knows. It is only ever a default for a name that can be given.
pub(crate) fn person() -> Option<String> {
    let named = |uid| User::from_uid(uid).ok().flatten().map(|user| user.name);
    if !getuid().is_root() {
        return named(getuid());
    }
    sudo_user().or_else(login_user).filter(|uid| !uid.is_root()).and_then(named)
}

/// sudo sets it for root alone, whatever the caller's own environment has.
#[expect(clippy::disallowed_methods, reason = "sudo tells in no other way who called it")]
fn sudo_user() -> Option<Uid> {
    let uid = std::env::var("SUDO_UID").ok()?;
    uid.parse().ok().map(Uid::from_raw)
}

/// The kernel's note of who logged in, which `su` and `sudo` leave as it is.
fn login_user() -> Option<Uid> {
    /// Nobody did: a daemon, or a machine without pam_loginuid.
    const UNSET: u32 = u32::MAX;
    let uid = fs::read_to_string("/proc/self/loginuid").ok()?;
    uid.trim().parse().ok().filter(|uid| *uid != UNSET).map(Uid::from_raw)
}
