//! Timers: the reactor's, or those of a clock that can be paused.

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_core::context;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::timers;

use crate::instant::now;
use crate::reactor::{self, ReactorSleep};
use crate::runtime::{Handle, Host};

impl<H: Host> Timer for Handle<H> {
    type Sleep = Sleep;

    #[inline]
    fn now(&self) -> Instant {
        self.clock().map_or_else(now, |clock| clock.now())
    }

    #[inline]
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        match self.keeper() {
            Ok(keeper) => keeper.into_sleep(deadline),
            Err(clock) => ByClock::new(clock, deadline).into(),
        }
    }
}

impl<H: Host> Handle<H> {
    /// Returns what keeps the timers of the runtime that anyrt entered last on this thread, or
    /// `None` if its clock can be paused.
    #[inline]
    pub fn entered_keeper() -> Option<Keeper> {
        context::number().map(Keeper)
    }

    /// Returns what keeps the timers of this runtime.
    ///
    /// # Errors
    /// Returns the clock if it can be paused: it keeps the timers, as a [`ByClock`] each.
    #[inline]
    pub fn keeper(&self) -> Result<Keeper, ClockKeeper> {
        match self.clock() {
            None => Ok(Keeper(self.reactor().number())),
            Some(clock) => Err(Arc::clone(clock)),
        }
    }
}

/// What keeps the timers of a runtime whose clock is the system's: the number of the runtime.
#[derive(Debug, Clone, Copy)]
pub struct Keeper(NonZeroUsize);

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
    ByClock(ByClock),
}

/// A clock that can be paused, which keeps timers.
pub type ClockKeeper = Arc<Clock>;

/// A timer that follows such a clock.
pub type ByClock = timers::Sleep<ClockKeeper>;

impl From<ByClock> for Sleep {
    #[inline]
    fn from(sleep: ByClock) -> Self {
        Self(Kept::ByClock(sleep))
    }
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

    // A call costs ten instructions, and its code would be a hundred bytes in each place.
    #[inline(never)]
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
fn poll_by_clock(sleep: &mut ByClock, cx: &mut Context<'_>) -> Poll<()> {
    Pin::new(sleep).poll(cx)
}
