//! The `!Send` tasks of a thread that is inside `block_on`.
//!
//! A backend opens a [`Scope`] in its `block_on` and drives `scope.run_until(future)` in whatever way it drives
//! futures. Between two polls of `future` the scope polls the thread's local tasks. It costs nothing before the
//! first [`spawn_local`].

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use concurrent_queue::ConcurrentQueue;
use futures_util::task::AtomicWaker;
use pin_project_lite::pin_project;

use super::{Runnable, TaskHandle, Tasks};
use crate::coop;

/// Local tasks polled in a row before the thread's own future and its reactor have their turn.
const TURN: usize = 64;

thread_local! {
    /// `None` outside a scope; the queue comes with the first task.
    static SCOPE: RefCell<Option<Option<Arc<Local>>>> = const { RefCell::new(None) };
}

struct Local {
    tasks: Arc<Tasks>,
    queue: ConcurrentQueue<Runnable>,
    /// Wakes the `block_on` that polls the queue.
    waker: AtomicWaker,
}

impl Local {
    fn schedule(&self, runnable: Runnable) {
        // The queue is never closed, so it takes everything.
        if self.queue.push(runnable).is_ok() {
            self.waker.wake();
        }
    }

    /// Runs what is queued, up to [`TURN`]. Gives whether there may be more.
    fn run(&self) -> bool {
        for _ in 0..TURN {
            match self.queue.pop() {
                Ok(runnable) => runnable.run(),
                Err(_) => return false,
            }
        }
        true
    }
}

/// Whether this thread accepts local tasks.
pub fn is_open() -> bool {
    SCOPE.with_borrow(Option::is_some)
}

/// Starts `future` as a task on this thread.
///
/// # Panics
/// When no [`Scope`] is open on this thread; the message says what to do.
pub fn spawn_local<F>(future: F) -> TaskHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let local = SCOPE.with_borrow_mut(|scope| {
        let Some(scope) = scope else {
            panic!(
                "`spawn_local` needs a thread that is inside `block_on`: a worker thread shares its tasks with \
                 others, so a future that is not `Send` cannot live there. Use `spawn`, or call `spawn_local` \
                 from the future given to `block_on` (or from one of its local tasks)."
            );
        };
        Arc::clone(scope.get_or_insert_with(|| {
            Arc::new(Local {
                tasks: Tasks::new(),
                queue: ConcurrentQueue::unbounded(),
                waker: AtomicWaker::new(),
            })
        }))
    });
    let queue = Arc::clone(&local);
    local
        .tasks
        .spawn_local(future, move |runnable| queue.schedule(runnable))
}

/// While it is open, this thread accepts local tasks. Closing it drops what is left of them.
pub struct Scope {
    outer: Option<Option<Arc<Local>>>,
    // It belongs to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl Scope {
    /// Opens the scope of a `block_on` that starts.
    pub fn open() -> Self {
        Self {
            outer: SCOPE.replace(Some(None)),
            thread: PhantomData,
        }
    }

    /// Polls `future`, and the local tasks beside it, until `future` is ready.
    pub fn run_until<F: Future>(&self, future: F) -> RunUntil<'_, F> {
        RunUntil {
            future,
            scope: PhantomData,
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let current = || SCOPE.with_borrow(|scope| scope.clone().flatten());
        if let Some(local) = current() {
            local.tasks.close();
            // Tasks that are spawned by destructors meanwhile end at once, so this is finite. A task that is not
            // in the queue yet was woken by another thread, which is about to put it there.
            while !local.tasks.is_empty() {
                if !local.run() {
                    thread::yield_now();
                }
            }
            drop(local);
        }
        SCOPE.replace(self.outer.take());
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Scope::run_until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunUntil<'a, F> {
        #[pin]
        future: F,
        scope: PhantomData<&'a Scope>,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        if let Poll::Ready(value) = coop::with_budget(|| future.poll(cx)) {
            return Poll::Ready(value);
        }
        if let Some(local) = SCOPE.with_borrow(|scope| scope.clone().flatten()) {
            local.waker.register(cx.waker());
            if local.run() {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Pending
    }
}
