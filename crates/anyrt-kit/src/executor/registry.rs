//! The live tasks of a runtime: their aborts and wakers, and the moment when all have ended.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;

use anyrt_core::task::Id;
use anyrt_core::waiters::{Waiters, wake_all};

use super::workers::InTask;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};
use crate::table::Table;

/// The live tasks of a runtime.
///
/// ```
/// use std::sync::{Arc, Mutex, mpsc};
/// use anyrt_kit::executor::Tasks;
///
/// // The simplest run queue.
/// let (queue, runnables) = mpsc::channel();
/// let tasks = Tasks::new();
/// let queue = Mutex::new(queue);
/// let handle = tasks.spawn(async { 7 }, move |runnable| {
///     queue.lock().unwrap().send(runnable).unwrap();
/// });
/// runnables.recv().unwrap().run();
/// assert_eq!(futures_util::FutureExt::now_or_never(handle).unwrap().unwrap(), 7);
/// ```
#[derive(Default)]
pub struct Tasks {
    live: Mutex<Table<Entry>>,
    /// The number of entries; written under the lock.
    alive: AtomicUsize,
    /// [`CLOSED`], plus the number of aborts that no poll has seen yet: zero means "just run it".
    signals: AtomicUsize,
    /// The number of tasks inside `block_in_place`.
    blocking: AtomicUsize,
    /// Wakes the waiters in [`drained`](Tasks::drained) and [`settled`](Tasks::settled).
    drained: Waiters,
    number: Option<NonZeroUsize>,
}

struct Entry {
    id: Id,
    /// `None` until the first poll of a task of a [hosted](super::hosted) executor has returned.
    /// Until then the task is queued or running, and checks its entry by itself.
    waker: Option<Waker>,
    aborted: bool,
}

const CLOSED: usize = 1 << (usize::BITS - 1);

impl Tasks {
    /// Creates an empty registry.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Creates the registry of a runtime with a foreign executor.
    pub(super) fn numbered(number: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            number: Some(number),
            ..Self::default()
        })
    }

    /// Returns the number of the runtime if it has a foreign executor: [`ENDLESS`](Self::ENDLESS),
    /// or one that no other runtime of this process ever had.
    #[inline]
    pub fn number(&self) -> Option<NonZeroUsize> {
        self.number
    }

    /// The number of all runtimes that never end, because the application runs their executors.
    pub const ENDLESS: NonZeroUsize = NonZeroUsize::MAX;

    /// Adds a task. `build` creates it from its key, with its waker if there is one already.
    pub(super) fn enter<R>(&self, id: Id, build: impl FnOnce(usize) -> (R, Option<Waker>)) -> R {
        let mut live = self.lock();
        let entry = live.vacant_entry();
        let (task, waker) = build(entry.key());
        entry.insert(Entry {
            id,
            waker,
            aborted: false,
        });
        self.alive.store(live.len(), Ordering::SeqCst);
        task
    }

    /// Stores the waker of a task of a hosted executor that waits for the first time.
    pub(super) fn leave_waker(&self, key: usize, waker: &Waker) {
        let aborted = {
            let mut live = self.lock();
            live.get_mut(key).is_some_and(|entry| {
                entry.waker = Some(waker.clone());
                entry.aborted
            })
        };
        // An earlier abort or close has found no waker.
        if aborted || self.is_closed() {
            waker.wake_by_ref();
        }
    }

    /// Aborts every task, including future ones. They end as soon as their runnables are run.
    pub fn close(&self) {
        self.signals.fetch_or(CLOSED, Ordering::SeqCst);
        if self.is_settled() {
            self.drained.notify_all();
        }
        self.wake_all();
    }

    /// Wakes every task, as a spurious wake-up does: each is scheduled for one more poll.
    pub fn wake_all(&self) {
        let wakers: Vec<Waker> = {
            let live = self.lock();
            live.iter().filter_map(|e| e.waker.clone()).collect()
        };
        wake_all(wakers);
    }

    /// Waits until the tasks were closed and all of them have ended.
    pub async fn drained(&self) {
        loop {
            let event = self.drained.wait();
            if self.is_closed() && self.is_empty() {
                return;
            }
            event.await;
        }
    }

    /// Like [`drained`](Self::drained), but tasks inside `block_in_place` may be left, because they
    /// may wait for something that ends with the runtime.
    pub async fn settled(&self) {
        loop {
            let event = self.drained.wait();
            if self.is_settled() {
                return;
            }
            event.await;
        }
    }

    fn is_settled(&self) -> bool {
        self.is_closed() && self.len() <= self.blocking.load(Ordering::SeqCst)
    }

    /// Records that the task polled on this thread blocks it, until the guard is dropped.
    pub(super) fn block(&self) -> impl Drop {
        struct Blocks<'a>(&'a Tasks);
        impl Drop for Blocks<'_> {
            fn drop(&mut self) {
                self.0.blocking.fetch_sub(1, Ordering::SeqCst);
            }
        }
        self.blocking.fetch_add(1, Ordering::SeqCst);
        if self.is_settled() {
            self.drained.notify_all();
        }
        Blocks(self)
    }

    /// Returns `true` if this thread is polling a task of the runtime with that number, or the
    /// future of its owner's `block_on`. Waits in there need not be notified of the end of the
    /// runtime, because they are dropped before it.
    #[inline]
    pub fn are_polled(number: NonZeroUsize) -> bool {
        InTask::is_of(number)
    }

    /// Returns `true` if [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.signals.load(Ordering::SeqCst) & CLOSED != 0
    }

    /// Returns the number of tasks whose future was not dropped yet.
    pub fn len(&self) -> usize {
        self.alive.load(Ordering::SeqCst)
    }

    /// Returns `true` if no task is alive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn abort(&self, key: usize, id: Id) {
        let waker = {
            let mut live = self.lock();
            match live.get_mut(key) {
                Some(entry) if entry.id == id => {
                    if !std::mem::replace(&mut entry.aborted, true) {
                        self.signals.fetch_add(1, Ordering::SeqCst);
                    }
                    entry.waker.clone()
                }
                _ => return,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn is_alive(&self, key: usize, id: Id) -> bool {
        self.lock().get(key).is_some_and(|e| e.id == id)
    }

    #[inline]
    pub(super) fn must_end(&self, key: usize) -> bool {
        let signals = self.signals.load(Ordering::Acquire);
        signals != 0 && self.is_signalled(signals, key)
    }

    #[cold]
    fn is_signalled(&self, signals: usize, key: usize) -> bool {
        signals & CLOSED != 0 || self.lock().get(key).is_some_and(|e| e.aborted)
    }

    pub(super) fn remove(&self, key: usize) {
        let entry = {
            let mut live = self.lock();
            let entry = live.try_remove(key);
            if entry.as_ref().is_some_and(|entry| entry.aborted) {
                self.signals.fetch_sub(1, Ordering::SeqCst);
            }
            self.alive.store(live.len(), Ordering::SeqCst);
            entry
        };
        // Outside the lock: a waker's destructor is foreign code.
        drop(entry);
        if self.is_settled() {
            self.drained.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table<Entry>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("alive", &self.len())
            .field("closed", &self.is_closed())
            .finish()
    }
}
