//! Codes that are delivered: which way, whether one is sent now, and what the prompt says of it.

use std::sync::Arc;

use otp_core::{
    account::Account,
    contact::{Channel, Contacts},
    out_of_band::Terms,
    policy::Unenrolled,
    token::{Factor, Standing},
};
use otp_delivery::ProviderId;

use super::{
    Engine, Error, Ruling,
    attempt::{Attempt, Draws, Requested},
};
use crate::{
    audit::{Journal, Origin},
    config::Method,
    store::{StoreError, Work},
};

/// A way in which this login's codes may be delivered.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) method: String,
    pub(super) channel: Channel,
    pub(super) digits: u8,
    pub(super) terms: Terms,
    pub(super) providers: Vec<ProviderId>,
}

impl Ruling {
    /// The way of that method, where this login accepts it and somebody delivers it.
    fn way(&self, method: &Method) -> Option<Way> {
        let Factor::OutOfBand(channel) = method.factor else { return None };
        let config = &self.loaded.config;
        let providers = config.providers_of(method);
        let open = self.windows(&method.name).is_some() && !providers.is_empty();
        open.then(|| Way {
            method: method.name.clone(),
            channel,
            digits: method.digits,
            terms: Terms {
                validity_ms: method.delivery.validity_ms,
                tries: method.delivery.tries,
                resend_ms: config.budget.resend_ms,
            },
            providers,
        })
    }

    /// The ways of this login: in the order of the policy's `methods` where it has one, else in
    /// that of the configuration.
    pub(super) fn ways(&self) -> Vec<Way> {
        let config = &self.loaded.config;
        if self.rule.methods.is_empty() {
            config.methods.iter().filter_map(|method| self.way(method)).collect()
        } else {
            self.named(&self.rule.methods)
        }
    }

    /// The ways in which a user without a token gets one at this login, in the policy's order.
    pub(super) fn enrolling_ways(&self) -> Vec<Way> {
        match self.rule.unenrolled {
            Unenrolled::Enrol => self.named(&self.rule.enrol),
            Unenrolled::Deny | Unenrolled::Ignore => Vec::new(),
        }
    }

    fn named(&self, names: &[String]) -> Vec<Way> {
        let methods = names.iter().filter_map(|name| self.loaded.config.method(name));
        methods.filter_map(|method| self.way(method)).collect()
    }
}

/// What the user is told about a delivered code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// The method by which it goes.
    pub(super) method: String,
    /// Where it goes, masked.
    pub(super) masked: String,
    /// Whether one is or may be on its way.
    pub(super) progress: Progress,
    /// What else can be typed at the prompt besides the word for another code.
    pub(super) words: Vec<String>,
}

/// Whether a code is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// One was sent for this or for an earlier prompt. A locked user is told so as well.
    Sent {
        /// The message, where it was made for this prompt.
        message: Option<String>,
    },
    /// No more messages are sent for now.
    Exhausted,
    /// No provider took it.
    Failed,
}

/// What is asked of the store: a code for this login, by the first way that is open.
pub(super) struct Request {
    pub(super) user: String,
    pub(super) service: String,
    pub(super) origin: Origin,
    pub(super) ways: Vec<Way>,
    /// For users without a token; of none: nobody is enrolled.
    pub(super) enrolling: Vec<Way>,
    /// All ways that such a user may go on with, those among them.
    pub(super) others: Vec<Way>,
    /// The methods of apps that a user without a token may go on with.
    pub(super) apps: Vec<String>,
    /// What the directory knows; what an administrator has set comes first.
    pub(super) known: Contacts,
    /// The user id, for an account that is made.
    pub(super) uid: Option<u32>,
}

impl Engine {
    /// Sends the user a code, unless one is on its way; `None` where there is no way to.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer: nothing is sent then.
    pub(super) async fn request_code(
        &self,
        ruling: &Arc<Ruling>,
        mut request: Request,
    ) -> Result<Option<Notice>, Error> {
        // Ways whose providers all rest come last.
        request.ways.sort_by_key(|way| !self.dispatcher.ready(&way.providers));
        request.enrolling.sort_by_key(|way| !self.dispatcher.ready(&way.providers));
        let user = request.user.clone();
        let attempt = Attempt {
            request,
            draws: Draws::new()?,
            ruling: Arc::clone(ruling),
            host: self.facts.host.clone(),
            now_ms: self.now_ms(),
        };
        let (journal, monotonic_ms) = (Arc::clone(&self.journal), self.clock.monotonic_ms());
        let transition = move |work: &mut Work<'_>| {
            let mut requested = attempt.run(work)?;
            record(&mut requested, work, &journal, monotonic_ms);
            Ok(requested)
        };
        let requested: Result<Requested, StoreError> = self.transact(&user, transition).await?;
        let requested = self.watch_store(requested)?;
        for event in &requested.events {
            self.journal.write(event);
        }
        if let Some(letter) = requested.letter {
            self.outbox.post(letter);
        }
        Ok(requested.notice)
    }
}

/// Puts the events into the transaction; refusals are bounded in number.
fn record(requested: &mut Requested, work: &mut Work<'_>, journal: &Journal, monotonic_ms: u64) {
    requested.events = std::mem::take(&mut requested.events)
        .into_iter()
        .filter_map(|event| match event.result.as_str() {
            "ok" => Some(event),
            _ => journal.bounded(&event.user.clone(), event, monotonic_ms),
        })
        .collect();
    work.audit.extend(requested.events.iter().cloned());
}

impl Ruling {
    /// The methods that the user has a usable token of, oldest first.
    pub(super) fn words(&self, account: &Account, now_ms: i64) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for token in &account.tokens {
            let usable =
                token.standing(now_ms) == Standing::Active && self.windows(&token.method).is_some();
            if usable && !words.contains(&token.method) {
                words.push(token.method.clone());
            }
        }
        words
    }
}
