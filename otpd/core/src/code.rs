//! What a person types, read strictly: nothing but a code or a recovery code gets through.

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery::{self, RecoveryCode};

/// Fewest digits of a code.
pub const FEWEST: u8 = 4;
/// Most digits of a token's code.
pub const MOST: u8 = 8;
/// Most digits of any code: those that an administrator issues may be longer than a token's.
pub const MOST_ISSUED: u8 = 12;
/// Longest reply that is looked at, in bytes (libpam's own limit).
pub const LONGEST_REPLY: usize = 512;

/// A code of 4 to 12 ASCII digits. Wiped when dropped, never printed, compared in constant time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Digits {
    ascii: [u8; MOST_ISSUED as usize],
    len: u8,
}

impl Digits {
    /// The last `len` decimal digits of a number, with leading zeros. `len` outside 4–8 counts as
    /// the nearest allowed number.
    pub(crate) fn last_of(number: u32, len: u8) -> Self {
        Self::written(number.into(), len.clamp(FEWEST, MOST))
    }

    fn written(mut number: u64, len: u8) -> Self {
        let mut digits = Self { ascii: [0; MOST_ISSUED as usize], len };
        for place in digits.ascii.iter_mut().take(usize::from(len)).rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        digits
    }

    /// A uniformly random code of `len` digits from 16 bytes of a cryptographic generator (the bias
    /// is below 2⁻⁸⁷). `len` outside 4–12 counts as the nearest allowed number.
    #[must_use]
    pub fn random(entropy: &[u8; 16], len: u8) -> Self {
        let len = len.clamp(FEWEST, MOST_ISSUED);
        let number = u128::from_be_bytes(*entropy) % 10_u128.pow(len.into());
        Self::written(u64::try_from(number).unwrap_or_default(), len)
    }

    /// `None` for anything but 4 to 12 ASCII digits.
    #[must_use]
    pub fn from_ascii(text: &[u8]) -> Option<Self> {
        let len =
            u8::try_from(text.len()).ok().filter(|len| (FEWEST..=MOST_ISSUED).contains(len))?;
        if !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = Self { ascii: [0; MOST_ISSUED as usize], len };
        digits.ascii.iter_mut().zip(text).for_each(|(place, digit)| *place = *digit);
        Some(digits)
    }

    /// How many digits, 4 to 12.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a code is never empty")]
    pub fn len(&self) -> u8 {
        self.len
    }

    /// The ASCII digits; for those who show or send a code.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.ascii.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl ConstantTimeEq for Digits {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.ascii.ct_eq(&other.ascii) & self.len.ct_eq(&other.len)
    }
}

impl PartialEq for Digits {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for Digits {}

impl std::fmt::Debug for Digits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digits(…)")
    }
}

/// A reply to the prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// A code.
    Digits(Digits),
    /// A recovery code.
    Recovery(RecoveryCode),
    /// Neither; it is never compared with anything and never charged.
    Malformed,
}

impl Reply {
    /// Reads a reply of at most [`LONGEST_REPLY`] bytes. Blanks at both ends are dropped, and so
    /// are single spaces and dashes inside ("123 456", "1234-5678"). What remains is a code (4 to
    /// 12 ASCII digits) or a recovery code (16 Crockford base32 characters of any case; I and L
    /// count as 1, O as 0). Everything else is malformed: a sign, digits of another script, a NUL,
    /// invalid UTF-8, nothing at all.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        if bytes.len() > LONGEST_REPLY {
            return Self::Malformed;
        }
        let Some(typed) = without_separators(bytes.trim_ascii()) else { return Self::Malformed };
        if let Some(digits) = Digits::from_ascii(&typed) {
            return Self::Digits(digits);
        }
        RecoveryCode::from_ascii(&typed).map_or(Self::Malformed, Self::Recovery)
    }
}

/// At most [`recovery::LENGTH`] ASCII letters and digits; `None` for more, for another character
/// and for a separator that is not alone between two of them.
fn without_separators(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut typed = Zeroizing::new(Vec::with_capacity(recovery::LENGTH));
    let mut separated = true;
    for byte in text {
        let separator = matches!(byte, b' ' | b'-');
        if (separator && separated) || !(separator || byte.is_ascii_alphanumeric()) {
            return None;
        }
        if !separator {
            if typed.len() == recovery::LENGTH {
                return None;
            }
            typed.push(*byte);
        }
        separated = separator;
    }
    (!separated).then_some(typed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reply was read as, in clear.
    fn read(reply: &[u8]) -> Option<String> {
        match Reply::parse(reply) {
            Reply::Digits(digits) => Some(String::from_utf8(digits.expose().to_vec()).unwrap()),
            Reply::Recovery(code) => Some(code.grouped().to_string()),
            Reply::Malformed => None,
        }
    }

    #[test]
    fn codes_are_read_with_what_people_put_between_the_digits() {
        for (reply, code) in [
            ("1234", "1234"),
            ("123456", "123456"),
            ("00000000", "00000000"),
            ("  123456\t", "123456"),
            ("\r\n123456\r\n", "123456"),
            ("123 456", "123456"),
            ("123-456", "123456"),
            ("1 2-3 4-5 6", "123456"),
            ("12 34 56 78", "12345678"),
            ("123456789", "123456789"),
            ("1234 5678 9012", "123456789012"),
        ] {
            assert_eq!(read(reply.as_bytes()).as_deref(), Some(code), "{reply:?}");
        }
    }

    #[test]
    fn recovery_codes_are_read_in_any_case_and_grouping() {
        for (reply, code) in [
            ("0123456789ABCDEF", "0123-4567-89AB-CDEF"),
            ("0123-4567-89ab-cdef", "0123-4567-89AB-CDEF"),
            (" ghjk mnpq rstv wxyz ", "GHJK-MNPQ-RSTV-WXYZ"),
            ("iIlLoOiIlLoOiIlL", "1111-0011-1100-1111"),
            ("1234567890123456", "1234-5678-9012-3456"),
        ] {
            assert_eq!(read(reply.as_bytes()).as_deref(), Some(code), "{reply:?}");
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        for reply in [
            "",
            " ",
            "-",
            "123",
            "1234567890123",
            "123456789012345",
            "12345678901234567",
            "+123456",
            "-123456",
            "123456-",
            "- 123456",
            "123  456",
            "123--456",
            "123 -456",
            "123.456",
            "123_456",
            "123\t456",
            "123\n456",
            "0x1234",
            "12e4",
            "12345a",
            "code",
            "１２３４５６",
            "١٢٣٤٥٦",
            "123\u{a0}456",
            "123\u{2013}456",
            "\u{feff}123456",
            "123456\0",
            "\0",
            "123\x00456",
            "\u{8}\n\r\u{7f}INCORRECT",
            "U123456789ABCDEF",
            "ÄBCDEFGHJKMNPQRS",
            "0123-4567-89AB-CDE",
            "0123--4567-89AB-CDEF",
            "0123-4567-89AB-CDEF-",
            "0123-4567-89AB-CDEFG",
        ] {
            assert_eq!(read(reply.as_bytes()), None, "{reply:?}");
        }
        for reply in [&b"123456\xff"[..], b"\xff\xfe", b"\xc0\xb1\xc0\xb2\xc0\xb3\xc0\xb4"] {
            assert_eq!(read(reply), None, "{reply:?}");
        }
    }

    #[test]
    fn replies_of_up_to_512_bytes_are_looked_at() {
        let blanks = |count| [b" ".repeat(count), b"123456".to_vec()].concat();
        assert_eq!(read(&blanks(506)).as_deref(), Some("123456"));
        assert_eq!(read(&blanks(507)), None);
        assert_eq!(read(&b"1".repeat(1 << 20)), None);
    }

    #[test]
    fn codes_are_equal_only_in_digits_and_length() {
        let digits = |text: &str| Digits::from_ascii(text.as_bytes()).unwrap();
        assert_eq!(digits("123456"), digits("123456"));
        for other in ["123457", "023456", "12345", "1234560", "12345600"] {
            assert_ne!(digits("123456"), digits(other), "{other}");
        }
        assert_eq!(format!("{:?}", Reply::parse(b"123456")), "Digits(Digits(…))");
        assert_eq!(format!("{:?}", Reply::parse(b"0123456789ABCDEF")), "Recovery(RecoveryCode(…))");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_something_well_formed(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..600),
                proptest::collection::vec(
                    proptest::sample::select(b"0123456789 -ABOilu".to_vec()), 0..24,
                ),
            ],
        ) {
            match Reply::parse(&bytes) {
                Reply::Digits(digits) => {
                    let kept: Vec<u8> =
                        bytes.iter().copied().filter(u8::is_ascii_digit).collect();
                    prop_assert_eq!(digits.expose(), kept);
                    prop_assert!((FEWEST..=MOST_ISSUED).contains(&digits.len()));
                }
                Reply::Recovery(code) => {
                    let grouped = code.grouped();
                    prop_assert_eq!(Reply::parse(grouped.as_bytes()), Reply::Recovery(code));
                }
                Reply::Malformed => {}
            }
        }
    }
}
