//! Keys that were shown and that nobody has confirmed in time: destroyed at the end of that time,
//! by a clock that cannot be set back, and after a restart of the daemon as well.

use std::{collections::HashMap, sync::Arc, time::Duration};

use otp_core::share::{self, Share};

use super::{
    Engine, Error,
    share::{EXPIRED, fresh_entropy},
};
use crate::{
    audit::Origin,
    store::{TokenQuery, TokenRow, Work},
};

/// How long nothing is looked at while nothing is shown, and how long a failure is waited out.
const PAUSE: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(10));

/// When the time of each showing is over, by the clock that never goes back: of a token's id and
/// the time at which it began.
#[derive(Debug, Default)]
pub struct Deadlines(HashMap<(String, i64), u64>);

impl Engine {
    /// Ends showings for as long as the daemon runs.
    pub async fn tend_shares(self: Arc<Self>) {
        let mut deadlines = Deadlines::default();
        loop {
            let pause = match self.end_shares(&mut deadlines).await {
                Ok(next_ms) => next_ms.map_or(PAUSE.0, Duration::from_millis),
                Err(error) => {
                    log::error!("sharing: keys that nobody confirmed: {error}; tried again");
                    PAUSE.1
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.shares.notified() => {}
            }
        }
    }

    /// Destroys the keys whose time is over. In how many milliseconds the next one's is.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn end_shares(&self, deadlines: &mut Deadlines) -> Result<Option<u64>, Error> {
        let query = TokenQuery { showing: true, limit: u32::MAX, ..TokenQuery::default() };
        let (rows, _) = self.watch_store(self.store.tokens(query).await)?;
        let monotonic_ms = self.clock.monotonic_ms();
        let (mut kept, mut next_ms, mut failure) = (HashMap::new(), None, None);
        for row in rows {
            let Share::Showing { since_ms, until_ms, .. } = row.share else { continue };
            let now_ms = self.now_ms();
            let key = (row.id.clone(), since_ms);
            let whole = until_ms.saturating_sub(since_ms);
            let left = until_ms.saturating_sub(now_ms).clamp(0, whole.max(0)).unsigned_abs();
            let deadline = deadlines.0.get(&key).copied();
            let deadline = deadline.unwrap_or_else(|| monotonic_ms.saturating_add(left));
            let left = deadline.saturating_sub(monotonic_ms).min(left);
            if left == 0 || row.share.over(now_ms) {
                // One that fails is tried again and keeps no other one waiting.
                failure = self.end_share(row, since_ms).await.err().or(failure);
                continue;
            }
            kept.insert(key, deadline);
            next_ms = Some(next_ms.map_or(left, |next: u64| next.min(left)));
        }
        deadlines.0 = kept;
        failure.map_or(Ok(next_ms), Err)
    }

    /// Destroys one key, if it is still the one that was shown then.
    async fn end_share(&self, row: TokenRow, since_ms: i64) -> Result<(), Error> {
        let (now_ms, entropy) = (self.now_ms(), fresh_entropy()?);
        let mut event = Origin::default().event("share", "expired", &row.user, now_ms);
        (event.caller, event.detail) = (None, Some(EXPIRED.to_owned()));
        event.token = Some(row.id.clone());
        let event = self
            .transact(&row.user, move |work: &mut Work<'_>| {
                let account = work.account.as_mut()?;
                let ended = share::expire(account, &row.id, now_ms, Some(since_ms), &entropy);
                let event = ended.then_some(event)?;
                work.audit.push(event.clone());
                Some(event)
            })
            .await?;
        if let Some(event) = event {
            self.journal.write(&event);
        }
        Ok(())
    }
}
