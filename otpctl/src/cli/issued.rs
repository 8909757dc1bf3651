//! The verbs of issued codes and of clients.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::page;
use crate::time::Span;

#[derive(Debug, Subcommand)]
pub(crate) enum Code {
    Issue(CodeIssue),
    /// List issued codes, those of the last day too
    List {
        /// Of this user
        user: Option<String>,
    },
    /// Take a code away at once
    Revoke {
        /// The code's ID
        id: String,
    },
}

/// Issue a code, good in place of the password or as the second factor
///
/// An earlier code of the user's that is still good ends. The code is shown on the terminal, or
/// written to the file that is named here, or sent to the user and not shown.
#[derive(Args, Debug)]
pub(crate) struct CodeIssue {
    /// To whom
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) terms: Terms,
    /// Write the code to this new file, as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "send")]
    pub(crate) output: Option<PathBuf>,
}

/// What a code is good for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Terms {
    /// How long it is good: 90s, 30m, 2h, 7d [default: as configured, 2h]
    #[arg(long, value_name = "TIME")]
    pub(crate) valid_for: Option<Span>,
    /// How often it may be given [default: as configured, once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) uses: Option<u32>,
    /// The only PAM service at which it is good
    #[arg(long)]
    pub(crate) service: Option<String>,
    /// Where it may be given
    #[arg(long)]
    pub(crate) scope: Option<Scope>,
    /// Why, for the list and the audit record
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Send it to the user
    #[arg(long)]
    pub(crate) send: Option<Send>,
}

/// Where a code may be given.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Scope {
    Local,
    Remote,
    Both,
}

/// How a code is sent.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Send {
    Sms,
    Email,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    List(ClientList),
    Add(ClientAdd),
    /// Let a client in again
    Enable {
        /// The client's entry
        id: String,
    },
    /// Keep a client out, where `enforce` or a policy asks for enabled ones
    Disable {
        /// The client's entry
        id: String,
    },
    /// Let a client in at some times only
    Schedule {
        /// The client's entry
        id: String,
        /// Days, hours or both: "Mon..Fri 08:00-18:00"
        times: String,
    },
    /// Remove a client, and the code that would enrol it
    Remove {
        /// The client's entry
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// List clients, registered and remembered ones
#[derive(Args, Debug)]
pub(crate) struct ClientList {
    /// Of this user; without it everyone's, for administrators
    pub(crate) user: Option<String>,
    /// Whose user or description contains this; with --show-ids also whose ID
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Show the IDs, which are masked otherwise (administrators)
    #[arg(long)]
    pub(crate) show_ids: bool,
    /// At most so many
    #[arg(long, default_value_t = 10, value_parser = page())]
    pub(crate) limit: u32,
    /// Pass over so many
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u32,
}

/// Register a client of a user
///
/// Without an ID it is bound to the one from which the code of --code is given.
#[derive(Args, Debug)]
pub(crate) struct ClientAdd {
    /// Whose
    pub(crate) user: String,
    /// What it is, such as "Android"
    #[arg(long)]
    pub(crate) description: Option<String>,
    /// What tells it from others: SHA256:… of an ssh key, an address, a terminal or its own code
    #[arg(long, value_name = "ID")]
    pub(crate) identity: Option<String>,
    /// Whether push notifications go there
    #[arg(long, value_name = "on|off")]
    pub(crate) push: Option<Switch>,
    /// When it is let in: always, disabled, or times such as "Mon..Fri 08:00-18:00"
    #[arg(long, value_name = "always|disabled|TIMES")]
    pub(crate) enable: Option<String>,
    /// Issue a code that enrols it
    #[arg(long)]
    pub(crate) code: bool,
    /// Write the code to this new file, as JSON
    #[arg(long, value_name = "FILE", requires = "code")]
    pub(crate) output: Option<PathBuf>,
}

/// `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

impl std::str::FromStr for Switch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err("allowed are on and off"),
        }
    }
}
