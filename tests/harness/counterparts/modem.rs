//! ModemManager with one modem: python-dbusmock's.

use std::{fs, path::PathBuf, process::Stdio};

use serde::Deserialize;

use super::{Counterpart, Received, documents, folder, python};
use crate::process::{Process, until};

const POLICY: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy user="root"><allow own="org.freedesktop.ModemManager1"/></policy>
  <policy context="default"><allow send_destination="org.freedesktop.ModemManager1"/></policy>
</busconfig>
"#;

/// What the script writes down.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Event {
    Sent(Received),
    Deleted {
        #[allow(dead_code, reason = "tells the events apart")]
        deleted: String,
    },
    Ready {
        #[allow(dead_code, reason = "tells the events apart")]
        ready: bool,
    },
}

/// Lets ModemManager have its name on the bus; before the bus starts.
pub(crate) fn permit() {
    fs::write("/etc/dbus-1/system.d/org.freedesktop.ModemManager1.conf", POLICY).unwrap();
}

/// A running ModemManager; ends when dropped.
pub struct Modem {
    _process: Process,
    inbox: PathBuf,
}

impl Modem {
    pub(crate) fn start() -> Self {
        let inbox = PathBuf::from(folder("modem")).join("inbox");
        // dbusmock tells all that it does.
        let process = Process::start(python("modemmanager.py").arg(&inbox).stdout(Stdio::null()));
        until("ModemManager is on the bus", || {
            documents(&inbox).iter().any(|event| matches!(event, Event::Ready { .. }))
        });
        Self { _process: process, inbox }
    }

    /// How many messages the modem was told to forget.
    pub fn deleted(&self) -> usize {
        let events: Vec<Event> = documents(&self.inbox);
        events.iter().filter(|event| matches!(event, Event::Deleted { .. })).count()
    }
}

impl Counterpart for Modem {
    fn provider(&self, name: &str) -> String {
        format!("[provider.sms.{name}]\ntype = \"modemmanager\"\n")
    }

    fn messages(&self) -> Vec<Received> {
        documents(&self.inbox)
            .into_iter()
            .filter_map(|event| match event {
                Event::Sent(received) => Some(received),
                Event::Deleted { .. } | Event::Ready { .. } => None,
            })
            .collect()
    }
}
