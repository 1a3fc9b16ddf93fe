//! For runtime authors: a queue of timers, for reactors without timers and for clocks other than
//! the system's.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use anyrt_core::coop;
use anyrt_core::waiters::wake_all;

use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// Timers by deadline, each with the waker of its task.
///
/// It has no clock: its owner asks for the [`earliest`](Self::earliest) deadline, waits until then,
/// and calls [`fire`](Self::fire).
#[derive(Default)]
pub struct Timers {
    state: Mutex<Pending>,
    /// Whether there are any; written under the lock. Read before each wait, when there are usually
    /// none.
    any: AtomicBool,
}

#[derive(Default)]
struct Pending {
    /// The id distinguishes timers of the same instant, which are woken in the order of creation.
    pending: BTreeMap<(Instant, u64), Waker>,
    next_id: u64,
    closed: bool,
}

impl Timers {
    /// Adds a timer. Returns its id and whether it is now the earliest, or `None` if the queue is
    /// closed.
    pub fn insert(&self, at: Instant, waker: Waker) -> Option<(u64, bool)> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.next_id += 1;
        let key = (at, state.next_id);
        if state.pending.is_empty() {
            self.any.store(true, Ordering::SeqCst);
        }
        state.pending.insert(key, waker);
        let first = state.pending.first_key_value().map(|(first, _)| *first);
        Some((key.1, first == Some(key)))
    }

    /// Removes a timer, if it has not fired.
    pub fn remove(&self, at: Instant, id: u64) {
        let mut state = self.lock();
        let waker = state.pending.remove(&(at, id));
        self.settle(&state);
        drop(state);
        drop(waker);
    }

    /// Returns the earliest deadline.
    pub fn earliest(&self) -> Option<Instant> {
        if !self.any.load(Ordering::SeqCst) {
            return None;
        }
        let state = self.lock();
        state.pending.first_key_value().map(|((at, _), _)| *at)
    }

    /// Collects the wakers of the timers that are due, to be woken without a lock.
    pub fn fire(&self, now: Instant, wakers: &mut Vec<Waker>) {
        if !self.any.load(Ordering::SeqCst) {
            return;
        }
        let mut state = self.lock();
        while let Some(first) = state.pending.first_entry() {
            if first.key().0 > now {
                return;
            }
            wakers.push(first.remove());
        }
        self.settle(&state);
    }

    /// Closes the queue and wakes all timers, whose next poll reports that the runtime has ended.
    pub fn close(&self) {
        let pending = {
            let mut state = self.lock();
            state.closed = true;
            let pending = std::mem::take(&mut state.pending);
            self.settle(&state);
            pending
        };
        wake_all(pending.into_values());
    }

    /// Returns `true` if the queue was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// After timers were removed.
    fn settle(&self, state: &Pending) {
        if state.pending.is_empty() {
            self.any.store(false, Ordering::SeqCst);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("pending", &self.lock().pending.len())
            .finish_non_exhaustive()
    }
}

/// The owner of timers, required by a [`Sleep`].
pub trait Keeper: Unpin + Send + Sync + 'static {
    /// One of the runtime's queues.
    type Queue: Send + Sync + 'static;

    /// Returns the current time of the clock that the timers follow.
    fn now(&self) -> Instant;

    /// Returns when a timer with this deadline fires: never before it, and at the next tick if the
    /// clock has ticks.
    fn due(&self, deadline: Instant) -> Instant;

    /// Returns the queue for a timer that is polled on this thread.
    fn queue(&self) -> Self::Queue;

    /// Returns the timers of a queue.
    fn timers(queue: &Self::Queue) -> &Timers;

    /// Called when the earliest deadline of the queue has moved forward, so that a thread that
    /// waits for it must check again.
    fn look_again(queue: &Self::Queue);
}

/// A timer that fires once. It is in a queue of its runtime from its first poll on.
///
/// # Panics
/// Panics if it is polled before its deadline but after its runtime has ended, as in Tokio.
#[must_use = "futures do nothing unless awaited"]
pub struct Sleep<K: Keeper> {
    deadline: Instant,
    keeper: K,
    place: Place<K>,
}

enum Place<K: Keeper> {
    /// Not polled yet.
    Nowhere,
    Armed(Armed<K>),
    /// Fired.
    Fired,
}

struct Armed<K: Keeper> {
    queue: K::Queue,
    id: u64,
    /// A clone of the waker in the queue, to compare without the lock.
    waker: Waker,
}

impl<K: Keeper> Sleep<K> {
    /// Creates a timer of `keeper`.
    #[inline]
    pub fn new(keeper: K, deadline: Instant) -> Self {
        Self {
            deadline,
            keeper,
            place: Place::Nowhere,
        }
    }

    fn due(&self) -> Instant {
        self.keeper.due(self.deadline)
    }

    /// Removes it from the queue, if it is in one.
    fn disarm(&mut self, place: Place<K>) -> Option<Armed<K>> {
        match std::mem::replace(&mut self.place, place) {
            Place::Armed(armed) => {
                K::timers(&armed.queue).remove(self.due(), armed.id);
                Some(armed)
            }
            Place::Nowhere | Place::Fired => None,
        }
    }

    /// Adds it to the queue. Returns `false` if the queue is closed.
    fn arm(&mut self, queue: K::Queue, waker: Waker) -> bool {
        let inserted = K::timers(&queue).insert(self.due(), waker.clone());
        let Some((id, earliest)) = inserted else {
            return false;
        };
        if earliest {
            K::look_again(&queue);
        }
        self.place = Place::Armed(Armed { queue, id, waker });
        true
    }
}

// Nothing in it is pinned.
impl<K: Keeper> Unpin for Sleep<K> {}

impl<K: Keeper> Future for Sleep<K> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let charge = ready!(coop::poll_proceed(cx));
        // The rounded deadline from the first poll on: two timers with the same deadline fire at
        // the same time, whichever was armed first.
        if self.keeper.now() >= self.due() {
            self.disarm(Place::Fired);
            charge.made_progress();
            return Poll::Ready(());
        }
        if let Place::Armed(armed) = &self.place
            && armed.waker.will_wake(cx.waker())
            && !K::timers(&armed.queue).is_closed()
        {
            return Poll::Pending;
        }
        self.disarm(Place::Nowhere);
        let queue = self.keeper.queue();
        assert!(
            self.arm(queue, cx.waker().clone()),
            "a sleep was polled after its runtime had ended: nobody is left to wake it"
        );
        Poll::Pending
    }
}

impl<K: Keeper> anyrt_core::time::Sleep for Sleep<K> {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_elapsed(&self) -> bool {
        match self.place {
            Place::Nowhere => false,
            Place::Armed(_) => self.keeper.now() >= self.due(),
            Place::Fired => true,
        }
    }

    fn reset(mut self: Pin<&mut Self>, deadline: Instant) {
        let armed = self.disarm(Place::Nowhere);
        self.deadline = deadline;
        // Wakes the last waker at the new deadline without another poll, or at once if it has
        // passed.
        if let Some(Armed { queue, waker, .. }) = armed {
            if self.keeper.now() >= self.due() {
                self.place = Place::Fired;
                waker.wake();
            } else {
                self.arm(queue, waker);
            }
        }
    }
}

impl<K: Keeper> Drop for Sleep<K> {
    // A timer of the facade for another runtime need not reserve stack space for it.
    #[inline(never)]
    fn drop(&mut self) {
        self.disarm(Place::Nowhere);
    }
}

impl<K: Keeper> fmt::Debug for Sleep<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("armed", &matches!(self.place, Place::Armed(_)))
            .finish_non_exhaustive()
    }
}
