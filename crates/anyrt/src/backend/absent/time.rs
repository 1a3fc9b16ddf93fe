//! Timers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyrt_core::Timer;
use anyrt_core::time::MissedTickBehavior;

use super::{Handle, never};

absent!(Sleep Interval);

pub(crate) fn interval_at(_: Instant, _: Duration) -> Interval {
    never()
}

impl Interval {
    pub(crate) fn poll_tick(&mut self, _: &mut Context<'_>) -> Poll<Instant> {
        never()
    }

    pub(crate) fn reset(&mut self) {
        never()
    }

    pub(crate) fn reset_immediately(&mut self) {
        never()
    }

    pub(crate) fn reset_after(&mut self, _: Duration) {
        never()
    }

    pub(crate) fn reset_at(&mut self, _: Instant) {
        never()
    }

    pub(crate) fn missed_tick_behavior(&self) -> MissedTickBehavior {
        never()
    }

    pub(crate) fn set_missed_tick_behavior(&mut self, _: MissedTickBehavior) {
        never()
    }

    pub(crate) fn period(&self) -> Duration {
        never()
    }
}

pub(crate) fn pause() {
    never()
}

pub(crate) fn resume() {
    never()
}

pub(crate) async fn advance(_: Duration) {
    never()
}

/// Asked of Tokio, which is the one with a clock of its own.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn sleep(_: Duration) -> Sleep {
    never()
}

pub(crate) fn sleep_until(_: Instant) -> Sleep {
    never()
}

impl Timer for Handle {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        never()
    }

    fn sleep_until(&self, _: Instant) -> Sleep {
        never()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        never()
    }
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        never()
    }

    fn is_elapsed(&self) -> bool {
        never()
    }

    fn reset(self: Pin<&mut Self>, _: Instant) {
        never()
    }
}
