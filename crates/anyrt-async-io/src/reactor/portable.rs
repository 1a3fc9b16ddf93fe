//! async-io, the reactor of Smol and async-std: one per process, for every system that it knows.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::{Duration, Instant};

use anyrt_core::coop;
use anyrt_core::time::saturating_add;
use anyrt_kit::executor::{Role, Turns};
use anyrt_kit::readiness::{Source, Sources};
use async_io::Timer;
use atomic_waker::AtomicWaker;

use crate::time::now;

/// The part of one runtime in the reactor: who is to be told when it ends.
#[derive(Debug)]
pub struct Reactor {
    sources: Mutex<Sources>,
}

impl Reactor {
    /// The part of a runtime that is not there yet.
    ///
    /// # Errors
    /// None; the signature is that of every system.
    pub fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            sources: Mutex::default(),
        }))
    }

    /// Has `source` told of the end. Gives the token to stop it with.
    pub(crate) fn add(&self, source: &Arc<Source>) -> io::Result<u64> {
        self.lock().add(source, |_| Ok(()))
    }

    /// Stops that.
    pub(crate) fn remove(&self, token: u64) {
        let source = self.lock().remove(token);
        drop(source);
    }

    /// The runtime has ended: whoever waits for a descriptor is told so.
    pub fn end(&self) {
        let mut wakers = Vec::new();
        self.lock().end(&mut wakers);
        for waker in wakers {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reactor takes its turns by itself.
pub const TURNS: Turns = Turns::NONE;

/// Runs `future` on this thread.
pub fn block_on<F: Future>(_: &Arc<Reactor>, _: Role, future: F) -> F::Output {
    async_io::block_on(future)
}

/// A timer that the reactor keeps.
#[derive(Debug)]
pub(crate) struct Sleep {
    timer: Timer,
    deadline: Instant,
    state: State,
}

pub(crate) fn sleep_until(_: &Arc<Reactor>, deadline: Instant) -> Sleep {
    Sleep {
        timer: Timer::at(deadline),
        deadline,
        state: State::New,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Was not polled yet.
    New,
    Waiting,
    /// Was told to be ready.
    Fired,
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        match self.state {
            State::New => false,
            State::Waiting => now() >= self.deadline,
            State::Fired => true,
        }
    }

    fn reset(mut self: Pin<&mut Self>, to: Instant) {
        self.timer.set_at(to);
        self.deadline = to;
        self.state = State::Waiting;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        coop::charged(cx, |cx| {
            if this.state != State::Fired {
                this.state = State::Waiting;
                ready!(Pin::new(&mut this.timer).poll(cx));
                this.state = State::Fired;
            }
            Poll::Ready(())
        })
    }
}

/// Waits until a moment of the system's time.
pub async fn alarm(_: &Reactor, at: Instant) {
    Timer::at(at).await;
}

/// Waits until everybody was woken for whom the reactor had an event when this was first polled.
pub async fn turn(_: &Reactor) {
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
