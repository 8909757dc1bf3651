//! PDUs of SMPP 3.4 (sections 3.2 and 4), as far as one who submits messages needs them.

use zeroize::Zeroizing;

/// command_id (section 5.1.2.1).
pub(super) mod command {
    pub(in crate::smpp) const BIND_TRANSMITTER: u32 = 0x02;
    pub(in crate::smpp) const SUBMIT_SM: u32 = 0x04;
    pub(in crate::smpp) const DELIVER_SM: u32 = 0x05;
    pub(in crate::smpp) const UNBIND: u32 = 0x06;
    pub(in crate::smpp) const BIND_TRANSCEIVER: u32 = 0x09;
    pub(in crate::smpp) const OUTBIND: u32 = 0x0B;
    pub(in crate::smpp) const ENQUIRE_LINK: u32 = 0x15;
    pub(in crate::smpp) const ALERT_NOTIFICATION: u32 = 0x102;
    /// The bit that makes a command its response.
    pub(in crate::smpp) const RESPONSE: u32 = 0x8000_0000;
    pub(in crate::smpp) const GENERIC_NACK: u32 = RESPONSE;
}

/// Length of the header (section 3.2).
const HEADER: usize = 16;
/// The longest PDU that is taken. What a sender is told is far shorter, and a message to us may
/// be this long.
const LONGEST: usize = 8192;
/// More than any PDU that we send, so that the buffer never moves and is wiped as a whole.
const ROOM: usize = 512;
/// esm_class of a delivery receipt, and the bits that say so (section 5.2.12).
const RECEIPT: (u8, u8) = (0x04, 0x3C);
/// Tag of the TLV message_state (section 5.3.2.35).
const MESSAGE_STATE: u16 = 0x0427;
/// What receipts call the states (appendix B), in the order of message_state from 1 on.
const STATES: [&str; 8] =
    ["ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];

/// A PDU to send. It may hold a password or a code and is wiped when dropped.
pub(super) struct Pdu(Zeroizing<Vec<u8>>);

impl Pdu {
    /// The header alone.
    pub(super) fn new(command: u32, status: u32) -> Self {
        let mut octets = Zeroizing::new(Vec::with_capacity(ROOM));
        for field in [0, command, status, 0] {
            octets.extend(field.to_be_bytes());
        }
        Self(octets)
    }

    /// Appends octets.
    pub(super) fn octets(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(octets);
        self
    }

    /// Appends a text, which holds no NUL, and a NUL: a C-octet string.
    pub(super) fn text(self, text: &str) -> Self {
        self.octets(text.as_bytes()).octets(&[0])
    }

    /// The PDU on the wire, under a sequence number.
    pub(super) fn numbered(&mut self, sequence: u32) -> &[u8] {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        for (field, value) in [(0..4, length), (12..16, sequence)] {
            if let Some(octets) = self.0.get_mut(field) {
                octets.copy_from_slice(&value.to_be_bytes());
            }
        }
        &self.0
    }
}

/// A PDU that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// command_id.
    pub(super) command: u32,
    /// command_status.
    pub(super) status: u32,
    /// sequence_number.
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) body: Vec<u8>,
}

/// Takes the first PDU off what has arrived, if it is there as a whole.
///
/// # Errors
/// The command_length, when no PDU can have it: where the next one begins is then unknown.
pub(super) fn take(inbox: &mut Vec<u8>) -> Result<Option<Received>, u32> {
    let [length, command, status, sequence, ..] = inbox.as_chunks::<4>().0 else {
        return Ok(None);
    };
    let [length, command, status, sequence] =
        [length, command, status, sequence].map(|word| u32::from_be_bytes(*word));
    let end = match usize::try_from(length) {
        Ok(end) if (HEADER..=LONGEST).contains(&end) => end,
        _ => return Err(length),
    };
    if inbox.len() < end {
        return Ok(None);
    }
    let body = inbox.drain(..end).skip(HEADER).collect();
    Ok(Some(Received { command, status, sequence, body }))
}

/// message_id of a submit_sm_resp (section 4.4.2): printable, of any length.
pub(super) fn message_id(body: &[u8]) -> Option<String> {
    let id = body.split(|octet| *octet == 0).next()?;
    let id: String = id.iter().filter(|c| c.is_ascii_graphic()).map(|c| char::from(*c)).collect();
    (!id.is_empty()).then_some(id)
}

/// The state that a deliver_sm tells, if it is a delivery receipt that tells one. The rest of a
/// receipt (the number, the beginning of the text) is nobody's business here.
pub(super) fn receipt_state(body: &[u8]) -> Option<&'static str> {
    let mut fields = Fields(body);
    fields.text()?; // service_type
    fields.octets::<2>()?;
    fields.text()?; // source_addr
    fields.octets::<2>()?;
    fields.text()?; // destination_addr
    let [esm_class, _protocol, _priority] = fields.octets()?;
    if esm_class & RECEIPT.1 != RECEIPT.0 {
        return None;
    }
    fields.text()?; // schedule_delivery_time
    fields.text()?; // validity_period
    let [_receipt, _replace, _coding, _default, length] = fields.octets()?;
    let (text, mut tlvs) = fields.0.split_at_checked(usize::from(length))?;
    let stated = |state: &&&str| {
        text.windows(12).any(|word| word == [b"stat:", state.as_bytes()].concat().as_slice())
    };
    if let Some(state) = STATES.iter().find(stated) {
        return Some(state);
    }
    while let Some(([tag0, tag1, length0, length1], rest)) = tlvs.split_first_chunk() {
        let length = u16::from_be_bytes([*length0, *length1]);
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        if u16::from_be_bytes([*tag0, *tag1]) == MESSAGE_STATE {
            let state = usize::from(*value.first()?).checked_sub(1)?;
            return STATES.get(state).copied();
        }
        tlvs = rest;
    }
    None
}

/// Reads the fields of a body in their order.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn octets<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (octets, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*octets)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|octet| *octet == 0)?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.get(1..)?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A deliver_sm with a text and TLVs.
    fn deliver_sm(esm_class: u8, text: &[u8], tlvs: &[u8]) -> Vec<u8> {
        let mut body = b"\0\x01\x01491701234581\0\x05\0Example\0".to_vec();
        body.extend([esm_class, 0, 0, 0, 0, 0, 0, 0, 0, u8::try_from(text.len()).unwrap()]);
        body.extend(text);
        body.extend(tlvs);
        body
    }

    #[test]
    fn pdus_are_what_other_programs_write() {
        // As python-smpplib 2.2.4 writes them.
        let bind =
            || Pdu::new(command::BIND_TRANSMITTER, 0).text("otpd").text("secret08").text("OTP");
        for (mut pdu, sequence, octets) in [
            (
                bind().octets(&[0x34, 0, 0]).text(""),
                1,
                "000000260000000200000000000000016f747064007365637265743038004f54500034000000",
            ),
            (Pdu::new(command::ENQUIRE_LINK, 0), 1, "00000010000000150000000000000001"),
            (
                Pdu::new(command::DELIVER_SM | command::RESPONSE, 0).text(""),
                0x7FFF_FFFF,
                "0000001180000005000000007fffffff00",
            ),
            (Pdu::new(command::GENERIC_NACK, 3), 0x0102_0304, "00000010800000000000000301020304"),
        ] {
            let written = pdu.numbered(sequence).iter().map(|octet| format!("{octet:02x}"));
            assert_eq!(written.collect::<String>(), octets);
        }
    }

    #[test]
    fn pdus_are_taken_whole_and_one_by_one() {
        let mut stream = Vec::new();
        for sequence in [7, 8] {
            let mut pdu = Pdu::new(command::SUBMIT_SM | command::RESPONSE, 0x58).text("id");
            stream.extend_from_slice(pdu.numbered(sequence));
        }
        let whole = stream.len();
        for end in 0..whole / 2 {
            let mut inbox = stream[..end].to_vec();
            assert_eq!((take(&mut inbox), inbox.len()), (Ok(None), end));
        }
        for sequence in [7, 8] {
            let pdu =
                Received { command: 0x8000_0004, status: 0x58, sequence, body: b"id\0".into() };
            assert_eq!(take(&mut stream), Ok(Some(pdu)));
        }
        assert_eq!(take(&mut stream), Ok(None));
        for (length, taken) in
            [(0, false), (15, false), (16, true), (8192, true), (8193, false), (u32::MAX, false)]
        {
            let mut inbox = [length.to_be_bytes(), [0; 4], [0; 4], [0; 4]].concat();
            assert_eq!(take(&mut inbox).is_ok(), taken, "{length}");
        }
    }

    #[test]
    fn a_message_id_is_printable() {
        for (body, id) in [
            (&b"7f3a\0"[..], Some("7f3a")),
            (b"7f3a", Some("7f3a")),
            (b"7f\r\n3a \xff\0rest", Some("7f3a")),
            (b"\0", None),
            (b"", None),
        ] {
            assert_eq!(message_id(body).as_deref(), id);
        }
    }

    #[test]
    fn only_a_receipt_tells_a_state() {
        let text =
            b"id:7 sub:001 dlvrd:001 submit date:2601010000 stat:DELIVRD err:000 text:482913";
        let state = |body: &[u8]| receipt_state(body);
        assert_eq!(state(&deliver_sm(0x04, text, b"")), Some("DELIVRD"));
        assert_eq!(state(&deliver_sm(0x44, text, b"")), Some("DELIVRD"));
        assert_eq!(state(&deliver_sm(0x00, text, b"")), None);
        assert_eq!(state(&deliver_sm(0x04, b"stat:482913 ", b"")), None);
        let tlvs = b"\x00\x1e\x00\x02\x37\x00\x04\x27\x00\x01\x05";
        assert_eq!(state(&deliver_sm(0x04, b"", tlvs)), Some("UNDELIV"));
        assert_eq!(state(&deliver_sm(0x04, b"", b"\x04\x27\x00\x01\x00")), None);
        assert_eq!(state(&deliver_sm(0x04, b"", b"\x04\x27\x00\x01\x09")), None);
        let whole = deliver_sm(0x04, text, tlvs);
        for end in 0..whole.len() - tlvs.len() {
            assert_eq!(state(&whole[..end]), None, "{end}");
        }
    }
}
