//! Messages on their way: each is on disk before anybody is told of it, and is given to the
//! providers beside the logins, which never wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use otp_core::{account::Account, out_of_band};
use otp_delivery::{Failure, Message, ProviderId, Report};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::Engine;
use crate::{
    audit::Origin,
    store::{AuditEvent, Work},
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
    /// Its token was made with it.
    pub(super) first: bool,
    /// What is sent.
    pub(super) message: Message,
}

impl Letter {
    /// As the store takes it, which seals it.
    pub(super) fn sealed(&self) -> Zeroizing<Vec<u8>> {
        // Texts and numbers only: there is nothing in it that JSON cannot say.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
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
    /// Carries messages for as long as the daemon runs: first those that an earlier run has left.
    pub async fn carry_messages(self: Arc<Self>) {
        let taken = self.outbox.posted.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut posted) = taken else { return };
        match self.watch_store(self.store.queued().await) {
            Ok(left) => {
                for (user, queued) in left {
                    match serde_json::from_slice(&queued.payload) {
                        Ok(letter) => self.outbox.post(letter),
                        Err(error) => log::error!("delivery: a message of {user:?}: {error}"),
                    }
                }
            }
            Err(error) => log::error!("delivery: messages that were left: {error}"),
        }
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
        let health =
            (!sent).then(|| format!("{} is not delivered: {}", letter.method, told(&report)));
        self.set_problem("delivery", health);
        let (user, event) = (letter.message.user.clone(), self.event_of(&letter, &report));
        self.journal.write(&event);
        let transition = move |work: &mut Work<'_>| settle(work, &letter, &report, event);
        if let Err(error) = self.transact(&user, transition).await {
            log::error!("delivery: what became of a message of {user:?} is not recorded: {error}");
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

/// A message that was certainly not sent leaves no challenge, does not count, and takes the token
/// with it that was made for it.
fn settle(work: &mut Work<'_>, letter: &Letter, report: &Report, event: AuditEvent) {
    work.audit.push(event);
    let sent = !matches!(report.outcome, Err(Failure::Unavailable(_) | Failure::Refused(_)));
    let token = letter.message.serial.as_str();
    if sent {
        work.settled.push(letter.message.id.clone());
        return;
    }
    work.voided.push(letter.message.id.clone());
    let Some(account) = work.account.as_mut() else { return };
    out_of_band::withdraw(account, token, Some(letter.sent_ms));
    let unused = |account: &Account| {
        account.tokens.iter().any(|known| known.id == token && known.last_used_ms.is_none())
    };
    let open = account.challenges.iter().any(|challenge| challenge.token == token);
    if letter.first && unused(account) && !open {
        account.tokens.retain(|known| known.id != token);
    }
}
