//! Timers: the reactor's, or those of a clock that can be paused.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_core::context::Slot;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::timers;

use crate::instant::now;
use crate::reactor::{self, Reactor, ReactorSleep};
use crate::runtime::{Handle, Host};

impl<H: Host> Timer for Handle<H> {
    type Sleep = Sleep;

    #[inline]
    fn now(&self) -> Instant {
        self.clock().map_or_else(now, |clock| clock.now())
    }

    #[inline]
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        match self.clock() {
            None => Keeper(Arc::clone(self.reactor())).into_sleep(deadline),
            Some(clock) => Sleep(Kept::ByClock(clock.sleep_until(deadline))),
        }
    }
}

impl<H: Host> Handle<H> {
    /// Returns what keeps the timers of the runtime that anyrt entered last on this thread, or
    /// `None` if its clock can be paused.
    #[inline]
    pub fn entered_keeper() -> Option<Keeper> {
        Slot::with(H::slot(), Self::keeper).flatten()
    }

    /// Returns what keeps the timers of this runtime, or `None` if its clock can be paused.
    #[inline]
    pub fn keeper(&self) -> Option<Keeper> {
        match self.clock() {
            None => Some(Keeper(Arc::clone(self.reactor()))),
            Some(_) => None,
        }
    }
}

/// What keeps the timers of a runtime whose clock is the system's. A [`Sleep`] contains it.
#[derive(Debug)]
pub struct Keeper(Arc<Reactor>);

impl Keeper {
    /// Returns the current time.
    #[inline]
    pub fn now(&self) -> Instant {
        now()
    }

    /// Waits until `deadline`.
    #[inline]
    pub fn into_sleep(self, deadline: Instant) -> Sleep {
        Sleep(Kept::ByReactor(reactor::sleep_until(self.0, deadline)))
    }
}

/// A timer that fires once.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Kept);

#[derive(Debug)]
enum Kept {
    ByReactor(ReactorSleep),
    ByClock(timers::Sleep<Arc<Clock>>),
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        match &self.0 {
            Kept::ByReactor(sleep) => sleep.deadline(),
            Kept::ByClock(sleep) => sleep.deadline(),
        }
    }

    fn is_elapsed(&self) -> bool {
        match &self.0 {
            Kept::ByReactor(sleep) => sleep.is_elapsed(),
            Kept::ByClock(sleep) => sleep.is_elapsed(),
        }
    }

    fn reset(mut self: Pin<&mut Self>, to: Instant) {
        match &mut self.0 {
            Kept::ByReactor(sleep) => Pin::new(sleep).reset(to),
            Kept::ByClock(sleep) => Pin::new(sleep).reset(to),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kept::ByReactor(sleep) => Pin::new(sleep).poll(cx),
            Kept::ByClock(sleep) => poll_by_clock(sleep, cx),
        }
    }
}

/// Out of line, for tests: its stack frame would be that of every poll.
#[cold]
#[inline(never)]
fn poll_by_clock(sleep: &mut timers::Sleep<Arc<Clock>>, cx: &mut Context<'_>) -> Poll<()> {
    Pin::new(sleep).poll(cx)
}
