//! Timers: the reactor's, or those of a clock that can be paused.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use anyrt_core::Timer;
use anyrt_kit::time::clock::Clock;
use anyrt_kit::time::timers;

use crate::instant::now;
use crate::reactor::{self, ReactorSleep};
use crate::runtime::{Handle, Host};

impl<H: Host> Timer for Handle<H> {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        self.clock().map_or_else(now, |clock| clock.now())
    }

    #[inline]
    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Sleep(match self.clock() {
            None => Kept::ByReactor(reactor::sleep_until(self.reactor(), deadline)),
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
            Kept::ByClock(sleep) => Pin::new(sleep).poll(cx),
        }
    }
}
