//! The verbs of tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::time::When;

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Add(TokenAdd),
    Share(TokenShare),
    /// List tokens
    List {
        /// Of this user; without it everyone's, for administrators
        user: Option<String>,
        /// Only those of this method
        #[arg(long)]
        method: Option<String>,
    },
    /// Show one token
    Show {
        /// The token
        id: String,
    },
    /// Make a pending token active with its first code
    Confirm {
        /// The token
        id: String,
    },
    /// Accept a disabled token again
    Enable {
        /// The token
        id: String,
    },
    /// Stop accepting a token
    Disable {
        /// The token
        id: String,
        /// Enable it again by itself at this time
        #[arg(long, value_name = "TIME")]
        until: Option<When>,
        /// Why, for the list and the audit record
        #[arg(long)]
        reason: Option<String>,
    },
    /// Remove a token for ever
    Remove {
        /// The token
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Make a token that has drifted work again, with two codes in a row
    Resync {
        /// The token
        id: String,
    },
}

/// Enrol a token and ask for its first code
///
/// The secret is shown once: on the terminal, or in the files that are named here. Codes that are
/// delivered (sms, email) have none: they work at once for a user who has a number or an address.
///
/// The files are made new, readable by their owner only. With --json the first code is not
/// asked for: use `token confirm`, or --no-confirm.
#[derive(Args, Debug)]
pub(crate) struct TokenAdd {
    /// Whose token it becomes
    pub(crate) user: String,
    /// The method: totp (the default), hotp, sms, email, or one of the configuration
    #[arg(long)]
    pub(crate) method: Option<String>,
    /// A name for the token, such as "phone"
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// Where to draw the QR code: terminal, FILE.png or FILE.svg
    #[arg(long, value_name = "terminal|FILE")]
    pub(crate) qr: Option<Qr>,
    /// Width and height of FILE.png in pixels; without it eight for each module of the code
    #[arg(long, value_name = "PIXELS", requires = "qr", value_parser = clap::value_parser!(u16).range(64..=4096))]
    pub(crate) qr_size: Option<u16>,
    /// Active at once, without a first code (administrators)
    #[arg(long)]
    pub(crate) no_confirm: bool,
    /// Show nothing now: the secret is shown once, by `token share`
    #[arg(long, conflicts_with_all = ["qr", "no_confirm", "output"])]
    pub(crate) share: bool,
    /// Stop accepting the token at this time
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<When>,
    /// Write the token, its secret and its URI to this new file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Show the secret of a token that was added with --share, once
///
/// Nobody else is shown it from then on. Who scans it presses Enter and types the first code, or
/// presses Enter only where the configuration says so. If that does not come in time, the key is
/// destroyed and another one can be shared.
///
/// With --json the document holds the secret and the QR code as PNG in base64; the first code is not
/// asked for: use `token confirm`.
#[derive(Args, Debug)]
pub(crate) struct TokenShare {
    /// The token, or the user of whose tokens the oldest that can be shared is meant
    #[arg(value_name = "USER|ID")]
    pub(crate) target: String,
    /// The tenant, where the configuration names some
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<String>,
    /// Share what was shared already, with another key; the old one works no longer (administrators)
    #[arg(long)]
    pub(crate) reshare: bool,
    /// With --reshare: show nothing now, the token waits to be shared
    #[arg(long, requires = "reshare", conflicts_with = "output")]
    pub(crate) later: bool,
    /// Write what is shown to this new file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Where the QR code is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Qr {
    Terminal,
    Png(PathBuf),
    Svg(PathBuf),
}

impl std::str::FromStr for Qr {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("png") => Ok(Self::Png(path)),
            Some("svg") => Ok(Self::Svg(path)),
            _ if text == "terminal" => Ok(Self::Terminal),
            _ => Err("allowed are `terminal`, a file that ends in .png or one that ends in .svg"),
        }
    }
}
