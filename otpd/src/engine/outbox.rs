//! Messages on their way: each is on disk before anybody is told of it, and is given to the
//! providers beside the logins, which never wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use otp_core::{
    contact::Channel,
    out_of_band,
    token::{State, Token},
};
use otp_delivery::{Failure, Message, ProviderId, Report};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Engine;
use crate::{
    audit::Origin,
    store::{AuditEvent, LONGEST_PAYLOAD, Work},
};

/// A message, and what is to be done when it cannot be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Letter {
    /// The method, which says who carries it.
    pub(super) method: String,
    /// The service that the code is for.
    pub(super) service: String,
    /// When its challenge was made, Unix milliseconds.
    pub(super) sent_ms: i64,
    /// Its token was made with it, or with an earlier one that is not answered yet.
    pub(super) first: bool,
    /// An earlier run of the daemon has left it.
    #[serde(skip)]
    pub(super) again: bool,
    /// What is sent.
    pub(super) message: Message,
}

impl Letter {
    /// As the store takes it, which seals it.
    pub(super) fn sealed(&self) -> Zeroizing<Vec<u8>> {
        // A buffer that grows leaves what it held behind.
        let mut payload = Zeroizing::new(Vec::with_capacity(LONGEST_PAYLOAD));
        // Texts and numbers only: there is nothing in it that JSON cannot say.
        let _ = serde_json::to_writer(&mut *payload, self);
        payload
    }
}

/// What waits to be sent, and what could not be.
#[derive(Debug)]
pub(super) struct Outbox {
    post: mpsc::UnboundedSender<Letter>,
    posted: Mutex<Option<mpsc::UnboundedReceiver<Letter>>>,
    /// Messages that nobody took, until their codes are over (Unix milliseconds).
    failed: Mutex<HashMap<String, i64>>,
}

impl Default for Outbox {
    fn default() -> Self {
        let (post, posted) = mpsc::unbounded_channel();
        Self { post, posted: Mutex::new(Some(posted)), failed: Mutex::default() }
    }
}

impl Outbox {
    /// Sends a letter that is on disk; the budget bounds how many there can be.
    pub(super) fn post(&self, letter: Letter) {
        // Nobody receives it any more when the daemon ends; the next start reads it from the disk.
        let _ = self.post.send(letter);
    }

    /// Whether the message of this id could not be sent.
    pub(super) fn has_failed(&self, message: &str) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(message)
    }

    fn note_failure(&self, message: &Message, now_ms: i64) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.retain(|_, until_ms| now_ms < *until_ms);
        failed.insert(message.id.clone(), message.until_ms);
    }
}

impl Engine {
    /// Posts what an earlier run has left; before any login is served, or what that asks for would
    /// be posted twice.
    pub async fn post_messages_left(&self) {
        match self.watch_store(self.store.queued().await) {
            Ok(left) => {
                for (user, queued) in left {
                    match serde_json::from_slice(&queued.payload) {
                        Ok(letter) => self.outbox.post(Letter { again: true, ..letter }),
                        Err(error) => self.give_up(&user, queued.id, &error).await,
                    }
                }
            }
            Err(error) => log::error!("delivery: messages that were left: {error}"),
        }
    }

    /// Drops a message that this release cannot read.
    async fn give_up(&self, user: &str, id: String, error: &serde_json::Error) {
        log::error!("delivery: a message that was left for {user:?} is dropped: {error}");
        let dropped = self.transact(user, move |work: &mut Work<'_>| work.settled.push(id)).await;
        if let Err(error) = dropped {
            log::error!("delivery: it is tried again at the next start: {error}");
        }
    }

    /// Carries messages for as long as the daemon runs.
    pub async fn carry_messages(self: Arc<Self>) {
        let taken = self.outbox.posted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut posted) = taken else { return };
        while let Some(letter) = posted.recv().await {
            tokio::spawn(Arc::clone(&self).carry(letter));
        }
    }

    /// Gives one message to its providers and puts down what became of it.
    async fn carry(self: Arc<Self>, letter: Letter) {
        let remaining_ms = letter.message.until_ms.saturating_sub(self.now_ms());
        let limit = Duration::from_millis(u64::try_from(remaining_ms).unwrap_or_default());
        let loaded = self.config();
        let method = loaded.config.method(&letter.method);
        let order = method.map(|method| loaded.config.providers_of(method)).unwrap_or_default();
        let report = self.dispatcher.send(&order, &letter.message, limit).await;
        let sent = report.outcome.is_ok();
        if !sent {
            self.outbox.note_failure(&letter.message, self.now_ms());
        }
        self.watch_delivery(&letter, &report);
        let (user, event) = (letter.message.user.clone(), self.event_of(&letter, &report));
        self.journal.write(&event);
        let transition = move |work: &mut Work<'_>| settle(work, &letter, &report, event);
        if let Err(error) = self.transact(&user, transition).await {
            log::error!("delivery: what became of a message of {user:?} is not recorded: {error}");
        }
    }

    /// Remembers whether codes get out by that channel. A message that is refused for its own sake
    /// says nothing about that.
    fn watch_delivery(&self, letter: &Letter, report: &Report) {
        let part = match letter.message.to.medium() {
            Channel::Sms => "delivery by sms",
            Channel::Email => "delivery by email",
        };
        match report.outcome {
            Ok(_) => self.set_problem(part, None),
            Err(Failure::Refused(_)) => {}
            Err(_) => self.set_problem(part, Some(told(report))),
        }
    }

    fn event_of(&self, letter: &Letter, report: &Report) -> AuditEvent {
        let origin = Origin { service: Some(letter.service.clone()), ..Origin::default() };
        let result = if report.outcome.is_ok() { "ok" } else { "unavailable" };
        let mut event = origin.event("send", result, &letter.message.user, self.now_ms());
        event.method = Some(letter.method.clone());
        event.token = Some(letter.message.serial.clone());
        event.caller = None;
        event.detail = Some(format!("to {}: {}", letter.message.to.masked(), told(report)));
        event
    }
}

/// What the providers said, in order.
fn told(report: &Report) -> String {
    let failed = report.tries.iter().map(|(id, why)| format!("{id}: {why}"));
    let taken = match (&report.outcome, &report.provider) {
        (Ok(receipt), Some(id)) => Some(taken_by(id, receipt.id.as_deref())),
        (Err(failure), _) if report.tries.is_empty() => Some(failure.to_string()),
        _ => None,
    };
    failed.chain(taken).collect::<Vec<_>>().join("; ")
}

fn taken_by(provider: &ProviderId, id: Option<&str>) -> String {
    id.map_or_else(|| format!("taken by {provider}"), |id| format!("taken by {provider} as {id}"))
}

/// A message that no provider took leaves no challenge, and takes the token with it that was made
/// for it. It counts all the same: what a gateway calls a failure may have reached a telephone.
fn settle(work: &mut Work<'_>, letter: &Letter, report: &Report, event: AuditEvent) {
    work.audit.push(event);
    work.settled.push(letter.message.id.clone());
    let unsent = matches!(report.outcome, Err(Failure::Unavailable(_) | Failure::Refused(_)));
    // What an earlier run has left, that run may have sent.
    if !unsent || letter.again {
        return;
    }
    let token = letter.message.serial.as_str();
    let Some(account) = work.account.as_mut() else { return };
    out_of_band::withdraw(account, token, Some(letter.sent_ms));
    let open = account.challenges.iter().any(|challenge| challenge.token == token);
    let unused = |known: &Token| known.state == State::Active && known.last_used_ms.is_none();
    if letter.first && !open {
        account.tokens.retain(|known| known.id != token || !unused(known));
    }
}
