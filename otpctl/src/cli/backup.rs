//! The verbs of backups.

use std::path::PathBuf;

use clap::Args;

/// Write all users and tokens to one encrypted file
///
/// The file is new, in the format of age: `age -d` opens it as well. otpd may run meanwhile. It is
/// encrypted to a passphrase, which is asked for, or to the recipients that are named: then a
/// machine can back itself up every night and cannot read what it wrote.
///
/// The key of the store (/etc/otpd/kek) is not in it without --with-key. Keep a copy of it
/// elsewhere, else the backup is of no use on another machine. With --with-key, who can open the
/// file has every secret.
///
/// How to put it back: otpctl restore.
#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file that is made
    pub(crate) file: PathBuf,
    /// Encrypt it to this public key of age's; may be given several times
    #[arg(long, value_name = "age1…", conflicts_with = "passphrase_file")]
    pub(crate) recipient: Vec<String>,
    /// Encrypt it to the public keys in this file, one on each line
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(crate) recipients_file: Option<PathBuf>,
    /// Take the passphrase from the first line of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Put the key of the store into the file as well
    #[arg(long)]
    pub(crate) with_key: bool,
}

/// Put a backup in the place of the store
///
/// The file is checked to its last byte before anything is changed; then otpd is stopped, the
/// store is replaced, and otpd is started again. What was there is kept beside it, with .replaced
/// after its name.
///
/// No code that was used after the backup is accepted again: app codes work from the next one on,
/// counter tokens need two codes one after the other at their next login, issued codes and codes
/// that were sent are void, and so are recovery codes: otpctl recovery new USER.
///
/// On a new machine: install the package, put the copy of the key at /etc/otpd/kek (owner otpd,
/// mode 0400), then restore. With a backup that has the key inside, restore at once.
#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The file of otpctl backup
    pub(crate) file: PathBuf,
    /// Open it with the secret keys in this file, as age-keygen writes them; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(crate) identity: Option<PathBuf>,
    /// Take the passphrase from the first line of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Let recovery codes stay good, those too that were used since the backup, unless the store
    /// that is replaced is intact and knows them
    #[arg(long)]
    pub(crate) keep_recovery_codes: bool,
    /// Replace another store, one that the backup is not of, though it has users
    #[arg(long)]
    pub(crate) replace: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}
