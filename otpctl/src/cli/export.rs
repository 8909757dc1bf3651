//! `otpctl export`

use std::path::PathBuf;

use clap::{Args, builder::PossibleValuesParser};
use otp_ipc::maintenance::export::FORMATS;

/// Give the keys of tokens to other programs
///
/// Whoever has the file has the tokens: it is for root alone, and each key that leaves is in the
/// audit trail before it does. pskc is encrypted with the passphrase or key in --key-file; otpauth
/// and oath are not. Only tokens that are accepted here now leave; all else is named, with the
/// reason. oath carries the last used code of each token over; the other two tell of counters only:
/// a code of the last minute may be accepted once more there. What is used there later is not known
/// here: disable the tokens here when the other program has them.
#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Whose tokens
    #[arg(value_name = "USER", required_unless_present = "all")]
    pub(crate) users: Vec<String>,
    /// Everybody's tokens
    #[arg(long, conflicts_with = "users")]
    pub(crate) all: bool,
    /// What the file is to be
    #[arg(long, value_parser = PossibleValuesParser::new(FORMATS))]
    pub(crate) format: String,
    /// Write to this new file; without it, to the terminal only
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// For pskc: a file with a passphrase, or with a key of 32 hexadecimal digits
    #[arg(long, value_name = "FILE", required_if_eq("format", "pskc"))]
    pub(crate) key_file: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
