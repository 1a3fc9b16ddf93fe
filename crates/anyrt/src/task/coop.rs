//! The cooperative budget, by which a task that is always ready lets others run.
//!
//! Each poll of a task starts with 128 units. Every operation that completes takes one. When none
//! is left, the next operation wakes its task and returns `Pending`, so that the task goes to the
//! back of the queue and timers and sockets are served. This applies to the sockets and timers of
//! this crate and to the channels and locks of [`sync`](crate::sync), on every backend.
//!
//! # Two accounts
//! The types of [`sync`](crate::sync) are Tokio's and charge Tokio's account, which Tokio fills on
//! its own runtime only. On other runtimes, each poll of a task fills it with 126 units and
//! restores it afterwards, and the operations of the backend charge the account of
//! [`anyrt_core::coop`]. A task that uses both yields when either is empty. The functions of this
//! module charge and lift both.
//!
//! On a thread where the application is inside a runtime of Tokio's, tasks of other runtimes have
//! no account of Tokio's: [`sync`](crate::sync) never makes them yield there.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use anyrt_core::coop as core;
use pin_project_lite::pin_project;
use tokio::task::coop as tokio_coop;

mod budget;

pub(crate) use budget::budgeted;

/// Returns `true` if the next operation of this task may proceed.
#[inline]
pub fn has_budget_remaining() -> bool {
    core::has_budget_remaining() && (tokio_coop::has_budget_remaining() || is_in_surplus())
}

/// Returns `true` for the last units of our account, which Tokio's lacks.
#[inline]
fn is_in_surplus() -> bool {
    matches!(core::left(), Some(1..=SURPLUS))
}

/// The number of units that a full account of Tokio's has less than ours: it was taken from one,
/// by an operation that had taken a unit itself.
const SURPLUS: u8 = 2;

/// Takes one unit, or wakes the task and returns `Pending` if none is left.
///
/// Call it first in a leaf operation. Dropping the returned value restores the unit, unless
/// [`RestoreOnPending::made_progress`] was called.
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    let surplus = is_in_surplus();
    let core = ready!(core::poll_proceed(cx));
    let tokio = if surplus && !tokio_coop::has_budget_remaining() {
        None
    } else {
        Some(ready!(tokio_coop::poll_proceed(cx)))
    };
    Poll::Ready(RestoreOnPending {
        core: Cell::new(Some(core)),
        tokio,
    })
}

/// Restores the unit of [`poll_proceed`] on drop, for an operation that was not ready.
#[must_use = "dropping it gives the unit back"]
pub struct RestoreOnPending {
    core: Cell<Option<core::Charge>>,
    tokio: Option<tokio_coop::RestoreOnPending>,
}

impl RestoreOnPending {
    /// Records that the operation was ready, so that the unit stays spent.
    #[inline]
    pub fn made_progress(&self) {
        if let Some(charge) = self.core.take() {
            charge.made_progress();
        }
        if let Some(unit) = &self.tokio {
            unit.made_progress();
        }
    }
}

opaque_debug!(RestoreOnPending; F: Unconstrained);

/// Takes one unit of the budget and yields if none is left. Intended for loops that await nothing
/// else.
///
/// # Cancel safety
/// Cancel-safe: dropping the future has no effect.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let mut sum = 0_u64;
/// for n in 0..1_000 {
///     sum += n;
///     // Lets other tasks run after every 128 rounds.
///     anyrt::task::consume_budget().await;
/// }
/// assert_eq!(sum, 499_500);
/// # Ok(()) });
/// ```
pub async fn consume_budget() {
    cooperative(std::future::ready(())).await;
}

/// Charges one unit for a future whose own operations do not, once it is ready.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::task::coop::cooperative;
///
/// for n in 0..200 {
///     // Never `Pending` by itself; yields once the budget of this task is used up.
///     assert_eq!(cooperative(std::future::ready(n)).await, n);
/// }
/// # Ok(()) });
/// ```
pub fn cooperative<F: Future>(future: F) -> Coop<F> {
    Coop { future }
}

pin_project! {
    /// The future of [`cooperative`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Coop<F: Future> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let unit = ready!(poll_proceed(cx));
        let value = ready!(self.project().future.poll(cx));
        unit.made_progress();
        Poll::Ready(value)
    }
}

/// Exempts `future` from the budget, so that it is never forced to yield.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::task::unconstrained;
///
/// let (sender, mut receiver) = anyrt::sync::mpsc::unbounded_channel();
/// for n in 0..1_000 {
///     sender.send(n)?;
/// }
/// drop(sender);
/// let count = unconstrained(async {
///     let mut count = 0;
///     while receiver.recv().await.is_some() {
///         count += 1;
///     }
///     count
/// });
/// assert_eq!(count.await, 1_000);
/// # Ok(()) });
/// ```
pub fn unconstrained<F>(future: F) -> Unconstrained<F> {
    Unconstrained {
        future: tokio_coop::unconstrained(future),
    }
}

pin_project! {
    /// The future of [`unconstrained`].
    #[must_use = "Unconstrained does nothing unless polled"]
    pub struct Unconstrained<F> {
        #[pin]
        future: tokio_coop::Unconstrained<F>,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        core::with_unconstrained(|| future.poll(cx))
    }
}

/// Runs `f` exempt from both accounts.
pub(crate) fn lifted<T>(f: impl FnOnce() -> T) -> T {
    let mut f = Some(f);
    let free = pin!(unconstrained(std::future::poll_fn(|_| {
        f.take().map_or(Poll::Pending, |f| Poll::Ready(f()))
    })));
    match free.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("it is polled once, and ready then"),
    }
}
