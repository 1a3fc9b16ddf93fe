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
use crate::backend::{Current, entered};
use crate::runtime::Handle;

/// Waits until `duration` after this call. [`Duration::MAX`] never ends.
///
/// It ends at a full millisecond, whatever the runtime; see [the module](super).
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping it ends the timer.
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
    Sleep::new(pin_each!(entered(Current::find()), backend, () => backend::time::sleep(duration)))
}

/// Waits until `deadline`, up to the next full millisecond; see [the module](super).
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping it ends the timer.
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
    Sleep::new(pin_each!(entered(Current::find()), backend, () => {
        backend::time::sleep_until(deadline)
    }))
}

pin_project! {
    /// A timer that fires once. It is ready from then on, however often it is polled.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Sleep {
        #[pin]
        inner: Inner,
        // As Tokio's, whatever the backend, so that code that works with one works with all.
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

    /// When it fires.
    pub fn deadline(&self) -> Instant {
        each_pinned!(EachPinned, &self.inner, backend, sleep => sleep.deadline().into())
    }

    /// Whether it has fired. Before the first poll it has not, even if the deadline has passed.
    pub fn is_elapsed(&self) -> bool {
        each_pinned!(EachPinned, &self.inner, backend, sleep => sleep.is_elapsed())
    }

    /// Moves the deadline, whether the timer is armed, has fired or was never polled.
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

/// With the precision of the runtime, which off Tokio is finer than the millisecond of the functions in
/// [`time`](crate::time).
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
