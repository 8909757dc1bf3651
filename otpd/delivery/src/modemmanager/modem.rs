//! Finds the modem among those that ModemManager runs.

use std::collections::HashMap;

use zbus::{
    Connection, OwnedObjectPath, OwnedVariant, Variant,
    fdo::{ManagedObjects, ObjectManagerProxy},
};

use super::error;
use crate::Message;

/// The setting that takes the only modem.
pub(super) const ANY: &str = "any";
const SERVICE: &str = "org.freedesktop.ModemManager1";
const ROOT: &str = "/org/freedesktop/ModemManager1";
const MODEM: &str = "org.freedesktop.ModemManager1.Modem";
const MESSAGING: &str = "org.freedesktop.ModemManager1.Modem.Messaging";

/// A modem, as it was when it was looked for.
#[derive(Debug)]
pub(super) struct Modem {
    pub(super) path: OwnedObjectPath,
    properties: HashMap<String, OwnedVariant>,
    /// Whether it has the interface for messages; it has not while it is locked or off.
    sends: bool,
}

/// Asks ModemManager for the modem that `wanted` names, if it can send now.
pub(super) async fn find(
    connection: &Connection,
    wanted: &str,
    message: &Message,
) -> Result<Modem, String> {
    let objects = async {
        let manager = ObjectManagerProxy::new(connection, SERVICE, ROOT).await?;
        manager.get_managed_objects().await.map_err(zbus::Error::from)
    };
    let objects = objects.await.map_err(|error| error::explain(&error, message))?;
    choose(modems(objects), wanted)
}

fn modems(objects: ManagedObjects) -> Vec<Modem> {
    let modem = |(path, mut interfaces): (OwnedObjectPath, HashMap<_, _>)| {
        let sends = interfaces.contains_key(MESSAGING);
        Some(Modem { path, properties: interfaces.remove(MODEM)?, sends })
    };
    let mut modems: Vec<_> = objects.into_iter().filter_map(modem).collect();
    modems.sort_by(|one, other| one.path.as_str().cmp(other.path.as_str()));
    modems
}

fn choose(modems: Vec<Modem>, wanted: &str) -> Result<Modem, String> {
    let there: Vec<_> = modems.iter().map(Modem::title).collect();
    let there = if there.is_empty() { "there is none".to_owned() } else { there.join(", ") };
    // One that cannot send is no alternative to one that can, but better named than passed over.
    let some_send = modems.iter().any(|modem| modem.sends);
    let fits = |modem: &Modem| match wanted {
        ANY => modem.sends || !some_send,
        wanted => modem.is(wanted),
    };
    let mut fitting = modems.into_iter().filter(fits);
    let modem = fitting.next().ok_or_else(|| {
        format!("ModemManager has no modem {wanted:?} ({there}); see mmcli --list-modems")
    })?;
    if fitting.next().is_some() {
        return Err(format!("there are several modems ({there}); set `modem` to an IMEI"));
    }
    match modem.trouble() {
        Some(trouble) => Err(modem.says(&trouble)),
        None => Ok(modem),
    }
}

impl Modem {
    /// What it is called in texts for the administrator: `modem 0 (Huawei E1750)`.
    fn title(&self) -> String {
        let name = format!("{} {}", self.text("Manufacturer"), self.text("Model"));
        format!("modem {} ({})", self.index(), name.trim())
    }

    /// A text about it.
    pub(super) fn says(&self, text: &str) -> String {
        format!("{}: {text}", self.title())
    }

    fn index(&self) -> &str {
        self.path.as_str().rsplit('/').next().unwrap_or_default()
    }

    fn is(&self, wanted: &str) -> bool {
        let names = ["EquipmentIdentifier", "DeviceIdentifier", "Device"];
        self.index() == wanted || names.iter().any(|name| self.text(name) == wanted)
    }

    fn text(&self, name: &str) -> &str {
        match self.properties.get(name).map(|value| &**value) {
            Some(Variant::Str(text)) => text.as_str(),
            _ => "",
        }
    }

    fn number(&self, name: &str) -> i64 {
        match self.properties.get(name).map(|value| &**value) {
            Some(Variant::I32(number)) => i64::from(*number),
            Some(Variant::U32(number)) => i64::from(*number),
            _ => 0,
        }
    }

    /// Why it cannot send (`MMModemState`, `MMModemStateFailedReason`, `MMModemLock`), and what to
    /// do.
    fn trouble(&self) -> Option<String> {
        let index = self.index();
        Some(match (self.number("State"), self.number("StateFailedReason")) {
            (-1, 2) => "there is no SIM in it".to_owned(),
            (-1, reason) => {
                format!("it has failed (reason {reason}); see journalctl --unit=ModemManager")
            }
            (2, _) => {
                let lock = match self.number("UnlockRequired") {
                    2 | 3 => "its SIM wants the PIN",
                    4 | 5 => "its SIM wants the PUK",
                    _ => "it wants a code of its vendor or network",
                };
                format!("it is locked, {lock}; see mmcli --modem={index}")
            }
            (3..=5, _) => format!("it is not enabled; mmcli --modem={index} --enable"),
            (6 | 7, _) => {
                "it is not registered with a network; see to its antenna and its SIM".to_owned()
            }
            (8..=11, _) if self.sends => return None,
            (8..=11, _) => "it sends no SMS".to_owned(),
            (state, _) => format!("it is not ready (state {state}); see mmcli --modem={index}"),
        })
    }
}
