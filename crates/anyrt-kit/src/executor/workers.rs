//! The threads that run an executor's tasks: the number of the current one, and the counters of
//! each.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use anyrt_core::runtime::{Config, ThreadHooks};
use pin_project_lite::pin_project;

use super::shift::{Shift, WorkerMetrics};

thread_local! {
    /// The worker that is polling on this thread: the address of its `Workers`, and its number.
    static PLACE: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    /// The waker of the last worker on this thread, for the next one.
    static BELL: RefCell<Option<Bell>> = const { RefCell::new(None) };
}

thread_local! {
    /// The number of the `Tasks` whose hosted task is being polled on this thread.
    static TASKS: Cell<Option<NonZeroUsize>> = const { Cell::new(None) };
}

/// Marks this thread, until it is dropped, as polling a task of the `Tasks` with that number.
/// Futures that are polled there are dropped before the runtime ends.
pub(super) struct InTask(Option<NonZeroUsize>);

impl InTask {
    #[inline]
    pub(super) fn of(tasks: Option<NonZeroUsize>) -> Self {
        Self(TASKS.replace(tasks))
    }

    /// Polls `future` as if it were one of those tasks.
    pub(super) fn polling<F: Future>(tasks: Option<NonZeroUsize>, future: F) -> Polling<F> {
        Polling { future, tasks }
    }

    /// For a future that is not dropped when the runtime ends, although it is polled inside a task
    /// that is.
    #[inline]
    pub(super) fn of_none() -> Self {
        Self(TASKS.take())
    }

    #[inline]
    pub(super) fn is_of(tasks: NonZeroUsize) -> bool {
        TASKS.get() == Some(tasks)
    }
}

impl Drop for InTask {
    #[inline]
    fn drop(&mut self) {
        TASKS.set(self.0);
    }
}

pin_project! {
    /// The future of [`InTask::polling`].
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct Polling<F> {
        #[pin]
        future: F,
        tasks: Option<NonZeroUsize>,
    }
}

impl<F: Future> Future for Polling<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _of = InTask::of(*this.tasks);
        this.future.poll(cx)
    }
}

/// The workers of one engine.
pub(super) struct Workers {
    hooks: ThreadHooks,
    metrics: Box<[WorkerMetrics]>,
}

impl Workers {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            hooks: config.hooks.clone(),
            metrics: (0..config.workers())
                .map(|_| WorkerMetrics::default())
                .collect(),
        }
    }

    /// For an executor that the application runs, whose threads are unknown.
    pub(super) fn unknown() -> Self {
        Self {
            hooks: ThreadHooks::default(),
            metrics: Box::default(),
        }
    }

    /// Returns the counters of each, by number.
    pub(super) fn metrics(&self) -> &[WorkerMetrics] {
        &self.metrics
    }

    /// Returns the number of the current worker, if this thread is one of these.
    pub(super) fn index(&self) -> Option<usize> {
        let (workers, index) = PLACE.get()?;
        (workers == self.address()).then_some(index)
    }

    /// Counts each poll of `future` as work of that worker.
    pub(super) fn work<F: Future>(&self, index: usize, future: F) -> Work<'_, F> {
        Work {
            future,
            place: (self.address(), index),
            books: Books {
                shift: Shift::default(),
                metrics: &self.metrics[index],
            },
            hooks: &self.hooks,
            bell: None,
        }
    }

    /// Makes this thread no worker until the guard is dropped. Returns `None` if it is none of
    /// these.
    pub(super) fn leave(&self) -> Option<Left> {
        let index = self.index()?;
        Some(Left {
            index,
            _place: Placed(PLACE.take()),
        })
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

/// See [`Workers::leave`].
pub(super) struct Left {
    index: usize,
    _place: Placed,
}

impl Left {
    /// Returns the number of the worker.
    pub(super) fn index(&self) -> usize {
        self.index
    }
}

/// Restores the former place of the thread.
struct Placed(Option<(usize, usize)>);

impl Drop for Placed {
    fn drop(&mut self) {
        PLACE.set(self.0);
    }
}

struct Books<'a> {
    shift: Shift,
    metrics: &'a WorkerMetrics,
}

impl Drop for Books<'_> {
    fn drop(&mut self) {
        self.shift.end(self.metrics);
    }
}

/// A waker that records whether it was used. A worker that was woken in its own poll is polled
/// again at once: it lets the reactor check for events, and does not wait.
struct Bell {
    rung: Arc<Rung>,
    waker: Waker,
}

struct Rung {
    rung: AtomicBool,
    outer: Waker,
}

impl Bell {
    /// Returns one that wakes `outer`: `kept`, or this thread's last one, or a new one.
    #[inline]
    fn of<'a>(kept: &'a mut Option<Self>, outer: &Waker) -> &'a Self {
        drop(kept.take_if(|bell| !bell.rung.outer.will_wake(outer)));
        kept.get_or_insert_with(|| Self::find(outer))
    }

    #[cold]
    fn find(outer: &Waker) -> Self {
        let last = BELL.try_with(RefCell::take).ok().flatten();
        last.filter(|bell| bell.rung.outer.will_wake(outer))
            .unwrap_or_else(|| {
                let rung = Arc::new(Rung {
                    rung: AtomicBool::new(false),
                    outer: outer.clone(),
                });
                let waker = Waker::from(Arc::clone(&rung));
                Self { rung, waker }
            })
    }
}

impl Wake for Rung {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A wake-up from another thread may be too late for the worker to see it. It then counts as
        // a short wait.
        self.rung.store(true, Ordering::Relaxed);
        self.outer.wake_by_ref();
    }
}

pin_project! {
    /// The future of [`Workers::work`].
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct Work<'a, F> {
        #[pin]
        future: F,
        place: (usize, usize),
        books: Books<'a>,
        hooks: &'a ThreadHooks,
        bell: Option<Bell>,
    }

    impl<F> PinnedDrop for Work<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            if let Some(bell) = this.project().bell.take() {
                let last = BELL.try_with(|last| last.replace(Some(bell)));
                drop(last);
            }
        }
    }
}

impl<F: Future> Future for Work<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _former = Placed(PLACE.replace(Some(*this.place)));
        let books = this.books;
        books.shift.work(books.metrics, this.hooks);
        let bell = Bell::of(this.bell, cx.waker());
        bell.rung.rung.store(false, Ordering::Relaxed);
        let polled = this.future.poll(&mut Context::from_waker(&bell.waker));
        if polled.is_pending() && !bell.rung.rung.load(Ordering::Relaxed) {
            books.shift.park(books.metrics, this.hooks);
        }
        polled
    }
}
