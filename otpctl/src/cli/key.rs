//! The verbs of the key that seals the store.

use clap::Subcommand;

const AFTER: &str = "\
Examples:
  otpctl key rotate                    asks, and says what comes of it
  otpctl key rotate --yes              from a script

The key of before is kept as /etc/otpd/kek.N, N being its version: backups from
before need it. Move it to where the backups are, or remove it with the last of
them. The new key needs a backup of its own, apart from the store's.";

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Give the store another key
    ///
    /// Makes a new key, seals everything in the store with it and puts it in the place of the present
    /// one. Tokens, codes and recovery codes stay as they are. otpd stands aside meanwhile: whoever
    /// logs in waits for some seconds.
    ///
    /// A rotation that was interrupted, even by a power failure, keeps nobody from logging in: otpd
    /// takes the key that fits. Run it again to finish it; that makes no further key.
    ///
    /// Where the key is a credential in /etc/credstore.encrypted, the new one becomes that credential,
    /// sealed as systemd-creds(1) does where it is told nothing else. The one of before is kept beside
    /// it.
    ///
    /// A record that was changed or damaged stops it, and nothing is changed: restore a backup, or
    /// `otpctl user reset` that user, then run it again. If a key became known to others, so may the
    /// secrets in every copy of the store from before: enrol the users anew.
    #[command(after_help = AFTER)]
    Rotate {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}
