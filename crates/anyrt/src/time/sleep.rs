//! A timer that fires once.

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::Timer;
use anyrt_core::time::{Sleep as _, saturating_add};
use pin_project_lite::pin_project;

use super::tick::{Step, Ticked};
use super::{Duration, Instant};
use crate::backend::{
    Backend, Each, async_std, beside_tokio, each, entered, glommio, no_runtime, smol, tokio,
};
use crate::runtime::Handle;

/// A timer of the current runtime, after Tokio was dealt with.
macro_rules! elsewhere {
    ($backend:expr, $rt:ident => $deadline:expr) => {
        Sleep::new(match $backend {
            Some(Backend::Tokio) => unreachable!("Tokio comes first"),
            Some(Backend::Smol) => Timers::Smol {
                sleep: entered(smol::Handle::with_current(|$rt| ticking!($rt, $deadline))),
            },
            Some(Backend::AsyncStd) => Timers::AsyncStd {
                sleep: entered(async_std::Handle::with_current(|$rt| {
                    ticking!($rt, $deadline)
                })),
            },
            Some(Backend::Glommio) => Timers::Glommio {
                sleep: entered(glommio::Handle::with_current(|$rt| {
                    ticking!($rt, $deadline)
                })),
            },
            None => panic!("{}", no_runtime()),
        })
    };
}

/// A timer of a runtime other than Tokio's, which has ticks of its own.
macro_rules! ticking {
    ($rt:expr, $deadline:expr) => {
        // A clock that can be paused has ticks of its own, too, which may begin at another moment.
        Ticked::new(
            $rt,
            $deadline,
            if $rt.clock().is_some() {
                Step::OfTheRuntime
            } else {
                Step::Millisecond
            },
        )
    };
}

/// Waits until `duration` after this call. [`Duration::MAX`] never ends.
///
/// It ends at a full millisecond, whatever the runtime; see [the module](super).
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
            elsewhere!(backend, rt => saturating_add(rt.now(), duration))
        }
    }
    match Backend::current() {
        Some(Backend::Tokio) => Sleep::new(Timers::Tokio {
            sleep: tokio::time::sleep(duration),
        }),
        backend => elsewhere(backend, duration),
    }
}

/// Waits until `deadline`, up to the next full millisecond; see [the module](super).
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
            elsewhere!(backend, rt => deadline.into_std())
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
        Smol { #[pin] sleep: Ticked<smol::time::Sleep> },
        AsyncStd { #[pin] sleep: Ticked<async_std::time::Sleep> },
        Glommio { #[pin] sleep: Ticked<glommio::time::Sleep> },
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

/// With the precision of the runtime, which off Tokio is finer than the millisecond of the functions in
/// [`time`](crate::time).
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
                sleep: Ticked::new(rt, deadline, Step::OfTheRuntime),
            },
            Each::AsyncStd(rt) => Timers::AsyncStd {
                sleep: Ticked::new(rt, deadline, Step::OfTheRuntime),
            },
            Each::Glommio(rt) => Timers::Glommio {
                sleep: Ticked::new(rt, deadline, Step::OfTheRuntime),
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

/// The timers of a runtime as the functions of [`time`](super) make them.
#[derive(Clone)]
pub(super) struct Ticking(pub(super) Handle);

impl Timer for Ticking {
    type Sleep = Sleep;

    fn now(&self) -> std::time::Instant {
        Timer::now(&self.0)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Sleep {
        Sleep::new(match &self.0.inner {
            Each::Tokio(rt) => Timers::Tokio {
                sleep: rt.sleep_until(deadline),
            },
            Each::Smol(rt) => Timers::Smol {
                sleep: ticking!(rt, deadline),
            },
            Each::AsyncStd(rt) => Timers::AsyncStd {
                sleep: ticking!(rt, deadline),
            },
            Each::Glommio(rt) => Timers::Glommio {
                sleep: ticking!(rt, deadline),
            },
        })
    }

    fn renew(&self, sleep: Pin<&mut Sleep>, deadline: std::time::Instant) {
        self.0.renew(sleep, deadline);
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
