//! The cooperative budget: a task that is always ready lets others run.
//!
//! Each poll of a task starts with [`BUDGET`] units. Every operation of anyrt that is ready charges one; when
//! none is left, the next one wakes its task and gives [`Poll::Pending`], so that the task goes to the back of
//! the queue and the timers and sockets have their turn. It is Tokio's scheme
//! (<https://tokio.rs/blog/2020-04-preemption>), for runtimes that have none.
//!
//! Outside a task (a plain thread that polls by itself) there is no limit.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Ready operations per poll of a task; Tokio's number.
pub const BUDGET: u8 = 128;

/// No limit.
const UNLIMITED: u8 = u8::MAX;

thread_local! {
    // In one byte, since each poll of a task saves and restores it.
    static LEFT: Cell<u8> = const { Cell::new(UNLIMITED) };
}

/// Runs `poll` with a fresh budget, and restores the former one afterwards, also on a panic.
pub fn with_budget<T>(poll: impl FnOnce() -> T) -> T {
    with(BUDGET, poll)
}

/// Runs `poll` without a limit.
pub fn with_unconstrained<T>(poll: impl FnOnce() -> T) -> T {
    with(UNLIMITED, poll)
}

fn with<T>(budget: u8, poll: impl FnOnce() -> T) -> T {
    struct Restore(u8);
    impl Drop for Restore {
        fn drop(&mut self) {
            LEFT.set(self.0);
        }
    }
    let _restore = Restore(LEFT.replace(budget));
    poll()
}

/// How many units are left; `None` where there is no limit: outside a task, or where it was lifted.
#[inline]
pub fn left() -> Option<u8> {
    Some(LEFT.get()).filter(|&left| left != UNLIMITED)
}

/// Whether the next operation may go on.
pub fn has_budget_remaining() -> bool {
    LEFT.get() != 0
}

/// Charges one unit and goes on, or wakes the task and gives `Pending` when none is left.
///
/// Call it first in a leaf operation. If the operation then turns out to be pending, give the unit back by
/// dropping the [`Charge`]; call [`Charge::made_progress`] when it is ready.
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<Charge> {
    match LEFT.get() {
        UNLIMITED => Poll::Ready(Charge { unit: false }),
        0 => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        left => {
            LEFT.set(left - 1);
            Poll::Ready(Charge { unit: true })
        }
    }
}

/// Charges one unit when `poll` is ready; the usual way to write a leaf operation.
#[inline]
pub fn charged<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    let charge = std::task::ready!(poll_proceed(cx));
    let result = poll(cx);
    if result.is_ready() {
        charge.made_progress();
    }
    result
}

/// One unit of the budget. Dropping it gives the unit back, for an operation that was not ready.
#[derive(Debug)]
#[must_use = "dropping the charge gives the unit back"]
pub struct Charge {
    unit: bool,
}

impl Charge {
    /// The operation was ready: the unit is spent.
    #[inline]
    pub fn made_progress(mut self) {
        self.unit = false;
    }
}

impl Drop for Charge {
    #[inline]
    fn drop(&mut self) {
        let left = LEFT.get();
        if self.unit && left != UNLIMITED {
            LEFT.set((left + 1).min(BUDGET));
        }
    }
}

pin_project_lite::pin_project! {
    /// Charges the budget for a future whose own operations do not.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Cooperative<F> {
        #[pin]
        future: F,
    }
}

/// Charges one unit of the budget when `future` is ready.
pub fn cooperative<F: Future>(future: F) -> Cooperative<F> {
    Cooperative { future }
}

impl<F: Future> Future for Cooperative<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        charged(cx, |cx| future.poll(cx))
    }
}

pin_project_lite::pin_project! {
    /// Gives a future the budget of a task.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Budgeted<F> {
        #[pin]
        future: F,
    }
}

/// Gives `future` the budget of a task in each poll, for a runtime whose tasks have another budget than this one.
pub fn budgeted<F: Future>(future: F) -> Budgeted<F> {
    Budgeted { future }
}

impl<F: Future> Future for Budgeted<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        with_budget(|| future.poll(cx))
    }
}
