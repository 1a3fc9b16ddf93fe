//! Tokio's budget in tasks of other runtimes, which bounds [`sync`](crate::sync); see
//! [`task::coop`](crate::task::coop).

use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use ::tokio::runtime::Handle;
use ::tokio::sync::oneshot;
use ::tokio::task::coop;
use pin_project_lite::pin_project;

/// Fills Tokio's account in each poll of `future`.
#[inline]
pub(crate) fn budgeted<F: Future>(future: F) -> Budgeted<F> {
    Budgeted { future }
}

pin_project! {
    /// The future of [`budgeted`].
    pub(crate) struct Budgeted<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Budgeted<F> {
    type Output = F::Output;

    // Every poll of a task passes through here. What it does takes a third less where no registers
    // are saved for it.
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        // The previous value is restored afterwards: the next future on this thread may have no
        // budget at all.
        pin!(coop::unconstrained(Filled { future })).poll(cx)
    }
}

struct Filled<'a, F> {
    future: Pin<&'a mut F>,
}

impl<F: Future> Future for Filled<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        fill(cx);
        self.future.as_mut().poll(cx)
    }
}

thread_local! {
    /// Remembers a full account. Tokio's account cannot be set, but restoring a unit resets it to
    /// the value that it had when the unit was taken: this unit was taken from a full account.
    // Never dropped, so that the thread has no destructor for it, which each access would look for.
    static FULL: Cell<Option<ManuallyDrop<coop::RestoreOnPending>>> = const { Cell::new(None) };
}

#[inline(always)]
fn fill(cx: &mut Context<'_>) {
    match FULL.take() {
        Some(unit) => drop(ManuallyDrop::into_inner(unit)),
        None if first_of_thread() => {}
        None => return,
    }
    // The account is full now: remember it for the next time.
    remember(cx);
}

#[inline]
fn remember(cx: &mut Context<'_>) {
    if let Poll::Ready(unit) = coop::poll_proceed(cx) {
        FULL.set(Some(ManuallyDrop::new(unit)));
    }
}

/// Fills the account for the first time, from that of a blocking function of Tokio's. Returns
/// whether it has.
///
/// Outside of its runtime, Tokio fills an account in these and in the tasks of a `LocalSet`, which
/// would add 20 kB to every program.
#[cold]
fn first_of_thread() -> bool {
    /// A waker that the receiver drops while it takes the message.
    struct DroppedInside;

    impl Wake for DroppedInside {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for DroppedInside {
        fn drop(&mut self) {
            remember(&mut Context::from_waker(Waker::noop()));
        }
    }

    // Tokio panics if it is to block inside its own runtime, so there tasks of other runtimes have
    // no such account. The other error is that the thread is ending.
    if !Handle::try_current().is_err_and(|error| error.is_missing_context()) {
        return false;
    }
    let (sender, mut receiver) = oneshot::channel();
    let waker = Waker::from(Arc::new(DroppedInside));
    let _ = Pin::new(&mut receiver).poll(&mut Context::from_waker(&waker));
    drop(waker);
    let _ = sender.send(());
    let _ = receiver.blocking_recv();
    let unit = FULL.take().map(ManuallyDrop::into_inner);
    drop(unit);
    true
}
