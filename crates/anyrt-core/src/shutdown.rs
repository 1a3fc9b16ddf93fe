//! Graceful shutdown: asks tasks to stop and waits for them.

use std::future::Future;
use std::time::Duration;

use crate::cancel::CancellationToken;
use crate::error::ShutdownTimeout;
use crate::task::Spawner;
use crate::time::Timer;
use crate::tracker::{TaskTracker, TrackedFuture};

/// A [`CancellationToken`] with a [`TaskTracker`]: the shutdown waits for the same tasks that it
/// notifies.
///
/// Cheap to clone; clones refer to the same group. Dropping it stops no task.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_core::channel::Receiver;
/// use anyrt_core::shutdown::GracefulShutdown;
/// use anyrt_core::{CancellationToken, JoinHandle, Runtime, error::ShutdownTimeout};
///
/// /// Works until `ctrl_c` is ready, then lets what has begun end, for ten seconds at most.
/// async fn run<R: Runtime>(
///     rt: R,
///     jobs: R::Receiver<String>,
///     ctrl_c: impl Future<Output = ()>,
/// ) -> Result<(), ShutdownTimeout> {
///     let shutdown = GracefulShutdown::new();
///     shutdown.spawn(&rt, |stop| work(jobs, stop)).detach();
///
///     ctrl_c.await;
///     shutdown.shutdown(&rt, Duration::from_secs(10)).await
/// }
///
/// /// Stops between two jobs, never within one.
/// async fn work(mut jobs: impl Receiver<String>, stop: CancellationToken) {
///     while let Some(Some(job)) = stop.run_until_cancelled(jobs.recv()).await {
///         println!("{job}");
///     }
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct GracefulShutdown {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl GracefulShutdown {
    /// Creates an empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the token that is cancelled when the tasks should stop. Cancelling it begins the
    /// shutdown without waiting.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Returns the tracker that counts the tasks.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Spawns the future that `task` creates from the token on `rt`, as a task of the group.
    ///
    /// After [`shutdown`](Self::shutdown) has begun, the task still starts, with a cancelled token.
    pub fn spawn<R, F>(
        &self,
        rt: &R,
        task: impl FnOnce(CancellationToken) -> F,
    ) -> R::JoinHandle<F::Output>
    where
        R: Spawner,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn_on(rt, task(self.token.clone()))
    }

    /// Adds `future` to the group until it completes or is dropped. It should watch
    /// [`token`](Self::token) to know when to stop.
    pub fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.tracker.track_future(future)
    }

    /// Asks all tasks to stop and waits until they have, for at most `timeout` from the first poll.
    ///
    /// Tasks that are still running at the deadline continue until the runtime ends.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] with the number of tasks that are still running.
    ///
    /// # Cancel safety
    /// The first poll asks the tasks to stop. Dropping the future only stops waiting for them.
    pub async fn shutdown<T: Timer>(
        &self,
        rt: &T,
        timeout: Duration,
    ) -> Result<(), ShutdownTimeout> {
        self.tracker.close();
        self.token.cancel();
        let timed_out = rt.timeout(timeout, self.tracker.wait()).await.is_err();
        match self.tracker.len() {
            // Tasks that end at the last moment count as ended.
            tasks if timed_out && tasks > 0 => Err(ShutdownTimeout {
                waited: timeout,
                tasks,
            }),
            _ => Ok(()),
        }
    }
}
