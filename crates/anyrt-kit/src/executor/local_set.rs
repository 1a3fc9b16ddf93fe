//! A set of tasks that need not be `Send`: Tokio's `LocalSet` for any runtime.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::runtime::Id;
use pin_project_lite::pin_project;

use super::TaskHandle;
use super::local::{self, Inside, Local};

thread_local! {
    /// Whether this thread is inside a set, and whether it is polling one.
    static STATE: Cell<ThreadState> = const { Cell::new(ThreadState { entered: false, polling: false }) };
}

#[derive(Clone, Copy)]
struct ThreadState {
    entered: bool,
    polling: bool,
}

/// Tasks that stay on the thread of the set and run while the set is polled.
///
/// It is polled by [`run_until`](Self::run_until), or by awaiting it, which completes when all of
/// its tasks have ended.
///
/// # Dropping it
/// Drops the futures of its tasks before it returns.
pub struct LocalSet {
    local: Arc<Local>,
    id: Id,
    // Its tasks belong to this thread.
    thread: PhantomData<*const ()>,
}

impl LocalSet {
    /// Creates an empty set.
    pub fn new() -> Self {
        Self {
            local: Local::new(),
            id: Id::next(),
            thread: PhantomData,
        }
    }

    /// Returns the id of the set, unique among all sets and runtimes of the process.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Starts `future` as a task of the set. It runs only when the set is polled.
    pub fn spawn_local<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.local.spawn(future)
    }

    /// Makes [`spawn_local`] spawn into this set until the guard is dropped.
    pub fn enter(&self) -> LocalEnterGuard {
        self.guard(false)
    }

    fn guard(&self, polling: bool) -> LocalEnterGuard {
        LocalEnterGuard {
            state: STATE.replace(ThreadState {
                entered: true,
                polling: polling || STATE.get().polling,
            }),
            _inside: local::enter(&self.local),
        }
    }

    /// Runs `future` and the tasks of the set until `future` is ready.
    pub fn run_until<F: Future>(&self, future: F) -> RunUntil<'_, F> {
        RunUntil { set: self, future }
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let _inside = self.guard(true);
        self.local.run_row(cx);
        if self.local.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let _inside = self.guard(true);
        self.local.end();
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet").finish_non_exhaustive()
    }
}

/// Restores the state before [`LocalSet::enter`] on drop.
pub struct LocalEnterGuard {
    state: ThreadState,
    _inside: Inside,
}

impl Drop for LocalEnterGuard {
    fn drop(&mut self) {
        STATE.set(self.state);
    }
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish()
    }
}

/// Returns `true` if this thread is inside a set, so that [`spawn_local`] spawns there.
pub fn is_entered() -> bool {
    STATE.get().entered
}

/// Returns `true` if this thread is polling a set, whose tasks no other thread can take over.
pub fn is_polling() -> bool {
    STATE.get().polling
}

/// Starts `future` as a task of the set that this thread is inside.
///
/// # Panics
/// Panics if it is inside none, and no `block_on` accepts local tasks.
pub fn spawn_local<F>(future: F) -> TaskHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    local::spawn_local(future)
}

pin_project! {
    /// The future of [`LocalSet::run_until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunUntil<'a, F> {
        set: &'a LocalSet,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = this.set.guard(true);
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(value);
        }
        this.set.local.run_row(cx);
        Poll::Pending
    }
}
