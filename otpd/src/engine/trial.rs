//! One reply within the store's transaction: charged, compared and consumed at one moment, together
//! with what it means for the client that it came from.

use std::sync::Arc;

use otp_core::{
    account::Account,
    client,
    code::Reply,
    consume::{Credential, Refusal, Scope, consume},
    issued::Accepted,
    policy::{Cause, FactorRule},
};
use zeroize::Zeroizing;

use super::{
    Engine, Error, Ruling,
    client_identity::{Barred, address_of, client_of},
    guesses::Guesses,
    identity, origin,
    remember::Memory,
    sessions::Session,
};
use crate::{
    audit::{Journal, Origin},
    clock::Clock,
    store::{AuditEvent, Work},
};

/// A reply to a session's prompt.
pub(super) struct Trial {
    waiting: Session,
    reply: Reply,
    ruling: Ruling,
    origin: Origin,
    recovery_key: Arc<Zeroizing<[u8; 32]>>,
    journal: Arc<Journal>,
    guesses: Arc<Guesses>,
    clock: Arc<dyn Clock>,
    /// What the client is remembered as, if it may be.
    memory: Option<Memory>,
    now_ms: i64,
    monotonic_ms: u64,
}

impl Engine {
    /// Charges, compares and consumes in one transaction; the answer is told after its commit.
    pub(super) async fn decide(
        &self,
        waiting: Session,
        id: &str,
        reply: Reply,
    ) -> Result<bool, Error> {
        let Session { user, context, found, .. } = &waiting;
        let ruling = Ruling::for_login(self.config(), user, context, found).of(&waiting.person);
        let memory = if waiting.vouched { ruling.memory(&waiting.context)? } else { None };
        let user = waiting.user.clone();
        let trial = Trial {
            origin: origin(&waiting.caller, &waiting.context, id),
            recovery_key: Arc::clone(&self.recovery_key),
            journal: Arc::clone(&self.journal),
            guesses: Arc::clone(&self.guesses),
            clock: Arc::clone(&self.clock),
            now_ms: self.now_ms(),
            monotonic_ms: self.clock.monotonic_ms(),
            waiting,
            reply,
            ruling,
            memory,
        };
        let (granted, event) = self.transact(&user, move |work| trial.run(work)).await?;
        if let Some(event) = event {
            self.journal.write(&event);
        }
        Ok(granted)
    }
}

/// Why a reply is not looked at.
struct Denial {
    result: &'static str,
    detail: String,
}

impl Trial {
    fn run(mut self, work: &mut Work<'_>) -> (bool, Option<AuditEvent>) {
        let identity = client_of(&self.waiting.context);
        let clients = work.account.as_ref().map_or(&[][..], |account| &account.clients);
        let barred = self.ruling.barred(clients, identity.as_deref(), &*self.clock, self.now_ms);
        if barred == Some(Barred::Unknown) && self.ruling.issued == Accepted::All {
            // What nothing tells from others cannot be registered.
            self.ruling.issued =
                identity.as_ref().map_or(Accepted::Nothing, |_| Accepted::Enrolling);
        }
        let before = work.account.as_ref().and_then(|account| account.uid);
        let stranger = identity::stranger(&self.waiting.user, before, self.waiting.uid);
        let denial = self.denial(stranger, barred, identity.as_deref());
        let account = work.account.as_mut().filter(|_| denial.is_none());
        let in_place = self.waiting.issued || barred.is_some();
        let scope = if in_place { Scope::Issued } else { Scope::Login };
        let verdict = self.ruling.apply(&self.recovery_key, |rules| {
            consume(account, &self.reply, scope, rules, self.now_ms)
        });
        let guessed = matches!(verdict, Err(Refusal::Wrong | Refusal::Elsewhere));
        if self.waiting.issued && guessed {
            self.guesses.count(self.monotonic_ms);
        }
        let user = &self.waiting.user;
        let mut event = self.origin.verdict("login", user, &verdict, self.now_ms);
        event.failures = work.account.as_ref().map(|account| account.throttle.failures);
        match (&verdict, &mut work.account) {
            (Ok(credential), Some(account)) => {
                let noted = self.welcome(account, credential, identity.as_deref());
                event.detail = event.detail.into_iter().chain(noted).reduce(|a, b| a + "; " + &b);
            }
            _ => {
                let unknown = barred.map(|barred| Denial {
                    result: "denied",
                    detail: barred.detail(identity.as_deref()),
                });
                if let Some(denial) = denial.or(unknown) {
                    denial.result.clone_into(&mut event.result);
                    event.detail = Some(denial.detail);
                } else if event.detail.is_none() {
                    let account = work.account.as_ref();
                    event.detail = account.and_then(|account| self.ruling.unlinked(account));
                }
            }
        }
        if event.result != "denied" && self.ruling.cause != Cause::Matches {
            let more = event.detail.map(|detail| format!("; {detail}")).unwrap_or_default();
            event.detail = Some(self.ruling.cited() + &more);
        }
        let event = match verdict {
            Ok(_) => Some(event),
            Err(_) => self.journal.bounded(user, event, self.monotonic_ms),
        };
        work.audit.extend(event.clone());
        (verdict.is_ok(), event)
    }

    /// Why the reply is not even compared.
    fn denial(
        &self,
        stranger: Option<String>,
        barred: Option<Barred>,
        identity: Option<&str>,
    ) -> Option<Denial> {
        let denied = |detail| Some(Denial { result: "denied", detail });
        if let Some(why) = stranger.or_else(|| self.waiting.person.refused.clone()) {
            return denied(why);
        }
        if self.waiting.hopeless || self.ruling.rule.factor == FactorRule::Deny {
            return denied(self.ruling.cited());
        }
        if barred == Some(Barred::Disabled) {
            return denied(Barred::Disabled.detail(identity));
        }
        let most = self.ruling.loaded.config.issued.guesses_per_hour;
        if self.waiting.issued && self.guesses.exhausted(most, self.monotonic_ms) {
            let detail = format!("[issued] guesses_per_hour = {most} is used up");
            return Some(Denial { result: "limited", detail });
        }
        None
    }

    /// Notes the client of a login that was granted. What is worth telling of it.
    fn welcome(
        &self,
        account: &mut Account,
        credential: &Credential,
        identity: Option<&str>,
    ) -> Option<String> {
        if !self.waiting.vouched {
            return None;
        }
        let mut told = None;
        if let (Credential::Issued { client: Some(id), .. }, Some(identity)) =
            (credential, identity)
            && let Err(error) = client::bind(account, id, identity)
        {
            told = Some(format!("the client is not bound: {error}"));
        }
        if let Some(identity) = identity {
            let source = address_of(&self.waiting.context);
            let source = source.as_deref().unwrap_or("local");
            client::seen(account, identity, source, self.now_ms);
        }
        if let Some(memory) = &self.memory {
            memory.keep(account, self.now_ms);
        }
        told
    }
}
