//! `otpctl login-test` on the command line.

use std::net::IpAddr;

use clap::Args;

use super::service_name;

/// Try a login through the real PAM stack, without logging in
///
/// Runs the stack of SERVICE through libpam as the service itself does (authentication, then the
/// account), and shows each prompt, each notice and the result. No session is opened. Replies are
/// typed at the terminal, or come from standard input, a line for each prompt.
///
/// It is a real login for whoever is asked: a code that was right is used up, and the next login
/// needs the next one; a wrong password or code is counted.
///
/// Run it as root: sshd, sudo, su and login are root when they ask. Root is then also told otpd's
/// reason, which the person at the prompt never sees. What sshd itself demands before and beside
/// PAM (keys, AllowUsers, PermitRootLogin) is not tried.
///
/// Exit status: 0 accepted, 3 refused, 4 otpd is unavailable, 1 anything else.
#[derive(Args, Debug)]
pub(crate) struct LoginTest {
    /// The PAM service: sshd, sudo, su, login, or another name in /etc/pam.d
    #[arg(value_parser = service_name)]
    pub(crate) service: String,
    /// Who logs in
    pub(crate) user: String,
    /// Where from; without it the login comes from this machine
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<IpAddr>,
    /// The terminal (PAM_TTY); without it what the service says itself
    #[arg(long)]
    pub(crate) tty: Option<String>,
}
