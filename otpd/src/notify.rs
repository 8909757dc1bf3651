//! What the daemon and the service manager tell each other: readiness, reload, stop, watchdog and
//! the login socket. Without a service manager each message is a no-op.

use std::{io, os::unix::net::UnixListener, time::Duration};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;

use crate::journal::printable;

/// Start-up, or a reload, is done; `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&printable(status))]);
}

/// The configuration is being read again; to be followed by [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the time of the reload is not known: {error}"),
    }
}

/// The daemon finishes the logins that it has and ends.
pub fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// The daemon is alive; to be sent every [`watchdog_interval`].
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    send(&[NotifyState::Status(&printable(text))]);
}

/// How often to send [`alive`]: half of what the service manager allows. `None`: it does not ask.
#[must_use]
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

/// The login socket, where the service manager passed one (`LISTEN_FDS`, `LISTEN_PID`). Call it
/// before any other thread runs, once: it takes the two variables out of the environment.
///
/// # Errors
/// Something else than one listening Unix stream socket was passed.
pub fn login_listener() -> io::Result<Option<UnixListener>> {
    let mut passed = ListenFd::from_env();
    if passed.len() > 1 {
        return Err(invalid(format!("{} sockets were passed", passed.len())));
    }
    let Some(listener) =
        passed.take_unix_listener(0).map_err(|error| invalid(error.to_string()))?
    else {
        return Ok(None);
    };
    if !socket_acceptconn(&listener)? {
        return Err(invalid("it does not listen".to_owned()));
    }
    Ok(Some(listener))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "socket activation: {what}; otpd takes one listening Unix stream socket, as otpd.socket passes it"
        ),
    )
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn!(
            "the service manager cannot be told ({error}); check NOTIFY_SOCKET and NotifyAccess="
        );
    }
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
