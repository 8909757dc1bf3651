//! Why a use case was not carried out; each is one error name on the bus.

use otp_core::{consume::Refusal, share};

use crate::{directory::DirectoryError, store::StoreError};

/// The error of a use case. The text is for the caller, who may be an ordinary user: it carries no
/// secret and nothing of other users.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument is malformed or out of range.
    #[error("{0}")]
    InvalidArgument(String),
    /// The caller may not do this.
    #[error("{0}")]
    AccessDenied(String),
    /// No such user.
    #[error("there is no user {0}")]
    UnknownUser(String),
    /// No such token.
    #[error("there is no such token")]
    UnknownToken,
    /// No such session for this connection.
    #[error("there is no such session")]
    UnknownSession,
    /// The user has nothing of the kind.
    #[error("{0}")]
    NoCredential(String),
    /// The secret has been shown to somebody, or was told at enrolment.
    #[error("{0}")]
    AlreadyShared(String),
    /// No such tenant.
    #[error("{0}")]
    UnknownTenant(String),
    /// The owner must prove a credential first.
    #[error("give a code of a token you have, or a recovery code")]
    ProofRequired,
    /// A code or a proof was not accepted.
    #[error("the code was not accepted")]
    Rejected,
    /// The token's state does not allow it.
    #[error("{0}")]
    WrongState(String),
    /// The policy forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// Too much at once.
    #[error("{0}")]
    Busy(String),
    /// The configuration has it switched off.
    #[error("{0}")]
    SwitchedOff(String),
    /// No such issued code.
    #[error("there is no such code")]
    UnknownCode,
    /// No such client.
    #[error("there is no such client")]
    UnknownClient,
    /// There are as many as there may be.
    #[error("{0}")]
    LimitReached(String),
    /// A part that is needed does not answer.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration on disk is invalid.
    #[error("{0}")]
    InvalidConfiguration(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<otp_core::error::Error> for Error {
    fn from(error: otp_core::error::Error) -> Self {
        match error {
            otp_core::error::Error::State(text) => Self::WrongState(text.to_owned()),
            other => Self::InvalidArgument(other.to_string()),
        }
    }
}

impl From<share::Refusal> for Error {
    fn from(refusal: share::Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            share::Refusal::NoCredential => Self::NoCredential(text),
            share::Refusal::AlreadyShared => Self::AlreadyShared(text),
            share::Refusal::NotShown => Self::WrongState(text),
        }
    }
}

/// The reason of a refused code stays in the audit record; whoever tried learns that it failed.
impl From<Refusal> for Error {
    fn from(_: Refusal) -> Self {
        Self::Rejected
    }
}
