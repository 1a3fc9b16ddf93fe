//! A set of tasks on the current runtime.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use super::coop::lifted;
use super::{
    AbortHandle, Id, JoinError, JoinHandle, LocalSet, local_set, spawn_blocking, spawn_elsewhere,
    spawn_local,
};
use crate::backend::{Backend, Each, core_task, entered, tokio};
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
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T> {
    /// Tokio's own set costs its tasks least, but takes no others. It takes none any more once there is the other.
    tokio: Option<tokio::join_set::JoinSet<T>>,
    any: Option<core_task::JoinSet<T>>,
}

impl<T> JoinSet<T> {
    /// An empty set.
    pub const fn new() -> Self {
        Self {
            tokio: None,
            any: None,
        }
    }

    /// The number of tasks in the set: those that run, and those that ended but were not joined.
    pub fn len(&self) -> usize {
        let tokio = self.tokio.as_ref().map_or(0, |set| set.len());
        tokio + self.any.as_ref().map_or(0, |set| set.len())
    }

    /// Whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For a task of Tokio's, unless tasks of other runtimes are in the set.
    #[inline]
    fn tokio(&mut self) -> Option<&mut tokio::join_set::JoinSet<T>> {
        match self.any {
            None => Some(self.tokio.get_or_insert_default()),
            Some(_) => None,
        }
    }

    /// For a task of a `LocalSet`: where Tokio is enabled, it is one of Tokio's, whatever runtime is current.
    fn tokio_local(&mut self) -> Option<&mut tokio::join_set::JoinSet<T>> {
        let are_others_near = Backend::enabled().len() > 1 && !Backend::is_tokio_current();
        if Backend::Tokio.is_enabled() && (self.tokio.is_some() || !are_others_near) {
            self.tokio()
        } else {
            None
        }
    }

    /// For a task of any runtime.
    fn any(&mut self) -> &mut core_task::JoinSet<T> {
        self.any.get_or_insert_default()
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
        let task = if entered(Backend::current()) == Backend::Tokio {
            if let Some(set) = self.tokio() {
                return AbortHandle::tokio(set.spawn(future));
            }
            // Boxed: where it is spawned in two places, the compiler takes it in at neither.
            JoinHandle::tokio(tokio::task::spawn(Box::pin(future)))
        } else {
            spawn_elsewhere(future)
        };
        self.any().insert(task)
    }

    /// Starts `future` as a task of that runtime.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        if let Each::Tokio(rt) = &handle.inner
            && let Some(set) = self.tokio()
        {
            return AbortHandle::tokio(set.spawn_on(future, rt));
        }
        let task = handle.spawn(future);
        self.any().insert(task)
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
        if local_set::is_entered() {
            if let Some(set) = self.tokio_local() {
                return AbortHandle::tokio(set.spawn_local(local_set::task(future)));
            }
        } else if Backend::is_tokio_current()
            && let Some(set) = self.tokio()
        {
            return AbortHandle::tokio(set.spawn_local(future));
        }
        let task = spawn_local(future);
        self.any().insert(task)
    }

    /// Starts `future` as a task of that set of local tasks. It runs when `local_set` is polled.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        if let Some(set) = self.tokio_local() {
            let future = local_set::task(future);
            return AbortHandle::tokio(set.spawn_local_on(future, &local_set.inner));
        }
        let task = local_set.spawn_local(future);
        self.any().insert(task)
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
        if Backend::is_tokio_current()
            && let Some(set) = self.tokio()
        {
            return AbortHandle::tokio(set.spawn_blocking(job));
        }
        let task = spawn_blocking(job);
        self.any().insert(task)
    }

    /// Starts `job` on a thread of that runtime where blocking harms nobody.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        if let Each::Tokio(rt) = &handle.inner
            && let Some(set) = self.tokio()
        {
            return AbortHandle::tokio(set.spawn_blocking_on(job, rt));
        }
        let task = handle.spawn_blocking(job);
        self.any().insert(task)
    }

    /// Waits for the next task to end; `None` when the set is empty.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the id of the task.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// A task that has ended already, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let joined = self.try_join_next_with_id()?;
        Some(joined.map(|(_, value)| value))
    }

    /// As [`try_join_next`](Self::try_join_next), with the id of the task.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let tokio = self.tokio.as_mut();
        let joined = tokio.and_then(|set| set.try_join_next_with_id());
        joined.or_else(|| {
            let any = self.any.as_mut()?;
            lifted(|| any.try_join_next_with_id())
        })
    }

    /// Polls for the next task to end.
    #[inline]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        // Called in one place, so that the compiler takes it in here.
        let joined = match &mut self.tokio {
            Some(set) => set.poll_join_next(cx),
            None => Poll::Ready(None),
        };
        match &mut self.any {
            Some(any) => or_of(any, joined, |set| set.poll_join_next(cx)),
            None => joined,
        }
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let joined = match &mut self.tokio {
            Some(set) => set.poll_join_next_with_id(cx),
            None => Poll::Ready(None),
        };
        match &mut self.any {
            Some(any) => or_of(any, joined, |set| set.poll_join_next_with_id(cx)),
            None => joined,
        }
    }

    /// Asks all tasks to end. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        if let Some(set) = &mut self.tokio {
            set.abort_all();
        }
        if let Some(set) = &mut self.any {
            set.abort_all();
        }
    }

    /// Takes all tasks out of the set; they go on by themselves.
    pub fn detach_all(&mut self) {
        if let Some(set) = &mut self.tokio {
            set.detach_all();
        }
        if let Some(set) = &mut self.any {
            set.detach_all();
        }
    }

    /// Aborts all tasks and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and gives their results, in the order in which they ended.
    ///
    /// # Panics
    /// When a task panicked or was cancelled; the others are aborted then.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        while let Some(joined) = self.join_next().await {
            match joined {
                Ok(value) => values.push(value),
                Err(error) => error.resume(),
            }
        }
        values
    }
}

/// What the set of Tokio's tasks gave, which goes first since it takes no more, or else what the other gives.
fn or_of<T, R>(
    any: &mut core_task::JoinSet<T>,
    tokio: Poll<Option<R>>,
    poll: impl FnOnce(&mut core_task::JoinSet<T>) -> Poll<Option<R>>,
) -> Poll<Option<R>> {
    match tokio {
        Poll::Ready(None) => poll(any),
        Poll::Ready(joined) => Poll::Ready(joined),
        Poll::Pending => match poll(any) {
            Poll::Ready(None) => Poll::Pending,
            joined => joined,
        },
    }
}

// With whichever backends are enabled.
impl<T> UnwindSafe for JoinSet<T> {}
impl<T> RefUnwindSafe for JoinSet<T> {}

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
