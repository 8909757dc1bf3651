//! The command line. Help, man pages and completions are generated from these types.

mod backup;
mod configuration;
mod doctor;
mod export;
mod import;
mod issued;
mod key;
mod login_test;
mod method;
mod setup;
mod token;
mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use backup::{Backup, Restore};
pub(crate) use configuration::{
    Audit, Config, Directory, Explain, Policy, Provider, ProviderImport,
};
pub(crate) use doctor::Doctor;
pub(crate) use export::Export;
pub(crate) use import::Import;
pub(crate) use issued::{
    Client, ClientAdd, ClientList, Code, CodeIssue, Scope, Send, Switch, Terms,
};
pub(crate) use key::Key;
pub(crate) use login_test::LoginTest;
pub(crate) use method::{Method, MethodFiles, MethodSet};
pub(crate) use setup::Setup;
pub(crate) use token::{Qr, Token, TokenAdd, TokenShare};
pub(crate) use user::{Recovery, Setting, User, UserList};

const EXAMPLES: &str = "\
Examples:
  otpctl token add alice                  enrol an authenticator app: shows a QR code
  otpctl token add bob --share            for bob, who fetches it himself, once:
  otpctl token share bob                  shows it to whoever is first, never again
  otpctl token list alice                 what alice has
  otpctl recovery new alice               codes for the day the phone is lost
  otpctl user unlock alice                after too many wrong codes
  otpctl code issue alice                 a code for somebody who cannot log in
  otpctl client list                      where users log in from
  otpctl user set alice mobile=+491701234581 mail=alice@example.com
  otpctl provider test main --to +491701234581
  otpctl policy explain alice --service sshd --source 203.0.113.7
  otpctl audit --user alice --since 2h    what happened, and why
  otpctl backup /root/otpd.age            everything in one encrypted file
  otpctl --json token add alice --no-confirm --output alice.json

An ID may be cut to its first 6 characters or more.
Times are RFC 3339 (2026-01-31T08:00:00Z), a day (2026-01-31) or relative
(90s, 30m, 2h, 7d).

Exit status: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 otpd is unavailable,
5 no such credential, 6 shared already, 7 unknown user, client or tenant;
of doctor 8 somebody could be locked out, 9 a login could be bypassed.";

const GLOBAL: &str = "Global options";

/// Manages one-time-password tokens, users and the daemon otpd.
#[derive(Debug, Parser)]
#[command(name = "otpctl", version, after_help = EXAMPLES, max_term_width = 80)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Print JSON documents; errors are JSON on standard error
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub(crate) json: bool,
    /// Print no notices, only what was asked for and errors
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
    /// The message bus, if it is not the system's own: unix:path=/…
    #[arg(long, global = true, help_heading = GLOBAL)]
    #[arg(value_name = "ADDRESS", value_parser = bus_address)]
    pub(crate) bus: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show how the daemon is
    Status,
    Doctor(Doctor),
    /// Enrol and manage tokens
    #[command(subcommand)]
    Token(Token),
    /// Recovery codes
    #[command(subcommand)]
    Recovery(Recovery),
    /// Users, their locks and their data
    #[command(subcommand)]
    User(User),
    /// Codes that administrators issue
    #[command(subcommand)]
    Code(Code),
    /// The clients that users log in from
    #[command(subcommand)]
    Client(Client),
    /// SMS gateways and mail servers that deliver codes
    #[command(subcommand)]
    Provider(Provider),
    /// Kinds of tokens: what new ones are like, and whose users may have them
    #[command(subcommand)]
    Method(Method),
    /// Which login has to give which code
    #[command(subcommand)]
    Policy(Policy),
    /// Where numbers, addresses, groups and account states come from
    #[command(subcommand)]
    Directory(Directory),
    /// The daemon's configuration
    #[command(subcommand)]
    Config(Config),
    /// The key that seals the store
    #[command(subcommand)]
    Key(Key),
    /// Show decisions, oldest first
    Audit(Audit),
    LoginTest(LoginTest),
    Setup(Setup),
    Import(Import),
    Export(Export),
    Backup(Backup),
    Restore(Restore),
    /// Print a completion script
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man {
        /// The folder to write them to
        dir: PathBuf,
    },
}

/// What a table of the configuration may be called.
fn plain_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['-', '.']) {
        Ok(text.to_owned())
    } else {
        Err("allowed are 1 to 64 letters, digits, '.', '_' and '-', not starting with '-' or '.'")
    }
}

/// What a service may be called: a file of /etc/pam.d, never a path.
fn service_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '+');
    if (1..=64).contains(&text.len()) && text.chars().all(plain) && !text.starts_with(['-', '.']) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a service is a file of /etc/pam.d: letters, digits, '.', '_', '-', '@' and '+'")
    }
}

fn page() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(otp_ipc::limits::PAGE))
}

/// Only a socket of this machine: other transports would carry codes over the network.
fn bus_address(text: &str) -> Result<String, &'static str> {
    if text.starts_with("unix:path=/") && !text.contains(';') {
        Ok(text.to_owned())
    } else {
        Err("allowed is unix:path=/… (one address)")
    }
}

#[cfg(test)]
mod tests;
