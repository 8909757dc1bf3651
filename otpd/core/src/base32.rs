//! Base32 as authenticator apps write secrets (RFC 4648, without padding).

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use crate::error::Error;

/// Upper case, without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(BASE32_NOPAD.encode(bytes))
}

/// Reads what people and other programs write: lower case, spaces, dashes and padding at the end
/// are tolerated.
///
/// # Errors
/// [`Error::Base32`] for any other character (0, 1, 8 and 9 among them), a length that no bytes
/// have, and trailing bits that are not 0.
pub fn decode(text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut symbols = Zeroizing::new(Vec::with_capacity(text.len()));
    let significant = text.bytes().filter(|byte| !matches!(byte, b' ' | b'-'));
    symbols.extend(significant.map(|byte| byte.to_ascii_uppercase()));
    while symbols.last() == Some(&b'=') {
        symbols.pop();
    }
    let length = BASE32_NOPAD.decode_len(symbols.len()).map_err(|_| Error::Base32)?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    BASE32_NOPAD.decode_mut(&symbols, &mut bytes).map_err(|_| Error::Base32)?;
    Ok(bytes)
}
