//! The end of a runtime, which its shards reach together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use anyrt_core::waiters::wake_all;

use crate::epoll::Epoll;

/// How far the shards of one runtime have come with their end.
///
/// First every shard drops its tasks. Only when all have done so does any of them tell those who wait for its sockets and
/// timers that the runtime has ended. A task of another shard is thus dropped while everything still works; it never finds
/// a runtime that is half gone.
pub(crate) struct Ending {
    /// The shards that still have tasks.
    with_tasks: AtomicUsize,
    over: AtomicBool,
    /// Those who wait for it.
    waiting: Mutex<Vec<Waker>>,
    epolls: Box<[Arc<Epoll>]>,
}

impl Ending {
    /// Of the shards with these epolls.
    pub(crate) fn new(epolls: Box<[Arc<Epoll>]>) -> Arc<Self> {
        Arc::new(Self {
            with_tasks: AtomicUsize::new(epolls.len()),
            over: AtomicBool::new(false),
            waiting: Mutex::default(),
            epolls,
        })
    }

    /// A shard, which calls this once, has dropped its tasks.
    pub(crate) fn tasks_have_ended(&self) {
        if self.with_tasks.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.finish();
        }
    }

    /// No shard needs to wait for another: all tasks have ended, or there never were any.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::SeqCst);
        for epoll in &self.epolls {
            epoll.ring_doorbell();
        }
        let waiting = std::mem::take(&mut *self.lock());
        wake_all(waiting);
    }

    /// Whether the runtime has ended.
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
