//! Waiting for a group of tasks.

use std::future::Future;
use std::ops::Deref;

use super::{JoinHandle, spawn, spawn_blocking, spawn_local};
use crate::runtime::Handle;

/// Counts tasks and waits until all have ended. Unlike a [`JoinSet`](super::JoinSet) it keeps no
/// results and can be shared: clones are the same tracker.
///
/// [`wait`](anyrt_core::TaskTracker::wait) completes once the tracker was
/// [closed](anyrt_core::TaskTracker::close) and no task is left.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::task::TaskTracker;
///
/// let tracker = TaskTracker::new();
/// for n in 0..3 {
///     tracker.spawn(async move { println!("task {n}") });
/// }
/// tracker.close();
/// tracker.wait().await;
/// assert!(tracker.is_empty());
/// # Ok(()) });
/// ```
#[derive(Debug, Clone, Default)]
pub struct TaskTracker {
    inner: anyrt_core::TaskTracker,
}

impl TaskTracker {
    /// Creates a tracker without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns `future` on the current runtime and counts it until it is dropped.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn(self.inner.track_future(future))
    }

    /// Spawns `future` on the runtime of `handle` and counts it until it is dropped.
    #[track_caller]
    pub fn spawn_on<F>(&self, future: F, handle: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn(self.inner.track_future(future))
    }

    /// Spawns `future` as a task on this thread and counts it until it is dropped.
    ///
    /// # Panics
    /// Panics on a thread that accepts no local tasks; see [`spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn_local(self.inner.track_future(future))
    }

    /// Runs `job` on the blocking thread pool and counts it until it has ended.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let counted = self.inner.token();
        spawn_blocking(move || {
            let _counted = counted;
            job()
        })
    }
}

/// The methods that need no runtime are those of the core.
impl Deref for TaskTracker {
    type Target = anyrt_core::TaskTracker;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}
