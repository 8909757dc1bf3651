//! Keeps a session with the SMSC for as long as its channel is there.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use super::{
    link::{Link, Smsc},
    pdu::Pdu,
};
use crate::Failure;

/// How long a message may take from when it is asked for.
pub(super) const LIMIT: Duration = Duration::from_secs(9);
/// The first and the longest pause before a session is restored.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A message on its way.
pub(super) struct Job {
    /// What is still to be submitted, in order. The next part is submitted when the one before
    /// is accepted.
    pub(super) submissions: VecDeque<Pdu>,
    /// message_id of the first part that has one.
    pub(super) id: Option<String>,
    /// When nobody waits any longer.
    pub(super) until: Instant,
    /// Takes the message_id once every part is accepted.
    pub(super) answer: oneshot::Sender<Result<Option<String>, Failure>>,
}

impl Job {
    pub(super) fn end(self, answer: Result<Option<String>, Failure>) {
        // Whoever asked may have gone.
        let _ = self.answer.send(answer);
    }
}

/// Starts the session. It unbinds and ends when the sender of its jobs is dropped.
pub(super) fn start(smsc: Arc<Smsc>) -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel(smsc.settings.window);
    tokio::spawn(run(smsc, jobs));
    sender
}

async fn run(smsc: Arc<Smsc>, mut jobs: mpsc::Receiver<Job>) {
    let mut pause = PAUSES.0;
    let mut told = String::new();
    let mut first = None;
    loop {
        let began = Instant::now();
        let lost = match Link::bind(&smsc).await {
            Ok(link) => {
                log::info!("{}: bound as {}", smsc.name, smsc.settings.system_id);
                told.clear();
                match link.serve(first.take(), &mut jobs).await {
                    Some(reason) => reason,
                    None => return,
                }
            }
            Err(reason) => {
                if let Some(job) = first.take() {
                    unavailable(job, &reason);
                }
                while let Ok(job) = jobs.try_recv() {
                    unavailable(job, &reason);
                }
                reason
            }
        };
        if told != lost {
            log::warn!("{lost}");
            told.clone_from(&lost);
        }
        // A session that lasted was a good one; one that is cut after each bind was not.
        pause = if began.elapsed() > PAUSES.1 { PAUSES.0 } else { pause };
        match wait(&mut jobs, began, jittered(pause), &lost).await {
            Some(next) => first = next,
            None => return,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Waits before the next try. A message ends the pause, unless the last try is less than the
/// shortest pause ago: then it fails with the reason of that one. Nothing when the channel is gone.
async fn wait(
    jobs: &mut mpsc::Receiver<Job>,
    began: Instant,
    pause: Duration,
    lost: &str,
) -> Option<Option<Job>> {
    let over = sleep(pause);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Some(None),
            job = jobs.recv() => match job? {
                job if began.elapsed() >= PAUSES.0 => return Some(Some(job)),
                job => unavailable(job, lost),
            },
        }
    }
}

fn unavailable(job: Job, reason: &str) {
    job.end(Err(Failure::Unavailable(reason.to_owned())));
}

/// Between half of the pause and the whole, so that many hosts do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let fraction = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    pause.mul_f64(0.5 + fraction / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> (Job, oneshot::Receiver<Result<Option<String>, Failure>>) {
        let (answer, answered) = oneshot::channel();
        let job =
            Job { submissions: VecDeque::new(), id: None, until: Instant::now() + LIMIT, answer };
        (job, answered)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_ends_a_pause_but_not_at_once() {
        let (sender, mut jobs) = mpsc::channel(4);
        let began = Instant::now();
        let ((early, failed), (late, _waits)) = (job(), job());
        let ask = async {
            sleep(Duration::from_millis(500)).await;
            assert!(sender.send(early).await.is_ok());
            assert_eq!(failed.await, Ok(Err(Failure::Unavailable("refused".to_owned()))));
            sleep(Duration::from_secs(2)).await;
            assert!(sender.send(late).await.is_ok());
        };
        let (next, ()) = tokio::join!(wait(&mut jobs, began, PAUSES.1, "refused"), ask);
        assert!(matches!(next, Some(Some(_))));
        assert_eq!(began.elapsed(), Duration::from_millis(2500));
        assert!(matches!(wait(&mut jobs, began, PAUSES.1, "refused").await, Some(None)));
        assert_eq!(began.elapsed(), Duration::from_millis(62_500));
        drop(sender);
        assert!(wait(&mut jobs, began, PAUSES.1, "refused").await.is_none());
    }

    #[test]
    fn a_pause_is_halved_at_most() {
        for _ in 0..1000 {
            assert!((PAUSES.1 / 2..=PAUSES.1).contains(&jittered(PAUSES.1)));
        }
    }
}
