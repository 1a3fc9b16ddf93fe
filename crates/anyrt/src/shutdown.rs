//! Graceful shutdown: asks all tasks to stop, and waits for them.

use std::future::Future;
use std::time::Duration;

use anyrt_core::CancellationToken;
use anyrt_core::shutdown;

use crate::runtime::Handle;
use crate::task::{self, JoinHandle};

pub use anyrt_core::error::ShutdownTimeout;

/// Ties a [`CancellationToken`] to the tasks that hear it: who is asked to stop is who is waited for.
///
/// Cheap to clone; clones are the same group of tasks. Dropping it stops nothing.
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
    /// No tasks, and nobody asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// The token by which tasks hear that they should stop. Cancelling it begins the shutdown without waiting.
    pub fn token(&self) -> &CancellationToken {
        self.inner.token()
    }

    /// Spawns `future` on the current runtime as a task that is waited for.
    ///
    /// # Panics
    /// When no runtime is current.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        task::spawn(self.inner.track(future))
    }

    /// Makes `future` one that is waited for until it is dropped.
    pub fn track<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.inner.track(future)
    }

    /// Asks all tasks to stop and waits until they have, for `timeout` at most, counted from the first poll.
    ///
    /// What is still running then goes on; ending the runtime ends it.
    ///
    /// # Errors
    /// [`ShutdownTimeout`], with the number of tasks that are still running.
    ///
    /// # Panics
    /// When no runtime is current.
    ///
    /// # Cancel safety
    /// The tasks were asked to stop by the first poll; dropping it only stops waiting.
    pub async fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownTimeout> {
        let handle = Handle::current();
        self.inner.shutdown(&handle, timeout).await
    }
}
