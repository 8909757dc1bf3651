//! The alphabets of a short message, and how a long text is cut (3GPP TS 23.038, TS 23.040).

use zeroize::Zeroizing;

/// The default alphabet of GSM, in the order of its codes; 0x1B is the escape.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// What takes two: the escape and a code.
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0A),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2F),
    ('[', 0x3C),
    ('~', 0x3D),
    (']', 0x3E),
    ('|', 0x40),
    ('€', 0x65),
];
const ESCAPE: char = '\u{1b}';
/// data_coding of UCS-2, big-endian (SMPP 3.4 section 5.2.19).
const UCS2: u8 = 8;
/// Septets of a message, and of a part of one beside its header.
const SEPTETS: (usize, usize) = (160, 153);
/// Octets of a message, and of a part of one beside its header.
const OCTETS: (usize, usize) = (140, 134);

/// What the SMSC takes data_coding 0 for: its default alphabet, as the provider says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 7-bit, a septet in an octet.
    #[default]
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
}

/// Octets that may hold a code; wiped when dropped.
pub(super) type Octets = Zeroizing<Vec<u8>>;

/// A text as it is submitted.
pub(super) struct Encoded {
    /// data_coding.
    pub(super) coding: u8,
    /// At least one. No character is divided between two.
    pub(super) parts: Vec<Octets>,
}

/// Appends a character, if the alphabet has it.
type Put = fn(char, &mut Vec<u8>) -> Option<()>;

/// The text in the default alphabet if it has every character, else in UCS-2 (with surrogates
/// for what lies beyond it, as telephones read it).
pub(super) fn encode(text: &str, alphabet: Alphabet) -> Encoded {
    let (put, limits): (Put, _) = match alphabet {
        Alphabet::Gsm7 => (gsm7, SEPTETS),
        Alphabet::Latin1 => (latin1, OCTETS),
        Alphabet::Ascii => (ascii, OCTETS),
        Alphabet::Utf8 => (utf8, OCTETS),
    };
    match cut(text, put, limits) {
        Some(parts) => Encoded { coding: 0, parts },
        None => Encoded { coding: UCS2, parts: cut(text, ucs2, OCTETS).unwrap_or_default() },
    }
}

/// How many short messages a text takes with that default alphabet; at least 1.
#[must_use]
pub fn parts(text: &str, alphabet: Alphabet) -> usize {
    encode(text, alphabet).parts.len()
}

/// The whole if it fits, else parts with room for a header; nothing if a character is missing.
fn cut(text: &str, put: Put, (whole, part): (usize, usize)) -> Option<Vec<Octets>> {
    let parts = fill(text, put, whole)?;
    if parts.len() == 1 { Some(parts) } else { fill(text, put, part) }
}

fn fill(text: &str, put: Put, limit: usize) -> Option<Vec<Octets>> {
    // Room for the character that turns out to be too much: a vector that grows is not wiped.
    let empty = || Octets::new(Vec::with_capacity(limit + char::MAX.len_utf8()));
    let mut parts = Vec::new();
    let mut part = empty();
    for c in text.chars() {
        let end = part.len();
        put(c, &mut part)?;
        if part.len() > limit {
            let mut next = empty();
            next.extend(part.drain(end..));
            parts.push(std::mem::replace(&mut part, next));
        }
    }
    parts.push(part);
    Some(parts)
}

fn gsm7(c: char, octets: &mut Vec<u8>) -> Option<()> {
    if let Some((_, code)) = EXTENSION.iter().find(|(known, _)| *known == c) {
        octets.extend([0x1B, *code]);
        return Some(());
    }
    let code = BASIC.chars().position(|known| known == c && c != ESCAPE)?;
    octets.push(u8::try_from(code).ok()?);
    Some(())
}

fn latin1(c: char, octets: &mut Vec<u8>) -> Option<()> {
    octets.push(u8::try_from(c).ok()?);
    Some(())
}

fn ascii(c: char, octets: &mut Vec<u8>) -> Option<()> {
    c.is_ascii().then_some(())?;
    latin1(c, octets)
}

fn utf8(c: char, octets: &mut Vec<u8>) -> Option<()> {
    octets.extend(c.encode_utf8(&mut [0; 4]).bytes());
    Some(())
}

fn ucs2(c: char, octets: &mut Vec<u8>) -> Option<()> {
    octets.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads GSM 7-bit as a telephone does: an escape counts for the next septet only, and is
    /// lost at the end of a part.
    fn read_gsm7(part: &[u8]) -> String {
        let mut septets = part.iter();
        let mut text = String::new();
        while let Some(septet) = septets.next() {
            text.push(match septet {
                0x1B => {
                    let code = septets.next().expect("an escape ends the part");
                    EXTENSION.iter().find(|(_, known)| known == code).unwrap().0
                }
                code => BASIC.chars().nth(usize::from(*code)).unwrap(),
            });
        }
        text
    }

    fn read(coding: u8, alphabet: Alphabet, part: &[u8]) -> String {
        match (coding, alphabet) {
            (UCS2, _) => {
                assert_eq!(part.len() % 2, 0);
                let units = part.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit));
                String::from_utf16(&units.collect::<Vec<_>>()).expect("a surrogate alone")
            }
            (_, Alphabet::Gsm7) => read_gsm7(part),
            (_, Alphabet::Latin1 | Alphabet::Ascii) => {
                part.iter().map(|b| char::from(*b)).collect()
            }
            (_, Alphabet::Utf8) => String::from_utf8(part.to_vec()).expect("half a character"),
        }
    }

    #[test]
    fn the_table_is_the_one_of_gsm() {
        assert_eq!(BASIC.chars().count(), 128);
        for (text, octets) in [
            ("@£$¥", &[0, 1, 2, 3][..]),
            ("èéùìòÇ\nØø\rÅå", &[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            ("Δ_ΦΓΛΩΠΨΣΘΞ", &[16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26]),
            ("ÆæßÉ ", &[28, 29, 30, 31, 32]),
            ("#¤%09?¡AZ", &[0x23, 0x24, 0x25, 0x30, 0x39, 0x3F, 0x40, 0x41, 0x5A]),
            ("ÄÖÑÜ§¿az", &[0x5B, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61, 0x7A]),
            ("äöñüà", &[0x7B, 0x7C, 0x7D, 0x7E, 0x7F]),
            ("€[]", &[0x1B, 0x65, 0x1B, 0x3C, 0x1B, 0x3E]),
            ("{}\\^~|", b"\x1b\x28\x1b\x29\x1b\x2f\x1b\x14\x1b\x3d\x1b\x40"),
        ] {
            let encoded = encode(text, Alphabet::Gsm7);
            assert_eq!((encoded.coding, encoded.parts[0].as_slice()), (0, octets), "{text:?}");
        }
        for text in ["ç", "`", "\t", "\u{1b}", "ω", "–"] {
            assert_eq!(encode(text, Alphabet::Gsm7).coding, UCS2, "{text:?}");
        }
    }

    #[test]
    fn a_text_takes_as_many_parts_as_the_standard_says() {
        use Alphabet::{Ascii, Gsm7, Latin1, Utf8};
        for (text, alphabet, coding, sizes) in [
            (String::new(), Gsm7, 0, &[0][..]),
            ("x".repeat(160), Gsm7, 0, &[160]),
            ("x".repeat(161), Gsm7, 0, &[153, 8]),
            ("€".repeat(80), Gsm7, 0, &[160]),
            ("€".repeat(81), Gsm7, 0, &[152, 10]),
            ("x".repeat(306), Gsm7, 0, &[153, 153]),
            ("я".repeat(70), Gsm7, UCS2, &[140]),
            ("я".repeat(71), Gsm7, UCS2, &[134, 8]),
            ("😀".repeat(35), Gsm7, UCS2, &[140]),
            ("😀".repeat(36), Gsm7, UCS2, &[132, 12]),
            ("é".repeat(140), Latin1, 0, &[140]),
            ("é".repeat(141), Latin1, 0, &[134, 7]),
            ("€".repeat(70), Latin1, UCS2, &[140]),
            ("x".repeat(141), Ascii, 0, &[134, 7]),
            ("é".repeat(70), Ascii, UCS2, &[140]),
            ("€".repeat(46), Utf8, 0, &[138]),
            ("€".repeat(47), Utf8, 0, &[132, 9]),
        ] {
            let encoded = encode(&text, alphabet);
            let found: Vec<_> = encoded.parts.iter().map(|part| part.len()).collect();
            assert_eq!((encoded.coding, found.as_slice()), (coding, sizes), "{alphabet:?} {text}");
            assert_eq!(parts(&text, alphabet), sizes.len());
        }
    }

    proptest! {
        #[test]
        fn parts_joined_are_the_text(
            text in "([ -~]|[€^{}|~]|[äöüßñ@£Δ]|[а-я]|[😀-😎]|\\PC){0,500}",
            alphabet in prop::sample::select(vec![
                Alphabet::Gsm7, Alphabet::Latin1, Alphabet::Ascii, Alphabet::Utf8,
            ]),
        ) {
            let Encoded { coding, parts } = encode(&text, alphabet);
            let septets = coding == 0 && alphabet == Alphabet::Gsm7;
            let (whole, part) = if septets { SEPTETS } else { OCTETS };
            let limit = if parts.len() == 1 { whole } else { part };
            let mut joined = String::new();
            for part in &parts {
                prop_assert!(part.len() <= limit);
                prop_assert!(!septets || part.iter().all(|septet| *septet < 128));
                joined += &read(coding, alphabet, part);
            }
            prop_assert_eq!(joined, text);
        }
    }
}
