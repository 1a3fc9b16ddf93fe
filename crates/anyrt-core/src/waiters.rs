//! For runtime authors: those who wait for an event that concerns all of them.
//!
//! Unlike `event-listener`'s it wakes outside its lock, so a waker may run whatever it likes, such as a
//! destructor that stops waiting for this very event.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Wakes all, also after a waker that panics: those of strangers may do anything.
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        // The panic was reported by the hook; nobody here can do more about it.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // Its destructor may panic as well.
            std::mem::forget(payload);
        }
    }
}

/// Those who wait for one event, which may happen again and again.
#[derive(Debug, Default)]
pub struct Waiters {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often the event has happened.
    round: u64,
    wakers: Slab<Waker>,
}

/// One who waits. Hand it to [`Waiters::leave`] before it is dropped; [`Wait`] does.
#[derive(Debug)]
pub struct Waiter {
    round: u64,
    // Means something in `round` only.
    key: Option<usize>,
}

impl Waiter {
    /// Waits for the first event there ever was.
    pub const FIRST: Self = Self {
        round: 0,
        key: None,
    };
}

impl Waiters {
    /// Waits for the next event; one that happens between this call and the first poll counts.
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            waiters: self,
            waiter: Waiter {
                round: self.lock().round,
                key: None,
            },
        }
    }

    /// Waits for the first event there ever was.
    pub fn wait_first(&self) -> Wait<'_> {
        Wait {
            waiters: self,
            waiter: Waiter::FIRST,
        }
    }

    /// Whether the event has happened since `waiter` began to wait; if not, the task is woken when it does.
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
        // Outside the lock: a waker's destructor is not ours.
        drop(old);
        Poll::Pending
    }

    /// Stops waiting: the waker is dropped now, not with the event.
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

    /// The event happens: everybody who waits is woken.
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
