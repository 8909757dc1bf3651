//! The names of errors, one for each kind. Wrong, locked and unknown are steps, not errors.

use crate::names::ERROR_PREFIX;

/// What went wrong; on the wire [`ERROR_PREFIX`] and the variant's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// An argument is malformed or out of range; the message says which and what is allowed.
    InvalidArgument,
    /// The caller may not do this.
    AccessDenied,
    /// No such user, neither in the store nor in a directory.
    UnknownUser,
    /// No such token.
    UnknownToken,
    /// No such session, or it belongs to another connection.
    UnknownSession,
    /// The user has no credential of the kind that the call needs.
    NoCredential,
    /// The credential has been shared, which it is once.
    AlreadyShared,
    /// No such client in the register; of sharing, no such tenant (`client` in the options).
    UnknownClient,
    /// The caller has a credential and must prove it (`proof` in the options).
    ProofRequired,
    /// The proof or the code was not accepted.
    Rejected,
    /// The token is in a state in which this cannot be done.
    WrongState,
    /// The policy forbids it.
    Forbidden,
    /// Too many calls in flight; try again.
    Busy,
    /// The feature is switched off in the configuration.
    SwitchedOff,
    /// No such issued code.
    UnknownCode,
    /// There are as many of it as there may be.
    LimitReached,
    /// The store, polkit or a directory does not answer.
    Unavailable,
    /// The configuration on disk is invalid; the last good one stays in force.
    InvalidConfiguration,
}

impl ErrorKind {
    const ALL: [(Self, &'static str); 18] = [
        (Self::InvalidArgument, "InvalidArgument"),
        (Self::AccessDenied, "AccessDenied"),
        (Self::UnknownUser, "UnknownUser"),
        (Self::UnknownToken, "UnknownToken"),
        (Self::UnknownSession, "UnknownSession"),
        (Self::NoCredential, "NoCredential"),
        (Self::AlreadyShared, "AlreadyShared"),
        (Self::UnknownClient, "UnknownClient"),
        (Self::ProofRequired, "ProofRequired"),
        (Self::Rejected, "Rejected"),
        (Self::WrongState, "WrongState"),
        (Self::Forbidden, "Forbidden"),
        (Self::Busy, "Busy"),
        (Self::SwitchedOff, "SwitchedOff"),
        (Self::UnknownCode, "UnknownCode"),
        (Self::LimitReached, "LimitReached"),
        (Self::Unavailable, "Unavailable"),
        (Self::InvalidConfiguration, "InvalidConfiguration"),
    ];

    /// The last part of the error's name.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("Unavailable", |(_, name)| name)
    }

    /// The whole name on the bus.
    #[must_use]
    pub fn name(self) -> String {
        format!("{ERROR_PREFIX}{}", self.short_name())
    }

    /// The kind that a name on the bus stands for.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let short = name.strip_prefix(ERROR_PREFIX)?;
        Self::ALL.iter().find(|(_, known)| *known == short).map(|(kind, _)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The names that an interface's description lists: `Errors are org.pamotp.Otpd1.Error.*: A, B.`
    fn described(xml: &str) -> BTreeSet<&str> {
        let (_, list) = xml.split_once(&format!("Errors are {ERROR_PREFIX}*:")).unwrap();
        let (list, _) = list.split_once('.').unwrap();
        list.split(',').map(str::trim).collect()
    }

    #[test]
    fn every_error_is_described_and_no_other() {
        let authentication =
            include_str!("../../../packaging/dbus/org.pamotp.Otpd1.Authentication.xml");
        let manager = include_str!("../../../packaging/dbus/org.pamotp.Otpd1.Manager.xml");
        let described: BTreeSet<_> = &described(authentication) | &described(manager);
        assert_eq!(described, ErrorKind::ALL.iter().map(|(_, name)| *name).collect());
    }

    #[test]
    fn a_name_stands_for_its_kind() {
        for (kind, name) in ErrorKind::ALL {
            assert_eq!(format!("{kind:?}"), name);
            assert_eq!(ErrorKind::from_name(&kind.name()), Some(kind));
        }
        assert_eq!(ErrorKind::from_name("Busy"), None);
    }
}
