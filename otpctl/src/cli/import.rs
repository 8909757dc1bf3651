//! `otpctl import`

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};
use otp_ipc::maintenance::import::FORMATS;

/// Take over tokens from other programs
///
/// Counters, the last codes used, clock skew, recovery codes and limits come along; no code that
/// was used elsewhere is accepted here. All files are taken in one step, or nothing is: whatever is
/// rejected is listed with its line. Doing it again changes nothing but what was used elsewhere
/// since. Each format is recognised unless it is named. A file called .google_authenticator is its
/// owner's; that of another name is --user's, or says itself whose its tokens are. In users.oath
/// --user picks one user's lines.
#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The files
    #[arg(value_name = "FILE", required_unless_present = "path_template")]
    pub(crate) files: Vec<PathBuf>,
    /// What the files are
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS))]
    pub(crate) format: Option<String>,
    /// Whose tokens they are
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// One file for each user: a path with ~, ${HOME} or ${USER}, such as ~/.google_authenticator
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "files", value_parser = template)]
    pub(crate) path_template: Option<String>,
    /// Of the users that this file names, one on a line; by default of all that getent(1) lists
    #[arg(long, value_name = "FILE", requires = "path_template")]
    #[arg(conflicts_with_all = ["files", "user"])]
    pub(crate) users: Option<PathBuf>,
    /// The method that the tokens get [default: totp or hotp]
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// A file with the password or pre-shared key that the keys are encrypted with
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// The time zone of times without one, such as Europe/Berlin [default: the system's]
    #[arg(long, value_name = "ZONE")]
    pub(crate) tz: Option<String>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take what is accepted even if something is rejected
    #[arg(long)]
    pub(crate) accepted: bool,
    /// Write what is rejected to this new file
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
}

/// Without one of them all users would have the same file.
fn template(text: &str) -> Result<String, &'static str> {
    let personal = text.starts_with("~/") || text.contains("${HOME}") || text.contains("${USER}");
    let absolute = ["/", "~/", "${HOME}/"].iter().any(|start| text.starts_with(start));
    match (personal, absolute) {
        (false, _) => Err("it names the same file for all users; put ~, ${HOME} or ${USER} in it"),
        (true, false) => Err("it must begin with /, ~/ or ${HOME}/"),
        (true, true) => Ok(text.to_owned()),
    }
}
