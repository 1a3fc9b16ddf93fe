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
use crate::backend::{
    Backend, Each, async_std, beside_tokio, each, entered, glommio, no_runtime, smol, tokio,
};
use crate::runtime::Handle;

/// A timer of the current runtime, after Tokio was dealt with.
macro_rules! elsewhere {
    ($backend:expr, $rt:ident => $sleep:expr) => {
        Sleep::new(match $backend {
            Some(Backend::Tokio) => unreachable!("Tokio comes first"),
            Some(Backend::Smol) => Timers::Smol {
                sleep: entered(smol::Handle::with_current(|$rt| $sleep)),
            },
            Some(Backend::AsyncStd) => Timers::AsyncStd {
                sleep: entered(async_std::Handle::with_current(|$rt| $sleep)),
            },
            Some(Backend::Glommio) => Timers::Glommio {
                sleep: entered(glommio::Handle::with_current(|$rt| $sleep)),
            },
            None => panic!("{}", no_runtime()),
        })
    };
}

/// Waits until `duration` after this call. [`Duration::MAX`] never ends.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping it ends the timer.
#[inline]
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    beside_tokio! {
        #[track_caller]
        fn elsewhere(backend: Option<Backend>, duration: Duration) -> Sleep {
            elsewhere!(backend, rt => rt.sleep(duration))
        }
    }
    match Backend::current() {
        Some(Backend::Tokio) => Sleep::new(Timers::Tokio {
            sleep: tokio::time::sleep(duration),
        }),
        backend => elsewhere(backend, duration),
    }
}

/// Waits until `deadline`.
///
/// # Panics
/// When no runtime is current; see [`runtime`](crate::runtime).
///
/// # Cancel safety
/// Dropping it ends the timer.
#[inline]
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    beside_tokio! {
        #[track_caller]
        fn elsewhere(backend: Option<Backend>, deadline: Instant) -> Sleep {
            elsewhere!(backend, rt => rt.sleep_until(deadline.into_std()))
        }
    }
    match Backend::current() {
        Some(Backend::Tokio) => Sleep::new(Timers::Tokio {
            sleep: tokio::time::sleep_until(deadline.into_std()),
        }),
        backend => elsewhere(backend, deadline),
    }
}

pin_project! {
    /// A timer that fires once. It is ready from then on, however often it is polled.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Sleep {
        #[pin]
        inner: Timers,
        // As Tokio's, whatever the backend, so that code that works with one works with all.
        #[pin]
        pinned: PhantomPinned,
    }
}

// As `Each`, with names, which is what pinning without unsafe asks for.
pin_project! {
    #[project = TimersProj]
    enum Timers {
        Tokio { #[pin] sleep: tokio::time::Sleep },
        Smol { #[pin] sleep: smol::time::Sleep },
        AsyncStd { #[pin] sleep: async_std::time::Sleep },
        Glommio { #[pin] sleep: glommio::time::Sleep },
    }
}

macro_rules! each_timer {
    ($timers:ident, $value:expr, $sleep:pat => $result:expr) => {
        match $value {
            $timers::Tokio { sleep: $sleep } => $result,
            $timers::Smol { sleep: $sleep } => $result,
            $timers::AsyncStd { sleep: $sleep } => $result,
            $timers::Glommio { sleep: $sleep } => $result,
        }
    };
}

impl Sleep {
    #[inline]
    fn new(inner: Timers) -> Self {
        Self {
            inner,
            pinned: PhantomPinned,
        }
    }

    /// When it fires.
    pub fn deadline(&self) -> Instant {
        each_timer!(Timers, &self.inner, sleep => sleep.deadline()).into()
    }

    /// Whether it has fired. Before the first poll it has not, even if the deadline has passed.
    pub fn is_elapsed(&self) -> bool {
        each_timer!(Timers, &self.inner, sleep => sleep.is_elapsed())
    }

    /// Moves the deadline, whether the timer is armed, has fired or was never polled.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        each_timer!(TimersProj, self.project().inner.project(), sleep => sleep.reset(deadline.into_std()));
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        beside_tokio! {
            fn elsewhere(timers: Pin<&mut Timers>, cx: &mut Context<'_>) -> Poll<()> {
                each_timer!(TimersProj, timers.project(), sleep => sleep.poll(cx))
            }
        }
        let mut timers = self.project().inner;
        match timers.as_mut().project() {
            TimersProj::Tokio { sleep } => sleep.poll(cx),
            _ => elsewhere(timers, cx),
        }
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
        each_timer!(Timers, &self.inner, sleep => sleep.has_budget_remaining())
    }

    fn poll_unconstrained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        each_timer!(TimersProj, self.project().inner.project(), sleep => sleep.poll_unconstrained(cx))
    }
}

impl Timer for Handle {
    type Sleep = Sleep;

    fn now(&self) -> std::time::Instant {
        each!(&self.inner, rt => rt.now())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Sleep {
        Sleep::new(match &self.inner {
            Each::Tokio(rt) => Timers::Tokio {
                sleep: rt.sleep_until(deadline),
            },
            Each::Smol(rt) => Timers::Smol {
                sleep: rt.sleep_until(deadline),
            },
            Each::AsyncStd(rt) => Timers::AsyncStd {
                sleep: rt.sleep_until(deadline),
            },
            Each::Glommio(rt) => Timers::Glommio {
                sleep: rt.sleep_until(deadline),
            },
        })
    }

    fn renew(&self, mut sleep: Pin<&mut Sleep>, deadline: std::time::Instant) {
        match sleep.as_mut().project().inner.project() {
            // A reset would arm it.
            TimersProj::Tokio { .. } => sleep.set(self.sleep_until(deadline)),
            TimersProj::Smol { sleep } => sleep.reset(deadline),
            TimersProj::AsyncStd { sleep } => sleep.reset(deadline),
            TimersProj::Glommio { sleep } => sleep.reset(deadline),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
