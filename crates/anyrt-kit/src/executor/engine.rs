//! A runtime made of a foreign executor, threads that run it, and a blocking pool.
//!
//! A backend implements [`Host`] (its executor, and how a thread waits in its reactor), wraps
//! `Arc<Engine<H>>` in its handle and [`Owned`] in its owner, and adds sockets and timers.
//!
//! # How it ends
//! 1. All tasks are woken, and drop their futures instead of polling them.
//! 2. When only tasks inside `block_in_place` are left, the reactor ends, so that their waits fail.
//!    Not earlier, because tasks that are being dropped must not notice that their runtime has
//!    ended.
//! 3. The workers leave when the last task has ended. Then the blocking pool ends.

use std::fmt;
use std::future::{Future, pending, poll_fn, ready};
use std::io;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once, OnceLock, Weak};
use std::thread::{self, JoinHandle, LocalKey};
use std::time::{Duration, Instant};

use anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE;
use anyrt_core::boxed_if_large;
use anyrt_core::context::{self, Entered, Kind, Slot, SlotGuard};
use anyrt_core::coop;
use anyrt_core::error::BuildError;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, WorkerStats};
use anyrt_core::task;
use futures_lite::future;

use super::hosted::{Executor, Scope};
use super::threads::{AbortOnUnwind, Latch, Substitute, now};
use super::workers::{InTask, Workers};
use super::{BlockingPool, TaskHandle, Tasks, local, local_set};
use crate::affinity;
use crate::time::clock::Clock;
use crate::time::pausable::Pausable;

/// The differences between runtimes that share an [`Engine`].
pub trait Host: Sized + Send + Sync + 'static {
    /// The kind of runtime.
    const KIND: &'static Kind;

    /// The backend's handle.
    type Handle: From<Arc<Engine<Self>>> + 'static;

    /// Returns the slot of a thread for its current runtime, a `thread_local!` of the backend.
    fn slot() -> &'static LocalKey<Slot<Self::Handle>>;

    /// The executor that runs the tasks.
    type Executor: Executor;

    /// Creates an executor for a runtime with its own threads.
    fn executor() -> Self::Executor;

    /// The state shared by the sockets and timers of one engine.
    type Reactor: Send + Sync + 'static;

    /// Creates the reactor of an engine with these options and tasks.
    ///
    /// # Errors
    /// Fails if the system lacks what it needs, such as descriptors.
    fn reactor(config: &Config, tasks: &Arc<Tasks>) -> io::Result<Self::Reactor>;

    /// Runs `future` on this thread, which waits in the reactor while it is pending.
    // Not generic: each copy of a loop with a reactor would be up to 10 kB in every program.
    fn block_on(future: Pin<&mut dyn Future<Output = ()>>);

    /// Called at the end of the engine: wakes the waiters of its sockets and timers, which then get
    /// an error.
    fn end(reactor: &Self::Reactor) {
        let _ = reactor;
    }

    /// Whether the timers follow the [`Clock`] of an engine that has one, and
    /// [`alarm`](Self::alarm) and [`delivered`](Self::delivered) are there for it. Where not, a
    /// runtime that is to start paused fails to build.
    const PAUSABLE: bool = false;

    /// Waits until `at`, in the system's time.
    fn alarm(at: Instant) -> impl Future<Output = ()> {
        let _ = at;
        pending()
    }

    /// Waits until all tasks are woken for which the reactor had an event at the first poll.
    fn delivered() -> impl Future<Output = ()> {
        ready(())
    }
}

/// Runs tasks on worker threads, or on the thread that calls [`block_on`](Self::block_on).
pub struct Engine<H: Host> {
    id: Id,
    flavor: Flavor,
    name: Option<String>,
    tasks: Arc<Tasks>,
    executor: H::Executor,
    workers: Workers,
    pool: BlockingPool,
    clock: Pausable,
    running: Latch,
    reactor: H::Reactor,
    ended: Once,
    /// For a runtime without its own threads: the engine, which is made current around each poll.
    embedded: Option<Weak<Self>>,
}

impl<H: Host> Engine<H> {
    /// Starts the threads as configured.
    ///
    /// # Errors
    /// Returns [`BuildError::Invalid`] for an invalid option, and [`BuildError::Io`] if a thread
    /// cannot be started or bound to its core.
    pub fn start(config: &Config) -> Result<Owned<H>, BuildError> {
        config.validate()?;
        let clock = match H::PAUSABLE {
            true => Pausable::of(config, H::KIND.name())?,
            false if !config.start_paused => Pausable::default(),
            false => {
                return Err(BuildError::Unsupported {
                    backend: H::KIND.name(),
                    option: "start_paused",
                    why: "its timers follow the system's clock",
                });
            }
        };
        let parts = Self::parts(config, next_number())?;
        let engine =
            Arc::new_cyclic(|weak| Self::new(config, weak, H::executor(), parts, clock, None));
        let name = format!("anyrt-{}", H::KIND.name());
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

    /// Creates a runtime over an executor that the application runs. It has no owner and ends with
    /// that executor: its tasks are dropped with those of the executor, and its blocking jobs are
    /// not waited for.
    ///
    /// # Errors
    /// Returns [`BuildError::Io`] if the reactor cannot be started.
    pub fn embed(executor: H::Executor) -> Result<Arc<Self>, BuildError> {
        let config = &Config::default();
        let parts = Self::parts(config, Tasks::ENDLESS)?;
        Ok(Arc::new_cyclic(|weak| {
            let embedded = Some(Weak::clone(weak));
            Self::new(config, weak, executor, parts, Pausable::default(), embedded)
        }))
    }

    fn parts(
        config: &Config,
        number: NonZeroUsize,
    ) -> Result<(Arc<Tasks>, H::Reactor), BuildError> {
        let tasks = Tasks::numbered(number);
        match H::reactor(config, &tasks) {
            Ok(reactor) => Ok((tasks, reactor)),
            Err(source) => Err(BuildError::Io {
                backend: H::KIND.name(),
                source,
            }),
        }
    }

    fn new(
        config: &Config,
        weak: &Weak<Self>,
        executor: H::Executor,
        (tasks, reactor): (Arc<Tasks>, H::Reactor),
        clock: Pausable,
        embedded: Option<Weak<Self>>,
    ) -> Self {
        let weak = Weak::clone(weak);
        let name = format!("anyrt-{}", H::KIND.name());
        let pool = BlockingPool::new(config, &name, clock.clone(), move |work| {
            let engine = weak.upgrade();
            let _current = engine.as_ref().map(Self::enter);
            // Its own threads must not keep the engine alive.
            drop(engine);
            work();
        });
        Self {
            id: Id::next(),
            flavor: config.flavor,
            name: config.name.clone(),
            tasks,
            executor,
            workers: match embedded {
                Some(_) => Workers::unknown(),
                None => Workers::new(config),
            },
            pool,
            clock,
            running: Latch::default(),
            reactor,
            ended: Once::new(),
            embedded,
        }
    }

    /// Makes the runtime current on this thread until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> SlotGuard<H::Handle> {
        self.make_current(context::enter(H::KIND))
    }

    fn make_current(self: &Arc<Self>, entered: Entered) -> SlotGuard<H::Handle> {
        // Timers that follow a clock need more of the runtime than its number.
        let number = self.tasks.number().filter(|_| self.clock().is_none());
        let handle = H::Handle::from(Arc::clone(self));
        Slot::enter(H::slot(), handle, entered.numbered(number))
    }

    /// Starts a task.
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        boxed_if_large!(future: F = Box::pin(future) => self.start_task(future))
    }

    fn start_task<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let embedded = self.embedded.as_ref().and_then(Weak::upgrade);
        let scope = embedded.map(|engine| engine as Arc<dyn Scope>);
        self.tasks
            .spawn_hosted(future, scope, |task| self.executor.spawn(task))
    }

    /// Runs `job` on a thread of the pool.
    pub fn spawn_blocking<F, T>(&self, job: F) -> TaskHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // Without an owner, a queued job keeps its runtime alive, which is to be current in it.
        let kept = self.embedded.as_ref().and_then(Weak::upgrade);
        self.pool.spawn(move || {
            let _kept = kept;
            job()
        })
    }

    /// Returns the name of the runtime.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the flavor: where the tasks run.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Returns the state shared by its sockets and timers.
    #[inline]
    pub fn reactor(&self) -> &H::Reactor {
        &self.reactor
    }

    /// Returns the threads for blocking jobs.
    pub fn blocking_pool(&self) -> &BlockingPool {
        &self.pool
    }

    /// Returns the clock of the timers, on a runtime where it can be paused.
    #[inline]
    pub fn clock(&self) -> Option<&Arc<Clock>> {
        self.clock.get()
    }

    /// Runs `future` on this thread until it is ready, together with local tasks and, on a
    /// current-thread runtime, the spawned tasks.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, or if `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        boxed_if_large!(future: F = Box::pin(future) => self.drive(future))
    }

    #[track_caller]
    fn drive<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _current = self.make_current(context::drive(H::KIND));
        let scope = local::LocalScope::open(self.flavor);
        let mut root = pin!(scope.run_until(future));
        let mut output = None;
        self.drive_root(pin!(poll_fn(|cx| {
            let polled = root.as_mut().poll(cx);
            polled.map(|value| output = Some(value))
        })));
        match output {
            Some(output) => output,
            None => unreachable!("`block_on` returns when the future is ready"),
        }
    }

    fn drive_root(&self, root: Pin<&mut dyn Future<Output = ()>>) {
        if self.flavor == Flavor::MultiThread {
            return H::block_on(root);
        }
        let work = pin!(self.workers.work(0, self.executor.run_alone(root)));
        match self.clock() {
            None => H::block_on(work),
            Some(clock) => {
                let driver = clock.drive();
                H::block_on(pin!(driver.run(work, H::alarm, H::delivered)));
            }
        }
    }

    /// Runs tasks as the worker with that number until `until` is ready.
    fn work(&self, index: usize, until: Pin<&mut dyn Future<Output = ()>>) {
        H::block_on(pin!(self.workers.work(index, self.executor.run(until))));
    }

    /// Waits until the runtime has ended. Ends the reactor and closes the pool as soon as only
    /// tasks that block in place are left.
    async fn until_the_end(&self) {
        self.tasks.settled().await;
        self.end();
        self.tasks.drained().await;
    }

    fn end(&self) {
        self.ended.call_once(|| {
            if let Some(clock) = self.clock() {
                clock.timers().close();
            }
            H::end(&self.reactor);
            // A task that blocks in place may start one job after the other.
            self.pool.close();
        });
    }

    /// Runs `job`, which may block, on this thread, while another thread takes over the tasks of
    /// this one.
    ///
    /// If there is nothing to take over (on a blocking thread, or in the future given to
    /// `block_on`), it only runs `job`. On threads of the application, only a blocking job is known
    /// to leave nothing.
    ///
    /// # Panics
    /// Panics on the thread of a current-thread runtime and in a [`LocalSet`](super::LocalSet),
    /// where no other thread can take over.
    #[track_caller]
    pub fn block_in_place<T>(self: &Arc<Self>, job: impl FnOnce() -> T) -> T {
        let alone = self.flavor == Flavor::CurrentThread && context::driving().is_some();
        if alone || local_set::is_polling() {
            panic!("{}", CANNOT_BLOCK_IN_PLACE);
        }
        let left = self.workers.leave();
        let _blocks = left.as_ref().map(|_| self.tasks.block());
        let index = left.as_ref().map_or(0, |left| left.index());
        // In other cases the threads are the application's, whose executor may have no other
        // thread. A task that the application has started there is as unknown as its threads. Only
        // a blocking job, or a second block in place, is surely not on one of them.
        let may_have_left =
            self.embedded.is_some() && (context::driving().is_some() || task::try_id().is_none());
        let must_run_on = left.is_some() || may_have_left;
        let _substitute = must_run_on.then(|| self.substitute(index));
        // In a task of the application, which has not entered it.
        let _current = context::current().is_none().then(|| self.enter());
        let _blocking = context::allow_blocking();
        let _outside = InTask::of_none();
        coop::with_unconstrained(job)
    }

    /// Starts the worker with that number on a blocking thread, until the guard is dropped.
    fn substitute(self: &Arc<Self>, index: usize) -> Substitute {
        let substitute = Substitute::default();
        let (state, engine) = (substitute.back(), Arc::clone(self));
        let cores = affinity::bound();
        drop(self.pool.spawn_on_thread(move || {
            let _bound = cores.map(|cores| cores.share());
            let _abort = AbortOnUnwind;
            let _current = engine.make_current(context::drive(H::KIND));
            let back = pin!(state.wait());
            let ended = pin!(engine.until_the_end());
            let until = pin!(future::or(ended, back));
            match engine.embedded {
                None => engine.work(index, until),
                Some(_) => H::block_on(pin!(engine.executor.run(until))),
            }
        }));
        substitute
    }

    /// Drops all tasks, and waits for the threads, then for blocking jobs, for at most `timeout`.
    /// Returns whether everything has ended.
    fn shutdown(self: &Arc<Self>, timeout: Option<Duration>) -> bool {
        // Destructors of tasks run inside their runtime, on any thread.
        let _current = self.enter();
        let deadline = timeout.and_then(|timeout| now().checked_add(timeout));
        let left = || deadline.map(|deadline| deadline.saturating_duration_since(now()));
        self.tasks.close();
        let tasks_ended = match self.flavor {
            Flavor::MultiThread => self.running.wait(left()),
            Flavor::CurrentThread => {
                let drained = self.drain(deadline);
                self.end();
                drained
            }
        };
        self.pool.shutdown(left()) && tasks_ended
    }

    /// Drops the tasks of a current-thread runtime; another thread may be inside `block_on` with
    /// some of them.
    fn drain(&self, deadline: Option<Instant>) -> bool {
        loop {
            while self.executor.try_tick() {}
            if self.tasks.is_empty() {
                return true;
            }
            if deadline.is_some_and(|deadline| now() >= deadline) {
                return false;
            }
            // The other thread's `block_on` will end the task that it is polling, or return its
            // queued tasks.
            thread::park_timeout(Duration::from_millis(1));
        }
    }
}

impl<H: Host> Drop for Engine<H> {
    fn drop(&mut self) {
        self.executor.retire(&self.tasks);
    }
}

impl<H: Host> Scope for Engine<H> {
    fn run(&self, poll: &mut dyn FnMut()) {
        let engine = self.embedded.as_ref().and_then(Weak::upgrade);
        let _current = engine.map(|engine| engine.make_current(context::drive_within(H::KIND)));
        poll();
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
        self.workers.metrics().len()
    }

    fn worker_index(&self) -> Option<usize> {
        self.workers.index()
    }

    fn num_alive_tasks(&self) -> usize {
        self.tasks.len()
    }

    fn global_queue_depth(&self) -> usize {
        self.executor.depth()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        self.workers.metrics()[index].stats()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        Some(self.pool.stats())
    }
}

impl<H: Host> fmt::Debug for Engine<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("flavor", &self.flavor)
            .field("tasks", &self.tasks)
            .field("executor", &self.executor)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Owns an engine and its threads. The body of a backend's [`Owner`](anyrt_core::runtime::Owner).
pub struct Owned<H: Host> {
    engine: Arc<Engine<H>>,
    threads: Vec<JoinHandle<()>>,
    /// Whether the runtime has already ended, so that `drop` has nothing to wait for.
    ended: bool,
}

impl<H: Host> Owned<H> {
    /// The engine.
    pub fn engine(&self) -> &Arc<Engine<H>> {
        &self.engine
    }

    /// Like [`Engine::block_on`]. The runtime does not end while the owner is borrowed, so the
    /// waits of `future` need not be registered for its end.
    ///
    /// # Panics
    /// See [`Engine::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        boxed_if_large!(future: F = Box::pin(future) =>
            self.engine.drive(InTask::polling(self.engine.tasks.number(), future)))
    }

    /// Ends the runtime. Waits for at most `timeout` for code that cannot be stopped.
    ///
    /// # Panics
    /// Panics on a thread that is driving a runtime, unless `timeout` is zero.
    #[track_caller]
    pub fn shutdown_timeout(mut self, timeout: Duration) {
        // Busy threads continue by themselves.
        self.ended = true;
        context::end_owner(Some(timeout), |timeout| {
            self.engine.shutdown(timeout);
        });
    }

    fn start_worker(
        &self,
        config: &Config,
        name: &str,
        index: usize,
    ) -> io::Result<JoinHandle<()>> {
        let engine = Arc::clone(&self.engine);
        let running = engine.running.enter();
        let (pin, hooks) = (config.pin_workers, config.hooks.clone());
        // Whether it is where it should be. A channel would be 12 kB in every program.
        let started = Arc::new(OnceLock::new());
        let placed = Arc::clone(&started);
        let work = move || {
            let _running = running;
            let _abort = AbortOnUnwind;
            placed.get_or_init(|| !pin || affinity::bind(index).is_ok());
            let _current = engine.make_current(context::drive(H::KIND));
            let _thread = hooks.enter();
            engine.work(index, pin!(engine.until_the_end()));
        };
        let thread = affinity::start_thread(config, name, Box::new(work))?;
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
        context::end_owner(None, |timeout| {
            self.engine.shutdown(timeout);
            if timeout.is_none() {
                for thread in self.threads.drain(..) {
                    // The panics of tasks are caught, and one of the worker was reported.
                    let _ = thread.join();
                }
            }
        });
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

fn next_number() -> NonZeroUsize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    NonZeroUsize::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed))
}
