//! Who calls: on the direct lane the kernel's word, on the system bus the bus's word on the
//! sender's unique name. Never an argument, and an unknown caller is refused, never root.

use otp_ipc::ErrorKind;
use zbus::{fdo::DBusProxy, message::Header};

use super::error::{Error, Result};
use crate::engine::{Caller, Connection};

/// How the callers of one connection are told.
#[derive(Clone, Debug)]
pub(super) enum Callers {
    /// One peer, whom the kernel told at the connection's start.
    Peer(Caller),
    /// Any client of the system bus.
    Bus,
}

impl Callers {
    /// The caller of this message.
    pub(super) async fn identify(
        &self,
        connection: &zbus::Connection,
        header: &Header<'_>,
    ) -> Result<Caller> {
        match self {
            Self::Peer(caller) => Ok(caller.clone()),
            Self::Bus => on_bus(connection, header).await,
        }
    }
}

async fn on_bus(connection: &zbus::Connection, header: &Header<'_>) -> Result<Caller> {
    let unknown =
        |why: &str| Error::new(ErrorKind::AccessDenied, format!("the caller is unknown: {why}"));
    let sender = header.sender().ok_or_else(|| unknown("the message has no sender"))?.to_owned();
    let bus = DBusProxy::new(connection).await?;
    let credentials = bus.get_connection_credentials(sender.clone().into()).await;
    let credentials = credentials.map_err(|error| unknown(&error.to_string()))?;
    let uid = credentials.unix_user_id().ok_or_else(|| unknown("the bus has no user id"))?;
    Ok(Caller { uid, connection: Connection::Bus(sender.as_str().to_owned()) })
}
