//! libpam's answers in words.

use pam_client2::{Error, ErrorCode};

use crate::failure::Exit;

/// What a login comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Refused,
    /// otpd, or another source of the stack, does not answer.
    Unavailable,
    /// The stack or the conversation is broken, or the login goes on with something else.
    Failed,
}

impl Verdict {
    /// The word in documents.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::Failed => "failed",
        }
    }

    /// The exit status that tells it; `None` of a success.
    pub(crate) fn exit(self) -> Option<Exit> {
        match self {
            Self::Accepted => None,
            Self::Refused => Some(Exit::Denied),
            Self::Unavailable => Some(Exit::Unavailable),
            Self::Failed => Some(Exit::Failed),
        }
    }
}

/// What a function of libpam returned; `None` is `PAM_SUCCESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer(Option<ErrorCode>);

impl Answer {
    pub(super) fn of(result: Result<(), Error>) -> Self {
        Self(result.err().map(|error| error.code()))
    }

    /// The name in `security/_pam_types.h`.
    pub(crate) fn name(self) -> String {
        self.0.map_or_else(|| "PAM_SUCCESS".to_owned(), |code| format!("PAM_{code:?}"))
    }

    /// Whether the login goes on.
    pub(crate) fn verdict(self) -> Verdict {
        use ErrorCode as E;
        match self.0 {
            None => Verdict::Accepted,
            Some(
                E::AUTH_ERR
                | E::PERM_DENIED
                | E::CRED_INSUFFICIENT
                | E::USER_UNKNOWN
                | E::MAXTRIES
                | E::ACCT_EXPIRED
                | E::CRED_EXPIRED
                | E::AUTHTOK_EXPIRED,
            ) => Verdict::Refused,
            Some(E::AUTHINFO_UNAVAIL | E::CRED_UNAVAIL) => Verdict::Unavailable,
            Some(_) => Verdict::Failed,
        }
    }

    /// What it means, for the person who tries.
    pub(crate) fn words(self) -> &'static str {
        use ErrorCode as E;
        match self.0 {
            None => "accepted",
            Some(E::AUTH_ERR) => "refused",
            Some(E::PERM_DENIED) => "refused: a module forbids it, or none decides",
            Some(E::CRED_INSUFFICIENT) => "refused: the program may not look the user up",
            Some(E::USER_UNKNOWN) => "refused: no such user",
            Some(E::MAXTRIES) => "refused: too many tries",
            Some(E::ACCT_EXPIRED) => "refused: the account has expired",
            Some(E::CRED_EXPIRED | E::AUTHTOK_EXPIRED) => "refused: the password has expired",
            Some(E::AUTHINFO_UNAVAIL | E::CRED_UNAVAIL) => {
                "unavailable: otpd, or another source of the stack"
            }
            Some(E::NEW_AUTHTOK_REQD) => "not yet: the password has to be changed first",
            Some(E::CONV_ERR) => "broken off: a question was not answered",
            Some(E::OPEN_ERR | E::SYMBOL_ERR | E::MODULE_UNKNOWN) => {
                "failed: a module of the stack cannot be loaded"
            }
            Some(E::SERVICE_ERR) => "failed: an option of a module is wrong; see the log",
            Some(E::SYSTEM_ERR | E::BUF_ERR | E::ABORT) => "failed: see the log",
            Some(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_its_name_and_its_exit_status() {
        use ErrorCode as E;
        for (code, name, exit) in [
            (None, "PAM_SUCCESS", None),
            (Some(E::AUTH_ERR), "PAM_AUTH_ERR", Some(Exit::Denied)),
            (Some(E::ACCT_EXPIRED), "PAM_ACCT_EXPIRED", Some(Exit::Denied)),
            (Some(E::PERM_DENIED), "PAM_PERM_DENIED", Some(Exit::Denied)),
            (Some(E::AUTHINFO_UNAVAIL), "PAM_AUTHINFO_UNAVAIL", Some(Exit::Unavailable)),
            (Some(E::NEW_AUTHTOK_REQD), "PAM_NEW_AUTHTOK_REQD", Some(Exit::Failed)),
            (Some(E::CONV_ERR), "PAM_CONV_ERR", Some(Exit::Failed)),
            (Some(E::MODULE_UNKNOWN), "PAM_MODULE_UNKNOWN", Some(Exit::Failed)),
        ] {
            let answer = Answer(code);
            assert_eq!(answer.name(), name);
            assert_eq!(answer.verdict().exit(), exit, "{name}");
        }
    }
}
