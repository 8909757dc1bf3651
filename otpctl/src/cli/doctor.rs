//! `otpctl doctor` on the command line.

use clap::Args;

/// Find what lets somebody in without a code, or locks somebody out
///
/// Looks at the PAM stacks of all services, or of one; at sshd's settings, also
/// those in Match blocks; at otpd's configuration, units, socket, key, store and
/// bus policy; at what otpd says of itself and of its users; and at the clock.
/// Nothing is changed.
///
/// PAM stacks are read with all that they include, and run in thought as libpam
/// runs them: with a wrong code, without otpd, without the module, with a wrong
/// password, with everything right.
///
/// Each finding names the file and the line, why it matters and what to change:
///
///   BYPASS   somebody could get in without the code or without the password
///   LOCKOUT  somebody could be kept out who may come in
///   WARNING  something does not do what it seems to do
///   HINT     good to know; nothing has to be changed
///
/// What is well is named in a line that begins with `ok`, and what could not be
/// looked at in one that begins with `unseen`: run it as root to see all. What is
/// unseen changes no exit status.
///
/// Exit status: 0 nothing was found, or only warnings and hints; 8 somebody could
/// be locked out; 9 a login could be bypassed, whatever else was found; 1 doctor
/// could not look.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(crate) struct Doctor {
    /// Only this service, a file of /etc/pam.d, and what it needs
    pub(crate) service: Option<String>,
}
