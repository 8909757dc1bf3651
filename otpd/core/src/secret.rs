//! Key material that wipes itself.

use zeroize::Zeroizing;

use crate::error::Error;

/// Longest key accepted, in bytes (requirements R18).
pub const LONGEST: usize = 128;
/// Shortest key accepted, in bytes: 80 bits; below 128 bits an administrator is warned (RFC 4226 R6).
pub const SHORTEST: usize = 10;

/// A shared secret of a token. Never printed, never cloned by accident, wiped when dropped.
#[derive(PartialEq, Eq)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes [`SHORTEST`] to [`LONGEST`] bytes.
    ///
    /// # Errors
    /// [`Error::SecretLength`] for any other length.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        if (SHORTEST..=LONGEST).contains(&bytes.len()) {
            Ok(Self(Zeroizing::new(bytes.as_slice().into())))
        } else {
            Err(Error::SecretLength)
        }
    }

    /// The raw bytes; for the HMAC, the seal and the provisioning URI only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
