//! What can go wrong, and the exit status that tells it.

use std::fmt::Display;
use std::process::ExitCode;

/// The exit statuses that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Nobody reads the output any more; there is nothing to say and nothing failed.
    Closed = 0,
    Failed = 1,
    Usage = 2,
    Denied = 3,
    Unavailable = 4,
    NoCredential = 5,
    AlreadyShared = 6,
    /// Or an unknown tenant.
    UnknownUser = 7,
    /// Of `doctor`: somebody could be locked out.
    Lockout = 8,
    /// Of `doctor`: a login could be bypassed.
    Bypass = 9,
}

/// An error for the person who typed the command: what failed, why, what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// The `error` of the JSON document: the name on the bus without its prefix, or `Usage`,
    /// `Failed`, `Interrupted`, `Unavailable`.
    pub(crate) error: &'static str,
    pub(crate) message: String,
    /// The `lasterror` of the JSON document, of verbs that have one.
    pub(crate) code: Option<u32>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: &'static str, message: impl Into<String>) -> Self {
        Self { exit, error, message: message.into(), code: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "Usage", message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "Failed", message)
    }

    pub(crate) fn unknown_user(user: &str) -> Self {
        let message = format!("{user}: otpd knows no such user; see `otpctl user list`");
        Self::new(Exit::UnknownUser, "UnknownUser", message)
    }

    /// Writing to `place` failed.
    pub(crate) fn write(place: impl Display, error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Closed, "Failed", "");
        }
        Self::failed(format!("{place}: {error}"))
    }

    /// The same, with its `lasterror`.
    pub(crate) fn coded(self, code: u32) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The same, with one more thing that the person must know.
    pub(crate) fn and(mut self, more: impl Display) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
