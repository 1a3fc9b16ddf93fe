//! A run queue for one or more threads, with work stealing.
//!
//! The design is async-executor's (<https://docs.rs/async-executor>): a queue that all share, a bounded queue
//! per worker from which others steal half, and at most one worker at a time that is awake without work, which
//! wakes the next one when it finds some.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};
use std::task::{Context, Poll, Waker};

use anyrt_core::runtime::{Config, ThreadHooks};
use concurrent_queue::{ConcurrentQueue, PushError};
use pin_project_lite::pin_project;

use super::{Runnable, Shift, TaskHandle, Tasks, WorkerMetrics};

/// Room in a worker's own queue; what does not fit goes to the shared one.
const LOCAL_CAPACITY: usize = 512;
/// Tasks run in a row before the thread's reactor has its turn.
const TURN: u32 = 128;
/// Tasks that are alone may yield so often in a row before the reactor has its turn: what they wait for may be there.
const YIELDS: usize = 4;
/// Every so many tasks a worker looks into the shared queue first, so that its own cannot starve it. Prime, so
/// that no rhythm of the tasks meets it.
const SHARED_FIRST: u32 = 61;

/// Tasks, and the queue of those that are ready to run.
///
/// Threads work on it by driving [`run_until`](Self::run_until), in whatever way the runtime drives futures.
pub struct RunQueue {
    tasks: Arc<Tasks>,
    shared: ConcurrentQueue<Runnable>,
    workers: RwLock<Workers>,
    /// Whether there is one worker at most; written under the lock.
    alone: AtomicBool,
    sleepers: Mutex<Sleepers>,
    /// Whether nobody needs to be woken: a worker is on its way to look for work, or none sleeps.
    notified: AtomicBool,
    /// See [`TURN`].
    turn: u32,
    /// See [`SHARED_FIRST`].
    shared_first: u32,
    turns: Turns,
    hooks: ThreadHooks,
    metrics: Box<[WorkerMetrics]>,
}

/// For a reactor that is turned by the workers: when it has its turn.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// The worker is about to look for tasks. Who is woken here is queued with this worker, as far as there is room.
    pub begin: fn(),
    /// The worker has run as many tasks as may run in a row, and has more.
    pub over: fn(),
    /// Whether that waker has been woken already, and will have the worker polled again at once.
    pub is_woken: fn(&Waker) -> bool,
}

impl Turns {
    /// For a reactor that has a thread of its own, and is told nothing.
    pub const NONE: Self = Self {
        begin: || {},
        over: || {},
        is_woken: |_| false,
    };
}

/// The workers' own queues.
#[derive(Default)]
struct Workers {
    locals: Vec<Arc<ConcurrentQueue<Runnable>>>,
    /// What the last worker that left had, empty: it is large, and `block_on` makes a worker each time.
    spare: Option<Arc<ConcurrentQueue<Runnable>>>,
}

thread_local! {
    /// The queue of the worker that is polling on this thread, and whose it is.
    static WORKER: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// A worker's place at a queue.
struct Place {
    /// The address of the queue.
    owner: usize,
    index: usize,
    local: Arc<ConcurrentQueue<Runnable>>,
}

impl RunQueue {
    /// An empty queue.
    pub fn new() -> Arc<Self> {
        Self::configured(&Config::default())
    }

    /// An empty queue for the workers of a runtime with these options.
    pub fn configured(config: &Config) -> Arc<Self> {
        Self::beside(config, Turns::NONE)
    }

    /// As [`configured`](Self::configured), beside a reactor that the workers turn.
    pub fn beside(config: &Config, turns: Turns) -> Arc<Self> {
        Arc::new(Self {
            turns,
            turn: config.event_interval.map_or(TURN, NonZeroU32::get),
            shared_first: config
                .global_queue_interval
                .map_or(SHARED_FIRST, NonZeroU32::get),
            hooks: config.hooks.clone(),
            metrics: (0..config.workers())
                .map(|_| WorkerMetrics::default())
                .collect(),
            tasks: Tasks::new(),
            shared: ConcurrentQueue::unbounded(),
            workers: RwLock::default(),
            alone: AtomicBool::new(true),
            sleepers: Mutex::default(),
            notified: AtomicBool::new(true),
        })
    }

    /// The live tasks.
    pub fn tasks(&self) -> &Arc<Tasks> {
        &self.tasks
    }

    /// The number of runnable tasks that no worker has taken yet.
    pub fn depth(&self) -> usize {
        self.shared.len()
    }

    /// The books of the workers, by number.
    pub fn metrics(&self) -> &[WorkerMetrics] {
        &self.metrics
    }

    /// The number of the worker that this thread is, if it is one of this queue.
    pub fn worker_index(&self) -> Option<usize> {
        WORKER
            .try_with(|place| {
                let place = place.borrow();
                let place = place.as_ref().filter(|p| p.owner == self.address());
                place.map(|place| place.index)
            })
            .ok()
            .flatten()
    }

    /// Makes a task of `future`.
    pub fn spawn<F>(self: &Arc<Self>, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let queue = Arc::clone(self);
        self.tasks
            .spawn(future, move |runnable| queue.schedule(runnable))
    }

    /// A future that works on the queue until `future` is ready. It never blocks; wake it and it goes on.
    pub fn run_until<F: Future>(self: &Arc<Self>, future: F) -> Run<F> {
        let mut run = self.run_worker(0, future);
        run.worker.brief = false;
        run
    }

    /// As [`run_until`](Self::run_until), as the worker of that number; a poll of `future` takes no time.
    ///
    /// # Panics
    /// When there is no worker of that number.
    pub fn run_worker<F: Future>(self: &Arc<Self>, index: usize, future: F) -> Run<F> {
        assert!(index < self.metrics.len(), "there is no worker {index}");
        let mut workers = self.write_workers();
        let local = workers
            .spare
            .take()
            .unwrap_or_else(|| Arc::new(ConcurrentQueue::bounded(LOCAL_CAPACITY)));
        workers.locals.push(Arc::clone(&local));
        self.alone
            .store(workers.locals.len() == 1, Ordering::SeqCst);
        drop(workers);
        Run {
            future,
            worker: Worker {
                queue: Arc::clone(self),
                local,
                index,
                shift: Shift::default(),
                sleeping: None,
                searching: false,
                brief: true,
                ticks: 0,
                next_victim: 0,
            },
        }
    }

    /// Aborts all tasks and drops their futures, as far as no other thread is polling them.
    ///
    /// Call it when no worker is left (a current-thread runtime that ends); workers that still run do the same
    /// once [`Tasks::close`] was called.
    pub fn drain(&self) {
        self.tasks.close();
        while let Ok(runnable) = self.shared.pop() {
            runnable.run();
        }
    }

    /// Gives up this thread's place at the queue until the guard is dropped, and leaves its tasks to other threads: for
    /// a worker that is about to block. `None` when the thread has no place here.
    pub(super) fn leave(&self) -> Option<Away> {
        let place = WORKER.try_with(RefCell::take).ok().flatten()?;
        let away = Away(Some(place));
        let place = away.0.as_ref().filter(|p| p.owner == self.address())?;
        while let Ok(runnable) = place.local.pop() {
            // Never closed and without a limit: it takes everything.
            let _ = self.shared.push(runnable);
        }
        self.notify();
        Some(away)
    }

    fn schedule(&self, runnable: Runnable) {
        let mut rejected = Some(runnable);
        // A thread that is ending, and wakes somebody by a destructor, has no place at a queue any more.
        let _ = WORKER.try_with(|worker| {
            if let Some(place) = &*worker.borrow()
                && place.owner == self.address()
                && let Some(runnable) = rejected.take()
            {
                rejected = place.local.push(runnable).err().map(PushError::into_inner);
            }
        });
        if let Some(runnable) = rejected {
            // Never closed and without a limit: it takes everything.
            let _ = self.shared.push(runnable);
        }
        self.notify();
    }

    #[inline]
    fn notify(&self) {
        if !self.notified.load(Ordering::SeqCst)
            && self
                .notified
                .compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        {
            let waker = self.lock_sleepers().take_one();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether a task waits in any of the queues.
    fn has_work(&self) -> bool {
        let workers = self.workers.read().unwrap_or_else(PoisonError::into_inner);
        !self.shared.is_empty() || workers.locals.iter().any(|local| !local.is_empty())
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn lock_sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_workers(&self) -> RwLockWriteGuard<'_, Workers> {
        self.workers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RunQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunQueue")
            .field("tasks", &self.tasks)
            .field("depth", &self.depth())
            .finish_non_exhaustive()
    }
}

/// Workers that found no work.
#[derive(Default)]
struct Sleepers {
    /// How many sleep, or were woken and have not looked yet.
    count: usize,
    wakers: Vec<(usize, Waker)>,
    next_id: usize,
}

impl Sleepers {
    fn insert(&mut self, waker: &Waker) -> usize {
        self.next_id += 1;
        self.count += 1;
        self.wakers.push((self.next_id, waker.clone()));
        self.next_id
    }

    /// Stops sleeping; the waker is there unless it was taken to be woken.
    fn remove(&mut self, id: usize) {
        self.count -= 1;
        if let Some(at) = self.wakers.iter().rposition(|(other, _)| *other == id) {
            self.wakers.remove(at);
        }
    }

    fn is_notified(&self) -> bool {
        self.count == 0 || self.count > self.wakers.len()
    }

    fn take_one(&mut self) -> Option<Waker> {
        if self.wakers.len() == self.count {
            self.wakers.pop().map(|(_, waker)| waker)
        } else {
            None
        }
    }
}

/// One thread's place at the queue.
struct Worker {
    queue: Arc<RunQueue>,
    local: Arc<ConcurrentQueue<Runnable>>,
    index: usize,
    shift: Shift,
    sleeping: Option<usize>,
    /// Whether it slept, and is on its way to look for work: meanwhile nobody else is woken.
    searching: bool,
    /// Whether a poll of the future takes no time worth mentioning.
    brief: bool,
    ticks: u32,
    next_victim: usize,
}

impl Worker {
    /// The next task, or `None` after the worker was left with the sleepers, or where it has been woken meanwhile.
    fn next(&mut self, waker: &Waker) -> Option<Runnable> {
        if let Some(runnable) = self.search() {
            self.stop_searching();
            return Some(runnable);
        }
        // It would not sleep.
        if (self.queue.turns.is_woken)(waker) {
            return None;
        }
        self.sleep(waker);
        // Once more, now that the waker is in place: whoever has pushed since then wakes this worker.
        let runnable = self.search()?;
        self.stop_sleeping();
        self.stop_searching();
        Some(runnable)
    }

    fn search(&mut self) -> Option<Runnable> {
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(self.queue.shared_first)
            && let Ok(runnable) = self.queue.shared.pop()
        {
            return Some(runnable);
        }
        // To see that a queue is empty takes a quarter of a pop that fails, and a worker that waits looks twice.
        if !self.local.is_empty()
            && let Ok(runnable) = self.local.pop()
        {
            return Some(runnable);
        }
        if !self.queue.shared.is_empty()
            && let Ok(runnable) = self.queue.shared.pop()
        {
            steal(&self.queue.shared, &self.local);
            return Some(runnable);
        }
        // As `notified`: who comes, and then pushes and finds that nobody sleeps, has cleared this before.
        if self.queue.alone.load(Ordering::SeqCst) {
            return None;
        }
        self.steal_from_others()
    }

    fn steal_from_others(&mut self) -> Option<Runnable> {
        let workers = self
            .queue
            .workers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let locals = &workers.locals;
        self.next_victim = self.next_victim.wrapping_add(1);
        let (before, after) = locals.split_at(self.next_victim % locals.len().max(1));
        for victim in after.iter().chain(before) {
            if Arc::ptr_eq(victim, &self.local) {
                continue;
            }
            steal(victim, &self.local);
            if let Ok(runnable) = self.local.pop() {
                return Some(runnable);
            }
        }
        None
    }

    /// Leaves the waker.
    fn sleep(&mut self, waker: &Waker) {
        self.searching = false;
        let mut sleepers = self.queue.lock_sleepers();
        self.sleeping = Some(sleepers.insert(waker));
        self.queue
            .notified
            .store(sleepers.is_notified(), Ordering::SeqCst);
    }

    /// Begins to look for work after a sleep. Until it has found some, or sleeps again, nobody else is woken for it.
    #[inline]
    fn stop_sleeping(&mut self) {
        if let Some(id) = self.sleeping.take() {
            self.leave_sleepers(id);
        }
    }

    fn leave_sleepers(&mut self, id: usize) {
        let mut sleepers = self.queue.lock_sleepers();
        sleepers.remove(id);
        self.queue.notified.store(true, Ordering::SeqCst);
        // Who goes to sleep from now on looks for work first.
        self.searching = sleepers.count > 0;
    }

    /// Has found work. What was queued meanwhile, and by whom ever, woke nobody: let another worker look for it.
    #[inline]
    fn stop_searching(&mut self) {
        if std::mem::take(&mut self.searching) {
            self.pass_on();
        }
    }

    fn pass_on(&self) {
        let is_notified = {
            let sleepers = self.queue.lock_sleepers();
            let is_notified = sleepers.is_notified();
            self.queue.notified.store(is_notified, Ordering::SeqCst);
            is_notified
        };
        // Stored before the queues are looked at: who pushes does the opposite, so one of the two sees the other.
        if !is_notified && self.queue.has_work() {
            self.queue.notify();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.shift.end(&self.queue.metrics[self.index]);
        // Should it have been woken for work that it will not do, it passes that on in the end.
        self.stop_sleeping();
        let mut workers = self.queue.write_workers();
        workers
            .locals
            .retain(|local| !Arc::ptr_eq(local, &self.local));
        self.queue
            .alone
            .store(workers.locals.len() <= 1, Ordering::SeqCst);
        while let Ok(runnable) = self.local.pop() {
            let _ = self.queue.shared.push(runnable);
        }
        workers.spare = Some(Arc::clone(&self.local));
        let was_last = workers.locals.is_empty();
        drop(workers);
        self.stop_searching();
        self.queue.notify();
        if was_last && self.queue.tasks.is_closed() {
            // Who closed them may have given up waiting, and nobody else comes.
            self.queue.drain();
        }
    }
}

/// Moves half of `from`, rounded up, as far as there is room.
fn steal(from: &ConcurrentQueue<Runnable>, to: &ConcurrentQueue<Runnable>) {
    let mut count = from.len().div_ceil(2);
    if let Some(capacity) = to.capacity() {
        count = count.min(capacity - to.len());
    }
    for _ in 0..count {
        let Ok(runnable) = from.pop() else { return };
        if let Err(full) = to.push(runnable) {
            // Only its owner fills a local queue, and that is us; put it back rather than argue.
            let _ = from.push(full.into_inner());
            return;
        }
    }
}

pin_project! {
    /// The future of [`RunQueue::run_until`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct Run<F> {
        #[pin]
        future: F,
        worker: Worker,
    }
}

impl<F: Future> Future for Run<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let worker = this.worker;
        let _current = CurrentWorker::enter(worker);
        let metrics = &worker.queue.metrics[worker.index];
        worker.shift.work(metrics, &worker.queue.hooks);
        worker.stop_sleeping();
        (worker.queue.turns.begin)();
        if !worker.brief {
            // Others may be needed while the future is polled.
            worker.stop_searching();
        }
        if let Poll::Ready(value) = this.future.poll(cx) {
            return Poll::Ready(value);
        }
        let mut yields = 0;
        for _ in 0..worker.queue.turn {
            let Some(runnable) = worker.next(cx.waker()) else {
                if worker.sleeping.is_some() {
                    let metrics = &worker.queue.metrics[worker.index];
                    worker.shift.park(metrics, &worker.queue.hooks);
                }
                return Poll::Pending;
            };
            if runnable.run() {
                yields += 1;
                if yields >= YIELDS && yields >= worker.local.len() {
                    break;
                }
            }
        }
        // More to do, but the reactor first.
        (worker.queue.turns.over)();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// Gives a worker its place back when it is dropped; see [`RunQueue::leave`].
pub(super) struct Away(Option<Place>);

impl Away {
    /// The number of the worker.
    pub(super) fn index(&self) -> usize {
        self.0.as_ref().map_or(0, |place| place.index)
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        WORKER.replace(self.0.take());
    }
}

/// Marks the thread as this worker's while it polls.
struct CurrentWorker(Option<Place>);

impl CurrentWorker {
    fn enter(worker: &Worker) -> Self {
        Self(WORKER.replace(Some(Place {
            owner: worker.queue.address(),
            index: worker.index,
            local: Arc::clone(&worker.local),
        })))
    }
}

impl Drop for CurrentWorker {
    fn drop(&mut self) {
        WORKER.replace(self.0.take());
    }
}
