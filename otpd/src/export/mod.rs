//! Files for other programs. Each format is written by one module, which is given tokens and opens
//! nothing; what a format cannot tell is left out of the file and named.

mod oath;
mod otpauth;
mod pskc;
#[cfg(test)]
mod tests;

use jiff::tz::TimeZone;
use otp_core::token::{Factor, Rejoin, Standing, Token};
use zeroize::Zeroizing;

/// Why a token is not in the file.
pub(crate) type LeftOut = String;

/// A file that is being written.
pub(crate) trait Writer {
    /// Adds a token, or says why the file cannot tell of it; nothing is added then.
    fn add(&mut self, user: &str, token: &Token) -> Result<(), LeftOut>;

    /// The file with all that was added.
    fn finish(self: Box<Self>) -> Zeroizing<Vec<u8>>;
}

/// What a file is written with besides the tokens.
pub(crate) struct Circumstances {
    /// The issuer that apps show.
    pub(crate) issuer: String,
    /// The zone of times that are written without one.
    pub(crate) zone: TimeZone,
    /// The passphrase, or the key in raw bytes or hexadecimal digits, that keys are encrypted with.
    pub(crate) key: Option<Zeroizing<Vec<u8>>>,
}

/// The writer of the format that is called `format`, one of
/// [`otp_ipc::maintenance::export::FORMATS`].
///
/// # Errors
/// What is missing, and how to give it.
pub(crate) fn writer(
    format: &str,
    circumstances: Circumstances,
) -> Result<Box<dyn Writer>, String> {
    let Circumstances { issuer, zone, key } = circumstances;
    match (format, key) {
        ("pskc", Some(key)) => Ok(Box::new(pskc::Container::new(issuer, &key)?)),
        ("pskc", None) => Err("keys leave encrypted only: name a file with a passphrase or a key \
                               of 32 hexadecimal digits with --key-file"
            .into()),
        (_, Some(_)) => Err(format!("keys are not encrypted in {format}: leave out --key-file")),
        ("otpauth", None) => Ok(Box::new(otpauth::Lines::new(issuer))),
        ("oath", None) => Ok(Box::new(oath::Lines::new(zone))),
        _ => Err(format!("{format} is no format of export")),
    }
}

/// Whether a token leaves at all: other programs would accept what is not accepted here.
pub(crate) fn check(token: &Token, now_ms: i64) -> Result<(), LeftOut> {
    if matches!(token.factor, Factor::OutOfBand(_)) {
        return Err("its codes are delivered: it has no key".into());
    }
    match token.standing(now_ms) {
        Standing::Active if token.rejoin == Rejoin::Settled => Ok(()),
        Standing::Active => Err("since the store was restored its counter is not known: log in \
                                 with it first"
            .into()),
        Standing::Pending => Err("it waits for its first code".into()),
        Standing::Disabled => Err("it is disabled".into()),
        Standing::Expired => Err("it has expired".into()),
    }
}

/// Text pieces one after the other, in one piece of memory that is wiped.
fn joined(pieces: &[Zeroizing<String>]) -> Zeroizing<Vec<u8>> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let mut all = Zeroizing::new(Vec::with_capacity(length));
    pieces.iter().for_each(|piece| all.extend_from_slice(piece.as_bytes()));
    all
}

/// The same as one text.
fn line(pieces: &[&str]) -> Zeroizing<String> {
    let length = pieces.iter().map(|piece| piece.len()).sum();
    let mut all = Zeroizing::new(String::with_capacity(length));
    pieces.iter().for_each(|piece| all.push_str(piece));
    all
}
