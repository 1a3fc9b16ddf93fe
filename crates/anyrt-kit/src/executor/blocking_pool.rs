//! Threads for jobs that block.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyrt_core::coop;
use anyrt_core::runtime::{BlockingStats, Config, MAX_BLOCKING_THREADS, THREAD_KEEP_ALIVE};

use super::{Runnable, TaskHandle, Tasks};
use crate::affinity;
use crate::sync::{
    Condvar, JoinHandle, Mutex, MutexGuard, PoisonError, ThreadId, current, per_thread, spawn,
};
use crate::time::clock::{Clock, Inhibition};

/// A pool of threads that come when there are jobs, go when there are none, and number no more than allowed.
///
/// Jobs are tasks of [`Tasks`], so joining, aborting and panics are as for any other task.
pub struct BlockingPool {
    shared: Arc<Shared>,
}

struct Shared {
    tasks: Arc<Tasks>,
    config: Config,
    max_threads: usize,
    keep_alive: Duration,
    name: String,
    state: Mutex<State>,
    /// A job was queued, or the pool closed.
    work: Condvar,
    /// A thread ended.
    ended: Condvar,
    /// Stands still, if it is paused, while there are jobs.
    clock: Option<Arc<Clock>>,
    /// Runs around the life of each thread, so that jobs see their runtime as the current one.
    around: Box<Around>,
}

type Around = dyn Fn(&mut dyn FnMut()) + Send + Sync;

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Mandatory jobs that were accepted and are not in the queue yet.
    promised: usize,
    /// Threads that will look at the queue (again).
    threads: usize,
    /// Of them, those that wait.
    idle: usize,
    /// Beside them, those that have looked for the last time and are ending.
    ending: usize,
    closed: bool,
    joins: Joins,
}

/// The threads to join, so that the destructors of their thread-locals have run when the pool has ended.
// Lists: they are looked at when a thread comes or goes, and a map would be 5 kB in every program.
#[derive(Default)]
struct Joins {
    handles: Vec<JoinHandle<()>>,
    /// Of the thread that ended last by itself. It is joined by the next one, so that no more than one is kept.
    last: Option<JoinHandle<()>>,
    /// Threads that ended before their handles came.
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

    /// The thread of that id ends by itself. Gives the one to join instead.
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

    /// All but this thread.
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
    inhibition: Option<Inhibition>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum JobKind {
    /// Cancelled if the pool closes before its turn and has no thread.
    Plain,
    /// Runs in any case.
    Mandatory,
    /// Runs on a thread of the pool or not at all.
    OnThread,
}

impl Job {
    fn run(self) {
        self.runnable.run();
        // Only now: who joins the job has been woken, so the clock cannot move on before that.
        drop(self.inhibition);
    }
}

per_thread! {
    /// The pool that this thread belongs to, by address.
    static POOL: Cell<usize> = const { Cell::new(0) };
}

impl BlockingPool {
    /// A pool as configured. `around` is given the life of each thread to run, inside the runtime's context; a
    /// paused `clock` does not move on by itself while there are jobs.
    pub fn new(
        config: &Config,
        default_name: &str,
        clock: Option<Arc<Clock>>,
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
    /// After [`shutdown`](Self::shutdown) the job is dropped, and the handle gives a cancelled error.
    pub fn spawn<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(
            // A job may `block_on`, so the budget of one poll must not bind it.
            async move { coop::with_unconstrained(job) },
            move |runnable| shared.schedule(runnable, JobKind::Plain),
        )
    }

    /// Runs `job` on a thread of the pool, also if the pool is shut down before the job comes to it: for a job that
    /// carries what somebody was told is safe.
    ///
    /// `None` after [`shutdown`](Self::shutdown); the job is dropped then.
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

    /// Like [`spawn`](Self::spawn), for a job that takes over the work of a thread, and would hold up the one that happens
    /// to call the pool.
    ///
    /// If the system refuses a thread, the job stays queued until there is one. The other jobs run on the thread that
    /// spawned one of them.
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

    /// What its threads do.
    pub fn stats(&self) -> BlockingStats {
        let state = self.shared.lock();
        BlockingStats {
            threads: state.threads,
            idle_threads: state.idle,
            queue_depth: state.queue.len(),
        }
    }

    /// The number of threads, idle ones included.
    pub fn threads(&self) -> usize {
        self.shared.lock().threads
    }

    /// The number of idle threads.
    pub fn idle_threads(&self) -> usize {
        self.shared.lock().idle
    }

    /// The number of jobs that no thread has taken yet.
    pub fn depth(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// Takes no jobs from now on. Those that it has taken still run.
    pub fn close(&self) {
        let left = {
            let mut state = self.shared.lock();
            state.closed = true;
            state.abandoned()
        };
        settle(left);
        self.shared.work.notify_all();
    }

    /// Closes, and waits for the jobs that it has taken, no longer than `timeout` (`None`: as long as it takes). A job of
    /// the pool that calls it does not wait for itself.
    ///
    /// Returns whether all threads have ended. Those that have not go on, and run what is queued.
    pub fn shutdown(&self, timeout: Option<Duration>) -> bool {
        self.close();
        // A time too far away to be one is as good as none.
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
            // A panic outside the jobs was reported already.
            let _ = thread.join();
        }
        true
    }
}

impl State {
    /// The first job that may run outside of the pool.
    fn take_for_any_thread(&mut self) -> Option<Job> {
        let may_run = |job: &Job| job.kind != JobKind::OnThread;
        let first = self.queue.iter().position(may_run)?;
        self.queue.remove(first)
    }

    /// The jobs that no thread will come for.
    fn abandoned(&mut self) -> VecDeque<Job> {
        if self.closed && self.threads == 0 {
            std::mem::take(&mut self.queue)
        } else {
            VecDeque::new()
        }
    }
}

/// Runs what must run, and cancels the rest: a panic outside the jobs, or the system, has taken their thread.
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
            // Outside the lock: a cancelled job drops what it captured.
            drop(state);
            drop(runnable);
            return;
        }
        state.queue.push_back(Job {
            runnable,
            kind,
            inhibition: self.clock.as_ref().map(Clock::inhibit),
        });
        // An idle thread for each queued job, or else a new one: a job never waits behind a long one by chance.
        if state.idle >= state.queue.len() {
            drop(state);
            self.work.notify_one();
        } else if state.threads < self.max_threads {
            state.threads += 1;
            drop(state);
            // Counted out again by its destructor, should the thread's name panic or the system refuse the thread.
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
        // The worker that needs it may be bound to a core.
        affinity::unbound(|| spawn(&self.config, &self.name, work))
    }

    /// The system refused a thread. Other threads will come to the job; if there are none, it runs here, since losing it
    /// would be worse than blocking.
    fn run_without_threads(&self) {
        let mut state = self.lock();
        // All that is queued: others may have left their jobs to the thread that did not come.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        condition
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for<'a>(
        &self,
        condition: &Condvar,
        state: MutexGuard<'a, State>,
        timeout: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        let (state, result) = condition
            .wait_timeout(state, timeout)
            .unwrap_or_else(PoisonError::into_inner);
        (state, result.timed_out())
    }
}

/// Counts as a thread of the pool until it is dropped, also when what runs around the jobs panics.
struct Member {
    shared: Arc<Shared>,
    /// `None` before it has begun.
    thread: Option<ThreadId>,
    /// Whether it has looked at the queue for the last time.
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
        // Before the lock is let go of: a job that comes now must not wait for this thread.
        self.end(&mut state);
    }

    fn end(&self, state: &mut State) {
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
            // Else the shutdown joins it.
            let leaves = self.thread.filter(|_| !state.closed);
            leaves.and_then(|thread| state.joins.leave(thread))
        };
        self.shared.ended.notify_all();
        if let Some(former) = former {
            let _ = former.join();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real threads are waited for in real time"
)]
fn now() -> Instant {
    Instant::now()
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
