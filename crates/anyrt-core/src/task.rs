//! The contract of tasks and their handles.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::coop;
use crate::error::JoinError;

pub use crate::id::TaskId as Id;

/// Spawns tasks that may run on any thread of the runtime.
///
/// # For implementors
/// - `spawn` must not poll `future` inside the call.
/// - A panic in `future`, in a poll or in its destructor, must only end that task.
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
    /// The handle that [`spawn`](Self::spawn) returns. Dropping it detaches the task.
    type JoinHandle<T: Send + 'static>: JoinHandle<T> + Send + Sync + 'static;

    /// Spawns `future` as a task and returns at once.
    ///
    /// The task runs whether or not the handle is kept. On a runtime that has ended, the future is
    /// dropped and the handle returns a cancelled [`JoinError`].
    fn spawn<F>(&self, future: F) -> Self::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// Spawns tasks that stay on the current thread, for futures that are not `Send`.
///
/// A thread accepts local tasks while it is inside the runtime's `block_on`, or if the threads of
/// the runtime never exchange tasks (Glommio's shards). The tasks live until that `block_on`
/// returns; those that are left are then dropped on that thread.
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
    /// The handle that [`spawn_local`](Self::spawn_local) returns. Dropping it detaches the task.
    type LocalJoinHandle<T: 'static>: JoinHandle<T> + 'static;

    /// Spawns `future` as a task on the current thread and returns at once.
    ///
    /// Call it from the future passed to `block_on`, from one of its local tasks, or on a
    /// current-thread runtime from any of its tasks.
    ///
    /// # Panics
    /// Panics on a thread that accepts no local tasks: outside `block_on`, or inside a task of
    /// [`Spawner::spawn`] on a worker thread that exchanges tasks with others.
    fn spawn_local<F>(&self, future: F) -> Self::LocalJoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static;
}

/// A handle to a task, and a future of its result.
///
/// Dropping the handle detaches the task and does not cancel it.
///
/// # Panics
/// Panics if it is polled again after it has completed.
///
/// # Cancel safety
/// Awaiting `&mut handle` is cancel-safe: the result is kept until it is taken.
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
    /// The handle that [`abort_handle`](Self::abort_handle) returns.
    type AbortHandle: AbortHandle;

    /// Asks the task to end at its next `.await`. Idempotent; may be called from any thread.
    ///
    /// Joining then returns an error for which [`JoinError::is_cancelled`] is `true`, after the
    /// future was dropped. A task that has already finished keeps its result.
    fn abort(&self);

    /// Returns `true` if the task has ended. A task that was aborted may still be running.
    fn is_finished(&self) -> bool;

    /// Returns the id of the task, unique among all tasks of the process.
    fn id(&self) -> Id;

    /// Returns a handle that can only abort the task.
    fn abort_handle(&self) -> Self::AbortHandle;

    /// Like `poll`, regardless of the budget.
    ///
    /// For implementors: override it if the runtime has its own budget.
    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        coop::with_unconstrained(|| Pin::new(self).poll(cx))
    }

    /// Detaches the task. The same as dropping the handle, but explicit.
    fn detach(self)
    where
        Self: Sized,
    {
    }

    /// Aborts the task and waits until it has ended.
    ///
    /// # Errors
    /// Returns the error of joining the task, or `Ok` if it finished first.
    fn cancel(self) -> Cancel<Self>
    where
        Self: Sized,
    {
        self.abort();
        Cancel { handle: self }
    }
}

/// A handle that can abort a task. Dropping it has no effect.
pub trait AbortHandle: Clone + Send + Sync + fmt::Debug + 'static {
    /// See [`JoinHandle::abort`].
    fn abort(&self);
    /// See [`JoinHandle::is_finished`].
    fn is_finished(&self) -> bool;
    /// See [`JoinHandle::id`].
    fn id(&self) -> Id;
}

/// Waits for an aborted task to end; see [`JoinHandle::cancel`].
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

thread_local! {
    static CURRENT: Cell<Option<Id>> = const { Cell::new(None) };
}

/// Returns the id of the task that this thread is polling or dropping, or `None` outside the tasks
/// of the kit's task layer.
#[inline]
pub fn try_id() -> Option<Id> {
    CURRENT.get()
}

/// For runtime authors: marks this thread as polling or dropping that task until the guard is
/// dropped.
#[inline]
#[must_use = "the task is the current one only while the guard lives"]
pub fn enter_task(id: Id) -> TaskEntered {
    TaskEntered {
        outer: CURRENT.replace(Some(id)),
        thread: PhantomData,
    }
}

/// Restores the previous current task on drop.
#[derive(Debug)]
pub struct TaskEntered {
    outer: Option<Id>,
    // Tied to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl Drop for TaskEntered {
    #[inline]
    fn drop(&mut self) {
        CURRENT.set(self.outer);
    }
}

/// Yields once, so that other tasks and the reactor run.
///
/// # Cancel safety
/// Cancel-safe: dropping the future has no effect.
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
