//! The presence of a thread in a shard: temporary, or as its home; and the release of the seat
//! while a task blocks in place.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::Waker;
use std::thread;

use crate::sync::{Ordering, per_thread};

use super::here::{self, Former, Polling, has_seat};
use super::tasks::Shard;

per_thread! {
    /// The shard that is this thread.
    static SHARD: RefCell<Option<Arc<Shard>>> = const { RefCell::new(None) };
}

/// Calls `f` with the shard that is this thread.
#[inline]
pub(crate) fn with_current<T>(f: impl FnOnce(&Arc<Shard>) -> T) -> Option<T> {
    SHARD
        .try_with(|shard| shard.borrow().as_ref().map(f))
        .ok()
        .flatten()
}

/// Makes this thread the shard, with its seat, until it is dropped. Then the seat is free, and the
/// former state of the thread is restored.
pub(crate) struct Present {
    shard: Arc<Shard>,
    /// The former state of the thread. `None` on a thread that is ending.
    former: Option<Former>,
    /// The former shard.
    outer: Option<Arc<Shard>>,
}

impl Present {
    /// For a thread that has taken the seat to drive the shard temporarily.
    pub(crate) fn for_a_while(shard: &Arc<Shard>) -> Self {
        Self::enter(shard, false)
    }

    fn enter(shard: &Arc<Shard>, is_home: bool) -> Self {
        let former = here::with(|here| here.become_shard(shard.id(), is_home));
        let outer = SHARD.try_with(|current| current.replace(Some(Arc::clone(shard))));
        if let Some(clock) = shard.clock() {
            clock.watch(Some(Waker::from(Arc::clone(shard))));
        }
        Self {
            shard: Arc::clone(shard),
            former: former.ok(),
            outer: outer.ok().flatten(),
        }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let former = self.former.take();
        if has_seat() || former.is_none() {
            if let Some(clock) = self.shard.clock() {
                clock.watch(None);
            }
            leave_seat(&self.shard);
        }
        let outer = self.outer.take();
        let current = SHARD.try_with(|current| current.replace(outer));
        if let Some(former) = former {
            let _ = here::with(|here| here.become_former(former));
        }
        drop(current);
    }
}

/// Makes this thread the shard's home. After it is dropped the shard rejects tasks, so that no join
/// waits forever.
pub(crate) struct AtHome(Present);

impl AtHome {
    /// For a thread that has taken the seat.
    pub(crate) fn enter(shard: &Arc<Shard>) -> Self {
        Self(Present::enter(shard, true))
    }
}

impl Drop for AtHome {
    fn drop(&mut self) {
        let shard = &self.0.shard;
        shard.take_seat_back();
        shard.end_here(|| false);
    }
}

/// Releases the seat of this thread while its task blocks in place. Returns `None` on a thread
/// without one.
pub(crate) fn block_in_place() -> Option<Blocked> {
    let shard = with_current(Arc::clone).filter(|_| has_seat())?;
    let counted = here::with(here::Here::polling).is_ok_and(|polling| polling == Polling::Anywhere);
    if counted {
        shard.blocked.fetch_add(1, Ordering::SeqCst);
    }
    let is_home = shard.is_home();
    if is_home {
        shard.operations.set_ring_stands(true);
        shard.seat.home_leaves();
    }
    leave_seat(&shard);
    if is_home {
        shard.operations.leave_ring();
    }
    if let Some(start) = shard.stand_in.get() {
        start(Arc::clone(&shard));
    }
    Some(Blocked { shard, counted })
}

/// Passes the queued tasks to the next thread with the seat.
fn leave_seat(shard: &Shard) {
    let _ = here::with(|here| {
        here.take_anywhere(|runnable| drop(shard.inbox.push(runnable)));
        here.set_has_seat(false);
    });
    shard.set_asleep(false);
    shard.seat().release();
}

/// Counts a task that blocks in place until it is dropped. The seat is taken back after the poll of
/// that task.
pub(crate) struct Blocked {
    shard: Arc<Shard>,
    counted: bool,
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if self.counted {
            self.shard.blocked.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Shard {
    /// Ensures that the home has the seat. Returns whether another thread had it in the meantime.
    pub(crate) fn take_seat_back(&self) -> bool {
        if has_seat() {
            return false;
        }
        self.seat().take_back(|| self.epoll().ring_doorbell());
        let _ = here::with(|here| here.set_has_seat(true));
        self.operations().set_ring_stands(false);
        true
    }
}

/// Aborts the process if the thread that drives a shard unwinds. Its tasks would silently never run
/// again, and placement would continue to choose that shard, which has the fewest tasks. Tokio's
/// workers do the same.
pub(crate) struct AbortOnPanic(u64);

impl AbortOnPanic {
    /// Creates the guard for driving the shard with this id.
    pub(crate) fn new(shard: u64) -> Self {
        Self(shard)
    }
}

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "anyrt: shard {} of a Glommio runtime panicked outside of its tasks, which would never run again; aborting",
                self.0
            );
            std::process::abort();
        }
    }
}
