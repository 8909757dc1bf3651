//! `type = "smpp"`: a session with an SMSC.

use otp_delivery::{
    Provider,
    smpp::{Alphabet, Bind, Settings},
};

use super::{Reader, Result};
use crate::config::duration::{MINUTE, SECOND};

/// Largest types of number and numbering plans (SMPP 3.4 sections 5.2.5 and 5.2.6).
const LARGEST: (u8, u8) = (6, 18);

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    let default = Settings::default();
    let server = reader.required_text("server")?;
    let port = reader.section.whole("port", 1..=65_535, default.port)?;
    let tls = match reader.section.flag("tls", false)? {
        true => Some(reader.tls()?),
        false => None,
    };
    let binds = [("transmitter", Bind::Transmitter), ("transceiver", Bind::Transceiver)];
    let alphabets = [
        ("gsm7", Alphabet::Gsm7),
        ("latin1", Alphabet::Latin1),
        ("ascii", Alphabet::Ascii),
        ("utf8", Alphabet::Utf8),
    ];
    let (ton, npi) = LARGEST;
    Ok(Provider::Smpp(Settings {
        server,
        port,
        tls,
        system_id: reader.required_text("system_id")?,
        password: reader.secret("password")?.unwrap_or_default(),
        system_type: reader.text_or("system_type", "")?,
        service_type: reader.text_or("service_type", "")?,
        bind: reader.section.choice("bind", &binds, default.bind)?,
        source_addr: reader.text_or("source_addr", "")?,
        source_addr_ton: reader.section.number("source_addr_ton", 0..=ton)?,
        source_addr_npi: reader.section.number("source_addr_npi", 0..=npi)?,
        dest_addr_ton: reader.section.whole("dest_addr_ton", 0..=ton, default.dest_addr_ton)?,
        dest_addr_npi: reader.section.whole("dest_addr_npi", 0..=npi, default.dest_addr_npi)?,
        default_alphabet: reader.section.choice(
            "default_alphabet",
            &alphabets,
            default.default_alphabet,
        )?,
        registered_delivery: reader
            .section
            .flag("registered_delivery", default.registered_delivery)?,
        window: reader.section.whole("window", 1..=10, 10_u32).map(|width| width as usize)?,
        response_timeout: reader.time(
            "response_timeout",
            SECOND..=6 * SECOND,
            default.response_timeout,
        )?,
        enquire_link_interval: reader.time(
            "enquire_link_interval",
            5 * SECOND..=10 * MINUTE,
            default.enquire_link_interval,
        )?,
    }))
}
