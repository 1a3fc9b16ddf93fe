//! A runtime out of a run queue, worker threads and a blocking pool, for reactors that bring no executor.
//!
//! A backend implements [`Host`] (how a thread waits with the reactor turning), wraps `Arc<Engine<H>>` in its
//! handle and [`Owned`] in its owner, and adds sockets and timers.

use std::fmt;
use std::future::{Future, pending, ready};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, LocalKey};
use std::time::{Duration, Instant};

use anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE;
use anyrt_core::boxed_if_large;
use anyrt_core::context::{self, Entered, Kind, Slot, SlotGuard};
use anyrt_core::coop;
use anyrt_core::error::BuildError;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, WorkerStats};
use anyrt_core::waiters::Waiters;
use futures_lite::future;

use super::{BlockingPool, RunQueue, TaskHandle, Turns, local, local_set};
use crate::time::clock::Clock;

/// What differs between two runtimes that share an [`Engine`].
pub trait Host: Sized + Send + Sync + 'static {
    /// The kind of runtime.
    const KIND: &'static Kind;

    /// The backend's handle.
    type Handle: From<Arc<Engine<Self>>> + 'static;

    /// Where a thread keeps its current runtime; a `thread_local!` of the backend.
    fn slot() -> &'static LocalKey<Slot<Self::Handle>>;

    /// What the threads of one engine wait in; `()` where it is one for all.
    type Reactor: Send + Sync + 'static;

    /// The reactor of an engine with these options.
    ///
    /// # Errors
    /// As the system refuses it.
    fn reactor(config: &Config) -> io::Result<Self::Reactor>;

    /// Runs `future` on this thread, which waits as its role says.
    fn block_on<F: Future>(reactor: &Self::Reactor, role: Role, future: F) -> F::Output;

    /// What the reactor is told by workers; nothing where it has a thread of its own.
    const TURNS: Turns = Turns::NONE;

    /// The engine has ended: nobody waits for timers any more.
    fn end(reactor: &Self::Reactor) {
        let _ = reactor;
    }

    /// Whether the timers follow the [`Clock`] of an engine that has one, and [`alarm`](Self::alarm) and
    /// [`turn`](Self::turn) are there for it. Where not, a runtime that is to start paused fails to build.
    const PAUSABLE: bool = false;

    /// Waits until a moment of the system's time.
    fn alarm(reactor: &Self::Reactor, at: Instant) -> impl Future<Output = ()> {
        let _ = (reactor, at);
        pending()
    }

    /// Waits until everybody was woken for whom the reactor had an event when this was first polled.
    fn turn(reactor: &Self::Reactor) -> impl Future<Output = ()> {
        let _ = reactor;
        ready(())
    }
}

/// How a thread of an engine waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It runs tasks: it turns the reactor when it has none.
    Worker,
    /// It runs its own future alone, beside workers that turn the reactor.
    Caller,
}

/// Runs tasks on worker threads, or on the thread that calls [`block_on`](Self::block_on).
pub struct Engine<H: Host> {
    id: Id,
    flavor: Flavor,
    name: Option<String>,
    queue: Arc<RunQueue>,
    pool: BlockingPool,
    /// On a runtime whose clock can be paused.
    clock: Option<Arc<Clock>>,
    workers: Latch,
    reactor: H::Reactor,
}

impl<H: Host> Engine<H> {
    /// Starts the threads as configured.
    ///
    /// # Errors
    /// [`BuildError::Invalid`] for a senseless option, [`BuildError::Io`] when a thread cannot be started or
    /// bound to its core.
    pub fn start(config: &Config) -> Result<Owned<H>, BuildError> {
        config.validate()?;
        let clock = match Clock::of(config) {
            Some(_) if !H::PAUSABLE && config.start_paused => {
                return Err(BuildError::Unsupported {
                    backend: H::KIND.name(),
                    option: "start_paused",
                    why: "its timers follow the system's clock",
                });
            }
            clock => clock.filter(|_| H::PAUSABLE),
        };
        let reactor = H::reactor(config).map_err(|source| BuildError::Io {
            backend: H::KIND.name(),
            source,
        })?;
        let name = format!("anyrt-{}", H::KIND.name());
        let engine = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let weak = weak.clone();
            let pool = BlockingPool::new(config, &name, clock.clone(), move |work| {
                let engine = weak.upgrade();
                let _current = engine.as_ref().map(Self::enter);
                // The engine must not live on in its own threads.
                drop(engine);
                work();
            });
            Self {
                id: Id::next(),
                flavor: config.flavor,
                name: config.name.clone(),
                queue: RunQueue::beside(config, H::TURNS),
                pool,
                clock,
                workers: Latch::default(),
                reactor,
            }
        });
        let mut owned = Owned {
            engine,
            threads: Vec::new(),
            ended: false,
        };
        if config.flavor == Flavor::MultiThread {
            for index in 0..config.workers() {
                let thread = owned.start_worker(config, &name, index);
                owned.threads.push(thread.map_err(|source| BuildError::Io {
                    backend: H::KIND.name(),
                    source,
                })?);
            }
        }
        Ok(owned)
    }

    /// Makes the runtime current on this thread until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> SlotGuard<H::Handle> {
        self.make_current(context::enter(H::KIND))
    }

    fn make_current(self: &Arc<Self>, entered: Entered) -> SlotGuard<H::Handle> {
        Slot::enter(H::slot(), H::Handle::from(Arc::clone(self)), entered)
    }

    /// Starts a task.
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.queue.spawn(future)
    }

    /// Runs `job` on a thread of the pool.
    pub fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.pool.spawn(job)
    }

    /// The name that the runtime was given.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the tasks run.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The tasks and their queue.
    pub fn queue(&self) -> &Arc<RunQueue> {
        &self.queue
    }

    /// What its threads wait in.
    #[inline]
    pub fn reactor(&self) -> &H::Reactor {
        &self.reactor
    }

    /// The threads for blocking jobs.
    pub fn blocking_pool(&self) -> &BlockingPool {
        &self.pool
    }

    /// The clock that the timers follow, on a runtime where it can be paused.
    #[inline]
    pub fn clock(&self) -> Option<&Arc<Clock>> {
        self.clock.as_ref()
    }

    /// Runs `future` on this thread until it is ready, and local tasks beside it; on a current-thread runtime
    /// the spawned tasks, too.
    ///
    /// # Panics
    /// When the thread is driving a runtime already. When `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        boxed_if_large!(future: F = Box::pin(future) => self.drive(future))
    }

    #[track_caller]
    fn drive<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _current = self.make_current(context::drive(H::KIND));
        let scope = local::Scope::open();
        let root = scope.run_until(future);
        let reactor = &self.reactor;
        match (self.flavor, &self.clock) {
            (Flavor::MultiThread, _) => H::block_on(reactor, Role::Caller, root),
            (Flavor::CurrentThread, None) => {
                H::block_on(reactor, Role::Worker, self.queue.run_until(root))
            }
            (Flavor::CurrentThread, Some(clock)) => {
                let driver = clock.drive();
                let alarm = |at| H::alarm(reactor, at);
                let all = driver.run(self.queue.run_until(root), alarm, || H::turn(reactor));
                H::block_on(reactor, Role::Worker, all)
            }
        }
    }

    /// Runs `job`, which may block, on this thread, while another thread takes over the tasks of this one.
    ///
    /// Where there is nothing to take over (on a blocking thread, or in the future given to `block_on`), it just runs.
    ///
    /// # Panics
    /// On the thread of a current-thread runtime, and in a [`LocalSet`](super::LocalSet): nobody can take over there.
    #[track_caller]
    pub fn block_in_place<T>(self: &Arc<Self>, job: impl FnOnce() -> T) -> T {
        let alone = self.flavor == Flavor::CurrentThread && context::driving().is_some();
        if alone || local_set::is_polling() {
            panic!("{}", CANNOT_BLOCK_IN_PLACE);
        }
        let away = self.queue.leave();
        let _substitute = away.as_ref().map(|away| self.substitute(away.index()));
        let _blocking = context::allow_blocking();
        coop::with_unconstrained(job)
    }

    /// The worker of that number on a blocking thread, until the guard is dropped.
    fn substitute(self: &Arc<Self>, index: usize) -> Substitute {
        let substitute = Substitute::default();
        let (state, engine) = (Arc::clone(&substitute.0), Arc::clone(self));
        let caller = thread::current().id();
        drop(self.pool.spawn(move || {
            // The system had no thread for it, and the pool runs it right here.
            if thread::current().id() == caller {
                return;
            }
            let _current = engine.make_current(context::drive(H::KIND));
            let ended = pin!(engine.queue.tasks().drained());
            let back = pin!(state.wait());
            let work = engine.queue.run_worker(index, future::or(ended, back));
            H::block_on(&engine.reactor, Role::Worker, work);
        }));
        substitute
    }

    /// Drops all tasks, waits for the threads no longer than `timeout`, then for blocking jobs. Gives whether
    /// everything has ended.
    fn shutdown(self: &Arc<Self>, timeout: Option<Duration>) -> bool {
        // Destructors of tasks see their runtime, on whatever thread they run.
        let _current = self.enter();
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(now()));
        self.queue.tasks().close();
        let tasks_ended = match self.flavor {
            Flavor::MultiThread => self.workers.wait(left()),
            Flavor::CurrentThread => self.drain(deadline),
        };
        if let Some(clock) = &self.clock {
            clock.timers().close();
        }
        H::end(&self.reactor);
        self.pool.shutdown(left()) && tasks_ended
    }

    /// Drops the tasks of a current-thread runtime; another thread may be inside `block_on` with some of them.
    fn drain(&self, deadline: Option<Instant>) -> bool {
        loop {
            self.queue.drain();
            if self.queue.tasks().is_empty() {
                return true;
            }
            if deadline.is_some_and(|deadline| now() >= deadline) {
                return false;
            }
            // The other thread's block_on will end the task it is polling, or give back what it had queued.
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl<H: Host> Metrics for Engine<H> {
    fn id(&self) -> Id {
        self.id
    }

    fn flavor(&self) -> Flavor {
        self.flavor
    }

    fn num_workers(&self) -> usize {
        self.queue.metrics().len()
    }

    fn worker_index(&self) -> Option<usize> {
        self.queue.worker_index()
    }

    fn num_alive_tasks(&self) -> usize {
        self.queue.tasks().len()
    }

    fn global_queue_depth(&self) -> usize {
        self.queue.depth()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        self.queue.metrics()[index].stats()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        Some(self.pool.stats())
    }
}

impl<H: Host> fmt::Debug for Engine<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("flavor", &self.flavor)
            .field("queue", &self.queue)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Stands in for a worker that blocks. Dropping it says that the worker is back.
#[derive(Default)]
struct Substitute(Arc<Back>);

#[derive(Default)]
struct Back {
    back: AtomicBool,
    waiters: Waiters,
}

impl Back {
    async fn wait(&self) {
        loop {
            let event = self.waiters.wait();
            if self.back.load(Ordering::SeqCst) {
                return;
            }
            event.await;
        }
    }
}

impl Drop for Substitute {
    fn drop(&mut self) {
        self.0.back.store(true, Ordering::SeqCst);
        self.0.waiters.notify_all();
    }
}

/// Owns an engine and its threads; the body of a backend's [`Owner`](anyrt_core::runtime::Owner).
pub struct Owned<H: Host> {
    engine: Arc<Engine<H>>,
    threads: Vec<JoinHandle<()>>,
    /// Whether the runtime was ended already, so that `drop` has nothing to wait for.
    ended: bool,
}

impl<H: Host> Owned<H> {
    /// The engine.
    pub fn engine(&self) -> &Arc<Engine<H>> {
        &self.engine
    }

    /// Ends the runtime; waits no longer than `timeout` for what cannot be stopped.
    pub fn shutdown_timeout(mut self, timeout: Duration) {
        self.engine.shutdown(Some(timeout));
        // Threads that are still busy go on by themselves.
        self.ended = true;
    }

    fn start_worker(
        &self,
        config: &Config,
        name: &str,
        index: usize,
    ) -> io::Result<JoinHandle<()>> {
        let engine = Arc::clone(&self.engine);
        let running = engine.workers.enter();
        let (pin, hooks) = (config.pin_workers, config.hooks.clone());
        // Whether it is where it should be. A channel would be 12 kB in every program.
        let started = Arc::new(OnceLock::new());
        let placed = Arc::clone(&started);
        let thread = config.thread(name).spawn(move || {
            let _running = running;
            placed.get_or_init(|| !pin || pin_to_core(index));
            let _current = engine.make_current(context::drive(H::KIND));
            let _thread = hooks.enter();
            let work = engine
                .queue
                .run_worker(index, engine.queue.tasks().drained());
            H::block_on(&engine.reactor, Role::Worker, work);
        })?;
        if *started.wait() {
            Ok(thread)
        } else {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the system did not let a worker thread be bound to a core (`pin_workers`)",
            ))
        }
    }
}

impl<H: Host> Drop for Owned<H> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if context::driving().is_some() {
            self.engine.shutdown(Some(Duration::ZERO));
            if !thread::panicking() {
                context::panic_cannot_drop_here();
            }
            return;
        }
        self.engine.shutdown(None);
        for thread in self.threads.drain(..) {
            // A worker catches the panics of its tasks; should it panic itself, it was reported already.
            let _ = thread.join();
        }
    }
}

impl<H: Host> fmt::Debug for Owned<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("engine", &self.engine)
            .field("workers", &self.threads.len())
            .finish()
    }
}

fn pin_to_core(index: usize) -> bool {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    !cores.is_empty() && core_affinity::set_for_current(cores[index % cores.len()])
}

/// Counts threads that are still running.
#[derive(Default)]
struct Latch {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Latch {
    fn enter(&self) -> Running {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Running {
            state: Arc::clone(&self.state),
        }
    }

    /// Waits until all have ended, no longer than `timeout`. Gives whether they have.
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let (running, ended) = &*self.state;
        let guard = running.lock().unwrap_or_else(PoisonError::into_inner);
        match timeout {
            None => {
                drop(
                    ended
                        .wait_while(guard, |running| *running > 0)
                        .unwrap_or_else(PoisonError::into_inner),
                );
                true
            }
            Some(timeout) => {
                let (guard, _) = ended
                    .wait_timeout_while(guard, timeout, |running| *running > 0)
                    .unwrap_or_else(PoisonError::into_inner);
                *guard == 0
            }
        }
    }
}

struct Running {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.state.1.notify_all();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "real threads are waited for in real time"
)]
fn now() -> Instant {
    Instant::now()
}
