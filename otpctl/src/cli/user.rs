//! The verbs of users and of their recovery codes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Switch, page};

#[derive(Debug, Subcommand)]
pub(crate) enum Recovery {
    /// Make new recovery codes; earlier ones stop working
    New {
        /// Whose
        user: String,
        /// Write them to this new file, as JSON
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// How many are left
    Count {
        /// Whose
        user: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List users
    List(UserList),
    /// Show one user
    Show {
        /// The user
        user: String,
    },
    /// Set where codes are delivered, and who issues them
    ///
    /// Codes that are under way to what this replaces are good no longer.
    Set {
        /// The user
        user: String,
        /// mobile=NUMBER, mail=ADDRESS, country=CODE of a number without one; empty removes.
        /// uid=NUMBER, the user's id: what was enrolled under another id is theirs.
        /// admin=on|off: whether the user may issue codes to others
        #[arg(required = true, value_name = "KEY=VALUE")]
        values: Vec<Setting>,
    },
    /// End a lock and forget the failures
    Unlock {
        /// The user
        user: String,
    },
    /// Remove all tokens, recovery codes and locks of a user
    Reset {
        /// The user
        user: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(crate) struct UserList {
    /// Whose name contains this
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Only those who are locked or disabled now
    #[arg(long)]
    pub(crate) locked: bool,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = page())]
    pub(crate) limit: u32,
    /// Pass over so many
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u32,
}

/// `KEY=VALUE` of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    Mobile(String),
    Mail(String),
    Country(String),
    Uid(u32),
    Admin(bool),
}

impl std::str::FromStr for Setting {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some(("mobile", number)) => Ok(Self::Mobile(number.to_owned())),
            Some(("mail", address)) => Ok(Self::Mail(address.to_owned())),
            Some(("country", code)) => Ok(Self::Country(code.to_owned())),
            Some(("uid", id)) => id.parse().map(Self::Uid).map_err(|_| "uid is a number"),
            Some(("admin", switch)) => switch.parse().map(|Switch(on)| Self::Admin(on)),
            _ => Err(
                "allowed are mobile=NUMBER, mail=ADDRESS, country=CODE, uid=NUMBER and admin=on|off",
            ),
        }
    }
}
