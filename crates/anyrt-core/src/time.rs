//! The contract of the clock and the timers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::coop;
use crate::error::Elapsed;

/// The runtime's clock and its timers.
///
/// # For implementors
/// - A sleep never ends early. How late it may end is the precision of the runtime.
/// - A sleep may be polled on any thread, and outlives the thread that created it.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_core::{Timer, error::Elapsed};
///
/// /// Three attempts of a second each, half a second apart.
/// async fn retry<R: Timer, T>(rt: R, mut attempt: impl AsyncFnMut() -> T) -> Result<T, Elapsed> {
///     for _ in 0..2 {
///         if let Ok(value) = rt.timeout(Duration::from_secs(1), attempt()).await {
///             return Ok(value);
///         }
///         rt.sleep(Duration::from_millis(500)).await;
///     }
///     rt.timeout(Duration::from_secs(1), attempt()).await
/// }
/// ```
pub trait Timer: Clone + Send + Sync + 'static {
    /// A timer that fires once.
    type Sleep: Sleep;

    /// Returns the current time of the clock that the timers follow. The clock of a simulated
    /// runtime is virtual.
    fn now(&self) -> Instant;

    /// Waits until `deadline`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the timer.
    fn sleep_until(&self, deadline: Instant) -> Self::Sleep;

    /// Waits until `duration` has elapsed, counted from this call. [`Duration::MAX`] waits forever.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the timer.
    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.sleep_until(saturating_add(self.now(), duration))
    }

    /// Sets a new deadline for a timer that has fired. No task is woken before it is polled again.
    ///
    /// For implementors: override it if [`reset`](Sleep::reset) would arm the timer.
    fn renew(&self, sleep: Pin<&mut Self::Sleep>, deadline: Instant) {
        sleep.reset(deadline);
    }

    /// Runs `future` for at most `duration`, counted from this call.
    ///
    /// `future` is polled first, at the deadline too, so a result that is ready by then is not
    /// lost.
    ///
    /// # Errors
    /// Returns [`Elapsed`] if the deadline passes first. `future` is dropped with the timeout.
    ///
    /// # Cancel safety
    /// As cancel-safe as `future`, which is dropped with the timeout.
    fn timeout<F: Future>(&self, duration: Duration, future: F) -> Timeout<F, Self::Sleep> {
        Timeout::new(future, self.sleep(duration))
    }

    /// Runs `future` until `deadline` at most; see [`timeout`](Self::timeout).
    ///
    /// # Errors
    /// Returns [`Elapsed`] if the deadline passes first.
    fn timeout_at<F: Future>(&self, deadline: Instant, future: F) -> Timeout<F, Self::Sleep> {
        Timeout::new(future, self.sleep_until(deadline))
    }

    /// Creates an interval that ticks every `period`. The first tick completes at once.
    ///
    /// # Panics
    /// Panics if `period` is zero.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # use anyrt_core::Timer;
    /// async fn heartbeat<R: Timer>(rt: R) {
    ///     let mut ticks = rt.interval(Duration::from_secs(1));
    ///     loop {
    ///         ticks.tick().await;
    ///         println!("alive");
    ///     }
    /// }
    /// ```
    fn interval(&self, period: Duration) -> Interval<Self> {
        self.interval_at(self.now(), period)
    }

    /// Creates an interval that ticks every `period`. The first tick completes at `start`.
    ///
    /// # Panics
    /// Panics if `period` is zero.
    fn interval_at(&self, start: Instant, period: Duration) -> Interval<Self> {
        assert!(period > Duration::ZERO, "`period` must be non-zero.");
        Interval {
            sleep: Box::pin(self.sleep_until(start)),
            timer: self.clone(),
            period,
            missed: MissedTickBehavior::default(),
        }
    }
}

/// A timer that fires once. It stays ready after that.
pub trait Sleep: Future<Output = ()> + Send + fmt::Debug + 'static {
    /// Returns the deadline.
    fn deadline(&self) -> Instant;
    /// Returns `true` if the timer has fired. It does not fire before the first poll, even if the
    /// deadline has passed.
    fn is_elapsed(&self) -> bool;
    /// Sets a new deadline, whether the timer is armed, has fired or was never polled.
    fn reset(self: Pin<&mut Self>, deadline: Instant);

    /// Returns `true` if the budget that `poll` charges is not used up.
    ///
    /// For implementors: override it, and [`poll_unconstrained`](Self::poll_unconstrained), if the
    /// runtime has its own budget.
    fn has_budget_remaining(&self) -> bool {
        coop::has_budget_remaining()
    }

    /// Like `poll`, regardless of the budget.
    fn poll_unconstrained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        coop::with_unconstrained(|| self.poll(cx))
    }
}

/// Polls the timer that limits a future, after the future was polled. `had_budget` tells whether
/// budget was left before that.
///
/// A future that used up the budget must not hide its own deadline.
#[inline]
pub fn poll_limit<S: Sleep>(
    sleep: Pin<&mut S>,
    had_budget: bool,
    cx: &mut Context<'_>,
) -> Poll<Elapsed> {
    let elapsed = if had_budget && !sleep.has_budget_remaining() {
        sleep.poll_unconstrained(cx)
    } else {
        sleep.poll(cx)
    };
    elapsed.map(|()| Elapsed::new())
}

/// Returns `instant + duration`, or a time about 30 years ahead if that overflows.
#[inline]
pub fn saturating_add(instant: Instant, duration: Duration) -> Instant {
    match instant.checked_add(duration) {
        Some(sum) => sum,
        None => far(instant),
    }
}

#[cold]
#[inline(never)]
fn far(instant: Instant) -> Instant {
    // Tokio's choice: 1000 years is too much for some platforms.
    const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
    instant.checked_add(FAR).unwrap_or(instant)
}

/// Rounds `deadline` up to a full millisecond since `start`. Returns also by how much.
///
/// Tokio's timers fire there, and those of a clock that can be paused (`anyrt_kit::time::clock`).
#[inline]
pub fn next_millisecond(start: Instant, deadline: Instant) -> (Instant, Duration) {
    const TICK: Duration = Duration::from_millis(1);
    // Comparing is much cheaper than subtracting, and an interval that lags behind is here often.
    if deadline <= start {
        return (deadline, Duration::ZERO);
    }
    let since = deadline.saturating_duration_since(start);
    let into_tick = since.subsec_nanos() % TICK.subsec_nanos();
    if into_tick == 0 {
        return (deadline, Duration::ZERO);
    }
    let rest = TICK - Duration::from_nanos(into_tick.into());
    match deadline.checked_add(rest) {
        Some(next) => (next, rest),
        // The clock cannot count that far.
        None => (deadline, Duration::ZERO),
    }
}

pin_project! {
    /// The future of [`Timer::timeout`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Timeout<F, S> {
        #[pin]
        future: F,
        #[pin]
        sleep: S,
    }
}

impl<F, S> Timeout<F, S> {
    /// Creates a timeout that ends with `sleep`.
    pub fn new(future: F, sleep: S) -> Self {
        Self { future, sleep }
    }

    /// Returns the inner future.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// Returns the inner future, mutable.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// Returns the inner future and cancels the timer.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future, S: Sleep> Future for Timeout<F, S> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = this.sleep.has_budget_remaining();
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        poll_limit(this.sleep, had_budget, cx).map(Err)
    }
}

/// How an [`Interval`] handles missed ticks, which were not awaited in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissedTickBehavior {
    /// Ticks without waiting until it has caught up.
    #[default]
    Burst,
    /// Restarts the period: the next tick completes one period after the late one.
    Delay,
    /// Skips missed ticks: the next tick completes at the next multiple of the period.
    Skip,
}

impl MissedTickBehavior {
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => saturating_add(due, period),
            Self::Delay => saturating_add(now, period),
            Self::Skip => {
                let late = now.saturating_duration_since(due).as_nanos();
                let into_period = late % period.as_nanos();
                // Less than one period, so it cannot overflow.
                let rest = period - duration_from_nanos(into_period);
                saturating_add(now, rest)
            }
        }
    }
}

fn duration_from_nanos(nanos: u128) -> Duration {
    const PER_SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / PER_SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % PER_SECOND).unwrap_or(0);
    Duration::new(seconds, rest)
}

/// A stream of ticks at a steady pace; see [`Timer::interval`].
pub struct Interval<T: Timer> {
    timer: T,
    sleep: Pin<Box<T::Sleep>>,
    period: Duration,
    missed: MissedTickBehavior,
}

/// A tick that is later than this counts as missed, the same as in Tokio.
const TOLERANCE: Duration = Duration::from_millis(5);

impl<T: Timer> Interval<T> {
    /// Waits for the next tick. Returns the time at which it was due.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no tick is consumed.
    pub async fn tick(&mut self) -> Instant {
        std::future::poll_fn(|cx| self.poll_tick(cx)).await
    }

    /// Polls for the next tick.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        ready!(self.sleep.as_mut().poll(cx));
        let due = self.sleep.deadline();
        let now = self.timer.now();
        let next = if now > saturating_add(due, TOLERANCE) {
            self.missed.next(due, now, self.period)
        } else {
            saturating_add(due, self.period)
        };
        self.timer.renew(self.sleep.as_mut(), next);
        Poll::Ready(due)
    }

    /// Resets the interval: the next tick completes one period from now.
    pub fn reset(&mut self) {
        self.reset_at(saturating_add(self.timer.now(), self.period));
    }

    /// Resets the interval: the next tick completes at once.
    pub fn reset_immediately(&mut self) {
        self.reset_at(self.timer.now());
    }

    /// Resets the interval: the next tick completes after `after`.
    pub fn reset_after(&mut self, after: Duration) {
        self.reset_at(saturating_add(self.timer.now(), after));
    }

    /// Resets the interval: the next tick completes at `deadline`.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.sleep.as_mut().reset(deadline);
    }

    /// Returns how missed ticks are handled.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.missed
    }

    /// Sets how missed ticks are handled; [`MissedTickBehavior::Burst`] by default.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }

    /// Returns the period.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl<T: Timer> Unpin for Interval<T> {}

impl<T: Timer> Stream for Interval<T> {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.poll_tick(cx).map(Some)
    }
}

impl<T: Timer> fmt::Debug for Interval<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period)
            .field("missed_tick_behavior", &self.missed)
            .finish_non_exhaustive()
    }
}
