//! `otpctl method` on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::plain_name;
use crate::method::Parameter;

/// What every verb that changes a method takes.
#[derive(Args, Debug)]
pub(crate) struct MethodFiles {
    /// The main file [default: /etc/otpd/otpd.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change the files only; the daemon goes on as before
    #[arg(long)]
    pub(crate) no_reload: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Method {
    /// List the methods as they count, defaults included
    List {
        /// The main file [default: /etc/otpd/otpd.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Show one method
    Show {
        /// The method
        name: String,
        /// The main file [default: /etc/otpd/otpd.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    Set(MethodSet),
    /// Let the users of a directory use a method
    Link {
        /// The method
        name: String,
        /// The directory, such as local
        directory: String,
        #[command(flatten)]
        files: MethodFiles,
    },
    /// Let the users of a directory use a method no longer
    Unlink {
        /// The method
        name: String,
        /// The directory
        directory: String,
        #[command(flatten)]
        files: MethodFiles,
    },
    /// Put a disabled method into use again
    Enable {
        /// The method
        name: String,
        #[command(flatten)]
        files: MethodFiles,
    },
    /// Take a method out of use: its codes are accepted no longer
    Disable {
        /// The method
        name: String,
        #[command(flatten)]
        files: MethodFiles,
    },
    /// Remove a method from the configuration
    Remove {
        /// The method
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        files: MethodFiles,
    },
}

/// Create or change a method
///
/// What is not given gets its default, also where the method had another value before. Its type,
/// its directories and whether it is enabled stay. Tokens keep what they were enrolled with, except
/// for the windows, which count at once.
///
/// A new method is usable by nobody until `otpctl method link`.
#[derive(Args, Debug)]
#[command(after_help = METHOD_KEYS)]
pub(crate) struct MethodSet {
    /// The method: "totp", "hotp", "sms" and "email" are built in
    #[arg(value_parser = plain_name)]
    pub(crate) name: String,
    /// What is not to be as by default
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) values: Vec<Parameter>,
    #[command(flatten)]
    pub(crate) files: MethodFiles,
}

const METHOD_KEYS: &str = "\
Keys, with what they take and their default:
  title=TEXT           for people                           the name
  type=TYPE            totp, hotp, sms, email               totp
  enabled=FLAG         true, false                          true
  digits=N             4 to 8                               6
  algorithm=NAME       sha1, sha256, sha512                 sha1
  key_size=N           10 to 99 bytes                       20
  time_step=TIME       totp: 1s to 1h                       30s
  t0=TIME              totp: when step 0 began, after 1970  0ms
  window_before=N      totp: 0 to 9 steps                   1
  window_after=N       totp: 0 to 9 steps                   0
  look_ahead=N         hotp: 0 to 50 counters               10
  validity=TIME        sms, email: 1m to 1h                 5m; email 10m
  tries=N              sms, email: 1 to 5                   3
  providers=NAME,...   sms, email: in this order

The names of Ubisecure are taken as well: totpDigits, totpAlgorithm (HmacSHA1,
HmacSHA256, HmacSHA512), totpKeySize, totpTimeStep and totpT0 (milliseconds),
totpWindowBefore, totpWindowAfter, status (enabled, disabled), and any of them
as configuration=\"totpDigits 6\".";
