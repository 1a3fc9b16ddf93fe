//! What a clock that can be paused needs of the reactor.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use anyrt_core::time::saturating_add;
use async_io::Timer;
use futures_util::task::AtomicWaker;

use crate::time::now;

/// Waits until a moment of the system's time.
pub async fn alarm(at: Instant) {
    Timer::at(at).await;
}

/// Waits until everybody was woken for whom the reactor had an event when this was first polled.
pub async fn turn() {
    // The reactor fires a timer in a round in which it also collects events, perhaps on another thread, and wakes in
    // some order. The second round begins when all of the first were woken.
    for _ in 0..2 {
        round().await;
    }
}

/// Waits until the reactor has begun a round after the first poll.
async fn round() {
    let fired = Arc::new(Fired::default());
    let waker = Waker::from(Arc::clone(&fired));
    // A timer that is due when it is polled is ready without the reactor. This one is moved instead, and not polled
    // again, so what wakes it is the reactor.
    let mut timer = Timer::at(saturating_add(now(), Duration::MAX));
    let _ = Pin::new(&mut timer).poll(&mut Context::from_waker(&waker));
    timer.set_at(now());
    poll_fn(|cx| {
        fired.outer.register(cx.waker());
        if fired.by_reactor.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

#[derive(Default)]
struct Fired {
    by_reactor: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Fired {
    fn wake(self: Arc<Self>) {
        self.by_reactor.store(true, Ordering::SeqCst);
        self.outer.wake();
    }
}
