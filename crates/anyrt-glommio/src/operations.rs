//! File operations that a shard has accepted, and before whose completion it does not end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use anyrt_kit::time::pausable::{Inhibited, Pausable};

use crate::epoll::Epoll;

/// The accepted and unfinished file operations of a shard, and their files.
pub(crate) struct Operations {
    /// The number of operations, and [`CLOSED`].
    state: AtomicUsize,
    /// Whether the shard waits for the last one.
    awaited: AtomicBool,
    /// Whether the thread with the ring blocks.
    ring_stands: AtomicBool,
    epoll: Arc<Epoll>,
    clock: Pausable,
    files: Mutex<Vec<Weak<dyn InRing>>>,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

/// A file whose operations need the ring of a shard.
pub(crate) trait InRing: Send + Sync {
    /// Called when the thread with the ring blocks: operations in progress or queued must be
    /// executed elsewhere.
    fn leave_ring(self: Arc<Self>);
}

impl Operations {
    pub(crate) fn new(epoll: Arc<Epoll>, clock: Pausable) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicUsize::new(0),
            awaited: AtomicBool::new(false),
            ring_stands: AtomicBool::new(false),
            epoll,
            clock,
            files: Mutex::default(),
        })
    }

    /// Returns `true` if there are any.
    pub(crate) fn any(&self) -> bool {
        self.state.load(Ordering::SeqCst) & !CLOSED != 0
    }

    /// Makes each operation wake the shard when it ends, since the shard is to end.
    pub(crate) fn await_last(&self) {
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// Stops accepting operations if there are none. Returns `true` if no more are accepted.
    pub(crate) fn close_if_idle(&self) -> bool {
        let closed = self
            .state
            .compare_exchange(0, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        matches!(closed, Ok(_) | Err(CLOSED))
    }

    /// Stops accepting operations.
    pub(crate) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::SeqCst);
    }

    /// Records that the thread with the ring is about to block, or has returned.
    pub(crate) fn set_ring_stands(&self, stands: bool) {
        self.ring_stands.store(stands, Ordering::SeqCst);
    }

    /// Returns `true` while the ring makes no progress. Check it after an operation was queued:
    /// either the caller sees this, or [`leave_ring`](Self::leave_ring) sees the operation.
    pub(crate) fn ring_stands(&self) -> bool {
        self.ring_stands.load(Ordering::SeqCst)
    }

    /// Adds a file to notify when the thread with the ring blocks.
    pub(crate) fn add_file(&self, file: Weak<dyn InRing>) {
        let mut files = self.lock();
        if files.len() == files.capacity() {
            files.retain(|file| file.strong_count() > 0);
        }
        files.push(file);
    }

    /// Notifies all files that the thread with the ring blocks.
    pub(crate) fn leave_ring(&self) {
        let files = std::mem::take(&mut *self.lock());
        let files: Vec<_> = files.iter().filter_map(Weak::upgrade).collect();
        self.lock().extend(files.iter().map(Arc::downgrade));
        for file in files {
            file.leave_ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn InRing>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An accepted operation: neither the shard ends nor a paused clock advances before it is dropped.
pub(crate) struct Promise {
    operations: Arc<Operations>,
    _inhibited: Inhibited,
}

impl Promise {
    /// Returns `None` if the shard has ended.
    pub(crate) fn new(operations: &Arc<Operations>) -> Option<Self> {
        let accept = |state| (state & CLOSED == 0).then_some(state + 1);
        operations
            .state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, accept)
            .ok()?;
        Some(Self {
            operations: Arc::clone(operations),
            _inhibited: operations.clock.inhibit(),
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.operations.state.fetch_sub(1, Ordering::SeqCst);
        if self.operations.awaited.load(Ordering::SeqCst) {
            self.operations.epoll.ring_doorbell();
        }
    }
}
