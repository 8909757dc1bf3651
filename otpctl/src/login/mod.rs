//! A login at a PAM service, tried as the service itself would try it: through libpam, with the
//! real stack, and with somebody who answers.
//!
//! `pam-client2` is libpam's safe side. It copies each reply for libpam, which wipes its copies; the
//! buffers in between are freed without being wiped, in a process that is neither dumped nor traced
//! and ends soon.

mod application;
mod conversation;
mod verdict;

use std::net::IpAddr;

use nix::unistd::{Uid, getuid, setresuid};
use pam_client2::Context;

pub(crate) use application::{Application, is_sshd};
pub(crate) use conversation::Said;
pub(crate) use verdict::{Answer, Verdict};

use crate::failure::Failure;
use conversation::Conversation;

/// Who logs in where, and from where.
pub(crate) struct Login<'a> {
    /// The PAM service.
    pub(crate) service: &'a str,
    pub(crate) user: &'a str,
    /// The client's address; without one the login comes from this machine.
    pub(crate) source: Option<IpAddr>,
    /// `PAM_TTY`, where it is not what the service itself says.
    pub(crate) tty: Option<&'a str>,
}

/// How a login went.
pub(crate) struct Outcome {
    /// What was asked and told, in turn.
    pub(crate) said: Vec<Said>,
    /// What `pam_authenticate` answered.
    pub(crate) authenticate: Answer,
    /// What `pam_acct_mgmt` answered; it is asked only where the first was a success.
    pub(crate) account: Option<Answer>,
}

impl Outcome {
    /// What it comes to: both must be a success.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.account {
            Some(account) if self.authenticate.verdict() == Verdict::Accepted => account.verdict(),
            _ => self.authenticate.verdict(),
        }
    }

    /// Whether the person was asked for anything.
    pub(crate) fn asked(&self) -> bool {
        self.said.iter().any(|said| matches!(said, Said::Asked { .. }))
    }
}

/// Logs in and opens no session. `show` is told each prompt and notice as it comes; replies come
/// from the terminal, or line by line from standard input. Interrupted by the person it is an error.
pub(crate) fn try_login(
    login: &Login<'_>,
    show: &mut dyn FnMut(&Said) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let application = Application::of(login.service);
    let conversation = Conversation::new(show);
    let started = Context::new(login.service, Some(login.user), conversation);
    let mut context = started.map_err(|error| cannot(login, "start", &error))?;
    let items = application.items(login);
    for (item, value) in [("PAM_RHOST", &items.rhost), ("PAM_RUSER", &items.ruser)] {
        let set = match item {
            "PAM_RHOST" => context.set_rhost(value.as_deref()),
            _ => context.set_ruser(value.as_deref()),
        };
        set.map_err(|error| cannot(login, item, &error))?;
    }
    context.set_tty(items.tty.as_deref()).map_err(|error| cannot(login, "PAM_TTY", &error))?;
    for entry in &items.environment {
        context.putenv(entry).map_err(|error| cannot(login, "the environment", &error))?;
    }
    let as_caller = RealUser::take(application.real_user(login))?;
    let authenticate = Answer::of(context.authenticate(application.flags()));
    let account = (authenticate.verdict() == Verdict::Accepted)
        .then(|| Answer::of(context.acct_mgmt(application.account_flags())));
    drop(as_caller);
    let (said, failure) = context.conversation_mut().finish();
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Outcome { said, authenticate, account }),
    }
}

fn cannot(login: &Login<'_>, what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::failed(format!("{}: libpam, {what}: {error}", login.service))
}

/// The real user id of a program like `su` or `sudo`, which modules such as `pam_rootok` look at;
/// the effective one stays root's. Taken back when this is dropped.
struct RealUser(bool);

impl RealUser {
    fn take(uid: Option<Uid>) -> Result<Self, Failure> {
        let Some(uid) = uid.filter(|_| getuid().is_root()) else { return Ok(Self(false)) };
        let root = Uid::from_raw(0);
        setresuid(uid, root, root)
            .map_err(|error| Failure::failed(format!("cannot act for user {uid}: {error}")))?;
        Ok(Self(true))
    }
}

impl Drop for RealUser {
    fn drop(&mut self) {
        let root = Uid::from_raw(0);
        if self.0 {
            let _ = setresuid(root, root, root);
        }
    }
}
