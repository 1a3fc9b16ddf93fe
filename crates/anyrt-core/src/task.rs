//! Tasks: what `spawn` promises, and what a handle can do.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use crate::coop;
use crate::error::JoinError;

/// Spawns tasks that may run on any thread of the runtime.
///
/// # For implementors
/// - `spawn` must not poll `future` inside the call.
/// - A panic in `future`, in a poll or in its destructor, must end that task alone.
/// - When the runtime ends, every future is dropped before the owner's `drop` returns.
/// - Spawned tasks see this runtime as the current one.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinHandle, Spawner, error::JoinError};
///
/// async fn sum<S: Spawner>(rt: S) -> Result<u32, JoinError> {
///     rt.spawn(async { println!("nobody waits for this one") }).detach();
///     rt.spawn(async { 1 + 2 }).await
/// }
/// ```
pub trait Spawner: Clone + Send + Sync + 'static {
    /// The handle that [`spawn`](Self::spawn) gives. Dropping it detaches the task.
    type JoinHandle<T: Send + 'static>: JoinHandle<T> + Send + Sync + 'static;

    /// Starts `future` as a task of its own and returns at once.
    ///
    /// The task runs whether or not the handle is kept. On a runtime that has ended, the future is dropped and
    /// the handle gives a cancelled [`JoinError`].
    fn spawn<F>(&self, future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// Spawns tasks that stay on the current thread, for futures that are not `Send`.
///
/// A thread accepts local tasks while it is inside the runtime's `block_on`, or where the runtime is made of
/// threads that never trade tasks (Glommio's shards). The tasks live until that `block_on` returns: what is
/// left of them then is dropped, on that thread.
///
/// # Examples
/// ```
/// use std::rc::Rc;
/// use anyrt_core::{LocalSpawner, error::JoinError};
///
/// async fn length<S: LocalSpawner>(rt: S) -> Result<usize, JoinError> {
///     let name = Rc::new("not Send");
///     rt.spawn_local(async move { name.len() }).await
/// }
/// ```
pub trait LocalSpawner: Clone + Send + Sync + 'static {
    /// The handle that [`spawn_local`](Self::spawn_local) gives. Dropping it detaches the task.
    type LocalJoinHandle<T: 'static>: JoinHandle<T> + 'static;

    /// Starts `future` as a task on the current thread and returns at once.
    ///
    /// Call it from the future given to `block_on`, from one of its local tasks, or on a current-thread runtime from any
    /// of its tasks.
    ///
    /// # Panics
    /// On a thread that accepts no local tasks: outside `block_on`, or inside a task that [`Spawner::spawn`]
    /// placed on a worker thread that shares its tasks with others.
    fn spawn_local<F>(&self, future: F) -> Self::LocalJoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static;
}

/// Owns the permission to join a task: a future of the task's result.
///
/// Dropping the handle detaches the task, it does not cancel it.
///
/// # Panics
/// When it is polled again after it gave its result.
///
/// # Cancel safety
/// Awaiting `&mut handle` is cancel-safe: the result stays in the task until it is taken.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinHandle, Runtime};
///
/// async fn stop<R: Runtime>(rt: R) {
///     let task = rt.spawn(std::future::pending::<()>());
///     // Returns once the future was dropped.
///     let error = task.cancel().await.unwrap_err();
///     assert!(error.is_cancelled());
/// }
/// ```
pub trait JoinHandle<T>: Future<Output = Result<T, JoinError>> + Unpin + fmt::Debug {
    /// The handle that [`abort_handle`](Self::abort_handle) gives.
    type AbortHandle: AbortHandle;

    /// Asks the task to end; it does so at its next `.await`. Idempotent, from any thread.
    ///
    /// The handle then gives [`JoinError::is_cancelled`], after the future was dropped. A task that has
    /// finished by then keeps its result.
    fn abort(&self);

    /// Whether the task has really ended; not yet when it is only asked to.
    fn is_finished(&self) -> bool;

    /// The id of the task, unique among all tasks of the process.
    fn id(&self) -> Id;

    /// A handle that can abort the task, and no more.
    fn abort_handle(&self) -> Self::AbortHandle;

    /// As `poll`, whatever is left of the budget.
    ///
    /// For implementors: override it where the runtime has a budget of its own.
    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        coop::with_unconstrained(|| Pin::new(self).poll(cx))
    }

    /// Lets the task go on by itself. It is what dropping the handle does, said aloud.
    fn detach(self)
    where
        Self: Sized,
    {
    }

    /// Aborts the task and waits until it has ended.
    ///
    /// # Errors
    /// As awaiting the handle does; `Ok` when the task was faster.
    fn cancel(self) -> Cancel<Self>
    where
        Self: Sized,
    {
        self.abort();
        Cancel { handle: self }
    }
}

/// Permission to abort a task from elsewhere. Dropping it does nothing.
pub trait AbortHandle: Clone + Send + Sync + fmt::Debug + 'static {
    /// See [`JoinHandle::abort`].
    fn abort(&self);
    /// See [`JoinHandle::is_finished`].
    fn is_finished(&self) -> bool;
    /// See [`JoinHandle::id`].
    fn id(&self) -> Id;
}

/// Waits for a task that was asked to end; see [`JoinHandle::cancel`].
#[derive(Debug)]
#[must_use = "the task is aborted already; await this to know that it has ended"]
pub struct Cancel<H> {
    handle: H,
}

impl<H: Future + Unpin> Future for Cancel<H> {
    type Output = H::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx)
    }
}

/// Names a task; unique among all tasks of the process, of whatever runtime, dead ones included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

impl Id {
    /// Ids that the core gives start here, so that they never meet those that a runtime gives by itself.
    const FIRST: u64 = 1 << 63;

    /// For runtime authors: an id that was never given before.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(Id::FIRST);
        Self::from_raw(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// For runtime authors whose runtime numbers its tasks: that number, below 2^63 and not zero.
    ///
    /// Zero is read as one.
    pub fn from_raw(number: u64) -> Self {
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0.get() & !Self::FIRST).fmt(f)
    }
}

thread_local! {
    static CURRENT: Cell<Option<Id>> = const { Cell::new(None) };
}

/// The id of the task that this thread is polling or dropping; `None` outside the tasks of the kit's task layer.
#[inline]
pub fn try_id() -> Option<Id> {
    CURRENT.get()
}

/// For runtime authors: says until the guard is dropped that this thread is polling or dropping that task.
#[inline]
#[must_use = "the task is the current one only while the guard lives"]
pub fn enter_task(id: Id) -> TaskEntered {
    TaskEntered {
        outer: CURRENT.replace(Some(id)),
        thread: PhantomData,
    }
}

/// Restores the former current task when it is dropped.
#[derive(Debug)]
pub struct TaskEntered {
    outer: Option<Id>,
    // It belongs to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl Drop for TaskEntered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.outer);
    }
}

/// Lets other tasks and the reactor run, then goes on.
///
/// # Cancel safety
/// Holds nothing; dropping it loses nothing.
///
/// # Examples
/// ```
/// use anyrt_core::task::yield_now;
///
/// async fn sum(numbers: &[u64]) -> u64 {
///     let mut sum = 0;
///     for chunk in numbers.chunks(10_000) {
///         sum += chunk.iter().sum::<u64>();
///         yield_now().await;
///     }
///     sum
/// }
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
