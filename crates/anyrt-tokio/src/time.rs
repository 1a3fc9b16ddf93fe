//! Timers, in Tokio's timer wheel.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyrt_core::Timer;
use anyrt_core::time::MissedTickBehavior;
use pin_project_lite::pin_project;
use tokio::task::coop;

use crate::runtime::TokioRuntime;

impl Timer for TokioRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let _entered = self.within_context();
        sleep_until(deadline)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let _entered = self.within_context();
        sleep(duration)
    }

    fn renew(&self, mut sleep: Pin<&mut Sleep>, deadline: Instant) {
        sleep.set(self.sleep_until(deadline));
    }
}

/// Returns the current time of Tokio's clock.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Pauses the clock of the current runtime; see [`tokio::time::pause`].
///
/// # Panics
/// Panics if no current-thread Tokio runtime is current, or if its clock is already paused.
#[cfg(feature = "test-util")]
#[track_caller]
pub fn pause() {
    tokio::time::pause();
}

/// Resumes the clock of the current runtime; see [`tokio::time::resume`].
///
/// # Panics
/// Panics if no Tokio runtime is current, or if its clock is not paused.
#[cfg(feature = "test-util")]
#[track_caller]
pub fn resume() {
    tokio::time::resume();
}

/// Advances the paused clock of the current runtime; see [`tokio::time::advance`].
///
/// # Panics
/// Panics if no Tokio runtime is current, or if its clock is not paused.
#[cfg(feature = "test-util")]
pub async fn advance(duration: Duration) {
    tokio::time::advance(duration).await;
}

/// Waits for `duration` on the current runtime. [`Duration::MAX`] waits forever.
///
/// # Panics
/// Panics if no Tokio runtime is current, or if it was built without timers.
#[inline]
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        inner: tokio::time::sleep(duration),
    }
}

/// Waits until `deadline` on the current runtime.
///
/// # Panics
/// Panics if no Tokio runtime is current, or if it was built without timers.
#[inline]
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        inner: tokio::time::sleep_until(deadline.into()),
    }
}

/// Creates an interval on the current runtime that ticks every `period`. The first tick completes
/// at `start`.
///
/// # Panics
/// Panics if `period` is zero, if no Tokio runtime is current, or if it was built without timers.
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval {
        inner: tokio::time::interval_at(start.into(), period),
    }
}

/// A stream of ticks at a steady pace. It is Tokio's own, which arms its timer only when it is
/// polled.
#[derive(Debug)]
pub struct Interval {
    inner: tokio::time::Interval,
}

impl Interval {
    /// Polls for the next tick. Returns the time at which it was due.
    #[inline]
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        self.inner.poll_tick(cx).map(tokio::time::Instant::into_std)
    }

    /// Resets the interval: the next tick completes one period from now.
    pub fn reset(&mut self) {
        self.inner.reset();
    }

    /// Resets the interval: the next tick completes at once.
    pub fn reset_immediately(&mut self) {
        self.inner.reset_immediately();
    }

    /// Resets the interval: the next tick completes after `after`.
    pub fn reset_after(&mut self, after: Duration) {
        self.inner.reset_after(after);
    }

    /// Resets the interval: the next tick completes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.inner.reset_at(deadline.into());
    }

    /// Returns how missed ticks are handled.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        match self.inner.missed_tick_behavior() {
            tokio::time::MissedTickBehavior::Burst => MissedTickBehavior::Burst,
            tokio::time::MissedTickBehavior::Delay => MissedTickBehavior::Delay,
            tokio::time::MissedTickBehavior::Skip => MissedTickBehavior::Skip,
        }
    }

    /// Sets how missed ticks are handled.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.inner.set_missed_tick_behavior(match behavior {
            MissedTickBehavior::Burst => tokio::time::MissedTickBehavior::Burst,
            MissedTickBehavior::Delay => tokio::time::MissedTickBehavior::Delay,
            MissedTickBehavior::Skip => tokio::time::MissedTickBehavior::Skip,
        });
    }

    /// Returns the period.
    pub fn period(&self) -> Duration {
        self.inner.period()
    }
}

pin_project! {
    /// A timer that fires once.
    pub struct Sleep {
        #[pin]
        inner: tokio::time::Sleep,
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> Instant {
        self.inner.deadline().into_std()
    }

    fn is_elapsed(&self) -> bool {
        self.inner.is_elapsed()
    }

    fn reset(self: Pin<&mut Self>, deadline: Instant) {
        self.project().inner.reset(deadline.into());
    }

    fn has_budget_remaining(&self) -> bool {
        coop::has_budget_remaining()
    }

    fn poll_unconstrained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        pin!(coop::unconstrained(self.project().inner)).poll(cx)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.inner.deadline())
            .finish_non_exhaustive()
    }
}
