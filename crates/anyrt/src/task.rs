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

use std::future::Future;

use crate::backend::{Backend, Current, no_runtime};
use crate::runtime::Handle;

#[cfg(all(tokio_unstable, feature = "tracing"))]
mod builder;
pub mod coop;
mod handle;
#[cfg(not(tokio_unstable))]
mod join_set;
#[cfg(tokio_unstable)]
pub mod join_set;
#[cfg(all(tokio_unstable, feature = "tracing"))]
mod join_set_builder;
mod local_set;
mod tracker;

// On Tokio it defers the wake until the worker has checked its timers and sockets; elsewhere it
// wakes at once, and the runtimes check them by themselves.
#[doc(no_inline)]
pub use ::tokio::task::{LocalKey, yield_now};
pub use anyrt_core::error::JoinError;
pub use anyrt_core::task::{Cancel, Id};
#[cfg(all(tokio_unstable, feature = "tracing"))]
pub use builder::Builder;
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use handle::{AbortHandle, JoinHandle};
pub use join_set::JoinSet;
pub use local_set::{LocalEnterGuard, LocalSet};
pub use tracker::TaskTracker;

/// Futures returned by functions of this module.
pub mod futures {
    #[doc(no_inline)]
    pub use ::tokio::task::futures::TaskLocalFuture;
}

/// Spawns `future` as a task of the current runtime and returns at once.
///
/// The task runs whether or not the handle is kept: dropping the handle detaches the task.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
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

/// Spawns `future`, which need not be `Send`, as a task that stays on this thread.
///
/// The task belongs to the [`LocalSet`] or [`LocalRuntime`](crate::runtime::LocalRuntime) that this
/// thread is inside.
///
/// On Glommio, whose tasks stay on their shard, it also works inside any task, where Tokio panics.
/// For local tasks of a `block_on` without a set, on every backend, use the trait method
/// [`LocalSpawner::spawn_local`](anyrt_core::LocalSpawner::spawn_local) of the runtime's handle.
///
/// # Panics
/// Panics outside of both, as in Tokio.
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

/// Outside of a set, only tasks that never move may spawn local tasks.
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

/// Runs `job` on the blocking thread pool.
///
/// The job runs even if the handle is dropped.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// If the system cannot create a thread and the blocking pool has none, Tokio panics; every other
/// backend runs `job` on this thread.
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

/// Runs `job`, which may block, on this thread. Another thread takes over the tasks of this one
/// meanwhile.
///
/// On Glommio, local tasks of the shard and Glommio's own futures cannot move and wait until `job`
/// is done; with [`spawn_blocking`] nothing waits. Outside a runtime, `job` simply runs.
///
/// # Panics
/// Panics on the thread of a current-thread runtime and in a [`LocalSet`], where no other thread
/// can take over.
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

/// Returns the id of the calling task, while it is polled or dropped, or of the calling blocking
/// job.
///
/// # Panics
/// Panics outside a task, for example in the future passed to `block_on`.
#[track_caller]
pub fn id() -> Id {
    match try_id() {
        Some(id) => id,
        None => panic!("Can't get a task id when not inside a task"),
    }
}

/// Returns the id of the calling task, or `None` outside a task.
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
    crate::backend::try_id()
}
