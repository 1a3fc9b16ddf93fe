//! Timers of the reactor.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use anyrt_core::{Timer, coop};

use crate::runtime::{Handle, Host};

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}

impl<H: Host> Timer for Handle<H> {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep {
            timer: async_io::Timer::at(deadline),
            deadline,
            elapsed: false,
        }
    }
}

/// A timer that fires once.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep {
    timer: async_io::Timer,
    deadline: Instant,
    elapsed: bool,
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        self.elapsed || now() >= self.deadline
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.timer.set_at(deadline);
        self.deadline = deadline;
        self.elapsed = false;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        coop::charged(cx, |cx| {
            if !self.elapsed {
                ready!(Pin::new(&mut self.timer).poll(cx));
                self.elapsed = true;
            }
            Poll::Ready(())
        })
    }
}
