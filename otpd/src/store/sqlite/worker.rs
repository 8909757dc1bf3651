//! The threads that own a connection each: one writes, in batches that share one commit; the
//! others read and never wait for a commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};

use rusqlite::{Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::{database::Database, rows, setup};
use crate::store::StoreError;

/// Jobs that wait at most; whoever comes then waits for room.
const QUEUE: usize = 1024;
/// Transactions that share a commit at most.
const BATCH: usize = 256;

/// A thread, its queue and its end: dropping it lets the thread finish what is queued and joins it.
pub(super) struct Worker<J> {
    jobs: Option<mpsc::Sender<J>>,
    thread: Option<JoinHandle<()>>,
}

/// What changes the store within the transaction in progress.
pub(super) type Task = Box<dyn FnOnce(&Database) -> Result<(), StoreError> + Send>;

/// A change to make within a transaction, and whom to answer after its commit.
pub(super) struct Change {
    pub(super) task: Task,
    pub(super) reply: oneshot::Sender<Result<(), StoreError>>,
}

/// A read; it answers by itself.
pub(super) type Query = Box<dyn FnOnce(&Database) + Send>;

impl<J: Send + 'static> Worker<J> {
    /// Starts a thread that runs `body` with its queue; `ended` becomes true when it ends, for
    /// whatever reason.
    ///
    /// # Errors
    /// [`StoreError::Setup`] when the system has no thread to give.
    fn spawn(
        name: &str,
        ended: watch::Sender<bool>,
        body: impl FnOnce(mpsc::Receiver<J>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _end = End(ended);
                body(queue);
            })
            .map_err(|error| setup(format!("no thread for the store: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Queues a job, waiting for room.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the thread has ended.
    pub(super) async fn send(&self, job: J) -> Result<(), StoreError> {
        match &self.jobs {
            Some(jobs) => jobs.send(job).await.map_err(|_| ended()),
            None => Err(ended()),
        }
    }
}

impl<J> Drop for Worker<J> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by the panic hook and by `ended`.
            let _ = thread.join();
        }
    }
}

struct End(watch::Sender<bool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// The answer of a store whose thread has ended.
pub(super) fn ended() -> StoreError {
    StoreError::Unavailable("it has shut down after a failure; otpd must be restarted".into())
}

/// Starts the thread that writes. It keeps the newest `audit_rows` audit records and ends when a
/// change panics: its state of mind is not to be trusted any more.
///
/// # Errors
/// [`StoreError::Setup`] when the system has no thread to give.
pub(super) fn writer(
    database: Database,
    audit_rows: u32,
    ended: watch::Sender<bool>,
) -> Result<Worker<Change>, StoreError> {
    Worker::spawn("store-write", ended, move |mut queue: mpsc::Receiver<Change>| {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (tasks, replies): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|change| (change.task, change.reply)).unzip();
            // The panic unwinds through the transaction, which rolls it back. Nobody's change of
            // this batch is committed; dropping `replies` and `queue` tells everybody so.
            let Ok(outcome) =
                catch_unwind(AssertUnwindSafe(|| commit(&database, tasks, audit_rows)))
            else {
                return;
            };
            let results = outcome.unwrap_or_else(|error| vec![Err(error); replies.len()]);
            for (reply, result) in replies.into_iter().zip(results) {
                // Who asked may be gone; what is committed stays so.
                let _ = reply.send(result);
            }
        }
    })
}

/// Starts a thread that reads.
///
/// # Errors
/// [`StoreError::Setup`] when the system has no thread to give.
pub(super) fn reader(
    name: &str,
    database: Database,
    ended: watch::Sender<bool>,
) -> Result<Worker<Query>, StoreError> {
    Worker::spawn(name, ended, move |mut queue: mpsc::Receiver<Query>| {
        while let Some(query) = queue.blocking_recv() {
            query(&database);
        }
    })
}

/// Runs all tasks in one transaction, each in a savepoint of its own: one that fails leaves
/// nothing behind and has its own error. When this returns `Ok`, the rest is on the disk.
fn commit(
    database: &Database,
    tasks: Vec<Task>,
    audit_rows: u32,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let connection = &database.connection;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(tasks.len());
    for task in tasks {
        rows::execute(connection, "SAVEPOINT task", [])?;
        let result = task(database);
        if let Err(error) = &result {
            // Fails where the error has ended the transaction as a whole, and all tasks with it.
            rows::execute(connection, "ROLLBACK TO task", []).map_err(|_| error.clone())?;
        }
        rows::execute(connection, "RELEASE task", [])?;
        results.push(result);
    }
    rows::execute(connection, rows::PRUNE, [audit_rows])?;
    transaction.commit()?;
    Ok(results)
}
