//! The end of a runtime, which its shards reach together.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyrt_core::waiters::wake_all;

use crate::epoll::Epoll;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};

/// The progress of the shards of one runtime towards their end.
///
/// First every shard drops its tasks. Only when all have done so do they report the end of the
/// runtime to the waiters of their sockets and timers. So every task is dropped while the whole
/// runtime still works.
pub(crate) struct Ending {
    /// The number of shards that still have tasks.
    with_tasks: AtomicUsize,
    over: AtomicBool,
    /// The wakers of threads that wait for the end.
    waiting: Mutex<Vec<Waker>>,
    epolls: Box<[Arc<Epoll>]>,
}

impl Ending {
    /// Creates it for the shards with these epolls.
    pub(crate) fn new(epolls: Box<[Arc<Epoll>]>) -> Arc<Self> {
        Arc::new(Self {
            with_tasks: AtomicUsize::new(epolls.len()),
            over: AtomicBool::new(false),
            waiting: Mutex::default(),
            epolls,
        })
    }

    /// Reports that a shard has dropped its tasks. Each shard calls this once.
    pub(crate) fn tasks_have_ended(&self) {
        if self.with_tasks.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.finish();
        }
    }

    /// Ends the runtime: all tasks have ended, or there never were any.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
        for epoll in &self.epolls {
            epoll.ring_doorbell();
        }
        let waiting = std::mem::take(&mut *self.lock());
        wake_all(waiting);
    }

    /// Returns `true` if the runtime has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Waits until the runtime has ended.
    pub(crate) fn poll_over(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.lock().push(cx.waker().clone());
        match self.is_over() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
