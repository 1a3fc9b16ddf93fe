//! Sets of tasks, which are Tokio's own.

use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use anyrt_core::error::JoinError;
use anyrt_core::task::Id;

use crate::blocking::on_blocking_thread;
use crate::local_set::{self, LocalSet};
use crate::runtime::TokioRuntime;
use crate::task::{self, AbortHandle};

/// Tokio's set of tasks. Dropping it aborts its tasks.
///
/// It accepts tasks of Tokio only, and none that has already been spawned: use
/// [`anyrt_core::JoinSet`] for these and in generic code.
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T> {
    inner: tokio::task::JoinSet<T>,
}

impl<T> JoinSet<T> {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self {
            inner: tokio::task::JoinSet::new(),
        }
    }

    /// Returns the number of tasks in the set: running ones, and ended ones that were not joined
    /// yet.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Returns `true` if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns `future` as a task of the current runtime.
    ///
    /// # Panics
    /// Panics if no Tokio runtime is current.
    #[inline]
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        AbortHandle::new(self.inner.spawn(future))
    }

    /// Spawns `future` as a task on `rt`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, rt: &TokioRuntime, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        AbortHandle::new(self.inner.spawn_on(future, rt.as_inner()))
    }

    /// Spawns `future` as a task of the [`LocalSet`] that this thread is inside, or else of its
    /// `block_on`.
    ///
    /// # Panics
    /// Panics if the thread is inside neither.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        AbortHandle::new(if local_set::is_entered() {
            self.inner.spawn_local(future)
        } else {
            self.inner
                .spawn_local_on(future, task::local_set().as_set())
        })
    }

    /// Spawns `future` as a task of `local_set`.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        AbortHandle::new(self.inner.spawn_local_on(future, local_set.as_inner()))
    }

    /// Runs `job` on the blocking thread pool of the current runtime.
    ///
    /// # Panics
    /// Panics if no Tokio runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        AbortHandle::new(self.inner.spawn_blocking(on_blocking_thread(job)))
    }

    /// Runs `job` on the blocking thread pool of `rt`.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, rt: &TokioRuntime, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let job = on_blocking_thread(job);
        AbortHandle::new(self.inner.spawn_blocking_on(job, rt.as_inner()))
    }

    /// Returns the result of a task that has already ended, if there is one.
    ///
    /// # Errors
    /// Returns the [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.inner.try_join_next_with_id().map(with_id)
    }

    /// Polls for a task that has ended. Only the task that polled last is woken.
    ///
    /// Returns `Pending` if none has ended or Tokio's budget is used up, and `None` if the set is
    /// empty.
    #[inline]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        let next = self.inner.poll_join_next(cx);
        next.map(|next| next.map(|result| result.map_err(task::join_error)))
    }

    /// Like [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let next = self.inner.poll_join_next_with_id(cx);
        next.map(|next| next.map(with_id))
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.inner.abort_all();
    }

    /// Removes all tasks from the set without aborting them. Their results are discarded.
    pub fn detach_all(&mut self) {
        self.inner.detach_all();
    }
}

fn with_id<T>(
    joined: Result<(tokio::task::Id, T), tokio::task::JoinError>,
) -> Result<(Id, T), JoinError> {
    match joined {
        Ok((id, value)) => Ok((task::id(id), value)),
        Err(error) => Err(task::join_error(error)),
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}
