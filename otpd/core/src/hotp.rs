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
