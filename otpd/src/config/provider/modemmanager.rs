//! `type = "modemmanager"`: a modem that ModemManager runs.

use otp_delivery::{Provider, modemmanager::Settings};

use super::{Reader, Result};
use crate::config::duration::SECOND;

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Provider> {
    let default = Settings::default();
    Ok(Provider::ModemManager(Settings {
        modem: reader.text_or("modem", &default.modem)?,
        bus: reader.text_or("bus", &default.bus)?,
        timeout: reader.time("timeout", SECOND..=9 * SECOND, default.timeout)?,
    }))
}
