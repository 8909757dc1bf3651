//! Clients that need not repeat the code: remembered after a login that was granted, where the
//! policy says for how long, and recalled at the next one.

use std::sync::Arc;

use otp_core::{
    account::Account,
    client::{self, Client},
    policy::FactorRule,
    token::Standing,
};
use otp_ipc::Context;

use super::{Engine, Error, Ruling, client_identity::Place, origin, sessions::Session};
use crate::store::{Enrolment, Work};

/// What a client is remembered as.
pub(super) struct Memory {
    id: String,
    place: Place,
    for_ms: u64,
}

impl Memory {
    pub(super) fn keep(&self, account: &mut Account, now_ms: i64) {
        client::remember(account, self.id.clone(), &self.place.visit(), self.for_ms, now_ms);
    }
}

impl Ruling {
    /// What the client of this login may be remembered as, and for how long in milliseconds. Not
    /// where password and code come in one field: whoever leaves the code out there would have
    /// their password taken for both. Nor where the stack names a method: another line of it may
    /// ask for another one, and would take the code of the first for its own.
    fn remembering(&self, context: &Context) -> Option<(Place, u64)> {
        let second = matches!(context.mode.as_deref(), None | Some("second"));
        let apart = context.concatenated != Some(true);
        let any = self.method.is_none();
        if self.rule.factor != FactorRule::Require || !second || !apart || !any {
            return None;
        }
        Some((Place::of(context)?, self.rule.remember_ms_for(&self.service)?))
    }

    /// The same with an id for it.
    pub(super) fn memory(&self, context: &Context) -> Result<Option<Memory>, Error> {
        let Some((place, for_ms)) = self.remembering(context) else { return Ok(None) };
        Ok(Some(Memory { id: super::random_id()?, place, for_ms }))
    }

    /// Whether the user has a token that this login would accept.
    fn usable(&self, account: &Account, now_ms: i64) -> bool {
        account.tokens.iter().any(|token| {
            token.standing(now_ms) == Standing::Active && self.windows(&token.method).is_some()
        })
    }
}

impl Engine {
    /// Whether the client of a login is remembered, so that it is granted at once. For callers only
    /// who are believed about where a login comes from.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer.
    pub(super) async fn recall(
        &self,
        ruling: &Arc<Ruling>,
        login: &Session,
        enrolment: Option<&Enrolment>,
    ) -> Result<bool, Error> {
        let (user, context, ruling) = (login.user.as_str(), &login.context, Arc::clone(ruling));
        let place = ruling.remembering(context).filter(|_| login.vouched);
        let Some((place, for_ms)) = place else { return Ok(false) };
        let now_ms = self.now_ms();
        let hit = |clients: &[Client]| {
            client::recall(clients, &place.visit(), for_ms, now_ms).map(|client| client.id.clone())
        };
        if enrolment.is_none_or(|enrolment| hit(&enrolment.clients).is_none()) {
            return Ok(false);
        }
        let origin = origin(&login.caller, context, "");
        let name = user.to_owned();
        let transition = move |work: &mut Work<'_>| {
            let account = work.account.as_mut()?;
            if ruling.locked(account.throttle, now_ms) || !ruling.usable(account, now_ms) {
                return None;
            }
            let client = client::recall(&account.clients, &place.visit(), for_ms, now_ms)?;
            let id = client.id.clone();
            let client = account.client_mut(&id).ok()?;
            client.last_ms = Some(now_ms);
            let mut event = origin.event("login", "ok", &name, now_ms);
            event.method = Some("remembered".to_owned());
            event.detail = Some(format!("client {id}"));
            work.audit.push(event.clone());
            Some(event)
        };
        let event = self.transact(user, transition).await?;
        if let Some(event) = &event {
            self.journal.write(event);
        }
        Ok(event.is_some())
    }
}
