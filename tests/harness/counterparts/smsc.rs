//! An SMSC: smpp34's server.

use std::path::PathBuf;

use serde::Deserialize;

use super::{
    Counterpart, Received, await_port, documents, folder, free_port,
    pdu::{self, Part},
    python,
};
use crate::process::Process;

/// The account's password; SMPP 3.4 permits no longer one.
pub const SECRET: &str = "smsc-S77";

/// One submit_sm.
#[derive(Debug, Deserialize)]
struct Submitted {
    to: String,
    esm_class: u8,
    data_coding: u8,
    short_message: String,
}

/// A running SMSC; ends when dropped.
pub struct Smsc {
    _process: Process,
    port: u16,
    inbox: PathBuf,
}

impl Smsc {
    pub(crate) fn start() -> Self {
        let (port, inbox) = (free_port(), PathBuf::from(folder("smsc")).join("inbox"));
        let process = Process::start(python("smsc.py").arg(port.to_string()).arg(&inbox));
        await_port("the SMSC", port);
        Self { _process: process, port, inbox }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Counterpart for Smsc {
    fn provider(&self, name: &str) -> String {
        format!(
            "[provider.sms.{name}]\ntype = \"smpp\"\nserver = \"127.0.0.1\"\nport = {}\nsystem_id = \"otp\"\npassword = \"{SECRET}\"\nsource_addr = \"otpd\"\n",
            self.port
        )
    }

    fn messages(&self) -> Vec<Received> {
        let submitted: Vec<Submitted> = documents(&self.inbox);
        pdu::join(submitted.into_iter().map(|submitted| {
            let body = pdu::hex(&submitted.short_message);
            let (place, text) = if submitted.esm_class & 0x40 == 0 {
                (None, &body[..])
            } else {
                pdu::header(&body)
            };
            let text = match submitted.data_coding {
                0 => pdu::alphabet(text),
                8 => pdu::ucs2(text),
                other => panic!("data_coding {other}"),
            };
            Part { to: submitted.to, place, text }
        }))
    }
}
