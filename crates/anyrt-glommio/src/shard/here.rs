//! The relation of this thread to a shard, and the tasks that it has queued for itself.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use anyrt_kit::executor::Runnable;

use crate::sync::{AccessError, per_thread};

per_thread! {
    static HERE: Here = const {
        Here {
            id: Cell::new(0),
            is_home: Cell::new(false),
            has_seat: Cell::new(false),
            polling: Cell::new(Polling::Nothing),
            queue: RefCell::new(VecDeque::new()),
        }
    };
}

/// The part of a shard that only one thread accesses.
pub(super) struct Here {
    /// The id of the shard, or zero on a thread that is no shard.
    id: Cell<u64>,
    is_home: Cell<bool>,
    has_seat: Cell<bool>,
    polling: Cell<Polling>,
    queue: RefCell<VecDeque<Ready>>,
}

/// A task that is ready to run.
pub(super) enum Ready {
    Anywhere(Runnable),
    AtHome(Runnable),
}

/// The kind of task that a thread is polling.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Polling {
    Nothing,
    Anywhere,
    AtHome,
}

/// The state of a thread before it became a shard.
pub(super) struct Former {
    id: u64,
    is_home: bool,
    has_seat: bool,
    polling: Polling,
    queue: VecDeque<Ready>,
}

/// Returns the id of the shard that is this thread, or zero.
#[inline]
pub(crate) fn current_id() -> u64 {
    with(|here| here.id.get()).unwrap_or(0)
}

/// Returns `true` if this thread has the seat of its shard.
pub(crate) fn has_seat() -> bool {
    with(Here::has_seat).unwrap_or(false)
}

/// Calls `f` with the state of this thread. Fails at the end of a thread, where a runtime may be
/// dropped with another thread-local.
#[inline]
pub(super) fn with<T>(f: impl FnOnce(&Here) -> T) -> Result<T, AccessError> {
    HERE.try_with(f)
}

/// Returns `true` if this thread is the home of that shard.
pub(super) fn is_home_of(id: u64) -> bool {
    with(|here| here.id.get() == id && here.is_home.get()).unwrap_or(false)
}

/// Returns `true` if this thread has something to run.
pub(super) fn has_work() -> bool {
    with(|here| !here.queue.borrow().is_empty()).unwrap_or(false)
}

impl Here {
    /// Makes the thread that shard, with its seat. Returns its former state.
    pub(super) fn become_shard(&self, id: u64, is_home: bool) -> Former {
        Former {
            id: self.id.replace(id),
            is_home: self.is_home.replace(is_home),
            has_seat: self.has_seat.replace(true),
            polling: self.polling.replace(Polling::Nothing),
            queue: self.queue.take(),
        }
    }

    pub(super) fn become_former(&self, former: Former) {
        self.id.set(former.id);
        self.is_home.set(former.is_home);
        self.has_seat.set(former.has_seat);
        self.polling.set(former.polling);
        self.queue.replace(former.queue);
    }

    /// Returns `true` if it may run the tasks of that shard that are not bound to the home.
    #[inline]
    pub(super) fn has_seat_of(&self, id: u64) -> bool {
        self.id.get() == id && self.has_seat.get()
    }

    /// Returns `true` if it may run the tasks of that shard that are bound to the home.
    #[inline]
    pub(super) fn is_home_of(&self, id: u64) -> bool {
        self.id.get() == id && self.is_home.get()
    }

    #[inline]
    pub(super) fn is_home(&self) -> bool {
        self.is_home.get()
    }

    #[inline]
    pub(super) fn has_seat(&self) -> bool {
        self.has_seat.get()
    }

    pub(super) fn set_has_seat(&self, has_seat: bool) {
        self.has_seat.set(has_seat);
    }

    pub(super) fn polling(&self) -> Polling {
        self.polling.get()
    }

    #[inline]
    pub(super) fn push(&self, ready: Ready) {
        self.queue.borrow_mut().push_back(ready);
    }

    #[inline]
    pub(super) fn pop(&self) -> Option<Ready> {
        self.queue.borrow_mut().pop_front()
    }

    /// Takes the queued tasks that may run on another thread.
    pub(super) fn take_anywhere(&self, mut give: impl FnMut(Runnable)) {
        for ready in self.queue.take() {
            match ready {
                Ready::Anywhere(runnable) => give(runnable),
                ready @ Ready::AtHome(_) => self.push(ready),
            }
        }
    }

    pub(super) fn run(&self, ready: Ready) {
        let (polling, runnable) = match ready {
            Ready::Anywhere(runnable) => (Polling::Anywhere, runnable),
            Ready::AtHome(runnable) => (Polling::AtHome, runnable),
        };
        let outer = self.polling.replace(polling);
        runnable.run();
        self.polling.set(outer);
    }
}
