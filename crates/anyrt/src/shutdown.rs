//! Graceful shutdown: asks tasks to stop and waits for them.
//!
//! Dropping a runtime drops its tasks wherever they are. A [`GracefulShutdown`] lets them finish
//! first: tasks that watch its token end at a point of their choice, and the program waits for them
//! up to a deadline.

use std::future::Future;
use std::time::Duration;

use anyrt_core::CancellationToken;
use anyrt_core::shutdown;

use crate::runtime::Handle;
use crate::task::{self, JoinHandle};

pub use anyrt_core::error::ShutdownTimeout;

/// A group of tasks with the [`CancellationToken`] that asks them to stop: the shutdown waits for
/// the same tasks that it notifies.
///
/// Cheap to clone; clones refer to the same group. Dropping it stops no task.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use std::time::Duration;
/// use anyrt::{net::TcpListener, shutdown::GracefulShutdown};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let shutdown = GracefulShutdown::new();
/// let stop = shutdown.token().clone();
/// shutdown.spawn(async move {
///     while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
///         // …
/// #       drop(stream);
///     }
/// });
/// // Ctrl-C, for instance.
/// shutdown.shutdown(Duration::from_secs(10)).await?;
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Default)]
pub struct GracefulShutdown {
    inner: shutdown::GracefulShutdown,
}

impl GracefulShutdown {
    /// Creates an empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the token that is cancelled when the tasks should stop. Cancelling it begins the
    /// shutdown without waiting.
    pub fn token(&self) -> &CancellationToken {
        self.inner.token()
    }

    /// Spawns `future` on the current runtime as a task of the group.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(self.inner.track(future))
    }

    /// Adds `future` to the group until it completes or is dropped.
    ///
    /// # Cancel safety
    /// As cancel-safe as `future`, which is dropped with the returned one.
    pub fn track<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.inner.track(future)
    }

    /// Asks all tasks to stop and waits until they have, for at most `timeout` from the first poll.
    ///
    /// Tasks that are still running at the deadline continue until the runtime ends.
    ///
    /// # Errors
    /// Returns [`ShutdownTimeout`] with the number of tasks that are still running.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    ///
    /// # Cancel safety
    /// The first poll asks the tasks to stop. Dropping the future only stops waiting for them.
    pub async fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        let handle = Handle::current();
        self.inner.shutdown(&handle, timeout).await
    }
}
