//! Waiting for a group of tasks without joining each.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::blocking::Blocking;
use crate::coop;
use crate::task::{LocalSpawner, Spawner};
use crate::waiters::{self, Waiters};

/// Counts tasks and waits until all of them have ended.
///
/// Unlike a [`JoinSet`](crate::JoinSet) it keeps no results, needs no `&mut`, and does not abort
/// its tasks on drop. A task that has ended uses no memory. Clones count the same tasks.
///
/// [`wait`](Self::wait) completes when the tracker is both empty and closed, so that a tracker
/// which is temporarily empty does not count as done. Closing neither stops tasks nor rejects new
/// ones. Names and behaviour are those of tokio-util.
///
/// # Examples
/// ```
/// use anyrt_core::{JoinHandle, Runtime, TaskTracker};
///
/// async fn run_all<R: Runtime>(rt: R) {
///     let tracker = TaskTracker::new();
///     for i in 0..10 {
///         tracker.spawn_on(&rt, async move { println!("task {i}") }).detach();
///     }
///     tracker.close();
///     tracker.wait().await;
/// }
/// ```
#[derive(Clone)]
pub struct TaskTracker {
    inner: Arc<Inner>,
}

struct Inner {
    /// [`CLOSED`], plus [`ONE_TASK`] for each task.
    state: AtomicUsize,
    /// Waiters until the tracker is closed and empty.
    waiters: Waiters,
}

const CLOSED: usize = 1;
const ONE_TASK: usize = 2;

impl TaskTracker {
    /// Creates a tracker that is open and empty.
    pub fn new() -> Self {
        Self {
            inner: Arc::new(Inner {
                state: AtomicUsize::new(0),
                waiters: Waiters::default(),
            }),
        }
    }

    /// Waits until the tracker is closed and empty.
    ///
    /// It completes even if the tracker was closed and empty only for a moment since this call, and
    /// was then reopened.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub fn wait(&self) -> Drained<'_> {
        // In this order, so that no event in between is missed.
        let event = self.inner.waiters.wait();
        Drained {
            inner: &self.inner,
            event,
            done: self.inner.is_closed_and_empty(),
        }
    }

    /// Closes the tracker, so that [`wait`](Self::wait) completes once no task is left. Returns
    /// `true` if it was open.
    pub fn close(&self) -> bool {
        let former = self.inner.state.fetch_or(CLOSED, Ordering::AcqRel);
        if former == 0 {
            self.inner.waiters.notify_all();
        }
        former & CLOSED == 0
    }

    /// Reopens the tracker. Returns `true` if it was closed.
    pub fn reopen(&self) -> bool {
        self.inner.state.fetch_and(!CLOSED, Ordering::AcqRel) & CLOSED != 0
    }

    /// Returns `true` if the tracker is closed.
    pub fn is_closed(&self) -> bool {
        self.inner.state.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Returns the number of tasks that have not ended.
    pub fn len(&self) -> usize {
        self.inner.state.load(Ordering::Acquire) / ONE_TASK
    }

    /// Returns `true` if all tasks have ended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Spawns `future` on `rt` and counts it until it is dropped.
    pub fn spawn_on<R, F>(&self, rt: &R, future: F) -> R::JoinHandle<F::Output>
    where
        R: Spawner,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        rt.spawn(self.track_future(future))
    }

    /// Spawns `future` on this thread and counts it until it is dropped.
    ///
    /// # Panics
    /// Panics on a thread that accepts no local tasks; see [`LocalSpawner::spawn_local`].
    pub fn spawn_local_on<R, F>(&self, rt: &R, future: F) -> R::LocalJoinHandle<F::Output>
    where
        R: LocalSpawner,
        F: Future + 'static,
        F::Output: 'static,
    {
        rt.spawn_local(self.track_future(future))
    }

    /// Runs `job` on the blocking thread pool of `rt` and counts it until it has returned.
    pub fn spawn_blocking_on<R, F, T>(&self, rt: &R, job: F) -> R::JoinHandle<T>
    where
        R: Blocking,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let token = self.token();
        rt.spawn_blocking(move || {
            let value = job();
            drop(token);
            value
        })
    }

    /// Returns a future that counts from this call until it is dropped, whether or not it is
    /// polled.
    pub fn track_future<F: Future>(&self, future: F) -> TrackedFuture<F> {
        TrackedFuture {
            future,
            token: self.token(),
        }
    }

    /// Returns a token that counts as a task until it is dropped.
    pub fn token(&self) -> TaskTrackerToken {
        self.inner.state.fetch_add(ONE_TASK, Ordering::Relaxed);
        TaskTrackerToken {
            tracker: self.clone(),
        }
    }
}

impl Inner {
    fn is_closed_and_empty(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }
}

impl Default for TaskTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TaskTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTracker")
            .field("len", &self.len())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Counts as a task of a [`TaskTracker`] until it is dropped.
#[derive(Debug)]
#[must_use = "it counts only while it lives"]
pub struct TaskTrackerToken {
    tracker: TaskTracker,
}

impl TaskTrackerToken {
    /// Returns the tracker of the token.
    pub fn task_tracker(&self) -> &TaskTracker {
        &self.tracker
    }
}

impl Clone for TaskTrackerToken {
    /// Returns the clone counts as a further task.
    fn clone(&self) -> Self {
        self.tracker.token()
    }
}

impl Drop for TaskTrackerToken {
    fn drop(&mut self) {
        let inner = &self.tracker.inner;
        // The effects of the tasks are visible to those who waited for them.
        if inner.state.fetch_sub(ONE_TASK, Ordering::AcqRel) == ONE_TASK | CLOSED {
            inner.waiters.notify_all();
        }
    }
}

pin_project! {
    /// The future of [`TaskTracker::track_future`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct TrackedFuture<F> {
        // First, so that the future is dropped before the count goes down.
        #[pin]
        future: F,
        token: TaskTrackerToken,
    }
}

impl<F: Future> Future for TrackedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

/// The future of [`TaskTracker::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct Drained<'a> {
    inner: &'a Inner,
    event: waiters::Wait<'a>,
    done: bool,
}

impl Future for Drained<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        coop::charged(cx, |cx| {
            this.done = this.done
                || this.inner.is_closed_and_empty()
                || Pin::new(&mut this.event).poll(cx).is_ready();
            if this.done {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

impl fmt::Debug for Drained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drained")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
