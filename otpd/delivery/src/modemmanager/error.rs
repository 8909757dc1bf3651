//! What ModemManager's errors mean, and what to do about them.

use zbus::DBusError;

use crate::{Message, scrub};

/// The D-Bus name and the text of an error reply; no name for what went wrong without a reply.
fn parts(error: &zbus::Error) -> (String, String) {
    match error {
        zbus::Error::MethodError(name, text, _) => {
            (name.to_string(), text.clone().unwrap_or_default())
        }
        zbus::Error::FDO(error) => {
            (error.name().to_string(), error.description().unwrap_or_default().to_owned())
        }
        error => (String::new(), error.to_string()),
    }
}

/// What went wrong and what to do, without anything secret of the message.
pub(super) fn explain(error: &zbus::Error, message: &Message) -> String {
    let (name, text) = parts(error);
    let text = scrub(&format!("{text} ({name})"), message, &[]);
    match advice(&name) {
        "" => text,
        advice => format!("{text}; {advice}"),
    }
}

fn advice(name: &str) -> &'static str {
    let last = name.rsplit('.').next().unwrap_or_default();
    match last {
        "ServiceUnknown" | "NameHasNoOwner" | "ServiceNotFound" => {
            "ModemManager does not run: systemctl enable --now ModemManager"
        }
        "Unauthorized" | "AccessDenied" | "InteractiveAuthorizationRequired" => {
            "otpd may not send: allow the polkit action org.freedesktop.ModemManager1.Messaging \
             for the user otpd"
        }
        "SimNotInserted" => "put a SIM into it",
        "SimPin" | "SimPuk" | "SimPin2" | "SimPuk2" | "PhSimPin" => "unlock its SIM",
        "NoNetwork" => "see to its antenna and its SIM",
        "MemoryFull" => "delete messages that it stores",
        "SmscAddressUnknown" => "set the number of the SMS centre on its SIM",
        _ => "",
    }
}

/// Whether the error says that the message was not sent; else nobody knows.
pub(super) fn is_certain(error: &zbus::Error) -> bool {
    let (name, _) = parts(error);
    let unknown = ["Timeout", ".TimedOut", ".NoReply", ".Disconnected", ".Aborted", ".Cancelled"];
    !name.is_empty() && !unknown.iter().any(|end| name.ends_with(end))
}

/// Whether there is nothing left to delete.
pub(super) fn is_gone(error: &zbus::Error) -> bool {
    let gone = [
        ".ServiceUnknown",
        ".NameHasNoOwner",
        ".NoReply",
        ".UnknownObject",
        ".UnknownMethod",
        ".NotFound",
    ];
    gone.iter().any(|end| parts(error).0.ends_with(end))
}
