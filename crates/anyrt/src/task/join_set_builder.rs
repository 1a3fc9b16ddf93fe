//! Named tasks of a set, which Tokio has under `--cfg tokio_unstable`.

use std::fmt;
use std::future::Future;
use std::io;

use super::{AbortHandle, JoinSet, LocalSet};
use crate::runtime::Handle;

/// Spawns a named task into a [`JoinSet`]; see [`JoinSet::build_task`] and
/// [`task::Builder`](super::Builder).
#[must_use = "it does nothing until it spawns"]
pub struct Builder<'a, T> {
    set: &'a mut JoinSet<T>,
    builder: super::Builder<'a>,
}

impl<T> JoinSet<T> {
    /// Returns a builder for a task of this set, which can name it.
    ///
    /// Present with `RUSTFLAGS="--cfg tokio_unstable"` and the feature `tracing`, as in Tokio.
    pub fn build_task(&mut self) -> Builder<'_, T> {
        Builder {
            set: self,
            builder: super::Builder::new(),
        }
    }
}

impl<'a, T: 'static> Builder<'a, T> {
    /// Sets the name of the task; none by default.
    pub fn name(self, name: &'a str) -> Self {
        let builder = self.builder.name(name);
        Self { builder, ..self }
    }

    /// Spawns `future` on the current runtime; see [`JoinSet::spawn`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        Ok(self.set.spawn(future))
    }

    /// Spawns `future` on the runtime of `handle`; see [`JoinSet::spawn_on`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        Ok(self.set.spawn_on(future, handle))
    }

    /// Spawns `future` on this thread; see [`JoinSet::spawn_local`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if this thread accepts no local tasks.
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
    {
        Ok(self.set.spawn_local(future))
    }

    /// Spawns `future` on `local_set`; see [`JoinSet::spawn_local_on`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_local_on<F>(self, future: F, local_set: &LocalSet) -> io::Result<AbortHandle>
    where
        F: Future<Output = T> + 'static,
    {
        Ok(self.set.spawn_local_on(future, local_set))
    }

    /// Runs `job` on the blocking thread pool; see [`JoinSet::spawn_blocking`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F>(self, job: F) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        Ok(self.set.spawn_blocking(job))
    }

    /// Runs `job` on the blocking thread pool of the runtime of `handle`; see
    /// [`JoinSet::spawn_blocking_on`].
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, job: F, handle: &Handle) -> io::Result<AbortHandle>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        Ok(self.set.spawn_blocking_on(job, handle))
    }
}

impl<T> fmt::Debug for Builder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("join_set::Builder")
            .field("joinset", &self.set)
            .field("builder", &self.builder)
            .finish()
    }
}
