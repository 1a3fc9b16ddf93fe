//! Graceful shutdown: asks all tasks to stop, and waits for them.

use std::future::Future;
use std::time::Duration;

use crate::cancel::CancellationToken;
use crate::error::ShutdownTimeout;
use crate::task::Spawner;
use crate::time::Timer;
use crate::tracker::{TaskTracker, TrackedFuture};

/// Ties a [`CancellationToken`] to a [`TaskTracker`]: who is asked to stop is who is waited for.
///
/// Cheap to clone; clones are the same group of tasks. Dropping it stops nothing.
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
    /// No tasks, and nobody asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// The token by which tasks hear that they should stop. Cancelling it begins the shutdown without waiting.
    pub fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// The tracker that counts the tasks.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Spawns a task of the group on `rt`: the future that `task` makes of the token.
    ///
    /// After [`shutdown`](Self::shutdown) has begun the task still starts, with a token that is cancelled already.
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

    /// Makes `future` one that is waited for until it is dropped; it hears by [`token`](Self::token) when to stop.
    pub fn track<F: Future>(&self, future: F) -> TrackedFuture<F> {
        self.tracker.track_future(future)
    }

    /// Asks all tasks to stop and waits until they have, for `timeout` at most, counted from the first poll.
    ///
    /// What is still running then goes on; ending the runtime ends it.
    ///
    /// # Errors
    /// [`ShutdownTimeout`], with the number of tasks that are still running.
    ///
    /// # Cancel safety
    /// The tasks were asked to stop by the first poll; dropping it only stops waiting.
    pub async fn shutdown<T: Timer>(
        &self,
        rt: &T,
        timeout: Duration,
    ) -> Result<(), ShutdownTimeout> {
        self.tracker.close();
        self.token.cancel();
        let timed_out = rt.timeout(timeout, self.tracker.wait()).await.is_err();
        match self.tracker.len() {
            // Those that end at the last moment have ended, too.
            tasks if timed_out && tasks > 0 => Err(ShutdownTimeout {
                waited: timeout,
                tasks,
            }),
            _ => Ok(()),
        }
    }
}
