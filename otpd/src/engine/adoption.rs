//! The first code of a key that was shown at the login: the token is stored and the login granted
//! in one transaction, or nothing is stored.

use std::sync::Arc;

use otp_core::{
    account::Account,
    code::Reply,
    consume::Credential,
    enrolment::{self, NewToken},
};
use zeroize::Zeroizing;

use super::{
    Engine, Error, Ruling, client_identity::client_of, identity, offer::Shown, origin,
    sessions::Session,
};
use crate::{
    audit::{Origin, refusal},
    clock::Clock,
    store::{AuditEvent, Work},
};

impl Engine {
    /// Compares the first code and, if it is right, stores the token; the answer is told after the
    /// commit.
    pub(super) async fn adopt(
        &self,
        waiting: Session,
        shown: Shown,
        id: &str,
        reply: Reply,
    ) -> Result<bool, Error> {
        let (caller, context) = (&waiting.caller, &waiting.context);
        let ruling = Ruling::for_login(self.config(), &waiting.user, context, &waiting.found);
        let ruling = ruling.of(&waiting.person).seen_by(caller, context);
        let (offer, monotonic_ms) = (&shown.offer, self.clock.monotonic_ms());
        let method = offer.token.method.clone();
        // The policy may have changed since the key was shown.
        let open = ruling.enrolling_apps().any(|app| app.name == method);
        let adoption = Adoption {
            user: waiting.user.clone(),
            uid: offer.uid,
            method,
            open,
            in_time: monotonic_ms < offer.until_ms,
            origin: origin(caller, context, id),
            client: client_of(context),
            clock: Arc::clone(&self.clock),
            ruling,
            recovery_key: Arc::clone(&self.recovery_key),
            now_ms: self.now_ms(),
        };
        let (new, journal) = (offer.new_token()?, Arc::clone(&self.journal));
        let transition = move |work: &mut Work<'_>| {
            let (adopted, events) = adoption.run(work, new, &reply);
            let record = |event: AuditEvent| {
                if adopted {
                    Some(event)
                } else {
                    journal.bounded(&adoption.user, event, monotonic_ms)
                }
            };
            let events: Vec<_> = events.into_iter().filter_map(record).collect();
            work.audit.extend(events.iter().cloned());
            (adopted, events)
        };
        let (adopted, events) = self.transact(&waiting.user, transition).await?;
        events.iter().for_each(|event| self.journal.write(event));
        Ok(adopted)
    }
}

/// A first code within the store's transaction.
struct Adoption {
    user: String,
    uid: u32,
    method: String,
    /// Whether the policy lets the user enrol with this method now.
    open: bool,
    /// Whether the key is good still.
    in_time: bool,
    origin: Origin,
    /// What tells the client of the login from others.
    client: Option<String>,
    clock: Arc<dyn Clock>,
    ruling: Ruling,
    recovery_key: Arc<Zeroizing<[u8; 32]>>,
    now_ms: i64,
}

impl Adoption {
    /// Whether the token is stored now, and what is to be recorded.
    fn run(&self, work: &mut Work<'_>, new: NewToken, reply: &Reply) -> (bool, Vec<AuditEvent>) {
        let known = work.account.is_some();
        let account = work.account.get_or_insert_with(Account::default);
        let how = format!("at the login, by policy \"{}\"", self.ruling.rule.name);
        match self.decide(account, new, reply) {
            Ok(credential) => {
                account.uid = account.uid.or(Some(self.uid));
                let verdict = Ok(credential);
                let mut enrolled = self.origin.verdict("enrol", &self.user, &verdict, self.now_ms);
                enrolled.detail = Some(how);
                let login = self.origin.verdict("login", &self.user, &verdict, self.now_ms);
                (true, vec![enrolled, login])
            }
            Err((result, why)) => {
                if !known {
                    work.account = None;
                }
                let mut refused = self.origin.event("enrol", result, &self.user, self.now_ms);
                refused.method = Some(self.method.clone());
                refused.detail = Some(why.map_or(how.clone(), |why| format!("{how}: {why}")));
                (false, vec![refused])
            }
        }
    }

    /// The result for the record, and why where the word does not tell.
    fn decide(
        &self,
        account: &mut Account,
        new: NewToken,
        reply: &Reply,
    ) -> Result<Credential, (&'static str, Option<&'static str>)> {
        if !self.open {
            return Err(("denied", Some("the policy has changed in the meantime")));
        }
        if identity::stranger(&self.user, account.uid, Some(self.uid)).is_some() {
            return Err(("denied", Some("the name has become somebody else's")));
        }
        let (client, clock) = (self.client.as_deref(), &*self.clock);
        if self.ruling.barred(&account.clients, client, clock, self.now_ms).is_some() {
            return Err(("denied", Some("the client is not let in")));
        }
        if !enrolment::open(account) {
            return Err(("denied", Some("the user has enrolled otherwise in the meantime")));
        }
        if !self.in_time {
            return Err(("expired", Some("the key was shown too long ago")));
        }
        let adopted = self.ruling.apply(&self.recovery_key, |rules| {
            enrolment::adopt(account, new, reply, rules, self.now_ms)
        });
        adopted.map_err(|why| (refusal(why), None))
    }
}
