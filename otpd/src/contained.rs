//! A thread for a library that panics where it should fail: its panics end the task that they happen
//! in and not the daemon.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use tokio::runtime::{Builder, Runtime};

/// What such a thread is called; see [`crate::process::end_on_panic`].
const NAME: &str = "contained";

/// Whether a panic on the current thread is contained.
#[must_use]
pub fn here() -> bool {
    std::thread::current().name() == Some(NAME)
}

/// A runtime with a thread of its own, made when it is needed.
#[derive(Debug, Default)]
pub struct Contained(Mutex<Option<Runtime>>);

impl Contained {
    /// Runs a task there. A task that panics is an error.
    ///
    /// # Errors
    /// The thread cannot be started, or the task has panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, String> {
        let spawned = self.spawn(task).map_err(|error| error.to_string())?;
        spawned.await.map_err(|_| "its answer makes no sense".to_owned())
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> io::Result<tokio::task::JoinHandle<T>> {
        let mut runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runtime.is_none() {
            let mut builder = Builder::new_multi_thread();
            *runtime = Some(builder.worker_threads(1).thread_name(NAME).enable_all().build()?);
        }
        let lost = || io::Error::other("no runtime");
        Ok(runtime.as_ref().ok_or_else(lost)?.spawn(task))
    }
}

impl Drop for Contained {
    /// Lets go of the thread without waiting for it, which is not allowed on another runtime.
    fn drop(&mut self) {
        let runtime = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_next_task_runs() {
        let contained = Contained::default();
        assert!(!here());
        assert_eq!(contained.run(async { here() }).await, Ok(true));
        let panicked = contained.run(async { panic!("as asked") }).await;
        assert_eq!(panicked, Err::<(), _>("its answer makes no sense".to_owned()));
        assert_eq!(contained.run(async { 7 }).await, Ok(7));
    }
}
