//! What is in short messages: 3GPP TS 23.038 (alphabets) and 23.040 (SMS-SUBMIT, user data header).

use super::Received;

/// The default alphabet (TS 23.038 section 6.2.1); 0x1b leads to [`EXTENSION`].
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension (section 6.2.1.1).
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// Where a part belongs: the message's reference, how many parts there are, and which one it is.
pub(crate) type Place = (u8, u8, u8);

/// A short message, perhaps of several.
pub(crate) struct Part {
    pub(crate) to: String,
    pub(crate) place: Option<Place>,
    pub(crate) text: String,
}

/// Puts messages together from their parts; one that lacks a part is left out.
pub(crate) fn join(parts: impl Iterator<Item = Part>) -> Vec<Received> {
    let (mut whole, mut open): (Vec<Received>, Vec<Part>) = (Vec::new(), Vec::new());
    for part in parts {
        let Some((reference, total, _)) = part.place else {
            whole.push(Received { to: part.to, text: part.text, ..Received::default() });
            continue;
        };
        open.push(part);
        let same = |part: &Part| part.place.is_some_and(|(r, ..)| r == reference);
        if open.iter().filter(|part| same(part)).count() == usize::from(total) {
            let mut all: Vec<_> = open.extract_if(.., |part| same(part)).collect();
            all.sort_by_key(|part| part.place);
            let text = all.iter().map(|part| part.text.as_str()).collect();
            whole.push(Received { to: all.swap_remove(0).to, text, ..Received::default() });
        }
    }
    whole
}

/// The place that a user data header tells (TS 23.040 section 9.2.3.24.1), and what follows it.
pub(crate) fn header(body: &[u8]) -> (Option<Place>, &[u8]) {
    let (header, text) = body[1..].split_at(usize::from(body[0]));
    let [0, 3, reference, total, number] = *header else { panic!("user data header {header:?}") };
    (Some((reference, total, number)), text)
}

/// Text of the default alphabet, a septet in each byte.
pub(crate) fn alphabet(septets: &[u8]) -> String {
    let mut septets = septets.iter().copied();
    let mut text = String::new();
    while let Some(septet) = septets.next() {
        text.push(match septet {
            0x1b => {
                let second = septets.next().expect("something after an escape");
                EXTENSION.iter().find(|(code, _)| *code == second).expect("a known escape").1
            }
            plain => ALPHABET.chars().nth(usize::from(plain)).expect("a septet"),
        });
    }
    text
}

/// Text of UCS-2, or rather UTF-16, big-endian.
pub(crate) fn ucs2(bytes: &[u8]) -> String {
    let units = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.expect("UTF-16")).collect()
}

/// An SMS-SUBMIT (TS 23.040 section 9.2.2.2), behind the number of the message centre.
pub(crate) fn submit(pdu: &[u8]) -> Part {
    let pdu = &pdu[1 + usize::from(pdu[0])..];
    let (first, digits, kind) = (pdu[0], usize::from(pdu[2]), pdu[3]);
    assert_eq!(first & 0b11, 0b01, "no SMS-SUBMIT");
    let (number, rest) = pdu[4..].split_at(digits.div_ceil(2));
    let mut to = if kind == 0x91 { "+".to_owned() } else { String::new() };
    to.extend(
        number
            .iter()
            .flat_map(|byte| [byte & 0xf, byte >> 4])
            .take(digits)
            .map(|digit| char::from(b'0' + digit)),
    );
    let validity = match first >> 3 & 0b11 {
        0b00 => 0,
        0b10 => 1,
        _ => 7,
    };
    let (coding, length, body) = (rest[1], usize::from(rest[2 + validity]), &rest[3 + validity..]);
    let with_header = first & 0x40 != 0;
    let (place, text) = if with_header { header(body) } else { (None, body) };
    let text = match coding {
        0x00 => {
            // The text begins at a septet's boundary behind the header.
            let skipped = (body.len() - text.len()) * 8;
            alphabet(&unpack(body, skipped.div_ceil(7), length))
        }
        0x08 => ucs2(text),
        other => panic!("data coding {other:#x}"),
    };
    Part { to, place, text }
}

/// The septets `from..to` of packed bytes (TS 23.038 section 6.1.2.1).
fn unpack(bytes: &[u8], from: usize, to: usize) -> Vec<u8> {
    let septet = |n: usize| {
        (0..7).fold(0, |septet, bit| {
            let at = n * 7 + bit;
            septet | (bytes[at / 8] >> (at % 8) & 1) << bit
        })
    };
    (from..to).map(septet).collect()
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|n| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("hexadecimal"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As gnokii 0.6.30 makes them.
    #[test]
    fn short_messages_are_read() {
        for (pdu, text) in [
            (
                "0011000C919471103254180000001450B9DF0CA2E164B9D80CB429833628FC2605",
                "Prüf 482913 € {x}",
            ),
            (
                "0011000C919471103254180008001C0412043004480020043A043E04340020003400380032003900310033",
                "Ваш код 482913",
            ),
        ] {
            let part = submit(&hex(pdu));
            assert_eq!((part.to.as_str(), part.text.as_str()), ("+491701234581", text));
        }
    }

    #[test]
    fn long_messages_are_put_together() {
        let parts = [
            "0051000C919471103254180000003605 0003CE020270B25C6C1603D170B25C6C1603D170B25C6C1603D170B25C6C1603D170B25C6C1603D170B25C6C160301",
            "0051000C91947110325418000000A0050003CE02016838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B816838592E368B8168",
        ];
        let joined = join(parts.iter().map(|part| submit(&hex(&part.replace(' ', "")))));
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].text, "4829131 ".repeat(25));
    }
}
