//! Engine errors under their names on the bus.

use otp_ipc::ErrorKind;
use zbus::{DBusError, Message, message::Header, names::ErrorName};

use crate::engine;

/// An engine's error as a D-Bus error: its name from the contract, its text as the message.
#[derive(Debug)]
pub(super) struct Error {
    name: String,
    text: String,
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { name: kind.name(), text: text.into() }
    }

    /// Whether it is of that kind.
    pub(super) fn is(&self, kind: ErrorKind) -> bool {
        self.name == kind.name()
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        use engine::Error as E;
        let kind = match &error {
            E::InvalidArgument(_) => ErrorKind::InvalidArgument,
            E::AccessDenied(_) => ErrorKind::AccessDenied,
            E::UnknownUser(_) => ErrorKind::UnknownUser,
            E::UnknownToken => ErrorKind::UnknownToken,
            E::UnknownSession => ErrorKind::UnknownSession,
            E::NoCredential(_) => ErrorKind::NoCredential,
            E::AlreadyShared(_) => ErrorKind::AlreadyShared,
            E::ProofRequired => ErrorKind::ProofRequired,
            E::Rejected => ErrorKind::Rejected,
            E::WrongState(_) => ErrorKind::WrongState,
            E::Forbidden(_) => ErrorKind::Forbidden,
            E::Busy(_) => ErrorKind::Busy,
            E::SwitchedOff(_) => ErrorKind::SwitchedOff,
            E::UnknownCode => ErrorKind::UnknownCode,
            E::UnknownClient | E::UnknownTenant(_) => ErrorKind::UnknownClient,
            E::LimitReached(_) => ErrorKind::LimitReached,
            E::Unavailable(_) => ErrorKind::Unavailable,
            E::InvalidConfiguration(_) => ErrorKind::InvalidConfiguration,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<zbus::Error> for Error {
    fn from(error: zbus::Error) -> Self {
        Self::new(ErrorKind::Unavailable, error.to_string())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl DBusError for Error {
    fn create_reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        Message::error(call, self.name()).build(&self.text)
    }

    fn name(&self) -> ErrorName<'_> {
        ErrorName::from_str_unchecked(&self.name)
    }

    fn description(&self) -> Option<&str> {
        Some(&self.text)
    }
}
