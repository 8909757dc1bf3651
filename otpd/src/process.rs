//! What the process gives up before it reads its first secret.

use std::{
    io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
};

use nix::{
    sys::{
        prctl,
        resource::{Resource, getrlimit, setrlimit},
        stat::{Mode, umask},
    },
    unistd::{Uid, User, getegid, geteuid, getgroups, setegid, seteuid, setgid, setgroups, setuid},
};

/// No core file, no ptrace by others, files for the owner only, as many descriptors as allowed.
///
/// # Errors
/// The kernel refuses one of them.
pub fn harden() -> nix::Result<()> {
    umask(Mode::from_bits_truncate(0o077));
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// A panic is a defect: it is logged without its values, and the process ends. What is in the
/// store is transactional, and a daemon that goes on after a panic is one whose state nobody knows.
pub fn end_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        if crate::contained::here() {
            log::error!("directory: a defect at {place}; what was asked there has failed");
            return;
        }
        log::error!("daemon: a defect at {place}; the daemon ends and is to be restarted");
        std::process::abort();
    }));
}

/// Binds the login socket for root alone, for a system without socket activation.
///
/// # Errors
/// The socket cannot be made; `AddrInUse` where another daemon serves it.
pub fn bind_login_socket(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        std::fs::create_dir_all(folder)?;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// The account that the daemon runs as.
///
/// # Errors
/// A message that says what to do where the account does not exist.
pub fn daemon_account(name: &str) -> Result<User, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(format!(
            "the account {name:?} does not exist; make it with systemd-sysusers or \
             `useradd --system {name}`, or name another one in [daemon] user"
        )),
        Err(error) => Err(format!("the account {name:?} cannot be looked up: {error}")),
    }
}

/// Makes the store's folder for `user` alone, where there is none.
///
/// # Errors
/// The folder cannot be made or given to the user.
pub fn make_folder(store: &Path, user: &User) -> io::Result<()> {
    let Some(folder) = store.parent().filter(|folder| !folder.exists()) else { return Ok(()) };
    std::fs::create_dir_all(folder)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    std::os::unix::fs::chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
}

/// Becomes `user` for good, where the process is root; every other process stays what it is.
///
/// # Errors
/// The kernel refuses it, or it did not last.
pub fn drop_privileges(user: &User) -> nix::Result<()> {
    if !geteuid().is_root() || user.uid.is_root() {
        return Ok(());
    }
    setgroups(&[user.gid])?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    if setuid(Uid::from_raw(0)).is_ok() {
        return Err(nix::errno::Errno::EPERM);
    }
    prctl::set_dumpable(false)
}

/// Does `work` as `user`, where the process is root, and is root again afterwards: for what must
/// not leave root's files behind, or follow where that user's files lead.
///
/// # Errors
/// The kernel refuses it; the process must not go on then.
pub fn as_user<R>(user: &User, work: impl FnOnce() -> R) -> nix::Result<R> {
    if !geteuid().is_root() || user.uid.is_root() {
        return Ok(work());
    }
    let (groups, group) = (getgroups()?, getegid());
    setgroups(&[user.gid])?;
    setegid(user.gid)?;
    seteuid(user.uid)?;
    let done = work();
    seteuid(Uid::from_raw(0))?;
    setegid(group)?;
    setgroups(&groups)?;
    prctl::set_dumpable(false)?;
    Ok(done)
}

/// The host's name, for the issuer of tokens where the configuration names none.
#[must_use]
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy();
    name.split('.').next().filter(|name| !name.is_empty()).unwrap_or("localhost").to_owned()
}
