//! Time limits for futures.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::time::{Sleep as _, poll_limit};
use pin_project_lite::pin_project;

use super::error::Elapsed;
use super::{Duration, Instant, Sleep, sleep_until};

/// In seconds, 136 years: such a deadline can be represented on every system.
const LONGEST: u64 = u32::MAX as u64;

/// Runs `future` for at most `duration`, counted from this call. [`Duration::MAX`], like any
/// duration over 136 years, means no limit.
///
/// `future` is polled first, also at the deadline, so a result that is ready by then is not lost.
/// The deadline is noticed even if `future` has used up the budget of its task.
///
/// # Errors
/// Returns [`Elapsed`] if the deadline passes first. `future` is dropped with the timeout.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// As cancel-safe as `future`, which is dropped with the timeout.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, timeout};
///
/// let never = std::future::pending::<()>();
/// assert!(timeout(Duration::from_millis(1), never).await.is_err());
/// assert_eq!(timeout(Duration::from_secs(60), async { 7 }).await?, 7);
/// # Ok(()) });
/// ```
#[inline]
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    let value = future.into_future();
    // Each result is built where it stays.
    if duration.as_secs() > LONGEST {
        return Timeout { value, delay: None };
    }
    Timeout {
        value,
        delay: Some(Sleep::limit(duration)),
    }
}

/// Runs `future` until `deadline` at most; see [`timeout`].
///
/// # Errors
/// Returns [`Elapsed`] if the deadline passes first.
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, Instant, timeout_at};
///
/// // One deadline for several steps.
/// let deadline = Instant::now() + Duration::from_secs(60);
/// let request = timeout_at(deadline, async { "request" }).await?;
/// let answer = timeout_at(deadline, async { request.len() }).await?;
/// assert_eq!(answer, 7);
/// # Ok(()) });
/// ```
#[inline]
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        value: future.into_future(),
        delay: Some(sleep_until(deadline)),
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` or poll them"]
    pub struct Timeout<T> {
        #[pin]
        value: T,
        // `None` if it has no limit.
        #[pin]
        delay: Option<Sleep>,
    }
}

impl<T> Timeout<T> {
    /// Returns the inner future.
    pub fn get_ref(&self) -> &T {
        &self.value
    }

    /// Returns the inner future, mutable.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.value
    }

    /// Returns the inner future and cancels the timer.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T: Future> Future for Timeout<T> {
    type Output = Result<T::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(delay) = this.delay.as_pin_mut() else {
            return this.value.poll(cx).map(Ok);
        };
        let had_budget = delay.has_budget_remaining();
        if let Poll::Ready(value) = this.value.poll(cx) {
            return Poll::Ready(Ok(value));
        }
        poll_limit(delay, had_budget, cx).map(Err)
    }
}
