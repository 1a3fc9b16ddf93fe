//! Intervals.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use super::{Duration, Instant};

pub use anyrt_core::time::MissedTickBehavior;

/// Creates an interval that ticks every `period`. The first tick completes at once.
///
/// # Panics
/// Panics if `period` is zero, or if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, interval};
///
/// let mut ticks = interval(Duration::from_millis(1));
/// ticks.tick().await; // at once
/// ticks.tick().await; // a millisecond later
/// # Ok(()) });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    starting(Instant::now(), period)
}

/// Creates an interval that ticks every `period`. The first tick completes at `start`.
///
/// # Panics
/// Panics if `period` is zero, or if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, Instant, interval_at};
///
/// let period = Duration::from_millis(1);
/// let mut ticks = interval_at(Instant::now() + period, period); // no tick at once
/// ticks.tick().await;
/// # Ok(()) });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    starting(start, period)
}

#[track_caller]
fn starting(start: Instant, period: Duration) -> Interval {
    let start = start.into_std();
    Interval {
        inner: on_current!(backend => backend::time::interval_at(start, period)),
    }
}

/// A stream of ticks at a steady pace; see [`interval`].
pub struct Interval {
    inner: one_of!(time::Interval),
}

impl Interval {
    /// Waits for the next tick. Returns the time at which it was due.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no tick is consumed.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick.
    ///
    /// Only the waker of the last call is woken.
    #[inline]
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        each!(&mut self.inner, inner => inner.poll_tick(cx).map(Instant::from_std))
    }

    /// Resets the interval: the next tick completes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        each!(&mut self.inner, inner => inner.reset_at(deadline.into_std()));
    }

    forward! {
        /// Resets the interval: the next tick completes one period from now.
        pub fn reset(&mut self);

        /// Resets the interval: the next tick completes at once.
        pub fn reset_immediately(&mut self);

        /// Resets the interval: the next tick completes after `after`.
        pub fn reset_after(&mut self, after: Duration);

        /// Returns how missed ticks are handled.
        pub fn missed_tick_behavior(&self) -> MissedTickBehavior;

        /// Sets how missed ticks are handled; [`MissedTickBehavior::Burst`] by default.
        ///
        /// # Examples
        /// ```
        /// # anyrt::__private::run_example(async || {
        /// use anyrt::time::{Duration, MissedTickBehavior, interval};
        ///
        /// let mut ticks = interval(Duration::from_millis(1));
        /// ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        /// assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Delay);
        /// # Ok(()) });
        /// ```
        pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior);

        /// Returns the period.
        pub fn period(&self) -> Duration;
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, inner => inner.fmt(f))
    }
}
