//! What an administrator sets.

use std::time::Duration;

use super::alphabet::Alphabet;
use crate::{Hidden, tls};

/// Longest texts of a bind and a submit_sm in bytes, without their NUL (SMPP 3.4 section 5.2).
const SYSTEM_ID: usize = 15;
const PASSWORD: usize = 8;
const SYSTEM_TYPE: usize = 12;
const SERVICE_TYPE: usize = 5;
const ADDRESS: usize = 20;
/// Longest sender that is a text (3GPP TS 23.040 section 9.1.2.5).
const TEXT_SENDER: usize = 11;
/// Most digits of a short code.
const SHORT_CODE: usize = 6;
/// Largest values that SMPP defines (sections 5.2.5 and 5.2.6).
const LARGEST_TON: u8 = 6;
const LARGEST_NPI: u8 = 18;

/// As what a session is bound (SMPP 3.4 section 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bind {
    /// Only submits.
    #[default]
    Transmitter,
    /// Takes delivery receipts as well; not every provider permits it.
    Transceiver,
}

/// An SMSC and the account with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Host name or IP address of the SMSC; required.
    pub server: String,
    /// TCP port, 1–65535; 5100.
    pub port: u16,
    /// TLS from the first byte on, with `server` as the name that the certificate must have; off.
    pub tls: Option<tls::Settings>,
    /// Account, 1–15 printable ASCII characters; required.
    pub system_id: String,
    /// Its password, at most 8 printable ASCII characters; empty.
    pub password: Hidden,
    /// Category of the account, at most 12 printable ASCII characters; empty. Only if the
    /// provider names one.
    pub system_type: String,
    /// Service of the message, at most 5 printable ASCII characters; empty, the SMSC's default.
    pub service_type: String,
    /// As what we bind: `transmitter` or `transceiver`; `transmitter`.
    pub bind: Bind,
    /// Sender: a number of at most 20 digits, with or without `+`, or a text of at most 11
    /// printable ASCII characters; empty, the SMSC's default.
    pub source_addr: String,
    /// Type of number of the sender, 0–6. If absent: 5 for a text, 3 for a short code of up to
    /// 6 digits, 1 for a longer number, 0 for none. A text permits 5 only.
    pub source_addr_ton: Option<u8>,
    /// Numbering plan of the sender, 0–18. If absent: 0 for a text or none, 1 for a number. A text
    /// permits 0 only.
    pub source_addr_npi: Option<u8>,
    /// Type of number of the recipient, 0–6; 1, international.
    pub dest_addr_ton: u8,
    /// Numbering plan of the recipient, 0–18; 1, ISDN.
    pub dest_addr_npi: u8,
    /// What data_coding 0 means to the SMSC: `gsm7`, `latin1`, `ascii` or `utf8`; `gsm7`. What
    /// does not fit is sent as UCS-2.
    pub default_alphabet: Alphabet,
    /// Whether to ask for delivery receipts, which are logged at the level debug; no. They come
    /// to a transceiver only.
    pub registered_delivery: bool,
    /// How many submissions may be without an answer at the same time, 1–10; 10.
    pub window: usize,
    /// How long an answer of the SMSC may take, 1–6 s; 5 s. Connecting and binding may take
    /// what is left of 8.5 s.
    pub response_timeout: Duration,
    /// Time between two checks of the session, 5 s–10 min; 30 s.
    pub enquire_link_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 5100,
            tls: None,
            system_id: String::new(),
            password: Hidden::default(),
            system_type: String::new(),
            service_type: String::new(),
            bind: Bind::default(),
            source_addr: String::new(),
            source_addr_ton: None,
            source_addr_npi: None,
            dest_addr_ton: 1,
            dest_addr_npi: 1,
            default_alphabet: Alphabet::default(),
            registered_delivery: false,
            window: 10,
            response_timeout: Duration::from_secs(5),
            enquire_link_interval: Duration::from_secs(30),
        }
    }
}

impl Settings {
    /// Whether every value is in its range and fits the others.
    ///
    /// # Errors
    /// The key and what it takes; never the password.
    pub fn check(&self) -> Result<(), String> {
        for (key, value, longest) in [
            ("system_id", self.system_id.as_str(), SYSTEM_ID),
            ("password", self.password.expose(), PASSWORD),
            ("system_type", &self.system_type, SYSTEM_TYPE),
            ("service_type", &self.service_type, SERVICE_TYPE),
            ("source_addr", self.source_addr.trim_start_matches('+'), ADDRESS),
        ] {
            if value.len() > longest || value.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
                return Err(format!(
                    "{key} takes at most {longest} printable ASCII characters (SMPP 3.4)"
                ));
            }
        }
        for (key, value) in [("server", &self.server), ("system_id", &self.system_id)] {
            if value.is_empty() {
                return Err(format!("{key} is missing: the provider tells it"));
            }
        }
        let seconds = |time: Duration, range: std::ops::RangeInclusive<u64>| {
            (Duration::from_secs(*range.start())..=Duration::from_secs(*range.end()))
                .contains(&time)
        };
        for (right, what) in [
            (self.port != 0, "port takes 1 to 65535"),
            ((1..=10).contains(&self.window), "window takes 1 to 10"),
            (seconds(self.response_timeout, 1..=6), "response_timeout takes 1 s to 6 s"),
            (
                seconds(self.enquire_link_interval, 5..=600),
                "enquire_link_interval takes 5 s to 10 min",
            ),
        ] {
            if !right {
                return Err(what.to_owned());
            }
        }
        self.check_numbering()
    }

    fn check_numbering(&self) -> Result<(), String> {
        for (key, value, largest) in [
            ("source_addr_ton", self.source_addr_ton.unwrap_or_default(), LARGEST_TON),
            ("source_addr_npi", self.source_addr_npi.unwrap_or_default(), LARGEST_NPI),
            ("dest_addr_ton", self.dest_addr_ton, LARGEST_TON),
            ("dest_addr_npi", self.dest_addr_npi, LARGEST_NPI),
        ] {
            if value > largest {
                return Err(format!("{key} takes 0 to {largest} (SMPP 3.4)"));
            }
        }
        let sender = Sender::of(self);
        if sender.kind != SenderKind::Text {
            return Ok(());
        }
        if self.source_addr.len() > TEXT_SENDER {
            return Err(format!("source_addr takes at most {TEXT_SENDER} characters for a text"));
        }
        if (sender.ton, sender.npi) != (5, 0) {
            let what = "source_addr is a text, which goes with source_addr_ton 5 and \
                        source_addr_npi 0 only: correct them or leave them out";
            return Err(what.to_owned());
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SenderKind {
    None,
    Text,
    ShortCode,
    Number,
}

/// The sender as a submit_sm names it.
pub(super) struct Sender<'a> {
    kind: SenderKind,
    /// Type of number.
    pub(super) ton: u8,
    /// Numbering plan.
    pub(super) npi: u8,
    /// source_addr; of a number the digits.
    pub(super) address: &'a str,
}

impl<'a> Sender<'a> {
    pub(super) fn of(settings: &'a Settings) -> Self {
        let text = settings.source_addr.as_str();
        let (plus, digits) = match text.strip_prefix('+') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let (kind, ton, npi) = match text {
            "" => (SenderKind::None, 0, 0),
            _ if !number => (SenderKind::Text, 5, 0),
            _ if !plus && digits.len() <= SHORT_CODE => (SenderKind::ShortCode, 3, 1),
            _ => (SenderKind::Number, 1, 1),
        };
        Self {
            kind,
            ton: settings.source_addr_ton.unwrap_or(ton),
            npi: settings.source_addr_npi.unwrap_or(npi),
            address: if number { digits } else { text },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Settings {
        Settings {
            server: "smsc.example".to_owned(),
            system_id: "otpd".to_owned(),
            password: "secret08".into(),
            source_addr: "Example".to_owned(),
            ..Settings::default()
        }
    }

    #[test]
    fn the_sender_decides_its_type_and_plan() {
        for (address, ton, npi, sent) in [
            ("", 0, 0, ""),
            ("Example", 5, 0, "Example"),
            ("+", 5, 0, "+"),
            ("12345", 3, 1, "12345"),
            ("123456", 3, 1, "123456"),
            ("+123456", 1, 1, "123456"),
            ("491701234581", 1, 1, "491701234581"),
            ("+491701234581", 1, 1, "491701234581"),
        ] {
            let settings = Settings { source_addr: address.to_owned(), ..plain() };
            let sender = Sender::of(&settings);
            assert_eq!((sender.ton, sender.npi, sender.address), (ton, npi, sent), "{address}");
            settings.check().unwrap();
        }
        let own = Settings {
            source_addr: "12345".to_owned(),
            source_addr_ton: Some(6),
            source_addr_npi: Some(0),
            ..plain()
        };
        own.check().unwrap();
        assert_eq!((Sender::of(&own).ton, Sender::of(&own).npi), (6, 0));
    }

    #[test]
    fn what_smpp_has_no_room_for_is_refused_by_name() {
        plain().check().unwrap();
        type Change = fn(&mut Settings);
        let cases: [(&str, Change); 22] = [
            ("server", |s| s.server.clear()),
            ("port", |s| s.port = 0),
            ("system_id", |s| s.system_id.clear()),
            ("system_id", |s| s.system_id = "x".repeat(16)),
            ("system_id", |s| s.system_id = "a\0b".to_owned()),
            ("password", |s| s.password = "secret089".into()),
            ("password", |s| s.password = "sécret".into()),
            ("system_type", |s| s.system_type = "x".repeat(13)),
            ("service_type", |s| s.service_type = "x".repeat(6)),
            ("source_addr", |s| s.source_addr = "1".repeat(21)),
            ("source_addr", |s| s.source_addr = "Examples Inc".to_owned()),
            ("source_addr", |s| s.source_addr = "Exämple".to_owned()),
            ("source_addr_ton", |s| s.source_addr_ton = Some(1)),
            ("source_addr_npi", |s| s.source_addr_npi = Some(1)),
            ("source_addr_ton", |s| s.source_addr_ton = Some(7)),
            ("dest_addr_ton", |s| s.dest_addr_ton = 7),
            ("dest_addr_npi", |s| s.dest_addr_npi = 19),
            ("window", |s| s.window = 0),
            ("window", |s| s.window = 11),
            ("response_timeout", |s| s.response_timeout = Duration::ZERO),
            ("response_timeout", |s| s.response_timeout = Duration::from_millis(6001)),
            ("enquire_link_interval", |s| s.enquire_link_interval = Duration::from_secs(4)),
        ];
        for (key, change) in cases {
            let mut settings = plain();
            change(&mut settings);
            let error = settings.check().unwrap_err();
            assert!(error.contains(key), "{key}: {error}");
            assert!(!error.contains(settings.password.expose()), "{error}");
        }
        let largest = Settings {
            system_id: "x".repeat(15),
            system_type: "x".repeat(12),
            service_type: "x".repeat(5),
            source_addr: format!("+{}", "1".repeat(20)),
            ..plain()
        };
        largest.check().unwrap();
        assert!(!format!("{largest:?}").contains("secret08"));
    }
}
