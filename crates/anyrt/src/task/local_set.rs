//! Sets of tasks that need not be `Send`.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use anyrt_core::coop as core_coop;

use super::JoinHandle;
use crate::runtime::{Id, Runtime};

/// A set of tasks that stay on its thread, for futures that are not `Send`. The tasks run while the
/// set is polled: in [`run_until`](Self::run_until), in [`block_on`](Self::block_on), or when the
/// set itself is awaited, which completes when all of its tasks have ended.
///
/// It works on every runtime. Inside it, [`spawn_local`](super::spawn_local) spawns into the set.
///
/// # Dropping it
/// Drops the futures of its tasks before `drop` returns.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use std::rc::Rc;
/// use anyrt::task::{LocalSet, spawn_local};
///
/// let name = Rc::new("here");
/// let local = LocalSet::new();
/// local.run_until(async move {
///     let task = spawn_local(async move { name.len() });
///     assert_eq!(task.await.unwrap(), 4);
/// }).await;
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct LocalSet {
    inner: first_type!(local_set::LocalSet),
}

impl LocalSet {
    /// Creates an empty set.
    ///
    /// # Panics
    /// Panics if no backend is enabled.
    #[track_caller]
    pub fn new() -> Self {
        in_first!(
            backend => Self { inner: backend::local_set::LocalSet::new() },
            else panic!("{}", crate::backend::no_runtime())
        )
    }

    /// Returns the id of the set, unique among all sets and runtimes of the process.
    pub fn id(&self) -> Id {
        with_first!(&self.inner, set => set.id())
    }

    /// Makes [`spawn_local`](super::spawn_local) spawn into this set until the guard is dropped.
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard {
            _inner: with_first!(&self.inner, set => set.enter()),
        }
    }

    /// Spawns `future` as a task of the set. It runs when the set is polled.
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        boxed_for_match!(future: F = Box::pin(future) =>
        with_first!(&self.inner, set => JoinHandle {
            inner: crate::backend::OfFirst(set.spawn_local(task(future))),
        }))
    }

    /// Runs `future` and the tasks of the set on `runtime` until `future` completes.
    ///
    /// # Panics
    /// See [`Runtime::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        boxed_for_match!(future: F = Box::pin(future) => runtime.block_on(self.run_until(future)))
    }

    /// Runs `future` and the tasks of the set until `future` completes.
    ///
    /// # Cancel safety
    /// If the future is dropped, `future` is dropped and the tasks stay in the set.
    pub async fn run_until<F: Future>(&self, future: F) -> F::Output {
        // The layers below hold a reference, or each would grow by the size of `future`.
        let future = pin!(future);
        with_first!(&self.inner, set => set.run_until(future).await)
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the tasks until all have ended.
impl Future for LocalSet {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        with_first!(&mut self.inner, set => Pin::new(set).poll(cx))
    }
}

/// Restores the previous target of [`spawn_local`](super::spawn_local) on drop; see
/// [`LocalSet::enter`].
#[derive(Debug)]
pub struct LocalEnterGuard {
    _inner: first_type!(local_set::LocalEnterGuard),
}

/// Spawns `future` into the set that this thread is inside, or returns it.
#[track_caller]
pub(super) fn try_spawn<F>(future: F) -> Result<JoinHandle<F::Output>, F>
where
    F: Future + 'static,
    F::Output: 'static,
{
    if !is_entered() {
        return Err(future);
    }
    in_first!(
        backend => Ok(JoinHandle {
            inner: crate::backend::OfFirst(backend::local_set::spawn_local(task(future))),
        }),
        else Err(future)
    )
}

/// Returns `true` if this thread is inside a set.
pub(super) fn is_entered() -> bool {
    in_first!(backend => backend::local_set::is_entered(), else false)
}

/// Fills both accounts, because each kind of set fills only one of them: Tokio's fills Tokio's.
pub(super) fn task<F: Future>(future: F) -> impl Future<Output = F::Output> {
    core_coop::budgeted(in_first!(backend => backend::task::budgeted(future), else future))
}
