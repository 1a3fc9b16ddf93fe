//! Timers: the reactor's, or those of a clock that can be paused.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use anyrt_core::time::clock::Clock;
use anyrt_core::time::timers;
use anyrt_core::{Timer, coop};

use crate::runtime::{Handle, Host};

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

impl<H: Host> Timer for Handle<H> {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        self.clock().map_or_else(now, |clock| clock.now())
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep(match self.clock() {
            None => Kept::ByReactor {
                timer: async_io::Timer::at(deadline),
                deadline,
                state: State::New,
            },
            Some(clock) => Kept::ByClock(clock.sleep_until(deadline)),
        })
    }
}

/// A timer that fires once.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Kept);

#[derive(Debug)]
enum Kept {
    ByReactor {
        timer: async_io::Timer,
        deadline: Instant,
        state: State,
    },
    ByClock(timers::Sleep<Arc<Clock>>),
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
        match &self.0 {
            Kept::ByReactor { deadline, .. } => *deadline,
            Kept::ByClock(sleep) => sleep.deadline(),
        }
    }

    fn is_elapsed(&self) -> bool {
        match &self.0 {
            Kept::ByReactor {
                deadline, state, ..
            } => match state {
                State::New => false,
                State::Waiting => now() >= *deadline,
                State::Fired => true,
            },
            Kept::ByClock(sleep) => sleep.is_elapsed(),
        }
    }

    fn reset(mut self: Pin<&mut Self>, to: Instant) {
        match &mut self.0 {
            Kept::ByReactor {
                timer,
                deadline,
                state,
            } => {
                timer.set_at(to);
                *deadline = to;
                *state = State::Waiting;
            }
            Kept::ByClock(sleep) => Pin::new(sleep).reset(to),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kept::ByReactor { timer, state, .. } => coop::charged(cx, |cx| {
                if *state != State::Fired {
                    *state = State::Waiting;
                    ready!(Pin::new(timer).poll(cx));
                    *state = State::Fired;
                }
                Poll::Ready(())
            }),
            Kept::ByClock(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
