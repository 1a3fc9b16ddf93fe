//! Tasks on the current runtime.
//!
//! A task is a future that the runtime polls independently of all others. [`spawn`] starts one that
//! may move between threads, [`spawn_local`] one that stays on its thread, and [`spawn_blocking`]
//! runs a closure that blocks. Futures that belong to one task need no `spawn`: the macros below
//! poll several of them in turn.
//!
//! # Several futures in one task
//! ```
//! # anyrt::__private::run_example(async || {
//! use anyrt::time::{Duration, sleep};
//!
//! // All of them: as fast as the slowest.
//! let (sum, product) = anyrt::join!(async { 1 + 2 }, async { 3 * 4 });
//! assert_eq!((sum, product), (3, 12));
//!
//! // All of them, or the first error.
//! let failed = anyrt::try_join!(async { Ok(1) }, async { Err::<(), _>("no") });
//! assert_eq!(failed, Err("no"));
//!
//! // The first of them. The other is dropped halfway, so it should be cancel-safe.
//! let first = anyrt::select! {
//!     () = sleep(Duration::from_secs(3600)) => "slow",
//!     word = async { "fast" } => word,
//! };
//! assert_eq!(first, "fast");
//! # Ok(()) });
//! ```
//!
//! # Values of a task
//! ```
//! # anyrt::__private::run_example(async || {
//! anyrt::task_local! {
//!     static REQUEST: u64;
//! }
//!
//! async fn log(text: &str) -> String {
//!     REQUEST.with(|id| format!("[{id}] {text}"))
//! }
//!
//! // Set for this future, wherever it is polled; a task that it spawns does not inherit it.
//! let task = anyrt::spawn(REQUEST.scope(7, log("started")));
//! assert_eq!(task.await?, "[7] started");
//! # Ok(()) });
//! ```

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::task::{AbortHandle as _, JoinHandle as _};

use crate::backend::{Backend, Current, no_runtime};
use crate::runtime::Handle;

#[cfg(all(tokio_unstable, feature = "tracing"))]
mod builder;
pub mod coop;
#[cfg(not(tokio_unstable))]
mod join_set;
#[cfg(tokio_unstable)]
pub mod join_set;
#[cfg(all(tokio_unstable, feature = "tracing"))]
mod join_set_builder;
mod local_set;
mod tracker;

// On Tokio it puts the waker off until the worker has looked at its timers and sockets; elsewhere it wakes at once,
// and the runtimes see to that by themselves.
#[doc(no_inline)]
pub use ::tokio::task::{LocalKey, yield_now};
pub use anyrt_core::error::JoinError;
pub use anyrt_core::task::{Cancel, Id};
#[cfg(all(tokio_unstable, feature = "tracing"))]
pub use builder::Builder;
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use join_set::JoinSet;
pub use local_set::{LocalEnterGuard, LocalSet};
pub use tracker::TaskTracker;

/// Futures that some functions of this module give.
pub mod futures {
    #[doc(no_inline)]
    pub use ::tokio::task::futures::TaskLocalFuture;
}

/// Starts `future` as a task of the current runtime and returns at once.
///
/// The task runs whether or not the handle is kept: dropping it detaches the task.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let sum = anyrt::spawn(async { 1 + 2 }).await?;
/// assert_eq!(sum, 3);
/// # Ok(()) });
/// ```
#[inline]
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    JoinHandle {
        inner: boxed_for_match!(future: F = Box::pin(future) => {
            on_current!(backend => backend::task::spawn(future))
        }),
    }
}

/// Starts `future` as a task that stays on this thread, for futures that are not `Send`.
///
/// It is a task of the [`LocalSet`] or [`LocalRuntime`](crate::runtime::LocalRuntime) that this thread is inside of.
///
/// On Glommio, whose tasks stay on their shard, it also works inside a task, which Tokio refuses. For local tasks of a
/// `block_on` without a set, on every backend, call the trait:
/// [`LocalSpawner::spawn_local`](anyrt_core::LocalSpawner::spawn_local) of the runtime's handle.
///
/// # Panics
/// Outside of both, as Tokio's does.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use std::rc::Rc;
/// use anyrt::task::{LocalSet, spawn_local};
///
/// LocalSet::new().run_until(async {
///     let name = Rc::new("not Send");
///     let length = spawn_local(async move { name.len() }).await.unwrap();
///     assert_eq!(length, 8);
/// }).await;
/// # Ok(()) });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    boxed_for_match!(future: F = Box::pin(future) => spawn_where_local(future))
}

#[track_caller]
fn spawn_where_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let future = match local_set::try_spawn(future) {
        Ok(handle) => return handle,
        Err(future) => future,
    };
    check_tasks_stay();
    JoinHandle {
        inner: on_current!(backend => backend::task::spawn_local(future)),
    }
}

/// Outside of a set, local tasks are for tasks that never move.
#[track_caller]
fn check_tasks_stay() {
    const OUTSIDE: &str =
        "`spawn_local` called from outside of a `task::LocalSet` or `runtime::LocalRuntime`";
    match Handle::try_current() {
        Ok(handle) if handle.backend() == Backend::Glommio && try_id().is_some() => {}
        Ok(_) => panic!("{OUTSIDE}"),
        Err(_) => panic!("{OUTSIDE}: {}", no_runtime()),
    }
}

/// Starts `job` on a thread where blocking harms nobody.
///
/// The job runs even if the handle is dropped.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// If the system refuses a thread and the runtime has no other for blocking jobs, Tokio panics, and every other backend runs
/// `job` on this thread.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let digits = anyrt::task::spawn_blocking(|| {
///     // Computes for long, or calls something that blocks.
///     (1..=20_u64).product::<u64>().to_string().len()
/// }).await?;
/// assert_eq!(digits, 19);
/// # Ok(()) });
/// ```
#[track_caller]
pub fn spawn_blocking<F, T>(job: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    JoinHandle {
        inner: boxed_for_match!(job: F = Box::new(job) => {
            on_current!(backend => backend::task::spawn_blocking(job))
        }),
    }
}

/// Runs `job`, which may block, on this thread, while another thread takes over the tasks of this one.
///
/// On Glommio, whose tasks cannot move, nobody takes over: the tasks of this shard wait, and a `block_on` inside `job` is
/// refused with a panic. [`spawn_blocking`] has neither limit. Outside a runtime the job just runs.
///
/// # Panics
/// On the thread of a current-thread runtime, and in a [`LocalSet`]: nobody can take over there.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let task = anyrt::spawn(async {
///     let local = String::from("borrowed, which spawn_blocking could not do");
///     anyrt::task::block_in_place(|| local.len())
/// });
/// assert_eq!(task.await?, 43);
/// # Ok(()) });
/// ```
#[track_caller]
pub fn block_in_place<F, T>(job: F) -> T
where
    F: FnOnce() -> T,
{
    match Current::find() {
        Some(kind) => boxed_for_match!(job: F = Box::new(job) => {
            each!(kind, backend, () => backend::task::block_in_place(job))
        }),
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
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::task;
///
/// assert_eq!(task::try_id(), None); // in `block_on`, which is no task
/// let task = anyrt::spawn(async { task::try_id() });
/// let id = task.id();
/// assert_eq!(task.await?, Some(id));
/// # Ok(()) });
/// ```
pub fn try_id() -> Option<Id> {
    find_backend!(backend => backend::task::try_id())
}

/// Joins a task: a future of its result. Dropping it detaches the task, it does not cancel it.
///
/// # Cancel safety
/// Awaiting `&mut handle` is cancel-safe: the result stays in the task until it is taken.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let task = anyrt::spawn(async { panic!("oops") });
/// let error = task.await.unwrap_err();
/// assert!(error.is_panic());
///
/// let task = anyrt::spawn(std::future::pending::<()>());
/// task.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
/// # Ok(()) });
/// ```
pub struct JoinHandle<T> {
    pub(crate) inner: one_of!(T; task::JoinHandle<T>),
}

impl<T> JoinHandle<T> {
    /// Asks the task to end; it does so at its next `.await`. Idempotent, from any thread.
    ///
    /// The handle then gives [`JoinError::is_cancelled`], after the future was dropped. A task that has finished
    /// by then keeps its result.
    pub fn abort(&self) {
        each!(&self.inner, handle => handle.abort())
    }

    /// Whether the task has really ended; not yet when it is only asked to.
    pub fn is_finished(&self) -> bool {
        each!(&self.inner, handle => handle.is_finished())
    }

    /// The id of the task, unique among all tasks of the process.
    pub fn id(&self) -> Id {
        each!(&self.inner, handle => handle.id())
    }

    /// A handle that can abort the task, and no more.
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            inner: map_each!(&self.inner, handle => handle.abort_handle()),
        }
    }

    /// Aborts the task and waits until it has ended.
    ///
    /// # Errors
    /// As awaiting the handle does; `Ok` when the task was faster.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// let task = anyrt::spawn(std::future::pending::<()>());
    /// let error = task.cancel().await.unwrap_err();
    /// assert!(error.is_cancelled()); // and its future was dropped
    /// # Ok(()) });
    /// ```
    pub fn cancel(self) -> Cancel<Self> {
        anyrt_core::JoinHandle::cancel(self)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        each!(&mut self.inner, backend, handle => backend::task::poll_join(handle, cx))
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
        each!(&mut self.inner, handle => handle.poll_unconstrained(cx))
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
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let task = anyrt::spawn(std::future::pending::<()>());
/// let stop = task.abort_handle();
/// anyrt::spawn(async move { stop.abort() });
/// assert!(task.await.unwrap_err().is_cancelled());
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    pub(crate) inner: one_of!(task::AbortHandle),
}

impl AbortHandle {
    /// See [`JoinHandle::abort`].
    pub fn abort(&self) {
        each!(&self.inner, handle => handle.abort())
    }

    /// See [`JoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        each!(&self.inner, handle => handle.is_finished())
    }

    /// See [`JoinHandle::id`].
    pub fn id(&self) -> Id {
        each!(&self.inner, handle => handle.id())
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
