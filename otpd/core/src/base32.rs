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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_4648_section_10_without_padding() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(encode(bytes.as_bytes()).as_str(), text);
            assert_eq!(decode(text).unwrap().as_slice(), bytes.as_bytes());
        }
        assert_eq!(decode("JBSWY3DPEHPK3PXP").unwrap().as_slice(), b"Hello!\xde\xad\xbe\xef");
    }

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "mzxw6ytboi",
            "MZXW 6YTB OI",
            "mzxw-6ytb-oi",
            " MZXW6YTBOI ",
            "MZXW6YTBOI======",
            "MZXW6YTBOI=",
            "mzxw 6ytb oi== ====",
        ] {
            assert_eq!(decode(text).unwrap().as_slice(), b"foobar", "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "MZXW0", "MZXW1", "MZXW8", "MZXW9", "MZ=XW6", "M", "MZX", "MZXW6Y", "MZ", "MZXR",
            "MZXW6/TB", "MZXW6\n", "MZXW6ÿ", "ＭZXW6", "MZXW6\0",
        ] {
            assert_eq!(decode(text), Err(Error::Base32), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..130)) {
            let decoded = decode(&encode(&bytes)).unwrap();
            prop_assert_eq!(decoded.as_slice(), bytes);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,64}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(decode(&encode(&bytes)), Ok(bytes));
            }
        }
    }
}
