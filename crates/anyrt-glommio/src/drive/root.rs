//! The future that a driver runs in addition to the tasks of its shard.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::task::{Context, Poll, Wake, Waker};

use crate::shard::Shard;

/// Runs in a driver, in addition to the tasks.
pub(crate) trait Root {
    /// Returns `true` if it was woken.
    fn is_due(&self) -> bool;

    /// Polls it. Returns `true` if it is ready.
    fn poll(&mut self) -> bool;

    /// Returns `true` if the driver continues after the shard has ended.
    fn outlives_shard(&self) -> bool;
}

/// Nothing in addition to the tasks.
pub(crate) struct NoRoot;

impl Root for NoRoot {
    fn is_due(&self) -> bool {
        false
    }

    fn poll(&mut self) -> bool {
        false
    }

    fn outlives_shard(&self) -> bool {
        false
    }
}

/// The future of a `block_on`.
pub(crate) struct MainFuture<'a, F: Future> {
    future: Pin<&'a mut F>,
    waker: Waker,
    alert: Arc<Alert>,
    pub(crate) output: Option<F::Output>,
}

impl<'a, F: Future> MainFuture<'a, F> {
    pub(crate) fn new(shard: &Arc<Shard>, future: Pin<&'a mut F>) -> Self {
        let alert = Arc::new(Alert {
            due: AtomicBool::new(true),
            shard: Arc::clone(shard),
        });
        Self {
            future,
            waker: Waker::from(Arc::clone(&alert)),
            alert,
            output: None,
        }
    }
}

impl<F: Future> Root for MainFuture<'_, F> {
    fn is_due(&self) -> bool {
        self.alert.due.load(Ordering::SeqCst)
    }

    fn poll(&mut self) -> bool {
        self.alert.due.store(false, Ordering::SeqCst);
        let cx = &mut Context::from_waker(&self.waker);
        if let Poll::Ready(output) = self.future.as_mut().poll(cx) {
            self.output = Some(output);
        }
        self.output.is_some()
    }

    fn outlives_shard(&self) -> bool {
        true
    }
}

/// The waker of the future of a `block_on`.
struct Alert {
    due: AtomicBool,
    shard: Arc<Shard>,
}

impl Wake for Alert {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.due.swap(true, Ordering::SeqCst) {
            fence(Ordering::SeqCst);
            self.shard.rouse();
        }
    }
}

/// The root of a stand-in, which is ready when the home wants the seat back. It outlives the shard,
/// whose home is still inside a task.
pub(super) struct StandIn<'a>(pub(super) &'a Shard);

impl Root for StandIn<'_> {
    fn is_due(&self) -> bool {
        self.0.seat().is_wanted()
    }

    fn poll(&mut self) -> bool {
        true
    }

    fn outlives_shard(&self) -> bool {
        true
    }
}
