//! What a shard has promised: it does not end before it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyrt_kit::time::clock::{Clock, Inhibition};

use crate::shard::Shard;

/// The operations on files that a shard has accepted and not finished.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// Their number, and [`CLOSED`].
    state: AtomicUsize,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl Operations {
    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        self.state.load(Ordering::SeqCst) & !CLOSED != 0
    }

    /// Accepts no more if there are none; gives whether none will come.
    pub(crate) fn close_if_idle(&self) -> bool {
        let closed = self
            .state
            .compare_exchange(0, CLOSED, Ordering::SeqCst, Ordering::SeqCst);
        matches!(closed, Ok(_) | Err(CLOSED))
    }

    /// Accepts no more.
    pub(crate) fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::SeqCst);
    }
}

/// One operation that a shard waits for, and a paused clock, too.
pub(super) struct Promise {
    shard: Arc<Shard>,
    _inhibition: Option<Inhibition>,
}

impl Promise {
    /// `None` when the shard has ended.
    pub(super) fn new(shard: &Arc<Shard>) -> Option<Self> {
        let accept = |state| (state & CLOSED == 0).then_some(state + 1);
        let state = &shard.operations().state;
        state
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, accept)
            .ok()?;
        Some(Self {
            shard: Arc::clone(shard),
            _inhibition: shard.clock().map(Clock::inhibit),
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.shard.operations().state.fetch_sub(1, Ordering::SeqCst);
        self.shard.wake_if_closed();
    }
}
