//! The clock and the timers of an erased runtime.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::time::{Sleep, Timer};

pub(super) trait DynTimer: Send + Sync {
    fn dyn_now(&self) -> Instant;
    fn dyn_sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>>;
    fn dyn_sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>>;
}

impl<R: Timer> DynTimer for R {
    fn dyn_now(&self) -> Instant {
        self.now()
    }

    fn dyn_sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.sleep_until(deadline))
    }

    fn dyn_sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(self.sleep(duration))
    }
}

/// A timer of an [`ErasedRuntime`](super::ErasedRuntime).
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ErasedSleep {
    inner: Pin<Box<dyn Sleep>>,
}

impl ErasedSleep {
    pub(super) fn new(inner: Pin<Box<dyn Sleep>>) -> Self {
        Self { inner }
    }
}

impl Future for ErasedSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.as_mut().poll(cx)
    }
}

impl Sleep for ErasedSleep {
    fn deadline(&self) -> Instant {
        self.inner.deadline()
    }

    fn is_elapsed(&self) -> bool {
        self.inner.is_elapsed()
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        self.inner.as_mut().reset(deadline);
    }

    fn has_budget_remaining(&self) -> bool {
        self.inner.has_budget_remaining()
    }

    fn poll_unconstrained(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.as_mut().poll_unconstrained(cx)
    }
}
