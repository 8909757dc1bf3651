//! Gives each message to the first of its providers that takes it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use otp_core::contact::Channel as Medium;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    Answer, Channel, Failure, Message, Provider, Receipt,
    breaker::{Breaker, Circuit},
    redact,
};

/// How long a test waits for a place.
const TEST: Duration = Duration::from_secs(10);
/// Longest time limit of a message; no code lives longer.
const LONGEST_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest text about a failure, in bytes.
const LONGEST_TEXT: usize = 1000;

/// A provider as it is configured: `sms.main`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId {
    /// What it carries.
    pub medium: Medium,
    /// Its name among those that carry the same.
    pub name: String,
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.medium.name(), self.name)
    }
}

/// What became of a message, for the audit record and for `otpctl provider test`. No text in it
/// holds the code, the message or the whole number.
#[derive(Clone, Debug)]
pub struct Report {
    /// What the last provider that was tried answered; [`Failure::Unknown`] where an earlier one may
    /// have sent the message and nobody has taken it.
    pub outcome: Answer,
    /// Who took the message, or who failed last.
    pub provider: Option<ProviderId>,
    /// Who failed, in order, and with what.
    pub tries: Vec<(ProviderId, String)>,
}

/// How a provider does, for `otpctl provider list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Which.
    pub id: ProviderId,
    /// Its type in the configuration; empty for a channel that was [inserted](Dispatcher::insert).
    pub kind: &'static str,
    /// Whether it is sent messages.
    pub circuit: Circuit,
    /// What it failed with last, and how long ago.
    pub last_failure: Option<(Duration, String)>,
}

/// The configured providers, and what is known of their health.
#[derive(Default)]
pub struct Dispatcher {
    slots: RwLock<BTreeMap<ProviderId, Arc<Slot>>>,
}

/// One provider in service.
struct Slot {
    id: ProviderId,
    settings: Option<Provider>,
    channel: Arc<dyn Channel>,
    places: Semaphore,
    breaker: Breaker,
}

impl Dispatcher {
    /// Without any provider.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the providers. One whose settings are as before stays as it is: connection, breaker
    /// and all. Messages under way end with the provider that they are at.
    ///
    /// # Errors
    /// Which provider cannot be made and why; then nothing is replaced.
    pub fn configure(&self, providers: Vec<(ProviderId, Provider)>) -> Result<(), String> {
        let mut slots = BTreeMap::new();
        for (id, settings) in providers {
            let same = |slot: &Arc<Slot>| slot.settings.as_ref() == Some(&settings);
            let slot = match self.slot(&id).filter(same) {
                Some(slot) => slot,
                None => {
                    let channel =
                        settings.build().map_err(|why| format!("provider {id}: {why}"))?;
                    Slot::new(id.clone(), Some(settings), channel)
                }
            };
            slots.insert(id, slot);
        }
        *self.slots.write().unwrap_or_else(PoisonError::into_inner) = slots;
        Ok(())
    }

    /// Adds a channel that was built elsewhere, or puts it in place of another.
    pub fn insert(&self, id: ProviderId, channel: Arc<dyn Channel>) {
        let slot = Slot::new(id.clone(), None, channel);
        self.slots.write().unwrap_or_else(PoisonError::into_inner).insert(id, slot);
    }

    /// Tries the providers in order until one takes the message: the next one after
    /// [`Failure::Unavailable`] and [`Failure::Unknown`], none after [`Failure::Refused`]. Those
    /// whose breaker is open come last, the one that has been open longest first.
    ///
    /// Ends within `limit`, the wait for a free place included: a message that no provider could be
    /// given in that time is dropped, and the report says so.
    pub async fn send(&self, order: &[ProviderId], message: &Message, limit: Duration) -> Report {
        let deadline = Instant::now() + limit.min(LONGEST_LIMIT);
        let mut report = Report::new();
        let mut untried = Vec::new();
        for id in order {
            match self.slot(id) {
                Some(slot) => untried.push(slot),
                None => report.failed(id, unconfigured()),
            }
        }
        while let Some((slot, forced)) = next(&mut untried) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                report.failed(&slot.id, Failure::Unavailable(format!("dropped after {limit:?}")));
                break;
            }
            // Those that come after this one get as much of the time.
            let share = left / u32::try_from(untried.len()).unwrap_or(u32::MAX).saturating_add(1);
            match slot.give(message, forced, share, deadline).await {
                // Its breaker opened while this message waited.
                None => untried.push(slot),
                Some(answer) => {
                    if report.ends_with(&slot.id, answer) {
                        break;
                    }
                }
            }
        }
        report
    }

    /// Sends over exactly this provider, whatever its breaker says; waits up to
    /// 10 s for a place.
    pub async fn test(&self, id: &ProviderId, message: &Message) -> Report {
        let mut report = Report::new();
        match self.slot(id) {
            None => report.failed(id, unconfigured()),
            Some(slot) => {
                let deadline = Instant::now() + LONGEST_LIMIT;
                let answer = slot.give(message, true, TEST, deadline).await;
                report.ends_with(id, answer.unwrap_or_else(|| Err(busy(TEST))));
            }
        }
        report
    }

    /// Every provider, by name.
    #[must_use]
    pub fn health(&self) -> Vec<Health> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let health = |slot: &Arc<Slot>| Health {
            id: slot.id.clone(),
            kind: slot.settings.as_ref().map_or("", Provider::kind),
            circuit: slot.breaker.circuit(),
            last_failure: slot.breaker.last_failure(),
        };
        slots.values().map(health).collect()
    }

    /// Whether one of these providers would be tried now at first hand: it is configured and its
    /// breaker lets a message through.
    #[must_use]
    pub fn ready(&self, order: &[ProviderId]) -> bool {
        order.iter().filter_map(|id| self.slot(id)).any(|slot| slot.breaker.admits())
    }

    fn slot(&self, id: &ProviderId) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl Slot {
    fn new(id: ProviderId, settings: Option<Provider>, channel: Arc<dyn Channel>) -> Arc<Self> {
        let places = Semaphore::new(channel.width().clamp(1, Semaphore::MAX_PERMITS));
        Arc::new(Self { id, settings, channel, places, breaker: Breaker::new() })
    }

    /// Waits up to `share` for a place (and, if `forced`, for its turn at an open breaker), then
    /// sends. `None` if the breaker does not let it through; never if `forced`.
    async fn give(
        &self,
        message: &Message,
        forced: bool,
        share: Duration,
        deadline: Instant,
    ) -> Option<Answer> {
        let admission = async {
            let place = self.places.acquire().await;
            let pass = if forced { Some(self.breaker.force().await) } else { self.breaker.enter() };
            (place, pass)
        };
        let Ok((_place, pass)) = timeout(share, admission).await else {
            return Some(Err(busy(share)));
        };
        let pass = pass?;
        // Channels keep shorter limits themselves, and then say more.
        let limit = self.channel.limit();
        let cut_off = deadline.min(Instant::now() + limit);
        let answer = match timeout_at(cut_off, self.channel.send(message)).await {
            Ok(answer) => without_secrets(answer, message),
            // Too little time says nothing about the provider.
            Err(_) if cut_off == deadline => {
                return Some(Err(Failure::Unknown("no answer before the time was up".to_owned())));
            }
            Err(_) => Err(Failure::Unknown(format!("no answer within {limit:?}"))),
        };
        match &answer {
            Ok(_) => pass.succeeded(),
            Err(Failure::Unavailable(why) | Failure::Unknown(why)) => pass.failed(why),
            Err(Failure::Refused(_)) => {}
        }
        Some(answer)
    }
}

impl Report {
    fn new() -> Self {
        let none = Failure::Unavailable("no provider is configured for this".to_owned());
        Self { outcome: Err(none), provider: None, tries: Vec::new() }
    }

    fn failed(&mut self, id: &ProviderId, failure: Failure) {
        log::warn!("provider {id}: {failure}");
        self.tries.push((id.clone(), failure.to_string()));
        // Once one may have sent it, no other one's failure takes that back.
        if !matches!(self.outcome, Err(Failure::Unknown(_))) {
            self.provider = Some(id.clone());
            self.outcome = Err(failure);
        }
    }

    /// Notes an answer; tells whether no other provider is to be asked.
    fn ends_with(&mut self, id: &ProviderId, answer: Answer) -> bool {
        match answer {
            Ok(receipt) => {
                self.provider = Some(id.clone());
                self.outcome = Ok(receipt);
                true
            }
            Err(failure) => {
                let refused = matches!(failure, Failure::Refused(_));
                self.failed(id, failure);
                refused
            }
        }
    }
}

/// Takes out the provider to try next, and whether in spite of its breaker.
fn next(untried: &mut Vec<Arc<Slot>>) -> Option<(Arc<Slot>, bool)> {
    if let Some(at) = untried.iter().position(|slot| slot.breaker.admits()) {
        return Some((untried.remove(at), false));
    }
    let since = |(_, slot): &(usize, &Arc<Slot>)| slot.breaker.open_since();
    let (at, _) = untried.iter().enumerate().min_by_key(since)?;
    Some((untried.remove(at), true))
}

fn unconfigured() -> Failure {
    Failure::Unavailable("there is no such provider; see otpctl provider list".to_owned())
}

fn busy(waited: Duration) -> Failure {
    Failure::Unavailable(format!("dropped here: no place was free within {waited:?}"))
}

/// What a channel answered, in case it did not hide everything itself.
fn without_secrets(answer: Answer, message: &Message) -> Answer {
    let hide = |text: String| redact(&text, message, &[], LONGEST_TEXT);
    match answer {
        Ok(Receipt { id, reply }) => Ok(Receipt { id: id.map(hide), reply: hide(reply) }),
        Err(Failure::Unavailable(why)) => Err(Failure::Unavailable(hide(why))),
        Err(Failure::Refused(why)) => Err(Failure::Refused(hide(why))),
        Err(Failure::Unknown(why)) => Err(Failure::Unknown(hide(why))),
    }
}

#[cfg(test)]
mod tests;
