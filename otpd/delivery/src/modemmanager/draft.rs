//! A message in ModemManager, from its making to its deletion.

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt;
use otp_core::contact::PhoneNumber;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    time::{sleep, timeout},
};
use zbus::{Connection, ObjectPath, OwnedObjectPath, Variant};

use super::error;
use crate::Message;

/// `MM_SMS_STATE_SENT`.
const SENT: u32 = 5;
/// `MM_SMS_VALIDITY_TYPE_RELATIVE`, which is in minutes.
const RELATIVE: u32 = 1;
/// How long ModemManager may take to make a message. If nobody waits for it any more when it comes,
/// it is deleted.
const MAKING: Duration = Duration::from_secs(120);
/// How long a try to delete it may take, and the pauses before each try.
const DELETING: Duration = Duration::from_secs(20);
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(20)];

#[zbus::proxy(
    interface = "org.freedesktop.ModemManager1.Modem.Messaging",
    default_service = "org.freedesktop.ModemManager1"
)]
trait Messaging {
    fn create(&self, properties: HashMap<&str, Variant<'_>>) -> zbus::Result<OwnedObjectPath>;
    fn delete(&self, path: &ObjectPath<'_>) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.freedesktop.ModemManager1.Sms",
    default_service = "org.freedesktop.ModemManager1"
)]
trait Sms {
    fn send(&self) -> zbus::Result<()>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<u32>;
}

/// A message that ModemManager holds; deleted when dropped.
pub(super) struct Draft {
    messaging: MessagingProxy<'static>,
    path: OwnedObjectPath,
    runtime: Handle,
}

impl Draft {
    /// Makes a message in the modem at `path`. If this is given up before ModemManager has
    /// answered, the message is deleted as soon as it has.
    pub(super) async fn new(
        connection: &Connection,
        path: OwnedObjectPath,
        number: &PhoneNumber,
        message: &Message,
    ) -> zbus::Result<Self> {
        let messaging = MessagingProxy::new(connection, path).await?;
        let minutes = u32::try_from(message.validity_ms.div_ceil(60_000)).unwrap_or(u32::MAX);
        let properties = HashMap::from([
            ("number", Variant::from(number.as_str().to_owned())),
            ("text", Variant::from(message.text.expose().to_owned())),
            ("validity", Variant::from((RELATIVE, Variant::from(minutes)))),
        ]);
        let runtime = Handle::current();
        let (made, draft) = oneshot::channel();
        tokio::spawn(async move {
            if let Ok(answer) = timeout(MAKING, messaging.create(properties)).await {
                // Where nobody waits, the draft comes back and is dropped here.
                let _ = made.send(answer.map(|path| Self { messaging, path, runtime }));
            }
        });
        draft.await.unwrap_or_else(|_| Err(zbus::Error::Failure("no answer".to_owned())))
    }

    /// Sends it, and returns when the network has taken it.
    pub(super) async fn send(&self) -> zbus::Result<()> {
        let connection = self.messaging.inner().connection();
        let sms = SmsProxy::new(connection, self.path.clone()).await?;
        let mut changes = sms.receive_state_changed().await;
        sms.send().await?;
        while sms.state().await? != SENT {
            changes.next().await;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let (messaging, path) = (self.messaging.clone(), self.path.clone());
        self.runtime.spawn(async move {
            let mut why = String::new();
            for pause in PAUSES {
                sleep(pause).await;
                match timeout(DELETING, messaging.delete(&path)).await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) if error::is_gone(&error) => return,
                    Ok(Err(error)) => why = error.to_string(),
                    Err(_) => why = format!("no answer within {DELETING:?}"),
                }
            }
            let modem = messaging.inner().path();
            log::error!(
                "modemmanager: {path} is not deleted and shows a code to every user: {why}; \
                 mmcli --modem={modem} --messaging-delete-sms={path}"
            );
        });
    }
}
