//! A set of tasks that are joined in the order in which they end.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;

use crate::blocking::Blocking;
use crate::coop;
use crate::error::JoinError;
use crate::task::{AbortHandle, Id, JoinHandle, LocalSpawner, Spawner};

/// Tasks that are joined as they end, whichever ends first.
///
/// `T` is what they give, `H` the join handle of the runtime that they run on, `R::JoinHandle<T>` for a generic
/// one; both are inferred from the first spawn. Each task that ends costs the same, however many there are.
///
/// # Dropping it
/// Aborts all tasks in the set, without waiting for them. [`shutdown`](Self::shutdown) waits,
/// [`detach_all`](Self::detach_all) lets them go on.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinSet, Runtime};
///
/// /// Hashes all files at once and gives the sum.
/// async fn sum<R: Runtime>(rt: R, files: Vec<std::path::PathBuf>) -> u64 {
///     let mut set = JoinSet::new();
///     for file in files {
///         set.spawn_blocking_on(&rt, move || file.metadata().map_or(0, |meta| meta.len()));
///     }
///     let mut sum = 0;
///     while let Some(size) = set.join_next().await {
///         sum += size.expect("no task panics");
///     }
///     sum
/// }
/// ```
#[must_use = "dropping the set aborts its tasks"]
pub struct JoinSet<T, H: JoinHandle<T>> {
    tasks: FuturesUnordered<Member<T, H>>,
    /// Who polled last; looking at the set without waiting must not take the wake-up from them.
    waker: Option<Waker>,
}

impl<T, H: JoinHandle<T>> JoinSet<T, H> {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            tasks: FuturesUnordered::new(),
            waker: None,
        }
    }

    /// The number of tasks in the set: those that run, and those that ended but were not joined.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether there is no task in the set.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Spawns `future` on `rt` as a member of the set.
    pub fn spawn_on<R, F>(&mut self, rt: &R, future: F) -> H::AbortHandle
    where
        R: Spawner<JoinHandle<T> = H>,
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.insert(rt.spawn(future))
    }

    /// Spawns `future` on this thread as a member of the set.
    ///
    /// # Panics
    /// On a thread that accepts no local tasks; see [`LocalSpawner::spawn_local`].
    pub fn spawn_local_on<R, F>(&mut self, rt: &R, future: F) -> H::AbortHandle
    where
        R: LocalSpawner<LocalJoinHandle<T> = H>,
        F: Future<Output = T> + 'static,
        T: 'static,
    {
        self.insert(rt.spawn_local(future))
    }

    /// Runs `job` on a blocking thread of `rt` as a member of the set.
    ///
    /// Once it runs it cannot be aborted; see [`Blocking`].
    pub fn spawn_blocking_on<R, F>(&mut self, rt: &R, job: F) -> H::AbortHandle
    where
        R: Blocking<JoinHandle<T> = H>,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.insert(rt.spawn_blocking(job))
    }

    /// Makes the task that `handle` joins a member of the set.
    pub fn insert(&mut self, handle: H) -> H::AbortHandle {
        let abort = handle.abort_handle();
        let id = abort.id();
        self.tasks.push(Member {
            handle,
            id,
            value: PhantomData,
        });
        abort
    }

    /// Waits until a task ends and takes its result; `None` when the set is empty.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next(cx)).await
    }

    /// As [`join_next`](Self::join_next), with the id of the task; that of a failed one is in its error.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    ///
    /// # Cancel safety
    /// A dropped future has taken no task out of the set.
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        std::future::poll_fn(|cx| self.poll_join_next_with_id(cx)).await
    }

    /// Takes the result of a task that has ended; `None` when there is none, or no task at all.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id().map(without_id)
    }

    /// As [`try_join_next`](Self::try_join_next), with the id of the task.
    ///
    /// # Errors
    /// The [`JoinError`] of a task that panicked or was aborted.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        let waker = self.waker.as_ref().unwrap_or(Waker::noop());
        let mut cx = Context::from_waker(waker);
        // Nobody can be made to wait here, so there is no budget to keep to.
        match coop::with_unconstrained(|| Pin::new(&mut self.tasks).poll_next(&mut cx)) {
            Poll::Ready(next) => next,
            Poll::Pending => None,
        }
    }

    /// Polls for a task that has ended; the caller who polled last is woken.
    ///
    /// `Pending` when none has, or when the [budget](crate::coop) is used up; `None` when the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|next| next.map(without_id))
    }

    /// As [`poll_join_next`](Self::poll_join_next), with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        Pin::new(&mut self.tasks).poll_next(cx)
    }

    /// Aborts all tasks in the set. They stay in it until they are joined.
    pub fn abort_all(&mut self) {
        for member in &self.tasks {
            member.handle.abort();
        }
    }

    /// Empties the set; its tasks go on, and nobody hears of their results.
    pub fn detach_all(&mut self) {
        self.tasks.clear();
    }

    /// Aborts all tasks and waits until they have ended. Their results are dropped, panics too.
    ///
    /// # Cancel safety
    /// When it is dropped, all tasks are aborted already; what was not joined is still in the set.
    pub async fn shutdown(&mut self) {
        self.abort_all();
        while self.join_next().await.is_some() {}
    }

    /// Waits for all tasks and gives their results, in the order in which they ended.
    ///
    /// # Panics
    /// With the panic of the first task that panicked, or when a task was aborted; the other tasks are aborted.
    pub async fn join_all(mut self) -> Vec<T> {
        let mut values = Vec::with_capacity(self.len());
        while let Some(result) = self.join_next().await {
            match result.map_err(JoinError::try_into_panic) {
                Ok(value) => values.push(value),
                Err(Ok(payload)) => panic::resume_unwind(payload),
                Err(Err(cancelled)) => panic!("{cancelled}"),
            }
        }
        values
    }
}

fn without_id<T>(result: Result<(Id, T), JoinError>) -> Result<T, JoinError> {
    result.map(|(_, value)| value)
}

impl<T, H: JoinHandle<T>> Drop for JoinSet<T, H> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T, H: JoinHandle<T>> Default for JoinSet<T, H> {
    fn default() -> Self {
        Self::new()
    }
}

/// Spawned tasks become a set by their handles.
impl<T, H: JoinHandle<T>> FromIterator<H> for JoinSet<T, H> {
    fn from_iter<I: IntoIterator<Item = H>>(handles: I) -> Self {
        let mut set = Self::new();
        set.extend(handles);
        set
    }
}

impl<T, H: JoinHandle<T>> Extend<H> for JoinSet<T, H> {
    fn extend<I: IntoIterator<Item = H>>(&mut self, handles: I) {
        for handle in handles {
            self.insert(handle);
        }
    }
}

impl<T, H: JoinHandle<T>> fmt::Debug for JoinSet<T, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

/// Joins one task and tells its id.
struct Member<T, H> {
    handle: H,
    id: Id,
    value: PhantomData<fn() -> T>,
}

impl<T, H: JoinHandle<T>> Future for Member<T, H> {
    type Output = Result<(Id, T), JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.handle).poll(cx));
        Poll::Ready(result.map(|value| (self.id, value)))
    }
}
