//! Threads for jobs that block.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyrt_core::coop;
use anyrt_core::runtime::{BlockingStats, Config, MAX_BLOCKING_THREADS, THREAD_KEEP_ALIVE};

use super::threads::now;
use super::{Runnable, TaskHandle, Tasks};
use crate::sync::{
    Condvar, JoinHandle, Mutex, MutexGuard, PoisonError, ThreadId, current, per_thread,
    start_thread,
};
use crate::time::pausable::{Inhibited, Pausable};

/// A pool of threads, up to a limit, that are started for jobs and end when they have been idle for
/// some time.
///
/// Jobs are tasks of [`Tasks`], so they are joined and aborted, and panic, like any other task.
pub struct BlockingPool {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Arc<Tasks>,
    config: Config,
    max_threads: usize,
    keep_alive: Duration,
    name: String,
    state: Mutex<PoolState>,
    /// A job was queued, or the pool closed.
    work: Condvar,
    /// A thread ended.
    ended: Condvar,
    /// Does not advance by itself while there are jobs.
    clock: Pausable,
    /// Wraps the body of each thread, so that the runtime is current in its jobs.
    around: Box<Around>,
}

type Around = dyn Fn(&mut dyn FnMut()) + Send + Sync;

#[derive(Default)]
struct PoolState {
    queue: VecDeque<Job>,
    /// The number of mandatory jobs that were accepted and are not in the queue yet.
    promised: usize,
    /// The number of threads that will check the queue (again).
    threads: usize,
    /// The waiting ones among them.
    idle: usize,
    /// The number of other threads, which have checked for the last time and are ending.
    ending: usize,
    closed: bool,
    joins: Joins,
}

/// The threads to join, so that the destructors of their thread-locals have run when the pool has
/// ended.
// Lists: they are used only when a thread starts or ends, and a map would add 5 kB to every
// program.
#[derive(Default)]
struct Joins {
    handles: Vec<JoinHandle<()>>,
    /// The handle of the last thread that ended by itself. The next one joins it, so that at most
    /// one is kept.
    last: Option<JoinHandle<()>>,
    /// Threads that ended before their handles were stored.
    early: Vec<ThreadId>,
}

impl Joins {
    fn add(&mut self, handle: JoinHandle<()>) {
        let id = handle.thread().id();
        match self.early.iter().position(|&early| early == id) {
            Some(at) => _ = self.early.swap_remove(at),
            None => self.handles.push(handle),
        }
    }

    /// Records that the thread with that id ends by itself. Returns the handle of the thread to
    /// join instead.
    fn leave(&mut self, id: ThreadId) -> Option<JoinHandle<()>> {
        match self
            .handles
            .iter()
            .position(|handle| handle.thread().id() == id)
        {
            Some(at) => self.last.replace(self.handles.swap_remove(at)),
            None => {
                self.early.push(id);
                None
            }
        }
    }

    /// Takes the handles of all threads except this one.
    fn take(&mut self) -> Vec<JoinHandle<()>> {
        let mut threads = std::mem::take(&mut self.handles);
        threads.extend(self.last.take());
        threads.retain(|handle| handle.thread().id() != current().id());
        threads
    }
}

/// A queued job.
struct Job {
    runnable: Runnable,
    kind: JobKind,
    inhibited: Inhibited,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JobKind {
    /// Cancelled if the pool closes before the job runs and has no thread.
    Plain,
    /// Runs in any case.
    Mandatory,
    /// Runs on a thread of the pool or not at all.
    OnThread,
}

impl Job {
    fn run(self) {
        // Until the joining task has been woken: the clock cannot advance before that.
        let _inhibited = self.inhibited;
        self.runnable.run();
    }
}

per_thread! {
    /// The address of the pool that this thread belongs to.
    static POOL: Cell<usize> = const { Cell::new(0) };
}

impl BlockingPool {
    /// Creates a pool as configured. `around` runs the body of each thread, inside the runtime's
    /// context. A paused `clock` does not advance by itself while there are jobs.
    pub fn new(
        config: &Config,
        default_name: &str,
        clock: Pausable,
        around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                tasks: Tasks::new(),
                max_threads: config
                    .max_blocking_threads
                    .map_or(MAX_BLOCKING_THREADS, Into::into),
                keep_alive: config.thread_keep_alive.unwrap_or(THREAD_KEEP_ALIVE),
                name: default_name.to_owned(),
                config: config.clone(),
                state: Mutex::default(),
                clock,
                work: Condvar::new(),
                ended: Condvar::new(),
                around: Box::new(around),
            }),
        }
    }

    /// Runs `job` on a thread of the pool.
    ///
    /// After [`shutdown`](Self::shutdown) the job is dropped, and joining it returns a cancelled
    /// error.
    pub fn spawn<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(
            // A job may call `block_on`, so the budget of one poll must not apply to it.
            async move { coop::with_unconstrained(job) },
            move |runnable| shared.schedule(runnable, JobKind::Plain),
        )
    }

    /// Runs `job` on a thread of the pool, even if the pool is shut down before that. For jobs with
    /// data that was reported as accepted, such as writes.
    ///
    /// Returns `None` after [`shutdown`](Self::shutdown), and drops the job.
    pub fn spawn_mandatory<F, T>(&self, job: F) -> Option<TaskHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        {
            let mut state = self.shared.lock();
            if state.closed {
                return None;
            }
            // From here on a shutdown waits for the job.
            state.promised += 1;
        }
        let shared = Arc::clone(&self.shared);
        Some(self.shared.tasks.spawn(
            async move { coop::with_unconstrained(job) },
            move |runnable| shared.schedule(runnable, JobKind::Mandatory),
        ))
    }

    /// Like [`spawn`](Self::spawn), for a job that takes over the work of a thread. It never runs
    /// on the calling thread, which it would block.
    ///
    /// If the system provides no thread, the job stays queued until there is one. Other jobs then
    /// run on the thread that spawned one of them.
    pub fn spawn_on_thread<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(
            async move { coop::with_unconstrained(job) },
            move |runnable| shared.schedule(runnable, JobKind::OnThread),
        )
    }

    /// The body of its threads.
    pub fn stats(&self) -> BlockingStats {
        let state = self.shared.lock();
        BlockingStats {
            threads: state.threads,
            idle_threads: state.idle,
            queue_depth: state.queue.len(),
        }
    }

    /// Returns the number of threads, including idle ones.
    pub fn threads(&self) -> usize {
        self.shared.lock().threads
    }

    /// Returns the number of idle threads.
    pub fn idle_threads(&self) -> usize {
        self.shared.lock().idle
    }

    /// Returns the number of queued jobs.
    pub fn depth(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Stops accepting jobs. Accepted jobs still run.
    pub fn close(&self) {
        let left = {
            let mut state = self.shared.lock();
            state.closed = true;
            state.abandoned()
        };
        settle(left);
        self.shared.work.notify_all();
    }

    /// Closes the pool and waits for the accepted jobs, for at most `timeout` (`None`: without
    /// limit). A job of the pool that calls it does not wait for itself.
    ///
    /// Returns whether all threads have ended. The others continue, and run the queued jobs.
    pub fn shutdown(&self, timeout: Option<Duration>) -> bool {
        self.close();
        // A deadline beyond the range of the clock is the same as none.
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        let mut state = self.shared.lock();
        let own = usize::from(POOL.with(Cell::get) == self.shared.address());
        while state.threads + state.ending > own || state.promised > 0 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now()));
            state = match left {
                None => self.shared.wait(&self.shared.ended, state),
                Some(Duration::ZERO) => return false,
                Some(left) => self.shared.wait_for(&self.shared.ended, state, left).0,
            };
        }
        let threads = state.joins.take();
        drop(state);
        for thread in threads {
            // A panic outside the jobs was already reported.
            let _ = thread.join();
        }
        true
    }
}

impl PoolState {
    /// Takes the first job that may run outside of the pool.
    fn take_for_any_thread(&mut self) -> Option<Job> {
        let may_run = |job: &Job| job.kind != JobKind::OnThread;
        let first = self.queue.iter().position(may_run)?;
        self.queue.remove(first)
    }

    /// Takes the jobs for which no thread will be started.
    fn abandoned(&mut self) -> VecDeque<Job> {
        if self.closed && self.threads == 0 {
            std::mem::take(&mut self.queue)
        } else {
            VecDeque::new()
        }
    }
}

/// Runs the mandatory jobs and cancels the others, whose thread was lost by a panic outside the
/// jobs or not provided by the system.
fn settle(abandoned: VecDeque<Job>) {
    for job in abandoned {
        if job.kind == JobKind::Mandatory {
            job.run();
        }
    }
}

impl Shared {
    fn schedule(self: &Arc<Self>, runnable: Runnable, kind: JobKind) {
        let mut state = self.lock();
        if kind == JobKind::Mandatory {
            state.promised -= 1;
        } else if state.closed {
            // Outside the lock: a cancelled job drops its captured values.
            drop(state);
            drop(runnable);
            return;
        }
        state.queue.push_back(Job {
            runnable,
            kind,
            inhibited: self.clock.inhibit(),
        });
        // An idle thread for each queued job, or else a new one, so that no job waits behind a long
        // one.
        if state.idle >= state.queue.len() {
            drop(state);
            self.work.notify_one();
        } else if state.threads < self.max_threads {
            state.threads += 1;
            drop(state);
            // Its destructor corrects the count if the thread's name panics or the system provides
            // no thread.
            let member = Member::new(Arc::clone(self));
            match self.start_thread(member) {
                Ok(handle) => self.lock().joins.add(handle),
                Err(_) => self.run_without_threads(),
            }
        }
    }

    fn start_thread(&self, mut member: Member) -> io::Result<JoinHandle<()>> {
        let work = move || {
            POOL.with(|pool| pool.set(member.shared.address()));
            member.thread = Some(current().id());
            (member.shared.around)(&mut || {
                let _thread = member.shared.config.hooks.enter();
                member.work();
            });
        };
        // The calling worker may be bound to a core.
        start_thread(&self.config, &self.name, Box::new(work))
    }

    /// Called if the system provides no thread. Other threads will take the job. If there are none,
    /// it runs here, because losing it would be worse than blocking.
    fn run_without_threads(&self) {
        let mut state = self.lock();
        // All queued jobs: other callers may have relied on the thread that was not started.
        while state.threads == 0
            && let Some(job) = state.take_for_any_thread()
        {
            drop(state);
            job.run();
            state = self.lock();
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(
        &self,
        condition: &Condvar,
        state: MutexGuard<'a, PoolState>,
    ) -> MutexGuard<'a, PoolState> {
        condition
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(
        &self,
        condition: &Condvar,
        state: MutexGuard<'a, PoolState>,
        timeout: Duration,
    ) -> (MutexGuard<'a, PoolState>, bool) {
        let (state, result) = condition
            .wait_timeout(state, timeout)
            .unwrap_or_else(PoisonError::into_inner);
        (state, result.timed_out())
    }
}

/// Counts as a thread of the pool until it is dropped, even if the code around the jobs panics.
struct Member {
    shared: Arc<Shared>,
    /// `None` before the thread has started.
    thread: Option<ThreadId>,
    /// Whether it has checked the queue for the last time.
    ending: Cell<bool>,
}

impl Member {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            thread: None,
            ending: Cell::new(false),
        }
    }

    fn work(&self) {
        let shared = &self.shared;
        let mut state = shared.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                job.run();
                state = shared.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (woken, timed_out) = shared.wait_for(&shared.work, state, shared.keep_alive);
            state = woken;
            state.idle -= 1;
            if timed_out && state.queue.is_empty() {
                break;
            }
        }
        // Before the lock is released: a job that is queued now must not wait for this thread.
        self.end(&mut state);
    }

    fn end(&self, state: &mut PoolState) {
        if !self.ending.replace(true) {
            state.threads -= 1;
            state.ending += 1;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let left = {
            let mut state = self.shared.lock();
            self.end(&mut state);
            state.abandoned()
        };
        settle(left);
        let former = {
            let mut state = self.shared.lock();
            state.ending -= 1;
            // Otherwise the shutdown joins it.
            let leaves = self.thread.filter(|_| !state.closed);
            leaves.and_then(|thread| state.joins.leave(thread))
        };
        self.shared.ended.notify_all();
        if let Some(former) = former {
            let _ = former.join();
        }
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("BlockingPool")
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .finish_non_exhaustive()
    }
}
