//! Timers: Tokio's wheel.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

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

    fn sleep(&self, duration: Duration) -> Sleep {
        let _entered = self.as_inner().enter();
        sleep(duration)
    }
}

/// The present, by Tokio's clock.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits for `duration` on the current runtime. [`Duration::MAX`] never ends.
///
/// # Panics
/// When no Tokio runtime is current, or when it was built without timers.
#[inline]
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        inner: tokio::time::sleep(duration),
        fired: false,
    }
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
        let deadline = this.inner.deadline();
        let mut polled = this.inner.poll(cx);
        // A future that used up the budget must not keep its timeout from firing, so the first completion is
        // free; a timer that is polled on and on after it has fired pays, or it would never let others run.
        if polled.is_pending() && !*this.fired && !coop::has_budget_remaining() {
            polled = past(deadline);
        }
        *this.fired |= polled.is_ready();
        polled
    }
}

#[cold]
fn past(deadline: tokio::time::Instant) -> Poll<()> {
    if tokio::time::Instant::now() >= deadline {
        Poll::Ready(())
    } else {
        // Whoever finds the budget used up is woken at once.
        Poll::Pending
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
