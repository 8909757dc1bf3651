//! The system bus: management, and logins of callers that are not root. A bus that goes away or is
//! restarted is joined again; root's logins do not notice.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use otp_ipc::names::{BUS_NAME, OBJECT_PATH};
use tokio::sync::oneshot;
use zbus::{MatchRule, MessageStream, connection::Builder, fdo::NameOwnerChanged, message::Type};

use super::{authentication::Authentication, caller::Callers, limits::InFlight, manager::Manager};
use crate::engine::{Connection, Engine};

/// First and longest wait before the bus is joined again.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// How long joining may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves both interfaces on the bus at `address`, for ever. `tried` is told once the bus has been
/// joined or has failed to be for the first time.
pub async fn serve(engine: Arc<Engine>, address: String, tried: oneshot::Sender<()>) {
    let mut tried = Some(tried);
    let mut wait = AGAIN.0;
    // Apart, so that calls which wait for polkit take no place from logins.
    let (logins, management) = (InFlight::default(), InFlight::default());
    loop {
        let joined =
            tokio::time::timeout(PATIENCE, join(&engine, &address, &logins, &management)).await;
        let problem = match joined {
            Ok(Ok((connection, gone))) => {
                engine.set_problem("system bus", None);
                log::info!("bus: owns {BUS_NAME}");
                tried.take().map(|tried| tried.send(()));
                wait = AGAIN.0;
                watch(&engine, &connection, gone).await;
                engine.leave_bus();
                "the connection was lost".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the bus does not answer".to_owned(),
        };
        let problem = format!("{address}: {problem}; logins of root go on, otpctl does not work");
        log::error!("bus: {problem}");
        engine.set_problem("system bus", Some(problem));
        tried.take().map(|tried| tried.send(()));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN.1);
    }
}

async fn join(
    engine: &Arc<Engine>,
    address: &str,
    logins: &InFlight,
    management: &InFlight,
) -> zbus::Result<(zbus::Connection, MessageStream)> {
    let authentication = Authentication::new(Arc::clone(engine), Callers::Bus, logins.clone());
    let manager = Manager::new(Arc::clone(engine), management.clone());
    let connection = Builder::address(address)
        .serve_at(OBJECT_PATH, authentication)
        .serve_at(OBJECT_PATH, manager)
        .build()
        .await?;
    let gone = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .arg(2, "")
        .build()?;
    let gone = MessageStream::for_match_rule(gone, &connection, None).await?;
    let flags = zbus::fdo::RequestNameFlags::DO_NOT_QUEUE;
    connection.request_name_with_flags(BUS_NAME, flags).await?;
    Ok((connection, gone))
}

/// Ends the sessions of clients that leave the bus; returns when the bus itself is gone or the name
/// is lost.
async fn watch(engine: &Engine, connection: &zbus::Connection, mut gone: MessageStream) {
    let own_name = connection.unique_name().map(|name| name.as_str().to_owned());
    while let Some(Ok(message)) = gone.next().await {
        let Some(change) = NameOwnerChanged::from_message(message) else { continue };
        let Ok(change) = change.args() else { continue };
        let name = change.name.as_str();
        if name.starts_with(':') {
            engine.leave(&Connection::Bus(name.to_owned()));
        } else if name == BUS_NAME
            && change.old_owner.as_ref().map(|o| o.as_str()) == own_name.as_deref()
        {
            return;
        }
    }
}
