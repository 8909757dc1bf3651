//! Secrets at rest: XChaCha20-Poly1305 with a random nonce. The associated data ties a sealed
//! secret to its store, its user, its token and the parameters that its codes are computed with:
//! moved elsewhere, or under other parameters, it does not open.

use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use otp_core::{
    secret::Secret,
    token::{Algorithm, Factor},
};
use zeroize::Zeroizing;

use super::canonical::Canonical;

const NONCE: usize = 24;

/// What a sealed secret belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The owner.
    pub user: &'a str,
    /// The token's id.
    pub token: &'a str,
    /// Version of the key that it is sealed with.
    pub key_version: u32,
    /// Time or counter, with T0 and period.
    pub factor: Factor,
    /// Hash function.
    pub algorithm: Algorithm,
    /// Length of a code.
    pub digits: u8,
}

/// Seals and opens the secrets of one store.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    store: [u8; 16],
}

impl Sealer {
    /// For the store with the identity `store`.
    #[must_use]
    pub fn new(key: &[u8; 32], store: [u8; 16]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(<&Key>::from(key)), store }
    }

    /// The nonce, the ciphertext and the tag.
    ///
    /// # Errors
    /// The text says that the kernel has no random bytes, or that the cipher refuses.
    pub fn seal(&self, binding: &Binding<'_>, secret: &Secret) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| format!("no random bytes: {error}"))?;
        // Room for the tag as well, so that no growth leaves a copy of the secret behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(secret.expose().len() + 16));
        buffer.extend_from_slice(secret.expose());
        self.cipher
            .encrypt_in_place(&XNonce::from(nonce), &self.associated(binding), &mut *buffer)
            .map_err(|error| error.to_string())?;
        Ok([nonce.as_slice(), buffer.as_slice()].concat())
    }

    /// The secret, or `None` when anything of `sealed` or `binding` is not as it was sealed.
    #[must_use]
    pub fn open(&self, binding: &Binding<'_>, sealed: &[u8]) -> Option<Secret> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        self.cipher
            .decrypt_in_place(&XNonce::from(*nonce), &self.associated(binding), &mut *buffer)
            .ok()?;
        Secret::new(buffer).ok()
    }

    fn associated(&self, binding: &Binding<'_>) -> Vec<u8> {
        let fields = Canonical::new("otpd/v1")
            .bytes(&self.store)
            .text(binding.user)
            .text(binding.token)
            .number(binding.key_version.into());
        factor(fields, binding.factor)
            .text(algorithm(binding.algorithm))
            .number(binding.digits.into())
            .finish()
    }
}

/// Appends the factor: its type, its period and its T0.
pub(super) fn factor(fields: Canonical, factor: Factor) -> Canonical {
    match factor {
        Factor::Totp { t0_ms, period_ms } => {
            fields.text("totp").number(period_ms.cast_signed()).number(t0_ms)
        }
        Factor::Hotp => fields.text("hotp").optional(None).optional(None),
        Factor::OutOfBand(channel) => fields.text(channel.name()).optional(None).optional(None),
    }
}

/// The algorithm's name in the store.
pub(super) fn algorithm(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Sha1 => "sha1",
        Algorithm::Sha256 => "sha256",
        Algorithm::Sha512 => "sha512",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: [u8; 16] = [7; 16];

    fn secret(byte: u8, length: usize) -> Secret {
        Secret::new(Zeroizing::new(vec![byte; length])).unwrap()
    }

    fn binding() -> Binding<'static> {
        Binding {
            user: "alice",
            token: "00112233445566778899aabbccddeeff",
            key_version: 1,
            factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
            algorithm: Algorithm::Sha1,
            digits: 6,
        }
    }

    #[test]
    fn opens_as_it_was_sealed_and_never_twice_the_same() {
        let sealer = Sealer::new(&[1; 32], STORE);
        for length in [otp_core::secret::SHORTEST, 20, otp_core::secret::LONGEST] {
            let secret = secret(5, length);
            let sealed = sealer.seal(&binding(), &secret).unwrap();
            assert_eq!(sealed.len(), NONCE + length + 16);
            assert_ne!(sealed, sealer.seal(&binding(), &secret).unwrap());
            assert!(sealer.open(&binding(), &sealed).unwrap() == secret);
        }
    }

    #[test]
    fn opens_nowhere_else() {
        let sealer = Sealer::new(&[1; 32], STORE);
        let sealed = sealer.seal(&binding(), &secret(5, 20)).unwrap();
        let totp = |t0_ms, period_ms| Factor::Totp { t0_ms, period_ms };
        for (what, other) in [
            ("user", Binding { user: "bob", ..binding() }),
            ("token", Binding { token: "00112233445566778899aabbccddeefe", ..binding() }),
            ("key version", Binding { key_version: 2, ..binding() }),
            ("type", Binding { factor: Factor::Hotp, ..binding() }),
            ("period", Binding { factor: totp(0, 60_000), ..binding() }),
            ("t0", Binding { factor: totp(1, 30_000), ..binding() }),
            ("t0 and period swapped", Binding { factor: totp(30_000, 0), ..binding() }),
            ("algorithm", Binding { algorithm: Algorithm::Sha256, ..binding() }),
            ("digits", Binding { digits: 8, ..binding() }),
        ] {
            assert!(sealer.open(&other, &sealed).is_none(), "{what}");
        }
        assert!(Sealer::new(&[1; 32], [8; 16]).open(&binding(), &sealed).is_none(), "store");
        assert!(Sealer::new(&[2; 32], STORE).open(&binding(), &sealed).is_none(), "key");
    }

    #[test]
    fn every_byte_counts() {
        let sealer = Sealer::new(&[1; 32], STORE);
        let sealed = sealer.seal(&binding(), &secret(5, 20)).unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                assert!(sealer.open(&binding(), &flipped).is_none(), "byte {at}, bit {bit}");
            }
            assert!(sealer.open(&binding(), &sealed[..at]).is_none(), "cut at {at}");
        }
    }
}
