//! `org.pamotp.Otpd1.Authentication`, on both lanes. It never asks polkit: polkit's own stack may
//! contain `pam_otp`.

use std::sync::Arc;

use otp_ipc::{Context, ErrorKind, Step, limits};
use zbus::{interface, message::Header};
use zeroize::Zeroizing;

use super::{
    caller::Callers,
    error::{Error, Result},
    limits::{InFlight, Permit},
};
use crate::engine::Engine;

/// The interface of a login on one lane.
pub(super) struct Authentication {
    engine: Arc<Engine>,
    callers: Callers,
    calls: InFlight,
}

impl Authentication {
    pub(super) fn new(engine: Arc<Engine>, callers: Callers, calls: InFlight) -> Self {
        Self { engine, callers, calls }
    }

    /// Admits a call that begins a login; a trusted caller logs in many people.
    async fn admit(&self, uid: u32) -> Result<Permit> {
        let own = self.engine.config().config.limits.calls_per_user;
        let for_many = uid != 0 && self.engine.trusts(uid).await?;
        self.calls.admit(uid, if for_many { u32::MAX } else { own })
    }
}

#[interface(name = "org.pamotp.Otpd1.Authentication")]
impl Authentication {
    /// Begins a login.
    #[zbus(out_args("session", "step"))]
    async fn begin(
        &self,
        user: String,
        context: Context,
        #[zbus(connection)] connection: &zbus::Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(String, Step)> {
        let caller = self.callers.identify(connection, &header).await?;
        let _permit = self.admit(caller.uid).await?;
        Ok(self.engine.begin(&caller, &user, context).await?)
    }

    /// Answers the session's prompt. The step is a tuple of its own, so that the reply has the one
    /// argument that introspection tells of, and not the step's three.
    #[zbus(out_args("step"))]
    async fn respond(
        &self,
        session: String,
        reply: Vec<u8>,
        #[zbus(connection)] connection: &zbus::Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Step,)> {
        let reply = Zeroizing::new(reply);
        let caller = self.callers.identify(connection, &header).await?;
        if reply.len() > limits::REPLY {
            let text = format!("a reply is at most {} bytes long", limits::REPLY);
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        Ok((self.engine.respond(&caller, &session, reply).await?,))
    }

    /// Goes on with another method.
    #[zbus(out_args("step"))]
    async fn select(
        &self,
        session: String,
        method: String,
        #[zbus(connection)] connection: &zbus::Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Step,)> {
        let caller = self.callers.identify(connection, &header).await?;
        if method.len() > limits::CONTEXT_ITEM {
            let text = format!("a method's name is at most {} bytes long", limits::CONTEXT_ITEM);
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        Ok((self.engine.select(&caller, &session, &method).await?,))
    }

    /// Sends another code by the method of the present prompt.
    #[zbus(out_args("step"))]
    async fn resend(
        &self,
        session: String,
        #[zbus(connection)] connection: &zbus::Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<(Step,)> {
        let caller = self.callers.identify(connection, &header).await?;
        Ok((self.engine.resend(&caller, &session).await?,))
    }

    /// Ends the session without an answer.
    async fn cancel(
        &self,
        session: String,
        #[zbus(connection)] connection: &zbus::Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<()> {
        let caller = self.callers.identify(connection, &header).await?;
        Ok(self.engine.cancel(&caller, &session)?)
    }
}
