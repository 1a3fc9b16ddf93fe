//! Timers: Tokio's wheel.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
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

    fn renew(&self, mut sleep: Pin<&mut Sleep>, deadline: Instant) {
        sleep.set(self.sleep_until(deadline));
    }
}

/// The present, by Tokio's clock.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Stops the clock of the current runtime; see [`tokio::time::pause`].
///
/// # Panics
/// When no current-thread Tokio runtime is current, or when its clock stands already.
#[cfg(feature = "test-util")]
#[track_caller]
pub fn pause() {
    tokio::time::pause();
}

/// Lets the clock of the current runtime run on; see [`tokio::time::resume`].
///
/// # Panics
/// When no Tokio runtime is current, or when its clock is not paused.
#[cfg(feature = "test-util")]
#[track_caller]
pub fn resume() {
    tokio::time::resume();
}

/// Moves the paused clock of the current runtime on; see [`tokio::time::advance`].
///
/// # Panics
/// When no Tokio runtime is current, or when its clock is not paused.
#[cfg(feature = "test-util")]
pub async fn advance(duration: Duration) {
    tokio::time::advance(duration).await;
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
