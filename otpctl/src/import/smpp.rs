//! `SMPPSMSProvider`.

use std::time::Duration;

use super::fields::Fields;
use super::section::Section;

pub(super) fn translate(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("smpp");
    section.set("server", fields.required("server")?);
    section.set_some("port", fields.whole("port", 1..=65_535)?);
    section.set("system_id", fields.required("system_id")?);
    section.set_some("password", fields.text("password")?);
    section.set_some("system_type", fields.text("system_type")?);
    section.set_some("service_type", fields.text("service_type")?);
    // LinOTP knows no other.
    section.set("bind", "transceiver");
    sender(fields, &mut section)?;
    section.set_some("dest_addr_ton", fields.whole("dest_addr_ton", 0..=6)?);
    section.set_some("dest_addr_npi", fields.whole("dest_addr_npi", 0..=18)?);
    if fields.flag("registered_delivery")? {
        section.set("registered_delivery", true);
    }
    if fields.text("target_encoding")?.is_some() {
        section.note("target_encoding is left out: GSM 7-bit or UCS-2, as each message needs it.");
    }
    if let Some((time, _)) = fields.timeouts("TIMEOUT")? {
        let time = time.clamp(Duration::from_secs(1), Duration::from_secs(6));
        section.set_time("response_timeout", time);
    }
    super::number_as_it_is(fields)?;
    Ok(section)
}

/// A text as the sender goes with one type and plan only, which need not be said.
fn sender(fields: &mut Fields, section: &mut Section) -> Result<(), String> {
    let address = fields.text("source_addr")?;
    let ton = fields.whole("source_addr_ton", 0..=6)?;
    let npi = fields.whole("source_addr_npi", 0..=18)?;
    let digits = |text: &String| text.trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
    let number = address.as_ref().is_none_or(digits);
    section.set_some("source_addr", address);
    if number {
        section.set_some("source_addr_ton", ton);
        section.set_some("source_addr_npi", npi);
    } else if ton.is_some_and(|ton| ton != 5) || npi.is_some_and(|npi| npi != 0) {
        section.note(
            "source_addr is a text, which goes with type 5 and plan 0 only: the others are left out.",
        );
    }
    Ok(())
}
