//! How a login ended, and what PAM is told of it.

use pam::constants::PamResultCode;

/// How a login ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The daemon has said that the login gave what the policy asks for.
    Granted,
    /// It did not, whatever the reason.
    Denied,
    /// The daemon has said that the policy asks nothing of this login.
    NotRequired,
    /// Nobody could decide: the bus, the daemon, its store or the deadline. Says what, where and
    /// what to do, for the administrator.
    Unavailable(String),
    /// There is no conversation with the person, or it failed.
    Conversation,
    /// The module's options are wrong. Says which, for the administrator.
    Misconfigured(String),
}

impl Outcome {
    /// The code for libpam. Only [`Outcome::NotRequired`] becomes `PAM_IGNORE`: behind modules that
    /// succeeded, an ignored module is a granted login.
    pub(crate) fn code(&self) -> PamResultCode {
        match self {
            Self::Granted => PamResultCode::PAM_SUCCESS,
            Self::Denied => PamResultCode::PAM_AUTH_ERR,
            Self::NotRequired => PamResultCode::PAM_IGNORE,
            Self::Unavailable(_) => PamResultCode::PAM_AUTHINFO_UNAVAIL,
            Self::Conversation => PamResultCode::PAM_CONV_ERR,
            Self::Misconfigured(_) => PamResultCode::PAM_SERVICE_ERR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_code() {
        let table = [
            (Outcome::Granted, 0),
            (Outcome::Denied, 7),
            (Outcome::NotRequired, 25),
            (Outcome::Unavailable(String::new()), 9),
            (Outcome::Conversation, 19),
            (Outcome::Misconfigured(String::new()), 3),
        ];
        for (outcome, code) in table {
            assert_eq!(outcome.code() as i32, code, "{outcome:?}");
        }
    }
}
