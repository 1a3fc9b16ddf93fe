//! Timers of the facade fire at full milliseconds, also on runtimes with a higher precision.

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
