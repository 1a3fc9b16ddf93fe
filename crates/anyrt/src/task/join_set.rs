//! A set of tasks on the current runtime.

use std::fmt;
use std::future::{Future, poll_fn};
use std::task::{Context, Poll};

use super::coop::lifted;
use super::{AbortHandle, Id, JoinError, JoinHandle, LocalSet, spawn, spawn_blocking, spawn_local};
use crate::backend::{Current, entered};
use crate::runtime::Handle;

#[cfg(all(tokio_unstable, feature = "tracing"))]
pub use super::join_set_builder::Builder;

/// A set of tasks that are joined in the order in which they end.
///
/// # Dropping it
/// Aborts all tasks in the set without waiting for them. [`shutdown`](Self::shutdown) waits;
/// [`detach_all`](Self::detach_all) lets them continue.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let mut set = anyrt::task::JoinSet::new();
/// for n in 1..=3 {
///     set.spawn(async move { n * n });
/// }
/// let mut sum = 0;
/// while let Some(square) = set.join_next().await {
///     sum += square?;
/// }
/// assert_eq!(sum, 14);
/// # Ok(()) });
/// ```
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T> {
    /// Tasks on the same kind of runtime as the first task. Tokio's set is the cheapest for Tokio's
    /// tasks but accepts no others, so nothing is added here once the other set exists.
    own: Option<OwnSet<T>>,
    // Boxed, because few sets have tasks of two kinds.
    any: Option<Box<AnySet<T>>>,
}

type OwnSet<T> = one_of!(T; join_set::JoinSet<T>);
type AnySet<T> = anyrt_core::JoinSet<T, JoinHandle<T>>;

/// Lets the set of that kind of runtime start a task, or starts it otherwise and inserts it into
/// the general set.
macro_rules! start {
    (
        $this:ident, $of:expr, $kind:expr, $work:ident = $boxed:expr,
        $backend:ident, ($rt:pat, $set:ident) => $own:expr, else $otherwise:expr
    ) => {
        boxed_for_match!($work: F = $boxed => match $this.own($kind) {
            Some(own) => AbortHandle {
                inner: map_pair!($of, own, $backend, ($rt, $set) => $own),
            },
            None => {
                let task = $otherwise;
                $this.any().insert(task)
            }
        })
    };
}

impl<T> JoinSet<T> {
    /// Creates an empty set.
    pub const fn new() -> Self {
        Self {
            own: None,
            any: None,
        }
    }

    /// Returns the number of tasks in the set: running ones, and ended ones that were not joined
    /// yet.
    pub fn len(&self) -> usize {
        let own = self.own.as_ref();
        let own = own.map_or(0, |own| each!(own, set => set.len()));
        own + self.any.as_ref().map_or(0, |set| set.len())
    }

    /// Returns `true` if the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the set for tasks of that kind of runtime, unless the set contains others.
    #[inline]
    fn own(&mut self, kind: Current) -> Option<&mut OwnSet<T>> {
        if self.any.is_some() {
            return None;
        }
        let new = || map_each!(kind, backend, () => backend::join_set::JoinSet::default());
        let own = self.own.get_or_insert_with(new);
        let is_of_kind: bool =
            each_pair!(kind, Each &mut *own, backend, ((), _) => true, else false);
        is_of_kind.then_some(own)
    }

    /// Returns the set for tasks of any runtime.
    fn any(&mut self) -> &mut AnySet<T> {
        self.any.get_or_insert_default()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns `future` as a task of the current runtime.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let kind = entered(Current::find());
        start!(
            self, kind, kind, future = Box::pin(future),
            backend, ((), set) => backend::join_set::spawn(set, future),
            // Boxed, because the compiler inlines it at neither of two call sites.
            else spawn(Box::pin(future))
        )
    }

    /// Spawns `future` as a task on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        start!(
            self, &handle.inner, handle.kind(), future = Box::pin(future),
            backend, (rt, set) => set.spawn_on(rt, backend::task::budgeted(future)),
            else handle.spawn(future)
        )
    }

    /// Spawns `future` as a task that stays on this thread.
    ///
    /// # Panics
    /// Panics on a thread that accepts no local tasks; see [`spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let task = spawn_local(future);
        self.any().insert(task)
    }

    /// Spawns `future` as a task of `local_set`. It runs when `local_set` is polled.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let task = local_set.spawn_local(future);
        self.any().insert(task)
    }

    /// Runs `job` on the blocking thread pool. Aborting it has no effect once it runs.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, job: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let kind = entered(Current::find());
        start!(
            self, kind, kind, job = Box::new(job),
            backend, ((), set) => backend::join_set::spawn_blocking(set, job),
            else spawn_blocking(job)
        )
    }

    /// Runs `job` on the blocking thread pool of the runtime of `handle`.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        start!(
            self, &handle.inner, handle.kind(), job = Box::new(job),
            backend, (rt, set) => set.spawn_blocking_on(rt, job),
            else handle.spawn_blocking(job)
        )
    }

    /// Waits for the next task to end. Returns `None` if the set is empty.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no task was removed from the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// Like [`join_next`](Self::join_next), with the id of the task.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no task was removed from the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Returns the result of a task that has already ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        let joined = self.try_join_next_with_id()?;
        Some(joined.map(|(_, value)| value))
    }

    /// Like [`try_join_next`](Self::try_join_next), with the id of the task.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        if let Some(own) = &mut self.own
            && let Some(joined) = each!(own, set => lifted(|| set.try_join_next_with_id()))
        {
            return Some(joined);
        }
        let any = self.any.as_mut()?;
        lifted(|| any.try_join_next_with_id())
    }

    /// Polls for the next task to end.
    #[inline]
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        // Called in one place, so that the compiler inlines it.
        let joined = match &mut self.own {
            Some(own) => each!(own, set => set.poll_join_next(cx)),
            None => Poll::Ready(None),
        };
        match &mut self.any {
            Some(any) => or_of(any, joined, |set| set.poll_join_next(cx)),
            None => joined,
        }
    }

    /// Like [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        let joined = match &mut self.own {
            Some(own) => each!(own, set => set.poll_join_next_with_id(cx)),
            None => Poll::Ready(None),
        };
        match &mut self.any {
            Some(any) => or_of(any, joined, |set| set.poll_join_next_with_id(cx)),
            None => joined,
        }
    }

    /// Aborts all tasks. They stay in the set until they are joined.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let mut set = anyrt::task::JoinSet::new();
    /// set.spawn(std::future::pending::<()>());
    /// set.abort_all();
    /// let joined = set.join_next().await.unwrap();
    /// assert!(joined.unwrap_err().is_cancelled());
    /// # Ok(()) });
    /// ```
    pub fn abort_all(&mut self) {
        if let Some(own) = &mut self.own {
            each!(own, set => set.abort_all());
        }
        if let Some(set) = &mut self.any {
            set.abort_all();
        }
    }

    /// Removes all tasks from the set without aborting them.
    pub fn detach_all(&mut self) {
        if let Some(own) = &mut self.own {
            each!(own, set => set.detach_all());
        }
        if let Some(set) = &mut self.any {
            set.detach_all();
        }
    }

    /// Aborts all tasks and waits until they have ended.
    ///
    /// # Cancel safety
    /// If the future is dropped, all tasks have been aborted, and those that were not joined yet
    /// stay in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and returns their results in the order in which they ended.
    ///
    /// # Panics
    /// Panics if a task panicked or was cancelled. The others are then aborted.
    ///
    /// # Cancel safety
    /// Not cancel-safe: dropping the future aborts all tasks and discards their results.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let set: anyrt::task::JoinSet<u32> = (1..=3).map(|n| async move { n * n }).collect();
    /// let mut squares = set.join_all().await;
    /// squares.sort(); // they come as they end
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok(()) });
    /// ```
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

/// Returns the result of the set of one kind, which goes first because it grows no more, or that of
/// the other.
fn or_of<T, R>(
    any: &mut AnySet<T>,
    own: Poll<Option<R>>,
    poll: impl FnOnce(&mut AnySet<T>) -> Poll<Option<R>>,
) -> Poll<Option<R>> {
    match own {
        Poll::Ready(None) => poll(any),
        Poll::Ready(joined) => Poll::Ready(joined),
        Poll::Pending => match poll(any) {
            Poll::Ready(None) => Poll::Pending,
            joined => joined,
        },
    }
}

// Independent of which backends are enabled.
unwind_safe!(; T: JoinSet<T>);

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
