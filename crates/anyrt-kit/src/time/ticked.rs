//! For the functions of a program that name no runtime: timers with a step of a millisecond, also
//! on runtimes with a higher precision.
//!
//! Programs for Tokio rely on the step: a loop with a sleep of a few nanoseconds waits there, and
//! would spin elsewhere.
//!
//! A runtime implements [`Clocked`]. [`sleep_rounded`] then creates a timer of the current runtime
//! in as few instructions as possible, [`Ticked::at`] one with a deadline, and [`Ticking`] is a
//! [`Timer`] for intervals.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyrt_core::Timer;
use anyrt_core::error::ClockError;
use anyrt_core::time::{Sleep, next_millisecond, saturating_add};
use pin_project_lite::pin_project;

use super::clock::Clock;
use super::ticks_begin;

/// A runtime whose clock can be paused, or is the system's.
///
/// Something keeps its timers: the runtime, a number by which the reactor knows it, or the clock.
/// Creating a timer from what keeps it skips the search for the runtime, which is not needed for
/// the runtime that was entered last.
pub trait Clocked: Timer {
    /// What keeps a timer that follows the system's clock.
    type Keeper;
    /// What keeps a timer that follows a clock which can be paused.
    type ClockKeeper;

    /// Returns the clock if it can be paused.
    fn clock(&self) -> Option<&Arc<Clock>>;

    /// Returns what keeps the timers of the runtime that was entered last on this thread, or `None`
    /// if there is none or its clock can be paused.
    fn entered_keeper() -> Option<Self::Keeper>;

    /// Returns what keeps the timers of this runtime.
    ///
    /// # Errors
    /// Returns what keeps those of a clock that can be paused, if it has one.
    fn keeper(&self) -> Result<Self::Keeper, Self::ClockKeeper>;

    /// Returns the current time for a timer of `keeper`.
    fn now_of(keeper: &Self::Keeper) -> Instant;

    /// Creates a timer that `keeper` keeps.
    fn kept(keeper: Self::Keeper, deadline: Instant) -> Self::Sleep;

    /// Creates a timer that follows a clock which can be paused.
    fn kept_by_clock(keeper: Self::ClockKeeper, deadline: Instant) -> Self::Sleep;

    /// Pauses the clock.
    ///
    /// # Errors
    /// Returns [`ClockError::NotPausable`] if the clock is the system's, and
    /// [`ClockError::Paused`] if it is already paused.
    fn pause(&self) -> Result<(), ClockError> {
        self.clock().ok_or(ClockError::NotPausable)?.pause()
    }

    /// Resumes the clock.
    ///
    /// # Errors
    /// Returns [`ClockError::Running`] if it is not paused.
    fn resume(&self) -> Result<(), ClockError> {
        self.clock().ok_or(ClockError::Running)?.resume()
    }

    /// Advances the paused clock by `duration`; see [`Clock::advance`].
    ///
    /// # Errors
    /// Returns [`ClockError::Running`] if it is not paused.
    fn advance(&self, duration: Duration) -> Result<(), ClockError> {
        self.clock().ok_or(ClockError::Running)?.advance(duration)
    }
}

/// Where the current runtime is looked up, and what is said if there is none.
pub trait Lookup {
    /// The kind of runtime.
    type Runtime: Clocked;

    /// Returns the current runtime.
    ///
    /// # Panics
    /// Panics if no runtime is current.
    #[track_caller]
    fn current() -> Self::Runtime;
}

/// Rounds a duration up to full milliseconds, of which there is at least one. Returns also by how
/// many nanoseconds.
///
/// For a timer that counts from now this serves the same programs as rounding its deadline does:
/// a short one cannot spin. It costs a tenth of the instructions, none if the duration is a
/// constant, and does not wait for the next full millisecond.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_kit::time::ticked::round;
///
/// let (rounded, late) = round(Duration::from_micros(1_700));
/// assert_eq!((rounded, late), (Duration::from_millis(2), 300_000));
/// ```
#[inline]
pub fn round(duration: Duration) -> (Duration, u32) {
    const STEP: u32 = 1_000_000;
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    let full = match seconds {
        0 => nanos.max(1).div_ceil(STEP) * STEP,
        // The last second cannot be rounded up.
        u64::MAX => nanos,
        _ => nanos.div_ceil(STEP) * STEP,
    };
    (Duration::new(seconds, full), full - nanos)
}

/// Waits until `rounded` has elapsed, counted from this call, on the current runtime. `rounded` and
/// `late` are the results of [`round`].
///
/// Most durations are constants, and so is what they are rounded to if only [`round`] is inlined.
///
/// # Panics
/// Panics if [`Lookup::current`] does.
#[inline]
#[track_caller]
pub fn sleep_rounded<L: Lookup>(
    rounded: Duration,
    late: u32,
) -> Ticked<<L::Runtime as Timer>::Sleep> {
    let keeper = match L::Runtime::entered_keeper() {
        Some(keeper) => keeper,
        // On a runtime that anyrt did not enter, or whose clock can be paused. Both functions
        // return in registers, or no timer could be built in its place.
        None => {
            let due = due_by_clock::<L>(rounded, late);
            match keeper_elsewhere::<L>() {
                Ok(keeper) => keeper,
                Err(keeper) => return Ticked::exact(L::Runtime::kept_by_clock(keeper, due)),
            }
        }
    };
    let due = saturating_add(L::Runtime::now_of(&keeper), rounded);
    Ticked {
        sleep: L::Runtime::kept(keeper, due),
        late,
        step: Step::Millisecond,
    }
}

type Kept<R> = Result<<R as Clocked>::Keeper, <R as Clocked>::ClockKeeper>;

#[cold]
#[inline(never)]
#[track_caller]
fn keeper_elsewhere<L: Lookup>() -> Kept<L::Runtime> {
    L::current().keeper()
}

/// The deadline by a clock that can be paused, which rounds by itself.
#[cold]
#[inline(never)]
#[track_caller]
fn due_by_clock<L: Lookup>(rounded: Duration, late: u32) -> Instant {
    let duration = rounded - Duration::from_nanos(late.into());
    saturating_add(L::current().now(), duration)
}

/// The moments at which a timer can fire.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Full milliseconds, as in Tokio.
    Millisecond,
    /// Those of the runtime.
    OfTheRuntime,
}

impl Step {
    /// Returns the time at which it fires, and the delay in nanoseconds.
    #[inline]
    fn up(self, deadline: Instant) -> (Instant, u32) {
        match self {
            Self::Millisecond => {
                let (next, late) = next_millisecond(ticks_begin(), deadline);
                (next, late.subsec_nanos())
            }
            Self::OfTheRuntime => (deadline, 0),
        }
    }
}

pin_project! {
    /// A timer of a runtime that fires in steps. It reports the deadline that it was given.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Ticked<S> {
        #[pin]
        sleep: S,
        // The nanoseconds by which the deadline of `sleep` was rounded up: less than a millisecond.
        late: u32,
        step: Step,
    }
}

impl<S: Sleep> Ticked<S> {
    /// Creates a timer of `rt` that fires at `deadline`, rounded up to a full millisecond.
    #[inline]
    pub fn at(rt: &impl Clocked<Sleep = S>, deadline: Instant) -> Self {
        // A clock that can be paused has its own ticks, which may have another origin.
        let step = match rt.clock() {
            Some(_) => Step::OfTheRuntime,
            None => Step::Millisecond,
        };
        let (deadline, late) = step.up(deadline);
        Self {
            sleep: rt.sleep_until(deadline),
            late,
            step,
        }
    }

    /// Creates a timer with the precision of the runtime of `sleep`.
    #[inline]
    pub fn exact(sleep: S) -> Self {
        Self {
            sleep,
            late: 0,
            step: Step::OfTheRuntime,
        }
    }
}

impl<S: Sleep> Future for Ticked<S> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll(cx)
    }
}

impl<S: Sleep> Sleep for Ticked<S> {
    fn deadline(&self) -> Instant {
        self.sleep.deadline() - Duration::from_nanos(self.late.into())
    }

    fn is_elapsed(&self) -> bool {
        self.sleep.is_elapsed()
    }

    fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let this = self.project();
        let (deadline, late) = this.step.up(deadline);
        *this.late = late;
        this.sleep.reset(deadline);
    }

    fn has_budget_remaining(&self) -> bool {
        self.sleep.has_budget_remaining()
    }

    fn poll_unconstrained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll_unconstrained(cx)
    }
}

/// The timers of a runtime, with a step of a millisecond.
#[derive(Debug, Clone)]
pub struct Ticking<R>(pub R);

impl<R: Clocked> Timer for Ticking<R> {
    type Sleep = Ticked<R::Sleep>;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, deadline: Instant) -> Self::Sleep {
        Ticked::at(&self.0, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_rounded_up_to_full_milliseconds_of_which_there_is_at_least_one() {
        for (nanos, full) in [
            (0, 1),
            (1, 1),
            (999_999, 1),
            (1_000_000, 1),
            (1_000_001, 2),
            (999_000_001, 1000),
            (1_000_000_000, 1000),
            (1_999_999_999, 2000),
        ] {
            let duration = Duration::from_nanos(nanos);
            let (rounded, late) = round(duration);
            assert_eq!(rounded, Duration::from_millis(full), "{nanos} ns");
            assert_eq!(rounded - Duration::from_nanos(late.into()), duration);
        }
        assert_eq!(round(Duration::MAX), (Duration::MAX, 0));
    }
}
