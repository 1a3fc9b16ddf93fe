//! A set of tasks on the current runtime.

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use super::coop::lifted;
use super::{
    AbortHandle, Id, JoinError, JoinHandle, LocalSet, check_tasks_stay, local_set, spawn,
    spawn_blocking, spawn_local,
};
use crate::backend::{Current, entered};
use crate::runtime::Handle;

#[cfg(all(tokio_unstable, feature = "tracing"))]
pub use super::join_set_builder::Builder;

/// Tasks that are joined as they end, whichever ends first.
///
/// # Dropping it
/// Aborts all tasks in the set, without waiting for them. [`shutdown`](Self::shutdown) waits,
/// [`detach_all`](Self::detach_all) lets them go on.
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
    /// The tasks of the first task's kind of runtime. Tokio's own set costs its tasks least, but takes no others; so
    /// nothing is put here any more once there is the other.
    own: Option<OwnSet<T>>,
    // Boxed, since hardly any set has tasks of two kinds.
    any: Option<Box<AnySet<T>>>,
}

type OwnSet<T> = one_of!(T; join_set::JoinSet<T>);
type AnySet<T> = anyrt_core::JoinSet<T, JoinHandle<T>>;

/// Has the set of that kind of runtime start a task; or else starts it in another way and takes it as any other.
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
    /// An empty set.
    pub const fn new() -> Self {
        Self {
            own: None,
            any: None,
        }
    }

    /// The number of tasks in the set: those that run, and those that ended but were not joined.
    pub fn len(&self) -> usize {
        let own = self.own.as_ref();
        let own = own.map_or(0, |own| each!(own, set => set.len()));
        own + self.any.as_ref().map_or(0, |set| set.len())
    }

    /// Whether no task is in the set.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// For a task of that kind of runtime, unless tasks of others are in the set.
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

    /// For a task of any runtime.
    fn any(&mut self) -> &mut AnySet<T> {
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
        let kind = entered(Current::find());
        start!(
            self, kind, kind, future = Box::pin(future),
            backend, ((), set) => backend::join_set::spawn(set, future),
            // Boxed: where it is spawned in two places, the compiler takes it in at neither.
            else spawn(Box::pin(future))
        )
    }

    /// Starts `future` as a task of that runtime.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        start!(
            self, &handle.inner, handle.kind(), future = Box::pin(future),
            backend, (rt, set) => backend::join_set::spawn_on(set, rt, future),
            else handle.spawn(future)
        )
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
        if !local_set::is_entered() {
            check_tasks_stay();
        }
        match Current::find() {
            Some(kind) if !local_set::is_entered() => start!(
                self, kind, kind, future = Box::pin(future),
                backend, ((), set) => backend::join_set::spawn_local(set, future),
                else spawn_local(future)
            ),
            _ => {
                let task = spawn_local(future);
                self.any().insert(task)
            }
        }
    }

    /// Starts `future` as a task of that set of local tasks. It runs when `local_set` is polled.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
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
        let kind = entered(Current::find());
        start!(
            self, kind, kind, job = Box::new(job),
            backend, ((), set) => backend::join_set::spawn_blocking(set, job),
            else spawn_blocking(job)
        )
    }

    /// Starts `job` on a thread of that runtime where blocking harms nobody.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, job: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        start!(
            self, &handle.inner, handle.kind(), job = Box::new(job),
            backend, (rt, set) => backend::join_set::spawn_blocking_on(set, rt, job),
            else handle.spawn_blocking(job)
        )
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
        // Called in one place, so that the compiler takes it in here.
        let joined = match &mut self.own {
            Some(own) => each!(own, set => set.poll_join_next(cx)),
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
        let joined = match &mut self.own {
            Some(own) => each!(own, set => set.poll_join_next_with_id(cx)),
            None => Poll::Ready(None),
        };
        match &mut self.any {
            Some(any) => or_of(any, joined, |set| set.poll_join_next_with_id(cx)),
            None => joined,
        }
    }

    /// Asks all tasks to end. They stay in the set until they are joined.
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

    /// Takes all tasks out of the set; they go on by themselves.
    pub fn detach_all(&mut self) {
        if let Some(own) = &mut self.own {
            each!(own, set => set.detach_all());
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

/// What the set of one kind gave, which goes first since it takes no more, or else what the other gives.
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
