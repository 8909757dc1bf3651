//! What a person types, read strictly: nothing but a code or a recovery code gets through.

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::recovery::{self, RecoveryCode};

/// Fewest digits of a code.
pub const FEWEST: u8 = 4;
/// Most digits of a code.
pub const MOST: u8 = 8;
/// Longest reply that is looked at, in bytes (libpam's own limit).
pub const LONGEST_REPLY: usize = 512;

/// A code of 4 to 8 ASCII digits. Wiped when dropped, never printed, compared in constant time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Digits {
    ascii: [u8; MOST as usize],
    len: u8,
}

impl Digits {
    /// The last `len` decimal digits of a number, with leading zeros.
    pub(crate) fn last_of(mut number: u32, len: u8) -> Self {
        let len = len.clamp(FEWEST, MOST);
        let mut digits = Self { ascii: [0; MOST as usize], len };
        for place in digits.ascii.iter_mut().take(usize::from(len)).rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
        digits
    }

    /// `None` for anything but 4 to 8 ASCII digits.
    fn from_ascii(text: &[u8]) -> Option<Self> {
        let len = u8::try_from(text.len()).ok().filter(|len| (FEWEST..=MOST).contains(len))?;
        if !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = Self { ascii: [0; MOST as usize], len };
        digits.ascii.iter_mut().zip(text).for_each(|(place, digit)| *place = *digit);
        Some(digits)
    }

    /// How many digits, 4 to 8.
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
    /// 8 ASCII digits) or a recovery code (16 Crockford base32 characters of any case; I and L
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
        if separator && separated || !separator && !byte.is_ascii_alphanumeric() {
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
