//! Secrets at rest: XChaCha20-Poly1305 with a random nonce. The associated data ties what is sealed
//! to its store, its user and its purpose, and the secret of a token to the parameters that its
//! codes are computed with: moved elsewhere, or under other parameters, it does not open.

use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{AeadInOut, KeyInit},
};
use otp_core::{
    contact::Channel,
    token::{Algorithm, Factor},
};
use zeroize::Zeroizing;

use super::canonical::Canonical;

const NONCE: usize = 24;

/// What the sealed bytes are, and what they belong to.
#[derive(Clone, Copy, Debug)]
pub enum Binding<'a> {
    /// The secret of a token.
    Token(TokenBinding<'a>),
    /// Where codes are delivered.
    Contacts {
        /// The owner.
        user: &'a str,
    },
    /// A message that waits to be sent.
    Message(MessageBinding<'a>),
    /// A code that was issued and may be read again.
    Issued(IssuedBinding<'a>),
    /// The keys of digests, of the store as a whole.
    DigestKeys {
        /// Version of the key that they are sealed with.
        key_version: u32,
    },
}

/// What the secret of a token belongs to.
#[derive(Clone, Copy, Debug)]
pub struct TokenBinding<'a> {
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

/// What a message belongs to.
#[derive(Clone, Copy, Debug)]
pub struct MessageBinding<'a> {
    /// The user.
    pub user: &'a str,
    /// The message's id.
    pub id: &'a str,
    /// The way that it takes.
    pub channel: Channel,
    /// Keyed digest of its recipient.
    pub recipient: &'a [u8],
    /// When it was asked for, Unix milliseconds.
    pub time_ms: i64,
    /// When it is worth nothing any more, Unix milliseconds.
    pub until_ms: i64,
}

/// What an issued code belongs to.
#[derive(Clone, Copy, Debug)]
pub struct IssuedBinding<'a> {
    /// The user it was issued to.
    pub user: &'a str,
    /// Its id.
    pub id: &'a str,
    /// When it is good no longer, Unix milliseconds.
    pub expires_ms: i64,
}

/// Seals and opens what one store keeps secret.
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
    pub fn seal(&self, binding: &Binding<'_>, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| format!("no random bytes: {error}"))?;
        // Room for the tag as well, so that no growth leaves a copy of the bytes behind.
        let mut buffer = Zeroizing::new(Vec::with_capacity(bytes.len() + 16));
        buffer.extend_from_slice(bytes);
        self.cipher
            .encrypt_in_place(&XNonce::from(nonce), &self.associated(binding), &mut *buffer)
            .map_err(|error| error.to_string())?;
        Ok([nonce.as_slice(), buffer.as_slice()].concat())
    }

    /// The bytes, or `None` when anything of `sealed` or `binding` is not as it was sealed.
    #[must_use]
    pub fn open(&self, binding: &Binding<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        self.cipher
            .decrypt_in_place(&XNonce::from(*nonce), &self.associated(binding), &mut *buffer)
            .ok()?;
        Some(buffer)
    }

    fn associated(&self, binding: &Binding<'_>) -> Vec<u8> {
        let domain = |domain| Canonical::new(domain).bytes(&self.store);
        let fields = match binding {
            Binding::Token(of) => {
                let fields = domain("otpd/v1").text(of.user).text(of.token);
                factor(fields.number(of.key_version.into()), of.factor)
                    .text(algorithm(of.algorithm))
                    .number(of.digits.into())
            }
            Binding::Contacts { user } => domain("otpd/v1/contacts").text(user),
            Binding::Message(of) => domain("otpd/v1/message")
                .text(of.user)
                .text(of.id)
                .text(of.channel.name())
                .bytes(of.recipient)
                .number(of.time_ms)
                .number(of.until_ms),
            Binding::Issued(of) => {
                domain("otpd/v1/issued").text(of.user).text(of.id).number(of.expires_ms)
            }
            Binding::DigestKeys { key_version } => {
                domain("otpd/v1/digest-keys").number((*key_version).into())
            }
        };
        fields.finish()
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
    const LENGTHS: [usize; 5] = [0, 10, 20, 128, 5000];

    fn token() -> TokenBinding<'static> {
        TokenBinding {
            user: "alice",
            token: "00112233445566778899aabbccddeeff",
            key_version: 1,
            factor: Factor::Totp { t0_ms: 0, period_ms: 30_000 },
            algorithm: Algorithm::Sha1,
            digits: 6,
        }
    }

    fn message() -> MessageBinding<'static> {
        MessageBinding {
            user: "alice",
            id: "00112233445566778899aabbccddeeff",
            channel: Channel::Sms,
            recipient: &[9; 32],
            time_ms: 1,
            until_ms: 2,
        }
    }

    fn issued() -> IssuedBinding<'static> {
        IssuedBinding { user: "alice", id: "00112233445566778899aabbccddeeff", expires_ms: 2 }
    }

    fn bindings() -> [Binding<'static>; 5] {
        let contacts = Binding::Contacts { user: "alice" };
        let (message, issued) = (Binding::Message(message()), Binding::Issued(issued()));
        let digests = Binding::DigestKeys { key_version: 1 };
        [Binding::Token(token()), contacts, message, issued, digests]
    }

    #[test]
    fn opens_as_it_was_sealed_and_never_twice_the_same() {
        let sealer = Sealer::new(&[1; 32], STORE);
        for binding in bindings() {
            for length in LENGTHS {
                let bytes = vec![5; length];
                let sealed = sealer.seal(&binding, &bytes).unwrap();
                assert_eq!(sealed.len(), NONCE + length + 16);
                assert_ne!(sealed, sealer.seal(&binding, &bytes).unwrap());
                assert_eq!(*sealer.open(&binding, &sealed).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn opens_nowhere_else() {
        let sealer = Sealer::new(&[1; 32], STORE);
        let totp = |t0_ms, period_ms| Factor::Totp { t0_ms, period_ms };
        let others = [
            TokenBinding { user: "bob", ..token() },
            TokenBinding { token: "00112233445566778899aabbccddeefe", ..token() },
            TokenBinding { key_version: 2, ..token() },
            TokenBinding { factor: Factor::Hotp, ..token() },
            TokenBinding { factor: Factor::OutOfBand(Channel::Sms), ..token() },
            TokenBinding { factor: Factor::OutOfBand(Channel::Email), ..token() },
            TokenBinding { factor: totp(0, 60_000), ..token() },
            TokenBinding { factor: totp(1, 30_000), ..token() },
            TokenBinding { factor: totp(30_000, 0), ..token() },
            TokenBinding { algorithm: Algorithm::Sha256, ..token() },
            TokenBinding { digits: 8, ..token() },
        ]
        .map(Binding::Token);
        let messages = [
            MessageBinding { user: "bob", ..message() },
            MessageBinding { id: "00112233445566778899aabbccddeefe", ..message() },
            MessageBinding { channel: Channel::Email, ..message() },
            MessageBinding { recipient: &[8; 32], ..message() },
            MessageBinding { time_ms: 2, ..message() },
            MessageBinding { until_ms: 3, ..message() },
            MessageBinding { time_ms: 2, until_ms: 1, ..message() },
        ]
        .map(Binding::Message);
        let contacts = Binding::Contacts { user: "bob" };
        let codes = [
            IssuedBinding { user: "bob", ..issued() },
            IssuedBinding { id: "00112233445566778899aabbccddeefe", ..issued() },
            IssuedBinding { expires_ms: 3, ..issued() },
        ]
        .map(Binding::Issued);
        let all: Vec<_> = bindings().into_iter().chain(others).chain(messages).collect();
        let all: Vec<_> = all.into_iter().chain([contacts]).chain(codes).collect();
        let digests = Binding::DigestKeys { key_version: 2 };
        let all: Vec<_> = all.into_iter().chain([digests]).collect();
        for (at, binding) in all.iter().enumerate() {
            let sealed = sealer.seal(binding, &[5; 20]).unwrap();
            for (other_at, other) in all.iter().enumerate() {
                let opened = sealer.open(other, &sealed).is_some();
                assert_eq!(opened, at == other_at, "{binding:?} as {other:?}");
            }
            assert!(Sealer::new(&[1; 32], [8; 16]).open(binding, &sealed).is_none(), "store");
            assert!(Sealer::new(&[2; 32], STORE).open(binding, &sealed).is_none(), "key");
        }
    }

    #[test]
    fn every_byte_counts() {
        let sealer = Sealer::new(&[1; 32], STORE);
        for binding in bindings() {
            let sealed = sealer.seal(&binding, &[5; 20]).unwrap();
            for at in 0..sealed.len() {
                for bit in 0..8 {
                    let mut flipped = sealed.clone();
                    flipped[at] ^= 1 << bit;
                    assert!(sealer.open(&binding, &flipped).is_none(), "byte {at}, bit {bit}");
                }
                assert!(sealer.open(&binding, &sealed[..at]).is_none(), "cut at {at}");
            }
        }
    }

    /// What was sealed before there was anything but tokens opens.
    #[test]
    fn the_associated_data_of_a_token_is_as_it_was() {
        let fields = Canonical::new("otpd/v1").bytes(&STORE).text("alice").text(token().token);
        let fields = fields.number(1).text("totp").number(30_000).number(0).text("sha1").number(6);
        let sealer = Sealer::new(&[1; 32], STORE);
        assert_eq!(sealer.associated(&Binding::Token(token())), fields.finish());
    }
}
