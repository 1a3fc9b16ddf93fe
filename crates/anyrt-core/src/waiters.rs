//! For runtime authors: waiters for an event that wakes all of them.
//!
//! Unlike `event-listener` it wakes outside its lock, so a waker may run arbitrary code, such as a
//! destructor that stops waiting for this very event.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Wakes all, even if a waker panics: wakers may be foreign code.
#[inline]
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        // The panic hook has reported the panic; nothing more can be done here.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // Its destructor may panic as well.
            std::mem::forget(payload);
        }
    }
}

/// Waiters for an event that may happen repeatedly.
#[derive(Debug, Default)]
pub struct Waiters {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many times the event has happened.
    round: u64,
    wakers: Slab<Waker>,
}

/// One waiter. Pass it to [`Waiters::leave`] before it is dropped; [`Wait`] does.
#[derive(Debug)]
pub struct Waiter {
    round: u64,
    // Valid in `round` only.
    key: Option<usize>,
}

impl Waiter {
    /// Waits for the first event.
    pub const FIRST: Self = Self {
        round: 0,
        key: None,
    };
}

impl Waiters {
    /// Waits for the next event. An event between this call and the first poll counts.
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            waiters: self,
            waiter: Waiter {
                round: self.lock().round,
                key: None,
            },
        }
    }

    /// Waits for the first event.
    pub fn wait_first(&self) -> Wait<'_> {
        Wait {
            waiters: self,
            waiter: Waiter::FIRST,
        }
    }

    /// Polls for an event since `waiter` began to wait. If there was none, the task is woken when
    /// it happens.
    pub fn poll(&self, waiter: &mut Waiter, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.round != waiter.round {
            return Poll::Ready(());
        }
        let old = match waiter.key.and_then(|key| state.wakers.get_mut(key)) {
            Some(waker) if waker.will_wake(cx.waker()) => None,
            Some(waker) => Some(std::mem::replace(waker, cx.waker().clone())),
            None => {
                waiter.key = Some(state.wakers.insert(cx.waker().clone()));
                None
            }
        };
        drop(state);
        // Outside the lock: the destructor of a waker is foreign code.
        drop(old);
        Poll::Pending
    }

    /// Stops waiting. Drops the waker now rather than with the event.
    pub fn leave(&self, waiter: &mut Waiter) {
        let Some(key) = waiter.key.take() else { return };
        let mut state = self.lock();
        let waker = if state.round == waiter.round {
            state.wakers.try_remove(key)
        } else {
            None
        };
        drop(state);
        drop(waker);
    }

    /// Signals the event and wakes all waiters.
    pub fn notify_all(&self) {
        let wakers = {
            let mut state = self.lock();
            state.round += 1;
            std::mem::take(&mut state.wakers)
        };
        wake_all(wakers.into_iter().map(|(_, waker)| waker));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The future of [`Waiters::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    waiters: &'a Waiters,
    waiter: Waiter,
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.waiters.poll(&mut this.waiter, cx)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waiters.leave(&mut self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker that panics, on purpose");
        }
    }

    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        let counts = Arc::new(Counts(AtomicUsize::new(0)));
        let good = || Waker::from(Arc::clone(&counts));
        wake_all([good(), Waker::from(Arc::new(Panics)), good()]);
        assert_eq!(counts.0.load(Ordering::SeqCst), 2);
    }
}
