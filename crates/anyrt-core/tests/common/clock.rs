//! A clock that advances only on request.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use anyrt_core::Timer;
use anyrt_core::time::{Sleep, saturating_add};

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Instant,
    sleepers: Vec<(Instant, Waker)>,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant to start from; it does not follow the real clock"
    )]
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                now: Instant::now(),
                sleepers: Vec::new(),
            })),
        }
    }

    /// Advances the time and wakes the timers whose deadline has passed.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state.lock().expect("nobody panics under the lock");
        state.now += by;
        let now = state.now;
        let (due, later) = state
            .sleepers
            .drain(..)
            .partition(|(deadline, _)| *deadline <= now);
        state.sleepers = later;
        drop(state);
        let due: Vec<(Instant, Waker)> = due;
        for (_, waker) in due {
            waker.wake();
        }
    }
}

impl Timer for Clock {
    type Sleep = VirtualSleep;

    fn now(&self) -> Instant {
        self.state.lock().expect("nobody panics under the lock").now
    }

    fn sleep_until(&self, deadline: Instant) -> VirtualSleep {
        VirtualSleep {
            clock: self.clone(),
            deadline,
        }
    }
}

#[derive(Debug)]
pub(crate) struct VirtualSleep {
    clock: Clock,
    deadline: Instant,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self
            .clock
            .state
            .lock()
            .expect("nobody panics under the lock");
        if state.now >= self.deadline {
            return Poll::Ready(());
        }
        state.sleepers.push((self.deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl Sleep for VirtualSleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        self.clock.now() >= self.deadline
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.deadline = deadline;
    }
}
