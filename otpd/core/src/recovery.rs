//! Recovery codes: ten codes of 80 random bits each, kept as digests under a key of the daemon.

use hmac::Hmac;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{code::Digits, hotp::mac};

/// Characters of a code.
pub const LENGTH: usize = 16;
/// Codes that are issued together.
pub const CODES: usize = 10;
/// Digits of a recovery code that another program made: at most 26.6 bits.
pub const LEGACY_DIGITS: u8 = 8;
/// Random bytes in a code: 80 bits.
const ENTROPY: usize = 10;
/// Crockford's base32: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code as 16 characters of Crockford's alphabet in upper case. Wiped when dropped,
/// never printed, compared in constant time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoveryCode([u8; LENGTH]);

impl RecoveryCode {
    /// Reads 16 characters of any case; I and L count as 1, O as 0. `None` for anything else.
    pub(crate) fn from_ascii(text: &[u8]) -> Option<Self> {
        let mut code = Self([0; LENGTH]);
        if text.len() != LENGTH {
            return None;
        }
        for (place, typed) in code.0.iter_mut().zip(text) {
            let symbol = match typed.to_ascii_uppercase() {
                b'I' | b'L' => b'1',
                b'O' => b'0',
                other => other,
            };
            *place = ALPHABET.contains(&symbol).then_some(symbol)?;
        }
        Some(code)
    }

    fn from_entropy(entropy: &[u8]) -> Self {
        let bits = entropy.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let bits = Zeroizing::new(bits);
        let mut code = Self([0; LENGTH]);
        for (place, shift) in code.0.iter_mut().rev().zip((0_u32..).step_by(5)) {
            let index = (*bits >> shift & 0x1f) as usize;
            *place = ALPHABET.get(index).copied().unwrap_or_default();
        }
        code
    }

    /// For people: `XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(LENGTH + 3));
        for (index, byte) in self.0.iter().enumerate() {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(*byte));
        }
        text
    }
}

impl PartialEq for RecoveryCode {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for RecoveryCode {}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// What the store keeps of a recovery code. Compared in constant time, never printed.
#[derive(Clone, Copy)]
pub struct Digest(pub [u8; 32]);

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// HMAC-SHA-256 of the 16 characters.
#[must_use]
pub fn digest(key: &[u8; 32], code: &RecoveryCode) -> Digest {
    Digest(mac::<Hmac<Sha256>>(key, &code.0).into())
}

/// HMAC-SHA-256 of a recovery code of [`LEGACY_DIGITS`] digits that another program made. Its length
/// keeps it apart from the 16 characters of [`digest`] under the same key.
#[must_use]
pub fn legacy_digest(key: &[u8; 32], code: &Digits) -> Digest {
    Digest(mac::<Hmac<Sha256>>(key, code.expose()).into())
}

/// [`CODES`] codes from 100 bytes of a cryptographic generator, each with its digest.
#[must_use]
pub fn issue(entropy: &[u8; CODES * ENTROPY], key: &[u8; 32]) -> Vec<(RecoveryCode, Digest)> {
    let codes = entropy.chunks_exact(ENTROPY).map(RecoveryCode::from_entropy);
    codes.map(|code| (digest(key, &code), code)).map(|(digest, code)| (code, digest)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use data_encoding::HEXLOWER;

    use super::*;
    use crate::code::Reply;

    #[test]
    fn ten_codes_carry_all_of_the_entropy() {
        let entropy: [u8; 100] = std::array::from_fn(|index| index as u8);
        let issued = issue(&entropy, &[7; 32]);
        let codes: Vec<_> = issued.iter().map(|(code, _)| code.grouped().to_string()).collect();
        assert_eq!(codes.len(), CODES);
        assert_eq!(codes[0], "000G-40R4-0M30-E209");
        assert_eq!(codes.iter().collect::<HashSet<_>>().len(), CODES);
        let ones = issue(&[0xff; 100], &[7; 32]);
        assert_eq!(ones[9].0.grouped().as_str(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
        for bit in 0..80 {
            let mut entropy = [0; 100];
            entropy[bit / 8] = 1 << (bit % 8);
            assert_ne!(issue(&entropy, &[7; 32])[0].0, issue(&[0; 100], &[7; 32])[0].0, "{bit}");
        }
    }

    #[test]
    fn what_is_issued_is_what_is_typed() {
        let key = [7; 32];
        for (code, kept) in issue(&std::array::from_fn(|index| (index * 73) as u8), &key) {
            let typed = code.grouped().to_ascii_lowercase();
            let Reply::Recovery(read) = Reply::parse(typed.as_bytes()) else { panic!("{typed}") };
            assert_eq!(digest(&key, &read), kept);
            assert_ne!(digest(&[8; 32], &read), kept);
        }
    }

    /// `printf 0123456789ABCDEF | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…`
    #[test]
    fn the_digest_is_hmac_sha_256() {
        let code = RecoveryCode::from_ascii(b"0123456789ABCDEF").unwrap();
        let hex = HEXLOWER.encode(&digest(&[7; 32], &code).0);
        assert_eq!(hex, "3cfe64ab92f682ba6f5dca00f86a4b29bb96bfe0970e5ffd4c87e8fcd3a20ffc");
    }
}
