//! SMS over a modem of this machine, by ModemManager's D-Bus interface.
//!
//! ModemManager keeps a message until it is told to delete it, and shows its text to every user of
//! the machine. So each message is deleted as soon as it is sent, has failed, or has been given up.

mod draft;
mod error;
mod modem;

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use zbus::{Address, connection::Builder};

use crate::{Answer, Channel, Failure, Message, Pending, Receipt, Recipient};
use draft::Draft;
use modem::Modem;

/// Shortest and longest time limit.
const LIMITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(9));

/// Which modem sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The D-Bus address of the bus that ModemManager is on.
    pub bus: String,
    /// `any` if there is one only; else its IMEI, its index, its `DeviceIdentifier` or its `Device`
    /// as `mmcli --modem=INDEX` shows them. The index changes when a modem is plugged in again.
    pub modem: String,
    /// How long sending may take; 1 s to 9 s.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bus: "unix:path=/run/dbus/system_bus_socket".to_owned(),
            modem: modem::ANY.to_owned(),
            timeout: Duration::from_secs(8),
        }
    }
}

/// A modem that sends SMS.
pub struct ModemManager {
    settings: Settings,
}

impl ModemManager {
    /// Checks the settings; connects to nobody.
    ///
    /// # Errors
    /// For a bus that is no D-Bus address, an empty name of a modem and a time limit out of range.
    pub fn new(settings: Settings) -> Result<Self, String> {
        Address::try_from(settings.bus.as_str()).map_err(|error| {
            format!("bus {:?} is no D-Bus address such as unix:path=…: {error}", settings.bus)
        })?;
        if settings.modem.is_empty() {
            return Err("modem is empty; give \"any\" or an IMEI".to_owned());
        }
        let (shortest, longest) = LIMITS;
        if !(shortest..=longest).contains(&settings.timeout) {
            return Err(format!("timeout is not between {shortest:?} and {longest:?}"));
        }
        Ok(Self { settings })
    }

    /// Finds the modem and makes a message in it.
    async fn draft(&self, message: &Message) -> Result<(Modem, Draft), Failure> {
        let Recipient::Phone(number) = &message.to else {
            return Err(Failure::Refused("a modem sends no e-mail".to_owned()));
        };
        let bus = &self.settings.bus;
        let connection = match Builder::address(bus.as_str()).build().await {
            Ok(connection) => connection,
            Err(error) => {
                let why = format!("{bus}: {error}; is the system bus running there?");
                return Err(Failure::Unavailable(why));
            }
        };
        let modem = modem::find(&connection, &self.settings.modem, message).await;
        let modem = modem.map_err(Failure::Unavailable)?;
        match Draft::new(&connection, modem.path.clone(), number, message).await {
            Ok(draft) => Ok((modem, draft)),
            Err(error) => Err(Failure::Unavailable(modem.says(&error::explain(&error, message)))),
        }
    }
}

impl Channel for ModemManager {
    fn send<'a>(&'a self, message: &'a Message) -> Pending<'a, Answer> {
        Box::pin(async move {
            let limit = self.settings.timeout;
            let deadline = Instant::now() + limit;
            let Ok(drafted) = timeout_at(deadline, self.draft(message)).await else {
                let why = format!("ModemManager does not answer within {limit:?}");
                return Err(Failure::Unavailable(why));
            };
            let (modem, draft) = drafted?;
            match timeout_at(deadline, draft.send()).await {
                Ok(Ok(())) => Ok(Receipt { id: None, reply: modem.says("sent") }),
                Ok(Err(error)) => {
                    let why = modem.says(&error::explain(&error, message));
                    Err(if error::is_certain(&error) {
                        Failure::Unavailable(why)
                    } else {
                        Failure::Unknown(why)
                    })
                }
                Err(_) => Err(Failure::Unknown(modem.says(&format!("not sent within {limit:?}")))),
            }
        })
    }

    fn width(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests;
