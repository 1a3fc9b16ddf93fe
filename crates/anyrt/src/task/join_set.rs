//! A set of tasks on the current runtime.

use std::future::Future;
use std::task::{Context, Poll};

use super::coop::lifted;
use super::{AbortHandle, Id, JoinError, JoinHandle, LocalSet, spawn, spawn_blocking, spawn_local};
use crate::runtime::Handle;

/// Tasks that are joined as they end, whichever ends first.
///
/// # Dropping it
/// Aborts all tasks in the set, without waiting for them. [`shutdown`](Self::shutdown) waits,
/// [`detach_all`](Self::detach_all) lets them go on.
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), anyrt::task::JoinError> {
/// let mut set = anyrt::task::JoinSet::new();
/// for n in 1..=3 {
///     set.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square?;
/// }
/// assert_eq!(sum, 14);
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T> {
    inner: anyrt_core::JoinSet<T, JoinHandle<T>>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            inner: anyrt_core::JoinSet::new(),
        }
    }

    /// The number of tasks in the set: those that run, and those that ended but were not joined.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Starts `future` as a task of the current runtime.
    ///
    /// # Panics
    /// When no runtime is current.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.inner.insert(spawn(future))
    }

    /// Starts `future` as a task of that runtime.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.inner.insert(handle.spawn(future))
    }

    /// Starts `future` as a task that stays on this thread.
    ///
    /// # Panics
    /// On a thread that accepts no local tasks; see [`spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.inner.insert(spawn_local(future))
    }

    /// Starts `future` as a task of that set of local tasks. It runs when `local_set` is polled.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.inner.insert(local_set.spawn_local(future))
    }

    /// Starts `job` on a thread where blocking harms nobody. Aborting it has no effect once it runs.
    ///
    /// # Panics
    /// When no runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.inner.insert(spawn_blocking(job))
    }

    /// Starts `job` on a thread of that runtime where blocking harms nobody.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.inner.insert(handle.spawn_blocking(job))
    }

    /// Waits for the next task to end; `None` when the set is empty.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.inner.join_next().await
    }

    /// As [`join_next`](Self::join_next), with the id of the task.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.inner.join_next_with_id().await
    }

    /// A task that has ended already, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        lifted(|| self.inner.try_join_next())
    }

    /// As [`try_join_next`](Self::try_join_next), with the id of the task.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        lifted(|| self.inner.try_join_next_with_id())
    }

    /// Polls for the next task to end.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.inner.poll_join_next(cx)
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        self.inner.poll_join_next_with_id(cx)
    }

    /// Asks all tasks to end. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.inner.abort_all();
    }

    /// Takes all tasks out of the set; they go on by themselves.
    pub fn detach_all(&mut self) {
        self.inner.detach_all();
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }

    /// Waits for all tasks and gives their results, in the order in which they ended.
    ///
    /// # Panics
    /// When a task panicked or was cancelled; the others are aborted then.
    pub async fn join_all(self) -> Vec<T> {
        self.inner.join_all().await
    }
}

impl<T: Send + 'static, F: Future<Output = T> + Send + 'static> FromIterator<F> for JoinSet<T> {
    /// Spawns all futures on the current runtime.
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

impl<T: Send + 'static, F: Future<Output = T> + Send + 'static> Extend<F> for JoinSet<T> {
    /// Spawns all futures on the current runtime.
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
