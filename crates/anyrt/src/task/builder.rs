//! Named tasks, which Tokio has under `--cfg tokio_unstable`.

use std::future::Future;
use std::io;

use super::{JoinHandle, LocalSet, spawn, spawn_blocking, spawn_local};
use crate::runtime::Handle;

/// Spawns a named task.
///
/// Present with `RUSTFLAGS="--cfg tokio_unstable"` and the feature `tracing`, as in Tokio. Tokio
/// passes the name to `tracing` subscribers; anyrt accepts it and does not use it.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let task = anyrt::task::Builder::new().name("sum").spawn(async { 1 + 2 })?;
/// assert_eq!(task.await?, 3);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
#[must_use = "it does nothing until it spawns"]
pub struct Builder<'a> {
    #[allow(dead_code, reason = "shown by `Debug` alone, until there are spans")]
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// Creates a builder for a task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the task; none by default.
    pub fn name(&self, name: &'a str) -> Self {
        Self { name: Some(name) }
    }

    /// Spawns `future` on the current runtime, as [`spawn`] does.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Ok(spawn(future))
    }

    /// Spawns `future` on the runtime of `handle`.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Ok(handle.spawn(future))
    }

    /// Spawns `future` on this thread, as [`spawn_local`] does.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if this thread accepts no local tasks.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Ok(spawn_local(future))
    }

    /// Spawns `future` on `local_set`.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_local_on<F>(
        self,
        future: F,
        local_set: &LocalSet,
    ) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Ok(local_set.spawn_local(future))
    }

    /// Runs `job` on the blocking thread pool, as [`spawn_blocking`] does.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F, T>(self, job: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(spawn_blocking(job))
    }

    /// Runs `job` on the blocking thread pool of the runtime of `handle`.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_blocking_on<F, T>(self, job: F, handle: &Handle) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        Ok(handle.spawn_blocking(job))
    }
}
