//! A timer that fires once.

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::Timer;
use anyrt_core::time::Sleep as _;
use pin_project_lite::pin_project;

use super::{Duration, Instant};
use crate::backend::Current;
use crate::runtime::Handle;

/// Waits until `duration` has elapsed, counted from this call. [`Duration::MAX`] waits forever.
///
/// The duration is rounded up to full milliseconds, at least one; see [the module](super).
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping the future cancels the timer.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, Instant, sleep};
///
/// let start = Instant::now();
/// sleep(Duration::from_millis(5)).await;
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # Ok(()) });
/// ```
#[inline]
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(pin_each!(Current::for_own_search(), backend, () => backend::time::sleep(duration)))
}

/// Waits until `deadline`, which is rounded up to a full millisecond; see [the module](super).
///
/// # Panics
/// Panics if no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping the future cancels the timer.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::time::{Duration, Instant, sleep_until};
///
/// let deadline = Instant::now() + Duration::from_millis(5);
/// sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # Ok(()) });
/// ```
#[inline]
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let deadline = deadline.into_std();
    Sleep::new(pin_each!(Current::for_own_search(), backend, () => {
        backend::time::sleep_until(deadline)
    }))
}

pin_project! {
    /// A timer that fires once. It stays ready after that.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Sleep {
        #[pin]
        inner: Inner,
        // `!Unpin` like Tokio's on every backend, so that code which compiles with one compiles
        // with all.
        #[pin]
        pinned: PhantomPinned,
    }
}

type Inner = one_of!(pinned time::Sleep);

impl Sleep {
    #[inline]
    fn new(inner: Inner) -> Self {
        Self {
            inner,
            pinned: PhantomPinned,
        }
    }

    /// The timer of a timeout.
    #[inline]
    #[track_caller]
    pub(super) fn limit(duration: Duration) -> Self {
        Self::new(
            pin_each!(Current::for_own_search(), backend, () => backend::time::limit(duration)),
        )
    }

    /// Returns the deadline.
    pub fn deadline(&self) -> Instant {
        each_pinned!(EachPinned, &self.inner, backend, sleep => sleep.deadline().into())
    }

    /// Returns `true` if the timer has fired. It does not fire before the first poll, even if the
    /// deadline has passed.
    pub fn is_elapsed(&self) -> bool {
        each_pinned!(EachPinned, &self.inner, backend, sleep => sleep.is_elapsed())
    }

    /// Sets a new deadline, whether the timer is armed, has fired or was never polled.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// use anyrt::time::{Duration, Instant, sleep};
    ///
    /// let idle = sleep(Duration::from_secs(3600));
    /// anyrt::pin!(idle);
    /// // There was activity, or there will be none: the same timer, another deadline.
    /// idle.as_mut().reset(Instant::now() + Duration::from_millis(1));
    /// idle.await;
    /// # Ok(()) });
    /// ```
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        each_pinned!(EachPinnedProj, self.project().inner.project(), backend, sleep => sleep.reset(deadline.into_std()));
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        each_pinned!(EachPinnedProj, self.project().inner.project(), backend, sleep => {
            backend::time::poll_sleep(sleep, cx)
        })
    }
}

impl anyrt_core::time::Sleep for Sleep {
    fn deadline(&self) -> std::time::Instant {
        self.deadline().into_std()
    }

    fn is_elapsed(&self) -> bool {
        self.is_elapsed()
    }

    fn reset(self: Pin<&mut Self>, deadline: std::time::Instant) {
        self.reset(deadline.into());
    }

    #[inline]
    fn has_budget_remaining(&self) -> bool {
        each_pinned!(EachPinned, &self.inner, backend, sleep => sleep.has_budget_remaining())
    }

    fn poll_unconstrained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        each_pinned!(EachPinnedProj, self.project().inner.project(), backend, sleep => sleep.poll_unconstrained(cx))
    }
}

/// Has the precision of the runtime, which is finer than the millisecond of the functions in
/// [`time`](crate::time) except on Tokio.
impl Timer for Handle {
    type Sleep = Sleep;

    fn now(&self) -> std::time::Instant {
        each!(&self.inner, rt => rt.now())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Sleep {
        Sleep::new(pin_each!(&self.inner, backend, rt => {
            backend::time::sleep_on(rt, deadline)
        }))
    }

    fn renew(&self, mut sleep: Pin<&mut Sleep>, deadline: std::time::Instant) {
        each_pair!(
            &self.inner, EachPinnedProj sleep.as_mut().project().inner.project(),
            backend, (rt, sleep) => backend::time::renew(rt, sleep, deadline),
            else sleep.set(self.sleep_until(deadline))
        );
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
