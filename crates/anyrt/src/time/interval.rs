//! Ticks.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use anyrt_core::Timer;

use super::{Duration, Instant};
use crate::runtime::Handle;

pub use anyrt_core::time::MissedTickBehavior;

/// Ticks every `period`, at once for the first time.
///
/// # Panics
/// When `period` is zero. When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # #[cfg(feature = "smol")]
/// # anyrt::block_on(async {
/// use anyrt::time::{Duration, interval};
///
/// let mut ticks = interval(Duration::from_millis(1));
/// for _ in 0..3 {
///     ticks.tick().await;
/// }
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    Interval {
        inner: Handle::current().interval(period),
    }
}

/// Ticks every `period`, at `start` for the first time.
///
/// # Panics
/// When `period` is zero. When no runtime is current; see [`runtime`](crate::runtime).
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(period > Duration::ZERO, "`period` must be non-zero.");
    Interval {
        inner: Handle::current().interval_at(start.into_std(), period),
    }
}

/// Ticks at a steady pace; see [`interval`].
pub struct Interval {
    inner: anyrt_core::time::Interval<Handle>,
}

impl Interval {
    /// Waits for the next tick and gives the time at which it was due.
    ///
    /// # Cancel safety
    /// A dropped future has consumed no tick.
    pub async fn tick(&mut self) -> Instant {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick.
    ///
    /// Only the waker of the last call is woken.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        self.inner.poll_tick(cx).map(Instant::from_std)
    }

    /// Starts over: the next tick comes one period from now.
    pub fn reset(&mut self) {
        self.inner.reset();
    }

    /// The next tick comes at once.
    pub fn reset_immediately(&mut self) {
        self.inner.reset_immediately();
    }

    /// The next tick comes after `after`.
    pub fn reset_after(&mut self, after: Duration) {
        self.inner.reset_after(after);
    }

    /// The next tick comes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.inner.reset_at(deadline.into_std());
    }

    /// What happens to missed ticks.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.inner.missed_tick_behavior()
    }

    /// Sets what happens to missed ticks; [`MissedTickBehavior::Burst`] unless set.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.inner.set_missed_tick_behavior(behavior);
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.inner.period()
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
