//! The `!Send` tasks of a thread: those of its `block_on`, and those of a
//! [`LocalSet`](super::LocalSet).
//!
//! A backend opens a [`LocalScope`] in its `block_on` and drives `scope.run_until(future)` in whatever
//! way it drives futures. Between two polls of `future` the scope polls the thread's local tasks.
//! It costs nothing before the first [`spawn_local`].

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use anyrt_core::coop;
use anyrt_core::runtime::Flavor;
use atomic_waker::AtomicWaker;
use concurrent_queue::ConcurrentQueue;
use pin_project_lite::pin_project;

use super::{Runnable, TaskHandle, Tasks};

/// The number of local tasks polled in a row before the thread's own future and its reactor. Tokio's
/// number.
const IN_A_ROW: usize = 61;

thread_local! {
    /// `None` outside a scope.
    static SCOPE: RefCell<Option<OpenScope>> = const { RefCell::new(None) };
}

/// The place of local tasks.
#[derive(Default)]
struct OpenScope {
    /// Created by the first task.
    local: Option<Arc<Local>>,
    /// Wakes the `block_on`, in case a task that runs on the same thread spawns the first local
    /// task.
    root: Option<Waker>,
}

impl OpenScope {
    fn local(&mut self) -> &Arc<Local> {
        self.local.get_or_insert_with(|| {
            let local = Local::new();
            if let Some(root) = &self.root {
                local.waker.register(root);
            }
            local
        })
    }
}

/// Local tasks and the queue of those that are ready to run.
pub(super) struct Local {
    tasks: Arc<Tasks>,
    queue: ConcurrentQueue<Runnable>,
    /// Wakes the task that polls the queue.
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

    /// Runs a row of tasks and ensures that `cx` is woken for the next row.
    pub(super) fn run_row(&self, cx: &mut Context<'_>) {
        self.waker.register(cx.waker());
        if self.run() {
            cx.waker().wake_by_ref();
        }
    }

    /// Runs queued tasks, up to [`IN_A_ROW`]. Returns whether there may be more.
    fn run(&self) -> bool {
        for _ in 0..IN_A_ROW {
            let Ok(runnable) = self.queue.pop() else {
                return false;
            };
            runnable.run();
        }
        true
    }

    /// Drops the remaining tasks.
    pub(super) fn end(&self) {
        self.tasks.close();
        // Tasks that destructors spawn in the meantime end at once, so this is finite. A task that
        // is not in the queue was woken by another thread, which is about to push it.
        while !self.tasks.is_empty() {
            if !self.run() {
                thread::yield_now();
            }
        }
    }
}

/// Makes `spawn_local` on this thread spawn into a set until the guard is dropped.
pub(super) fn enter(local: &Arc<Local>) -> Inside {
    let set = Some(OpenScope {
        local: Some(Arc::clone(local)),
        root: None,
    });
    Inside {
        // A set may end with its thread, after this thread-local has been dropped.
        outer: SCOPE.try_with(|scope| scope.replace(set)).ok().flatten(),
        thread: PhantomData,
    }
}

/// Restores the former place of local tasks on drop.
pub(super) struct Inside {
    outer: Option<OpenScope>,
    thread: PhantomData<*const ()>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let outer = self.outer.take();
        let _ = SCOPE.try_with(|scope| scope.replace(outer));
    }
}

/// Returns `true` if this thread accepts local tasks.
pub fn is_open() -> bool {
    SCOPE.with_borrow(Option::is_some)
}

/// Starts `future` as a task on this thread.
///
/// # Panics
/// Panics if no [`LocalScope`] is open on this thread. The message names the remedy.
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
        Arc::clone(scope.local())
    });
    local.spawn(future)
}

/// While it is open, this thread accepts local tasks. Closing it drops the remaining ones.
pub struct LocalScope {
    outer: Option<OpenScope>,
    flavor: Flavor,
    // Tied to its thread: `!Send`.
    thread: PhantomData<*const ()>,
}

impl LocalScope {
    /// Opens the scope of a `block_on` at its start. On a current-thread runtime the thread also
    /// runs its tasks.
    pub fn open(flavor: Flavor) -> Self {
        Self {
            outer: SCOPE.replace(Some(OpenScope::default())),
            flavor,
            thread: PhantomData,
        }
    }

    /// Polls `future` and the local tasks until `future` is ready.
    pub fn run_until<F: Future>(&self, future: F) -> RunInScope<'_, F> {
        RunInScope {
            future,
            runs_tasks: self.flavor == Flavor::CurrentThread,
            scope: PhantomData,
        }
    }
}

impl Drop for LocalScope {
    fn drop(&mut self) {
        if let Some(local) = current() {
            local.end();
            drop(local);
        }
        SCOPE.replace(self.outer.take());
    }
}

/// Returns the local tasks of the innermost scope, if it has any.
fn current() -> Option<Arc<Local>> {
    SCOPE.with_borrow(|scope| scope.as_ref()?.local.clone())
}

/// Like [`current`]. If there are none, the first one will wake the `block_on` that `cx` polls.
#[inline]
fn current_or_first(cx: &Context<'_>) -> Option<Arc<Local>> {
    SCOPE.with_borrow_mut(|scope| {
        let scope = scope.as_mut()?;
        if scope.local.is_none() {
            match &mut scope.root {
                Some(root) => root.clone_from(cx.waker()),
                root => *root = Some(cx.waker().clone()),
            }
        }
        scope.local.clone()
    })
}

impl fmt::Debug for LocalScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalScope").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`LocalScope::run_until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunInScope<'a, F> {
        #[pin]
        future: F,
        runs_tasks: bool,
        scope: PhantomData<&'a LocalScope>,
    }
}

impl<F: Future> Future for RunInScope<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Poll::Ready(value) = coop::with_budget(|| this.future.poll(cx)) {
            return Poll::Ready(value);
        }
        let local = match *this.runs_tasks {
            true => current_or_first(cx),
            false => current(),
        };
        if let Some(local) = local {
            local.run_row(cx);
        }
        Poll::Pending
    }
}
