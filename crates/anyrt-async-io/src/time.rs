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
use anyrt_kit::time::ticked::Clocked;
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
            Ok(keeper) => Self::kept(keeper, deadline),
            Err(clock) => Self::kept_by_clock(clock, deadline),
        }
    }
}

impl<H: Host> Clocked for Handle<H> {
    type Keeper = Keeper;
    type ClockKeeper = Arc<Clock>;

    fn clock(&self) -> Option<&Arc<Clock>> {
        self.engine().clock()
    }

    #[inline]
    fn entered_keeper() -> Option<Keeper> {
        context::number().map(Keeper)
    }

    #[inline]
    fn keeper(&self) -> Result<Keeper, Arc<Clock>> {
        match self.clock() {
            None => Ok(Keeper(self.reactor().number())),
            Some(clock) => Err(Arc::clone(clock)),
        }
    }

    #[inline]
    fn now_of(_: &Keeper) -> Instant {
        now()
    }

    #[inline]
    fn kept(keeper: Keeper, deadline: Instant) -> Sleep {
        Sleep(Kept::ByReactor(reactor::sleep_until(keeper.0, deadline)))
    }

    #[inline]
    fn kept_by_clock(clock: Arc<Clock>, deadline: Instant) -> Sleep {
        Sleep(Kept::ByClock(ByClock::new(clock, deadline)))
    }
}

/// What keeps the timers of a runtime whose clock is the system's: the number of the runtime.
#[derive(Debug, Clone, Copy)]
pub struct Keeper(NonZeroUsize);

/// A timer that fires once.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep(Kept);

#[derive(Debug)]
enum Kept {
    ByReactor(ReactorSleep),
    ByClock(ByClock),
}

/// A timer that follows a clock which can be paused.
type ByClock = timers::Sleep<Arc<Clock>>;

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
