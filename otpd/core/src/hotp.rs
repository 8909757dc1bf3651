//! RFC 4226: the value that belongs to a counter.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroize;

use crate::{code::Digits, secret::Secret, token::Algorithm};

/// The HOTP value (RFC 4226 section 5.3) of `counter`, as `digits` decimal digits with leading
/// zeros. RFC 6238 values are the same with the time step as the counter. `digits` outside 4–8
/// counts as the nearest allowed number.
#[must_use]
pub fn value(secret: &Secret, algorithm: Algorithm, counter: u64, digits: u8) -> Digits {
    let number = match algorithm {
        Algorithm::Sha1 => truncated::<Hmac<Sha1>>(secret, counter),
        Algorithm::Sha256 => truncated::<Hmac<Sha256>>(secret, counter),
        Algorithm::Sha512 => truncated::<Hmac<Sha512>>(secret, counter),
    };
    Digits::last_of(number, digits)
}

/// Dynamic truncation: 31 bits of the HMAC from the place that its last four bits name.
fn truncated<M: Mac + KeyInit>(secret: &Secret, counter: u64) -> u32 {
    let mut tag = mac::<M>(secret.expose(), &counter.to_be_bytes());
    let offset = usize::from(tag.last().copied().unwrap_or_default() & 0x0f);
    let word = tag.iter().skip(offset).take(4).fold(0, |word, byte| word << 8 | u32::from(*byte));
    tag.as_mut_slice().zeroize();
    word & 0x7fff_ffff
}

/// The HMAC of `message` under `key`.
#[expect(clippy::expect_used, reason = "HMAC takes keys of every length; the error is other MACs'")]
pub(crate) fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> hmac::digest::Output<M> {
    let keyed = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    keyed.chain_update(message).finalize().into_bytes()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use zeroize::Zeroizing;

    use super::*;

    fn secret(text: &[u8]) -> Secret {
        Secret::new(Zeroizing::new(text.to_vec())).unwrap()
    }

    #[test]
    fn g02_rfc_4226_appendix_d() {
        let secret = secret(b"12345678901234567890");
        let table = [
            ("cc93cf18508d94934c64b65d8ba7667fb7cde4b0", 1_284_755_224, "755224"),
            ("75a48a19d4cbe100644e8ac1397eea747a2d33ab", 1_094_287_082, "287082"),
            ("0bacb7fa082fef30782211938bc1c5e70416ff44", 137_359_152, "359152"),
            ("66c28227d03a2d5529262ff016a1e6ef76557ece", 1_726_969_429, "969429"),
            ("a904c900a64b35909874b33e61c5938a8e15ed1c", 1_640_338_314, "338314"),
            ("a37e783d7b7233c083d4f62926c7a25f238d0316", 868_254_676, "254676"),
            ("bc9cd28561042c83f219324d3c607256c03272ae", 1_918_287_922, "287922"),
            ("a4fb960c0bc06e1eabb804e5b397cdc4b45596fa", 82_162_583, "162583"),
            ("1b3c89f65e6c9e883012052823443f048b4332db", 673_399_871, "399871"),
            ("1637409809a679dc698207310c8c7fc07290d9e5", 645_520_489, "520489"),
        ];
        for (counter, (tag, number, code)) in (0_u64..).zip(table) {
            let computed = mac::<Hmac<Sha1>>(secret.expose(), &counter.to_be_bytes());
            assert_eq!(HEXLOWER.encode(&computed), tag, "counter {counter}");
            assert_eq!(truncated::<Hmac<Sha1>>(&secret, counter), number, "counter {counter}");
            let value = value(&secret, Algorithm::Sha1, counter, 6);
            assert_eq!(value.expose(), code.as_bytes(), "counter {counter}");
        }
    }

    #[test]
    fn a_code_is_the_end_of_the_number_with_its_leading_zeros() {
        let secret = secret(b"12345678901234567890");
        for (digits, code) in [
            (0, "2583"),
            (4, "2583"),
            (5, "62583"),
            (6, "162583"),
            (7, "2162583"),
            (8, "82162583"),
            (9, "82162583"),
        ] {
            let value = value(&secret, Algorithm::Sha1, 7, digits);
            assert_eq!(value.expose(), code.as_bytes(), "{digits} digits");
        }
        assert_eq!(Digits::last_of(1_000_042, 6).expose(), b"000042");
    }

    /// The keys are longer than the block of SHA-1 and as long as that of SHA-512 (RFC 2104).
    #[test]
    fn keys_of_every_allowed_length_make_a_code() {
        for length in [10, 20, 63, 64, 65, 99, 127, 128] {
            let secret = secret(&vec![b'k'; length]);
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
                assert_eq!(value(&secret, algorithm, u64::MAX, 6).len(), 6);
            }
        }
    }
}
