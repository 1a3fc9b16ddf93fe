//! Timers of a [`Reactor`].

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use anyrt_kit::time::timers::{self, Keeper, Timers};
use atomic_waker::AtomicWaker;

use super::Reactor;
use crate::time::now;

/// A timer that the reactor keeps.
pub(crate) type Sleep = timers::Sleep<ByReactor>;

pub(crate) fn sleep_until(reactor: &Arc<Reactor>, deadline: Instant) -> Sleep {
    timers::Sleep::new(ByReactor(Arc::clone(reactor)), deadline)
}

/// Keeps timers that follow the system's clock.
pub(crate) struct ByReactor(Arc<Reactor>);

impl Keeper for ByReactor {
    type Queue = Arc<Reactor>;

    fn now(&self) -> Instant {
        now()
    }

    fn due(&self, deadline: Instant) -> Instant {
        deadline
    }

    fn queue(&self) -> Arc<Reactor> {
        Arc::clone(&self.0)
    }

    fn timers(queue: &Arc<Reactor>) -> &Timers {
        queue.timers()
    }

    fn look_again(queue: &Arc<Reactor>) {
        queue.look_again();
    }
}

/// For a clock that can be paused: waits until a moment of the system's time.
pub async fn alarm(reactor: &Reactor, at: Instant) {
    fire(reactor, at).await;
}

/// For a clock that can be paused: waits until everybody was woken for whom the reactor had an event when this was
/// first polled.
pub async fn turn(reactor: &Reactor) {
    // The reactor fires a timer in a round in which it also collects events, perhaps on another thread, and wakes in
    // some order. The second round begins when all of the first were woken.
    for _ in 0..2 {
        fire(reactor, now()).await;
    }
}

/// Waits until the reactor, and nobody else, has found that it is time.
async fn fire(reactor: &Reactor, at: Instant) {
    let fired = Arc::new(Fired::default());
    let _armed = Armed::new(reactor, at, Waker::from(Arc::clone(&fired)));
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

/// A timer that is taken out when it is dropped.
struct Armed<'a> {
    reactor: &'a Reactor,
    at: Instant,
    id: Option<u64>,
}

impl<'a> Armed<'a> {
    fn new(reactor: &'a Reactor, at: Instant, waker: Waker) -> Self {
        let inserted = reactor.timers().insert(at, waker);
        if let Some((_, true)) = inserted {
            reactor.look_again();
        }
        Self {
            reactor,
            at,
            id: inserted.map(|(id, _)| id),
        }
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.reactor.timers().remove(self.at, id);
        }
    }
}
