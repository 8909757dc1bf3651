//! The verbs of what the configuration sets, and of the audit record.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{page, plain_name};
use crate::import::Class;
use crate::time::When;

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// List the providers and how they do
    List,
    /// Send a test message and show what the gateway answers
    Test {
        /// The provider, as `provider list` names it; its second part alone where that is unique
        name: String,
        /// Where to: a telephone number (+49…) or a mail address
        #[arg(long, value_name = "DEST")]
        to: String,
    },
    Import(ProviderImport),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Directory {
    /// List the directories and how they do
    List,
    /// Connect to a directory, say what is wrong with it, and show what it knows of a user
    Test {
        /// The directory, as `directory list` names it
        name: String,
        /// A login name
        user: Option<String>,
    },
}

/// Translate a provider of LinOTP into our configuration
///
/// Takes LinOTP's JSON as it is and prints TOML for /etc/otpd/otpd.d. Passwords stay in it.
#[derive(Args, Debug)]
pub(crate) struct ProviderImport {
    /// The JSON file; - for standard input
    pub(crate) file: PathBuf,
    /// LinOTP's class of the provider; without it the keys tell
    #[arg(long)]
    pub(crate) class: Option<Class>,
    /// The provider's name in our configuration
    #[arg(long, default_value = "main", value_parser = plain_name)]
    pub(crate) name: String,
    /// Write to this new file, readable by its owner and the group otpd
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// List the policies in the order in which they are tried
    List,
    Explain(Explain),
}

/// Show which policy decides about a login, and why none before it does
///
/// Nothing is sent, asked or charged. A user whom nobody knows is explained as well: such a login
/// falls under a policy like any other.
#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// Who logs in
    pub(crate) user: String,
    /// The PAM service: sshd, sudo, login, …; otpctl for what users do themselves
    #[arg(long)]
    pub(crate) service: String,
    /// Where from: an address, or local, which it is by default
    #[arg(long, value_name = "IP")]
    pub(crate) source: Option<String>,
    /// The terminal: PAM_TTY, of sshd always ssh
    #[arg(long)]
    pub(crate) tty: Option<String>,
    /// When; by default now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<When>,
    /// The client: its identity, such as the fingerprint of an ssh key
    #[arg(long, value_name = "ID")]
    pub(crate) client: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check the configuration files without using them
    Check {
        /// The main file [default: /etc/otpd/otpd.toml]
        file: Option<PathBuf>,
        /// Connect to every directory as well, and compare its schema with the settings
        #[arg(long)]
        directories: bool,
    },
    /// Print the configuration as it counts, defaults included
    Show {
        /// The main file [default: /etc/otpd/otpd.toml]
        file: Option<PathBuf>,
    },
    /// Have the daemon read its configuration again
    Reload,
}

#[derive(Args, Debug)]
pub(crate) struct Audit {
    /// Of this user
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Not before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Go on and show new ones as they come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100, value_parser = page())]
    pub(crate) limit: u32,
}
