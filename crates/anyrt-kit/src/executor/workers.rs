//! The threads that run an executor's tasks: which one this is, and what each has done.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::runtime::{Config, ThreadHooks};
use pin_project_lite::pin_project;

use super::shift::{Shift, WorkerMetrics};

/// After so many polls in a row an executor of the smol family lets the reactor have a look, and does not wait.
const POLLS: u32 = 200;

thread_local! {
    /// The worker that is polling on this thread: the address of its `Workers`, and its number.
    static PLACE: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    /// How many polls of tasks there were on this thread.
    static POLLED: Cell<u32> = const { Cell::new(0) };
}

thread_local! {
    /// The address of the `Tasks` whose hosted task is being polled on this thread; zero if none is.
    static TASKS: Cell<usize> = const { Cell::new(0) };
}

/// Says until it is dropped whose task is being polled on this thread, by the address of its `Tasks`.
pub(super) struct InTask(usize);

impl InTask {
    #[inline]
    pub(super) fn of(tasks: usize) -> Self {
        Self(TASKS.replace(tasks))
    }

    /// A future that is not dropped when the runtime ends, although it is polled inside of a task that is.
    #[inline]
    pub(super) fn of_none() -> Self {
        Self(TASKS.take())
    }

    #[inline]
    pub(super) fn is_of(tasks: usize) -> bool {
        TASKS.get() == tasks
    }
}

impl Drop for InTask {
    #[inline]
    fn drop(&mut self) {
        TASKS.set(self.0);
    }
}

/// A task is polled on this thread.
#[inline]
pub(super) fn count_poll() {
    POLLED.set(POLLED.get().wrapping_add(1));
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

    /// Of an executor that somebody else runs: nothing is known of its threads.
    pub(super) fn unknown() -> Self {
        Self {
            hooks: ThreadHooks::default(),
            metrics: Box::default(),
        }
    }

    /// What each has done, by number.
    pub(super) fn metrics(&self) -> &[WorkerMetrics] {
        &self.metrics
    }

    /// The number of the worker that this thread is, if it is one of these.
    pub(super) fn index(&self) -> Option<usize> {
        let (workers, index) = PLACE.get()?;
        (workers == self.address()).then_some(index)
    }

    /// Makes each poll of `future` the work of that worker.
    pub(super) fn work<F: Future>(&self, index: usize, future: F) -> Work<'_, F> {
        Work {
            future,
            place: (self.address(), index),
            books: Books {
                shift: Shift::default(),
                metrics: &self.metrics[index],
            },
            hooks: &self.hooks,
        }
    }

    /// This thread is no worker until the guard is dropped. `None` if it is none of these now.
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
    /// The number of the worker.
    pub(super) fn index(&self) -> usize {
        self.index
    }
}

/// Gives the thread its former place back.
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

pin_project! {
    /// The future of [`Workers::work`].
    #[must_use = "futures do nothing unless awaited"]
    pub(super) struct Work<'a, F> {
        #[pin]
        future: F,
        place: (usize, usize),
        books: Books<'a>,
        hooks: &'a ThreadHooks,
    }
}

impl<F: Future> Future for Work<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _former = Placed(PLACE.replace(Some(*this.place)));
        let books = this.books;
        books.shift.work(books.metrics, this.hooks);
        let before = POLLED.get();
        let polled = this.future.poll(cx);
        // Else it only lets the reactor have a look.
        let waits = POLLED.get().wrapping_sub(before) < POLLS;
        if polled.is_pending() && waits {
            books.shift.park(books.metrics, this.hooks);
        }
        polled
    }
}
