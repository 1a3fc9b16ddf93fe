//! Timers: Tokio's wheel.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use anyrt_core::Timer;
use pin_project_lite::pin_project;
use tokio::task::coop;

use crate::runtime::TokioRuntime;

impl Timer for TokioRuntime {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let _entered = self.as_inner().enter();
        sleep_until(deadline)
    }
}

/// The present, by Tokio's clock.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until `deadline` on the current runtime.
///
/// # Panics
/// When no Tokio runtime is current, or when it was built without timers.
#[inline]
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        inner: tokio::time::sleep_until(deadline.into()),
        fired: false,
    }
}

pin_project! {
    /// A timer that fires once.
    pub struct Sleep {
        #[pin]
        inner: tokio::time::Sleep,
        fired: bool,
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // A future that used up the budget must not keep its timeout from firing, so the first completion is
        // free; a timer that is polled on and on after it has fired pays, or it would never let others run.
        let polled = if coop::has_budget_remaining() || *this.fired {
            this.inner.poll(cx)
        } else {
            Pin::new(&mut coop::unconstrained(this.inner)).poll(cx)
        };
        *this.fired |= polled.is_ready();
        polled
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
        let this = self.project();
        *this.fired = false;
        this.inner.reset(deadline.into());
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.inner.deadline())
            .finish_non_exhaustive()
    }
}
