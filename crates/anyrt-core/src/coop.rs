//! The cooperative budget, by which a task that is always ready lets others run.
//!
//! Each poll of a task starts with [`BUDGET`] units. Every operation of anyrt that completes
//! charges one. When none is left, the next operation wakes its task and returns [`Poll::Pending`],
//! so that the task goes to the back of the queue and timers and sockets are served. It is Tokio's
//! scheme (<https://tokio.rs/blog/2020-04-preemption>), for runtimes that have none.
//!
//! Outside a task, for example on a plain thread that polls a future, there is no limit.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The number of operations per poll of a task, the same as Tokio's.
pub const BUDGET: u8 = 128;

/// No limit.
const UNLIMITED: u8 = u8::MAX;

thread_local! {
    // One byte, because each poll of a task saves and restores it.
    static LEFT: Cell<u8> = const { Cell::new(UNLIMITED) };
}

/// Runs `poll` with a fresh budget. Restores the previous one afterwards, even if `poll` panics.
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

/// Returns the number of units left, or `None` if there is no limit: outside a task, or where it
/// was lifted.
#[inline]
pub fn left() -> Option<u8> {
    Some(LEFT.get()).filter(|&left| left != UNLIMITED)
}

/// Returns `true` if the next operation may proceed.
#[inline]
pub fn has_budget_remaining() -> bool {
    LEFT.get() != 0
}

/// Charges one unit, or wakes the task and returns `Pending` if none is left.
///
/// Call it first in a leaf operation. Call [`Charge::made_progress`] when the operation is ready;
/// dropping the [`Charge`] otherwise restores the unit.
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

/// Charges one unit if `poll` is ready. The usual way to write a leaf operation.
#[inline]
pub fn charged<T>(cx: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    if !has_budget_remaining() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    let result = poll(cx);
    // Only now: most polls of a leaf are not ready, and a unit to restore would cost them twice.
    if result.is_ready()
        && let Some(left) = left()
    {
        LEFT.set(left.saturating_sub(1));
    }
    result
}

/// One unit of the budget. Dropping it restores the unit, for an operation that was not ready.
#[derive(Debug)]
#[must_use = "dropping the charge gives the unit back"]
pub struct Charge {
    unit: bool,
}

impl Charge {
    /// Records that the operation was ready, so that the unit stays spent.
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
    /// A future that charges the budget once; see [`cooperative`].
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
    /// A future with the budget of a task; see [`budgeted`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Budgeted<F> {
        #[pin]
        future: F,
    }
}

/// Gives `future` the budget of a task in each poll, for a runtime whose tasks have a different
/// budget.
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
