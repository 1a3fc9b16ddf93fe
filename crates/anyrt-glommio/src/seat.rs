//! The seat of a shard: the right to drive it, which one thread has at a time.
//!
//! A shard of a multi-thread runtime belongs to the thread that was started for it, its *home*.
//! While a task there blocks in place, a *stand-in* from the blocking pool has the seat; the home
//! takes it back as soon as possible. A current-thread runtime has no home: a thread that calls
//! `block_on` takes the seat. Other callers wait for it while they run their own future.

use std::task::{Context, Poll, Waker};

use anyrt_core::waiters::wake_all;

use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, PoisonError};

/// The right to drive a shard.
#[derive(Default)]
pub(crate) struct Seat {
    state: Mutex<Occupancy>,
    freed: Condvar,
    /// Whether the home waits for it.
    wanted: AtomicBool,
}

#[derive(Default)]
struct Occupancy {
    taken: bool,
    /// Whether the home blocks in place, so that a stand-in is to drive the shard.
    home_is_away: bool,
    /// The wakers of threads that wait inside `block_on`.
    waiting: Vec<Waker>,
}

impl Seat {
    /// Takes the seat if it is free and the home does not want it. Returns whether it did.
    pub(crate) fn try_take(&self) -> bool {
        let mut state = self.lock();
        !self.is_wanted() && !std::mem::replace(&mut state.taken, true)
    }

    /// Takes the seat for a stand-in. Returns `false` if the home has returned or ended before the
    /// thread of the stand-in has started.
    pub(crate) fn try_stand_in(&self) -> bool {
        let mut state = self.lock();
        state.home_is_away && !self.is_wanted() && !std::mem::replace(&mut state.taken, true)
    }

    /// Records that the home blocks in place, until it takes the seat back.
    pub(crate) fn home_leaves(&self) {
        self.lock().home_is_away = true;
    }

    /// Releases the seat to the first thread that takes it.
    pub(crate) fn release(&self) {
        let waiting = {
            let mut state = self.lock();
            state.taken = false;
            std::mem::take(&mut state.waiting)
        };
        self.freed.notify_one();
        wake_all(waiting);
    }

    /// Takes the seat for the home, which waits until the stand-in has left it. `urge` must make
    /// the stand-in check [`is_wanted`](Self::is_wanted).
    pub(crate) fn take_back(&self, urge: impl FnOnce()) {
        self.wanted.store(true, Ordering::SeqCst);
        let mut state = self.lock();
        if state.taken {
            urge();
            while state.taken {
                let woken = self.freed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.taken = true;
        state.home_is_away = false;
        self.wanted.store(false, Ordering::SeqCst);
    }

    /// Returns `true` if the stand-in is to leave.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }

    /// Polls until the seat is free. Another thread may still take it first.
    pub(crate) fn poll_free(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !state.taken {
            return Poll::Ready(());
        }
        if !state
            .waiting
            .iter()
            .any(|waker| waker.will_wake(cx.waker()))
        {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Occupancy> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_that_starts_late_leaves_the_seat_alone() {
        let seat = Seat::default();
        assert!(seat.try_take(), "the home drives");
        seat.home_leaves();
        seat.release();
        seat.take_back(|| ());
        seat.release();
        assert!(!seat.try_stand_in(), "the home has come back and ended");

        assert!(seat.try_take());
        seat.home_leaves();
        seat.release();
        assert!(seat.try_stand_in());
        assert!(!seat.try_stand_in(), "one at a time");
    }
}
