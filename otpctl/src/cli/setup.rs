//! `otpctl setup` on the command line.

use clap::Args;

use super::service_name;
use crate::setup::First;

const AFTER: &str = "\
Examples:
  otpctl setup sshd --dry-run          what would be changed
  otpctl setup sshd                    password, then code
  otpctl setup sshd --first key        key, then code
  otpctl setup sudo --user alice       alice tries it before it is kept
  otpctl setup all                     whatever asks for a password
  otpctl setup --keep                  within five minutes
  otpctl setup                         what is set up, and what is pending
  otpctl setup --remove sshd           back to what was there before

What setup writes into a file of /etc/pam.d ends in `# otpctl setup`, and a line
that it takes out of use begins with it. /var/lib/otpctl has the files as they
were and a record; it holds nothing secret.

If all else fails, at the console as root: `otpctl setup --undo`, or put a `#`
in front of the pam_otp.so lines in /etc/pam.d, remove
/etc/ssh/sshd_config.d/00-otpd.conf and have sshd read its settings again.";

/// Ask for codes at a service, with a way back
///
/// SERVICE is sshd, sudo, su, login or any other file of /etc/pam.d; `sudo -i` goes with sudo and
/// `su -` with su. `all` is every service that
/// asks for the password in the way of the distribution: through pam-auth-update on Debian
/// (profile otp), through authselect elsewhere (feature with-otp).
///
/// Keep a root shell open, and enrol first: `otpctl token add USER`, `otpctl recovery new USER`.
///
/// setup shows what it is going to change and asks. Then it sets an alarm, changes the files, has
/// sshd check its settings, and tries one login of yours, with password and code. If that fails,
/// everything is as it was. If it succeeds, log in from a second terminal and run `otpctl setup
/// --keep` within five minutes: otherwise everything is undone, by a timer of systemd that goes on
/// after a reboot, or by a process where systemd does not run. One setup is pending at a time.
///
/// In the service's file, the line `auth required pam_otp.so` comes below the one that asks for the
/// password. The stack is then thought through as libpam runs it: nobody may get past without the
/// code, nobody may be locked out, and a wrong password must end the login before a code is asked
/// for. Where the distribution's line does not end it (`substack password-auth`), the lines that it
/// includes are copied in a form that does. Where none of that is possible, setup says why and
/// changes nothing.
///
/// For sshd it also writes /etc/ssh/sshd_config.d/00-otpd.conf (UsePAM yes,
/// KbdInteractiveAuthentication yes, PasswordAuthentication no, AuthenticationMethods), and looks
/// whether sshd takes the values. A key alone then lets nobody in any more, and programs that log
/// in with a key alone stop working: rsync, ansible, backups. Root cannot log in by ssh unless
/// PermitRootLogin is `yes`: with any other value sshd takes no keyboard-interactive from root.
///
/// Undoing restores the files byte for byte, with owner and mode. If somebody has edited one
/// meanwhile, only setup's own lines are taken out of it, and setup says so.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
pub(crate) struct Setup {
    /// The service; without it, what is set up and what is pending
    #[arg(value_parser = service_name)]
    pub(crate) service: Option<String>,
    /// What sshd asks for before the code; `key` takes the password out of its stack
    #[arg(long, requires = "service", value_name = "password|key")]
    pub(crate) first: Option<First>,
    /// Let in who has no token, where the policy says `unenrolled = "ignore"` as well
    #[arg(long, requires = "service")]
    pub(crate) nullok: bool,
    /// Who tries it; by default who called sudo, else who logged in
    #[arg(long, requires = "service", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Try no login
    #[arg(long, requires = "service", conflicts_with = "remove")]
    pub(crate) no_try: bool,
    /// Show what would be changed, and change nothing
    #[arg(long, requires = "service", conflicts_with = "remove")]
    pub(crate) dry_run: bool,
    /// Do not ask, also not whether root may be locked out of ssh
    #[arg(long)]
    pub(crate) yes: bool,
    /// Keep what is pending
    #[arg(long, conflicts_with_all = ["service", "undo", "remove"])]
    pub(crate) keep: bool,
    /// Undo what is pending
    #[arg(long, conflicts_with_all = ["service", "remove"])]
    pub(crate) undo: bool,
    /// Take a setup out again, kept or pending; without SERVICE every one
    #[arg(long, conflicts_with_all = ["first", "nullok", "user"])]
    pub(crate) remove: bool,
    /// With --remove: every other line of /etc/pam.d that names pam_otp.so as well
    #[arg(long, requires = "remove", conflicts_with = "service")]
    pub(crate) every_line: bool,
    /// The process that undoes a setup
    #[arg(long, hide = true, requires = "id", conflicts_with_all = ["service", "keep", "undo", "remove"])]
    pub(crate) undo_after: Option<u64>,
    /// Which setup that is
    #[arg(long, hide = true, requires = "undo_after")]
    pub(crate) id: Option<String>,
}
