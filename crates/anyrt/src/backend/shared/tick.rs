//! Timers of the facade have a step of a millisecond, also on runtimes with a higher precision.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyrt_core::Timer;
use anyrt_core::time::{Sleep, next_millisecond};
use anyrt_kit::time::ticks_begin;
use pin_project_lite::pin_project;

/// The moments at which a timer can fire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Full milliseconds, as in Tokio. Programs for Tokio rely on it: a loop with a sleep of a few
    /// nanoseconds waits there, and would spin elsewhere.
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

/// Rounds a duration up to full milliseconds, of which there is at least one. Returns also by how
/// many nanoseconds.
///
/// For a timer that counts from now this serves the same programs as rounding its deadline does:
/// a short one cannot spin. It costs a tenth of the instructions, none if the duration is a
/// constant, and does not wait for the next full millisecond.
#[inline]
pub(crate) fn round(duration: Duration) -> (Duration, u32) {
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

pin_project! {
    /// A timer of a runtime that fires in steps.
    #[derive(Debug)]
    pub(crate) struct Ticked<S> {
        #[pin]
        sleep: S,
        // The nanoseconds by which the deadline of `sleep` was rounded up: less than a millisecond.
        late: u32,
        step: Step,
    }
}

impl<S: Sleep> Ticked<S> {
    #[inline]
    pub(crate) fn new(timer: &impl Timer<Sleep = S>, deadline: Instant, step: Step) -> Self {
        let (deadline, late) = step.up(deadline);
        Self {
            sleep: timer.sleep_until(deadline),
            late,
            step,
        }
    }

    /// For a `sleep` that fires `late` nanoseconds after the deadline, as [`round`] returned them.
    #[inline]
    pub(crate) fn rounded(sleep: S, late: u32) -> Self {
        Self {
            sleep,
            late,
            step: Step::Millisecond,
        }
    }

    /// For a `sleep` whose runtime rounds by itself.
    #[inline]
    pub(crate) fn exact(sleep: S) -> Self {
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
