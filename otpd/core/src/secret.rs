//! Key material that wipes itself.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::Error;

/// Longest key accepted, in bytes (requirements R18).
pub const LONGEST: usize = 128;
/// Shortest key accepted, in bytes: 80 bits; below 128 bits an administrator is warned (RFC 4226 R6).
pub const SHORTEST: usize = 10;

/// A shared secret of a token. Never printed, never cloned by accident, wiped when dropped,
/// compared in constant time.
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

    /// The secret of nobody: what a reply is compared with where there is no token, so that the
    /// work is the same.
    pub(crate) fn decoy() -> Self {
        Self(Zeroizing::new(Box::new([0x5a; 20])))
    }

    /// The raw bytes; for the HMAC, the seal and the provisioning URI only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
