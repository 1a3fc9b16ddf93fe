//! Tasks on the current runtime.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::task::{AbortHandle as _, JoinHandle as _, LocalSpawner, Spawner};
use anyrt_core::{Blocking, boxed_if_large};

use self::coop::{budgeted, lifted};
use crate::backend::{
    Backend, async_std, beside_tokio, core_task, entered, glommio, no_runtime, smol, tokio,
};

pub mod coop;
mod join_set;
mod local_set;
mod tracker;

// On Tokio it puts the waker off until the worker has looked at its timers and sockets; elsewhere it wakes at once,
// and the runtimes see to that by themselves.
#[doc(no_inline)]
pub use ::tokio::task::{LocalKey, yield_now};
pub use anyrt_core::error::JoinError;
pub use anyrt_core::task::{Cancel, Id};
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use join_set::JoinSet;
pub use local_set::{LocalEnterGuard, LocalSet};
pub use tracker::TaskTracker;

/// Futures that some functions of this module give.
pub mod futures {
    #[doc(no_inline)]
    pub use ::tokio::task::futures::TaskLocalFuture;
}

/// The handle of a task started on the current runtime: on Tokio by a function, elsewhere through its handle, with what
/// is large in a box.
macro_rules! on_current {
    ($on_tokio:expr, $work:ident: $type:ty = $boxed:expr, $rt:ident => $elsewhere:expr) => {
        match Backend::current() {
            Some(Backend::Tokio) => JoinHandle::tokio($on_tokio),
            Some(Backend::Smol) => JoinHandle::core(boxed_if_large!($work: $type = $boxed =>
                entered(smol::Handle::with_current(|$rt| $elsewhere)))),
            Some(Backend::AsyncStd) => JoinHandle::core(boxed_if_large!($work: $type = $boxed =>
                entered(async_std::Handle::with_current(|$rt| $elsewhere)))),
            Some(Backend::Glommio) => JoinHandle::core(boxed_if_large!($work: $type = $boxed =>
                entered(glommio::Handle::with_current(|$rt| $elsewhere)))),
            None => panic!("{}", no_runtime()),
        }
    };
}

/// Starts `future` as a task of the current runtime and returns at once.
///
/// The task runs whether or not the handle is kept: dropping it detaches the task.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```no_run
/// # async fn example() -> Result<(), anyrt::task::JoinError> {
/// let sum = anyrt::spawn(async { 1 + 2 }).await?;
/// assert_eq!(sum, 3);
/// # Ok(()) }
/// ```
#[inline]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    if entered(Backend::current()) == Backend::Tokio {
        JoinHandle::tokio(tokio::task::spawn(future))
    } else {
        spawn_elsewhere(future)
    }
}

beside_tokio! {
    /// As [`spawn`], after Tokio was dealt with.
    #[track_caller]
    fn spawn_elsewhere<F>(future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        on_current!(
            tokio_came_first(),
            future: F = Box::pin(future),
            rt => rt.spawn(budgeted(future))
        )
    }
}

#[cold]
fn tokio_came_first<T>() -> tokio::task::JoinHandle<T> {
    unreachable!("Tokio comes first")
}

/// Starts `future` as a task that stays on this thread, for futures that are not `Send`.
///
/// Inside a [`LocalSet`] it is a task of the set. Elsewhere it belongs to the `block_on` of this thread: what is left of
/// such tasks when that returns is dropped there.
///
/// # Panics
/// On a thread that accepts no local tasks: outside both, or inside a task that [`spawn`] placed on a worker
/// thread that shares its tasks with others.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let future = match local_set::try_spawn(future) {
        Ok(handle) => return handle,
        Err(future) => future,
    };
    if Backend::current().is_none() {
        panic!(
            "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`: {}",
            no_runtime()
        );
    }
    on_current!(
        tokio::task::spawn_local(future),
        future: F = Box::pin(future),
        rt => rt.spawn_local(budgeted(future))
    )
}

/// Starts `job` on a thread where blocking harms nobody.
///
/// The job runs even if the handle is dropped.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
#[track_caller]
pub fn spawn_blocking<F, T>(job: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    on_current!(
        tokio::blocking::spawn_blocking(job),
        job: F = Box::new(job),
        rt => rt.spawn_blocking(job)
    )
}

/// Runs `job`, which may block, on this thread, while another thread takes over the tasks of this one.
///
/// On Glommio, whose tasks cannot move, nobody takes over: the tasks of this shard wait, and a `block_on` inside `job` is
/// refused with a panic. [`spawn_blocking`] has neither limit. Outside a runtime the job just runs.
///
/// # Panics
/// On the thread of a current-thread runtime, and in a [`LocalSet`]: nobody can take over there.
#[track_caller]
pub fn block_in_place<F, T>(job: F) -> T
where
    F: FnOnce() -> T,
{
    let polling = crate::backend::local_set::is_polling();
    match Backend::current() {
        Some(Backend::Tokio) => tokio::blocking::block_in_place(job),
        Some(_) if polling => panic!("{}", anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE),
        Some(Backend::Smol) => entered(smol::Handle::try_current()).block_in_place(|| lifted(job)),
        Some(Backend::AsyncStd) => {
            entered(async_std::Handle::try_current()).block_in_place(|| lifted(job))
        }
        Some(Backend::Glommio) => {
            entered(glommio::Handle::try_current()).block_in_place(|| lifted(job))
        }
        None => job(),
    }
}

/// The id of the task that this is called in: while it is polled, while it is dropped, and in blocking jobs.
///
/// # Panics
/// Outside a task, such as in the future given to `block_on`.
#[track_caller]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("Can't get a task id when not inside a task"),
    }
}

/// The id of the task that this is called in; `None` outside a task.
pub fn try_id() -> Option<Id> {
    tokio::task::try_id().or_else(anyrt_core::task::try_id)
}

/// Joins a task: a future of its result. Dropping it detaches the task, it does not cancel it.
///
/// # Cancel safety
/// Awaiting `&mut handle` is cancel-safe: the result stays in the task until it is taken.
pub struct JoinHandle<T> {
    inner: Join<T>,
}

enum Join<T> {
    Tokio(tokio::task::JoinHandle<T>),
    Core(core_task::JoinHandle<T>),
}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn tokio(handle: tokio::task::JoinHandle<T>) -> Self {
        Self {
            inner: Join::Tokio(handle),
        }
    }

    #[inline]
    pub(crate) fn core(handle: impl Into<core_task::JoinHandle<T>>) -> Self {
        Self {
            inner: Join::Core(handle.into()),
        }
    }

    /// Asks the task to end; it does so at its next `.await`. Idempotent, from any thread.
    ///
    /// The handle then gives [`JoinError::is_cancelled`], after the future was dropped. A task that has finished
    /// by then keeps its result.
    pub fn abort(&self) {
        match &self.inner {
            Join::Tokio(handle) => handle.abort(),
            Join::Core(handle) => handle.abort(),
        }
    }

    /// Whether the task has really ended; not yet when it is only asked to.
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Join::Tokio(handle) => handle.is_finished(),
            Join::Core(handle) => handle.is_finished(),
        }
    }

    /// The id of the task, unique among all tasks of the process.
    pub fn id(&self) -> Id {
        match &self.inner {
            Join::Tokio(handle) => handle.id(),
            Join::Core(handle) => handle.id(),
        }
    }

    /// A handle that can abort the task, and no more.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            inner: match &self.inner {
                Join::Tokio(handle) => Abort::Tokio(handle.abort_handle()),
                Join::Core(handle) => Abort::Core(handle.abort_handle()),
            },
        }
    }

    /// Aborts the task and waits until it has ended.
    ///
    /// # Errors
    /// As awaiting the handle does; `Ok` when the task was faster.
    pub fn cancel(self) -> Cancel<Self> {
        anyrt_core::JoinHandle::cancel(self)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.inner {
            Join::Tokio(handle) => Pin::new(handle).poll(cx),
            Join::Core(handle) => poll_core(handle, cx),
        }
    }
}

beside_tokio! {
    fn poll_core<T>(
        handle: &mut core_task::JoinHandle<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        Pin::new(handle).poll(cx)
    }
}

impl<T> anyrt_core::JoinHandle<T> for JoinHandle<T> {
    type AbortHandle = AbortHandle;

    fn abort(&self) {
        self.abort();
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn id(&self) -> Id {
        self.id()
    }

    fn abort_handle(&self) -> AbortHandle {
        self.abort_handle()
    }

    fn poll_unconstrained(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, JoinError>> {
        match &mut self.inner {
            Join::Tokio(handle) => handle.poll_unconstrained(cx),
            Join::Core(handle) => handle.poll_unconstrained(cx),
        }
    }
}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Permission to abort a task from elsewhere. Dropping it does nothing.
#[derive(Clone)]
pub struct AbortHandle {
    inner: Abort,
}

#[derive(Clone)]
enum Abort {
    Tokio(tokio::task::AbortHandle),
    Core(core_task::AbortHandle),
}

impl AbortHandle {
    #[inline]
    fn tokio(handle: tokio::task::AbortHandle) -> Self {
        Self {
            inner: Abort::Tokio(handle),
        }
    }

    /// See [`JoinHandle::abort`].
    pub fn abort(&self) {
        match &self.inner {
            Abort::Tokio(handle) => handle.abort(),
            Abort::Core(handle) => handle.abort(),
        }
    }

    /// See [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        match &self.inner {
            Abort::Tokio(handle) => handle.is_finished(),
            Abort::Core(handle) => handle.is_finished(),
        }
    }

    /// See [`JoinHandle::id`].
    pub fn id(&self) -> Id {
        match &self.inner {
            Abort::Tokio(handle) => handle.id(),
            Abort::Core(handle) => handle.id(),
        }
    }
}

impl anyrt_core::AbortHandle for AbortHandle {
    fn abort(&self) {
        self.abort();
    }

    fn is_finished(&self) -> bool {
        self.is_finished()
    }

    fn id(&self) -> Id {
        self.id()
    }
}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
