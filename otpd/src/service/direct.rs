//! The direct lane: peer-to-peer D-Bus on a socket that only root can open. Root's logins wait at
//! their prompts here, as many as the configuration allows, and no user can crowd them.

use std::{
    num::NonZeroUsize,
    os::unix::net::UnixListener as StdListener,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use otp_ipc::names::OBJECT_PATH;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use zbus::{Guid, OwnedGuid, connection::Builder};

use super::{authentication::Authentication, caller::Callers, limits::InFlight};
use crate::engine::{Caller, Connection, Engine};

/// How long a peer may take for its handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Messages of one login that may wait; a login sends two.
const QUEUE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
/// How long to wait when the process has no file descriptor left for a new connection.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Serves the login socket until the task is dropped.
///
/// # Errors
/// The socket cannot be watched.
pub async fn serve(engine: Arc<Engine>, listener: StdListener) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let guid = OwnedGuid::from(Guid::generate());
    let places = Arc::new(Semaphore::new(engine.config().config.limits.connections as usize));
    let numbers = AtomicU64::new(0);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::error!("login: a connection was not accepted: {error}");
                tokio::time::sleep(EXHAUSTED).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            log::error!("login: limits.connections is reached; a login was turned away");
            continue;
        };
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let (engine, guid) = (Arc::clone(&engine), guid.clone());
        tokio::spawn(async move {
            if let Err(error) = serve_one(engine, stream, guid, Connection::Direct(number)).await {
                log::debug!("login: connection {number} ended: {error}");
            }
            drop(place);
        });
    }
}

async fn serve_one(
    engine: Arc<Engine>,
    stream: UnixStream,
    guid: OwnedGuid,
    connection: Connection,
) -> zbus::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 {
        log::warn!("login: user id {uid} reached the login socket and was turned away");
        return Ok(());
    }
    let callers = Callers::Peer(Caller { uid, connection: connection.clone() });
    let interface = Authentication::new(Arc::clone(&engine), callers, InFlight::default());
    let builder = Builder::unix_stream(stream.into_std()?)
        .server(guid)
        .p2p()
        .max_queued(QUEUE)
        .serve_at(OBJECT_PATH, interface);
    let peer = tokio::time::timeout(HANDSHAKE, builder.build())
        .await
        .map_err(|_| zbus::Error::Failure("the handshake took too long".into()))??;
    peer.closed().await;
    engine.leave(&connection);
    Ok(())
}
