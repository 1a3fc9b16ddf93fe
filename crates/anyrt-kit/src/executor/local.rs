//! The `!Send` tasks of a thread: those of its `block_on`, and those of a [`LocalSet`](super::LocalSet).
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

use anyrt_core::coop;
use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;
use pin_project_lite::pin_project;

use super::{Runnable, TaskHandle, Tasks};

/// Local tasks polled in a row before the thread's own future and its reactor have their turn.
const TURN: usize = 64;

thread_local! {
    /// `None` outside a scope; the queue comes with the first task.
    static SCOPE: RefCell<Option<Option<Arc<Local>>>> = const { RefCell::new(None) };
}

/// Local tasks and the queue of those that are ready to run.
pub(super) struct Local {
    tasks: Arc<Tasks>,
    queue: ConcurrentQueue<Runnable>,
    /// Wakes who polls the queue.
    waker: AtomicWaker,
}

impl Local {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            tasks: Tasks::new(),
            queue: ConcurrentQueue::unbounded(),
            waker: AtomicWaker::new(),
        })
    }

    pub(super) fn spawn<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let queue = Arc::clone(self);
        self.tasks
            .spawn_local(future, move |runnable| queue.schedule(runnable))
    }

    fn schedule(&self, runnable: Runnable) {
        // The queue is never closed, so it takes everything.
        if self.queue.push(runnable).is_ok() {
            self.waker.wake();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Runs a turn and sees to it that `cx` is woken for the next one.
    pub(super) fn turn(&self, cx: &mut Context<'_>) {
        self.waker.register(cx.waker());
        if self.run() {
            cx.waker().wake_by_ref();
        }
    }

    /// Runs what is queued, up to [`TURN`]. Gives whether there may be more.
    fn run(&self) -> bool {
        for _ in 0..TURN {
            let Ok(runnable) = self.queue.pop() else {
                return false;
            };
            runnable.run();
        }
        true
    }

    /// Drops what is left of the tasks.
    pub(super) fn end(&self) {
        self.tasks.close();
        // Tasks that are spawned by destructors meanwhile end at once, so this is finite. A task that is not in the
        // queue yet was woken by another thread, which is about to put it there.
        while !self.tasks.is_empty() {
            if !self.run() {
                thread::yield_now();
            }
        }
    }
}

/// Makes the thread's local tasks those of a set until the guard is dropped.
pub(super) fn enter(local: &Arc<Local>) -> Inside {
    let set = Some(Some(Arc::clone(local)));
    Inside {
        // A set may end with its thread, after what this thread remembers has ended.
        outer: SCOPE.try_with(|scope| scope.replace(set)).ok().flatten(),
        thread: PhantomData,
    }
}

/// Restores the former place of local tasks when it is dropped.
pub(super) struct Inside {
    outer: Option<Option<Arc<Local>>>,
    thread: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let _ = SCOPE.try_with(|scope| scope.replace(outer));
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
        Arc::clone(scope.get_or_insert_with(Local::new))
    });
    local.spawn(future)
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
            local.end();
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
            local.turn(cx);
        }
        Poll::Pending
    }
}
