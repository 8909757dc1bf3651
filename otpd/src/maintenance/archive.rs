//! The file of a backup: an age file (<https://c2sp.org/age>, binary), so that it can be opened
//! without otpd as well. What it holds is three lines and the store:
//!
//! ```text
//! otpd backup 1
//! {"store":"0123…","made_ms":1767225600000,"schema":5,"key_version":1}
//! the store's key as its file holds it, or nothing
//! the SQLite file, to the end
//! ```

use std::{
    io::{self, Read, Write},
    iter,
};

use age::{DecryptError, Decryptor, Encryptor, scrypt, secrecy::SecretString, x25519};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Begins every archive, followed by the version of its form and a line feed.
const MAGIC: &[u8] = b"otpd backup ";
/// The form that is written here; others are refused.
const FORM: &[u8] = b"1";
/// Longest line in bytes.
const LONGEST_LINE: usize = 1024;
/// What scrypt costs a guess at the passphrase: 2^18 rounds, about a second and 256 MiB. Not
/// measured on this machine, because the one that restores may be slower.
const WORK: u8 = 18;
/// The most that a file may ask for: 1 GiB.
const MOST_WORK: u8 = 20;
/// How every age file begins.
const AGE: &[u8] = b"age-encryption.org/v1\n";
/// How a secret key of age's begins.
const IDENTITY: &str = "AGE-SECRET-KEY-1";
/// How secret keys of its plugins begin as well.
const SECRET_KEY: &str = "AGE-";

/// What a backup says of the store that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// The store's identity, 32 hexadecimal digits.
    pub(super) store: String,
    /// When it was made, Unix milliseconds.
    pub(super) made_ms: i64,
    /// Version of the store's schema.
    pub(super) schema: u32,
    /// Version of the key that the store is sealed with.
    pub(super) key_version: u32,
}

/// A backup that is not encrypted.
pub(super) struct Archive {
    pub(super) header: Header,
    /// The key as its file holds it, where the backup has it.
    pub(super) key: Option<Zeroizing<Vec<u8>>>,
    /// The SQLite file.
    pub(super) image: Vec<u8>,
}

/// Who can read a backup.
pub(super) enum Reader {
    /// Who knows the passphrase.
    Passphrase(SecretString),
    /// Who has the secret key of one of these.
    Recipients(Vec<x25519::Recipient>),
}

/// What opens a backup.
pub(super) enum Opener {
    /// The passphrase.
    Passphrase(SecretString),
    /// Secret keys.
    Identities(Vec<x25519::Identity>),
}

/// Why a file is not taken. Each text says what to do; none repeats what the file holds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Refusal {
    #[error("the passphrase is no text in UTF-8")]
    NoText,
    #[error(
        "recipient {0} is a secret key of age's: name its public key, which `age-keygen -y FILE` \
         prints; whoever reads the secret key opens the backups"
    )]
    SecretRecipient(usize),
    #[error(
        "recipient {0} is no public key of age's, or a character of it is wrong: age1 and 58 more \
         characters, as `age-keygen -y FILE` prints them"
    )]
    NoRecipient(usize),
    #[error(
        "the identity file has no secret key: a line that begins with {IDENTITY}, as age-keygen \
         writes it; where the file is encrypted itself, decrypt it first"
    )]
    NoIdentity,
    #[error("the file is no backup: it is not an age file, as `otpctl backup` writes them")]
    NotAge,
    #[error(
        "the file is encrypted to a passphrase: leave out --identity, or name it with \
         --passphrase-file"
    )]
    NeedsPassphrase,
    #[error("the file is encrypted to a key of age's: name its file with --identity")]
    NeedsIdentity,
    #[error("the file is encrypted to others than these identities; name the right --identity")]
    OtherIdentity,
    #[error("the passphrase is wrong, or the file's beginning was changed")]
    WrongPassphrase,
    #[error(
        "the file asks for more work and memory than a backup does (scrypt 2^{0}); it was not \
         written by otpctl"
    )]
    TooMuchWork(u8),
    #[error("the file was changed or damaged, or is cut off; take another copy of the backup")]
    Damaged,
    #[error("the file is encrypted as it should be, but what it holds is no backup of otpd")]
    NoBackup,
    #[error("the backup was written by a newer otpd; install that one")]
    Newer,
}

impl Reader {
    /// Who knows `passphrase`.
    ///
    /// # Errors
    /// [`Refusal::NoText`].
    pub(super) fn passphrase(passphrase: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::Passphrase(text(passphrase)?))
    }

    /// Whoever has the secret key of one of `recipients`.
    ///
    /// # Errors
    /// [`Refusal::NoRecipient`], [`Refusal::SecretRecipient`]: which of them, from 1. It is not
    /// repeated, as it may be anything that was pasted.
    pub(super) fn recipients(recipients: &[String]) -> Result<Self, Refusal> {
        let parse = |(number, text): (usize, &String)| {
            let secret = text.to_ascii_uppercase().starts_with(SECRET_KEY);
            text.parse().map_err(|_| match secret {
                true => Refusal::SecretRecipient(number),
                false => Refusal::NoRecipient(number),
            })
        };
        let parsed = (1..).zip(recipients).map(parse);
        Ok(Self::Recipients(parsed.collect::<Result<_, _>>()?))
    }
}

impl Opener {
    /// # Errors
    /// [`Refusal::NoText`].
    pub(super) fn passphrase(passphrase: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::Passphrase(text(passphrase)?))
    }

    /// The secret keys in a file as age-keygen writes it.
    ///
    /// # Errors
    /// [`Refusal::NoIdentity`] for a file without any, or with one that is damaged.
    pub(super) fn identities(file: &[u8]) -> Result<Self, Refusal> {
        let file = str::from_utf8(file).map_err(|_| Refusal::NoIdentity)?;
        let keys = file.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys = keys.filter(|line| !line.starts_with('#'));
        let keys: Vec<_> = keys.map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
        if keys.is_empty() { Err(Refusal::NoIdentity) } else { Ok(Self::Identities(keys)) }
    }
}

fn text(passphrase: &[u8]) -> Result<SecretString, Refusal> {
    // As long as it is, so that making it a boxed text copies nothing.
    let text = str::from_utf8(passphrase).map_err(|_| Refusal::NoText)?;
    Ok(SecretString::from(text.to_owned()))
}

impl Archive {
    /// Encrypts it for `reader` into `to`.
    ///
    /// # Errors
    /// As the writer's.
    pub(super) fn seal(&self, reader: Reader, to: impl Write) -> io::Result<()> {
        let encryptor = match reader {
            Reader::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase);
                recipient.set_work_factor(WORK);
                Encryptor::with_recipients(iter::once(&recipient as _))
            }
            Reader::Recipients(recipients) => {
                Encryptor::with_recipients(recipients.iter().map(|one| one as _))
            }
        };
        let encryptor = encryptor.map_err(|error| io::Error::other(error.to_string()))?;
        let mut out = encryptor.wrap_output(to)?;
        let header = serde_json::to_vec(&self.header)?;
        let key = self.key.as_ref().map_or(&b"\n"[..], |key| key);
        for part in [MAGIC, FORM, b"\n", &header, b"\n", key, &self.image] {
            out.write_all(part)?;
        }
        out.finish()?.flush()
    }

    /// Decrypts `file`, wholly and in memory.
    ///
    /// # Errors
    /// [`Refusal`], for whatever is not to the last byte as [`Self::seal`] wrote it.
    pub(super) fn open(file: &[u8], opener: &Opener) -> Result<Self, Refusal> {
        if !file.starts_with(AGE) {
            return Err(Refusal::NotAge);
        }
        let decryptor = Decryptor::new_buffered(file).map_err(|_| Refusal::Damaged)?;
        let reader = match (opener, decryptor.is_scrypt()) {
            (Opener::Passphrase(_), false) => return Err(Refusal::NeedsIdentity),
            (Opener::Identities(_), true) => return Err(Refusal::NeedsPassphrase),
            (Opener::Passphrase(passphrase), true) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(MOST_WORK);
                decryptor.decrypt(iter::once(&identity as _))
            }
            (Opener::Identities(identities), false) => {
                decryptor.decrypt(identities.iter().map(|one| one as _))
            }
        };
        let mut reader = reader.map_err(|error| refused(&error))?;
        // No longer than what is encrypted, so that reading never grows it and leaves a copy.
        let mut plain = Zeroizing::new(Vec::with_capacity(file.len()));
        reader.read_to_end(&mut plain).map_err(|_| Refusal::Damaged)?;
        Self::parse(&plain)
    }

    fn parse(plain: &[u8]) -> Result<Self, Refusal> {
        let (magic, rest) = line(plain)?;
        match magic.strip_prefix(MAGIC) {
            Some(FORM) => {}
            Some(other) if !other.is_empty() && other.iter().all(u8::is_ascii_digit) => {
                return Err(Refusal::Newer);
            }
            _ => return Err(Refusal::NoBackup),
        }
        let (header, rest) = line(rest)?;
        let (key, image) = line(rest)?;
        let header = serde_json::from_slice(header).map_err(|_| Refusal::NoBackup)?;
        let key = (!key.is_empty()).then(|| Zeroizing::new([key, b"\n"].concat()));
        Ok(Self { header, key, image: image.to_vec() })
    }
}

/// The first line without its end, and the rest.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let end = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
    let (line, rest) = end.and_then(|end| bytes.split_at_checked(end)).ok_or(Refusal::NoBackup)?;
    Ok((line, rest.get(1..).unwrap_or_default()))
}

fn refused(error: &DecryptError) -> Refusal {
    match error {
        DecryptError::NoMatchingKeys => Refusal::OtherIdentity,
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => {
            Refusal::WrongPassphrase
        }
        DecryptError::ExcessiveWork { required, .. } => Refusal::TooMuchWork(*required),
        _ => Refusal::Damaged,
    }
}

#[cfg(test)]
mod tests;
