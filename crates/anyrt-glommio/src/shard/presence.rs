//! That a thread is a shard: for a while, or as its home; and how it leaves the seat while a task of it blocks in place.

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

/// This thread is the shard, and has its seat, until it is dropped. Then the seat is free, and the thread is again what it
/// was before.
pub(crate) struct Present {
    shard: Arc<Shard>,
    /// What the thread was before. `None` on one that is ending.
    former: Option<Former>,
    /// The shard that it was before.
    outer: Option<Arc<Shard>>,
}

impl Present {
    /// For a thread that drives the shard for a while and has taken the seat.
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

/// This thread is the shard's home. When it is dropped, whatever comes to the shard later is refused, and nobody waits for
/// it in vain.
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

/// Gives the seat of this thread up while its task blocks in place. `None` on a thread without one.
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

/// Leaves what is queued here to the next one with the seat.
fn leave_seat(shard: &Shard) {
    let _ = here::with(|here| {
        here.take_anywhere(|runnable| drop(shard.inbox.push(runnable)));
        here.set_has_seat(false);
    });
    shard.set_asleep(false);
    shard.seat().release();
}

/// A task blocks in place. Dropping it says that the task goes on; the seat is taken back when its poll is over.
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
    /// Sees to it that the home has the seat. Returns whether another thread had it meanwhile.
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

/// Ends the process if the thread that drives a shard unwinds: the tasks would never run again, and nobody would notice,
/// since placement goes on choosing the shard that has the fewest. Tokio's workers do so, too.
pub(crate) struct AbortOnPanic(u64);

impl AbortOnPanic {
    /// While the shard with this id is driven.
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
