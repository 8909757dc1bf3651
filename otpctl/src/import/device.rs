//! `DeviceSMSProvider`: gnokii.

use super::fields::Fields;
use super::section::Section;

pub(super) fn translate(fields: &mut Fields) -> Result<Section, String> {
    let mut section = Section::new("gnokii");
    section.note("The user otpd must be able to write the port: add it to the group dialout.");
    section.set("config", fields.required("CONFIGFILE")?);
    section.set_some("smsc", fields.text("SMSC")?);
    super::number_as_it_is(fields)?;
    Ok(section)
}
