//! The handle, what owns the shards, and how they are configured.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use anyrt_core::blocking::CANNOT_BLOCK_IN_PLACE;
use anyrt_core::channel::Channel;
use anyrt_core::context::{self, Entered, Kind, Slot, SlotGuard};
use anyrt_core::coop;
use anyrt_core::runtime::{BlockingStats, Config, Flavor, Id, Metrics, Owner, WorkerStats};
use anyrt_core::{BuildError, boxed_if_large};
use anyrt_kit::executor::{BlockingPool, TaskHandle, local, local_set};
use anyrt_kit::queue;
use anyrt_kit::time::clock::Clock;

use crate::shard::{self, Shard};
use crate::{sys, time};

/// Names this backend.
pub static KIND: Kind = Kind::new("glommio");

const THREAD_NAME: &str = "anyrt-glommio";

thread_local! {
    static CURRENT: Slot<GlommioRuntime> = const { Slot::new() };
}

static DEFAULT: OnceLock<GlommioRuntime> = OnceLock::new();

/// A handle to the runtime. It does not keep the runtime alive; its [`Runtime`] does.
#[derive(Clone)]
pub struct GlommioRuntime {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    id: Id,
    name: Option<String>,
    flavor: Flavor,
    shards: Box<[Arc<Shard>]>,
    /// The ids of `shards` are consecutive from here.
    first_id: u64,
    next: AtomicUsize,
    pub(crate) blocking: BlockingPool,
    clock: Option<Arc<Clock>>,
}

impl GlommioRuntime {
    /// The runtime that is current on this thread, if it is one of these.
    pub fn try_current() -> Option<Self> {
        Self::with_current(Clone::clone)
    }

    /// Calls `f` with the current runtime, if it is one of these.
    #[inline]
    pub fn with_current<T>(f: impl FnOnce(&Self) -> T) -> Option<T> {
        let mut f = Some(f);
        match Slot::with(&CURRENT, |current| f.take().map(|f| f(current))) {
            Some(value) => value,
            None => f.and_then(|f| DEFAULT.get().map(f)),
        }
    }

    /// Makes this the current runtime of all threads on which none is.
    ///
    /// # Errors
    /// The runtime that is the default already.
    pub fn make_default(&self) -> Result<(), Self> {
        match DEFAULT.set(self.clone()) {
            Ok(()) => Ok(()),
            Err(_) => Err(DEFAULT.get_or_init(|| self.clone()).clone()),
        }
    }

    /// Makes the runtime current on this thread until the guard is dropped.
    pub fn enter(&self) -> SlotGuard<Self> {
        self.make_current(context::enter(&KIND))
    }

    fn make_current(&self, entered: Entered) -> SlotGuard<Self> {
        Slot::enter(&CURRENT, self.clone(), entered)
    }

    /// Runs `future` on this thread until it is ready. The thread becomes no shard: it waits, and the shards
    /// watch its sockets and timers for it.
    ///
    /// # Panics
    /// When the thread is driving a runtime already. When `future` panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        boxed_if_large!(future: F = Box::pin(future) => self.drive(future))
    }

    #[track_caller]
    fn drive<F: Future>(&self, future: F) -> F::Output {
        let _current = self.make_current(context::drive(&KIND));
        let scope = local::Scope::open();
        let root = scope.run_until(future);
        match self.clock() {
            None => park_until_ready(root),
            Some(clock) => park_until_ready(self.run_idle_aware(clock, root)),
        }
    }

    /// Runs `future`, and tells the shard, which moves the clock on, when there is nothing to do.
    async fn run_idle_aware<F: Future>(&self, clock: &Arc<Clock>, future: F) -> F::Output {
        let driver = clock.drive();
        let mut future = pin!(future);
        loop {
            if let Some(output) = driver.until_idle(future.as_mut()).await {
                return output;
            }
            for shard in &self.inner.shards {
                shard.rouse();
            }
            driver.undisturbed(pending()).await;
        }
    }

    /// The clock that the timers follow, on a runtime where it can be paused.
    pub fn clock(&self) -> Option<&Arc<Clock>> {
        self.inner.clock.as_ref()
    }

    /// The name that the runtime was given.
    pub fn name(&self) -> Option<&str> {
        self.inner.name.as_deref()
    }

    /// Runs `job`, which may block, on this thread.
    ///
    /// The tasks of a shard cannot move, so on a shard all of its tasks wait for the job, and a `block_on` inside it is
    /// refused: what it would wait for may need this very shard. `spawn_blocking` has neither limit.
    ///
    /// # Panics
    /// On a current-thread runtime, and in a `LocalSet`, as on every backend.
    #[track_caller]
    pub fn block_in_place<T>(&self, job: impl FnOnce() -> T) -> T {
        let alone = self.inner.flavor == Flavor::CurrentThread && context::driving().is_some();
        if alone || local_set::is_polling() {
            panic!("{}", CANNOT_BLOCK_IN_PLACE);
        }
        let on_shard = shard::current_id() != 0;
        let _blocking = (!on_shard).then(context::allow_blocking);
        coop::with_unconstrained(job)
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    /// The number of the shard that the calling task runs on; `None` on a thread that is no shard of this
    /// runtime.
    pub fn current_shard_index(&self) -> Option<usize> {
        self.index_of(shard::current_id())
    }

    /// Starts `future` as a task on shard number `index`, instead of the one that `spawn` would choose.
    ///
    /// # Panics
    /// When there is no such shard.
    pub fn spawn_on<F>(&self, index: usize, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let shards = &self.inner.shards;
        match shards.get(index) {
            Some(shard) => shard.spawn(future),
            None => panic!("there is no shard {index}, only {}", shards.len()),
        }
    }

    /// The number of live tasks on each shard.
    pub fn tasks_per_shard(&self) -> Vec<usize> {
        self.inner.shards.iter().map(|s| s.load()).collect()
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        let index = usize::try_from(id.checked_sub(self.inner.first_id)?).ok()?;
        (index < self.inner.shards.len()).then_some(index)
    }

    /// The shard that is this thread, if it belongs to this runtime.
    pub(crate) fn current_shard(&self) -> Option<Arc<Shard>> {
        self.current_shard_index()
            .map(|index| Arc::clone(&self.inner.shards[index]))
    }

    /// Some shard, each in its turn.
    pub(crate) fn any_shard(&self) -> Arc<Shard> {
        Arc::clone(&self.inner.shards[self.turn()])
    }

    /// Whether its shards still watch sockets.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.inner.shards[0].reactor().check()
    }

    fn turn(&self) -> usize {
        self.inner.next.fetch_add(1, Ordering::Relaxed) % self.inner.shards.len()
    }

    /// Where a task goes: to the one of two shards that has fewer live tasks. The two are this shard and another
    /// one in turn, or two in turn on a thread that is no shard. The task that spawns does not count, and the
    /// first of the two wins a tie.
    pub(crate) fn place(&self) -> &Arc<Shard> {
        let shards = &self.inner.shards;
        if let [only] = &**shards {
            return only;
        }
        let turn = self.turn();
        let (first, spawner) = match self.current_shard_index() {
            Some(home) => (home, 1),
            None => (turn, 0),
        };
        // Any shard but the first one.
        let second = (first + 1 + turn % (shards.len() - 1)) % shards.len();
        let (first, second) = (&shards[first], &shards[second]);
        if second.load() < first.load().saturating_sub(spawner) {
            second
        } else {
            first
        }
    }

    pub(crate) fn blocking(&self) -> &BlockingPool {
        &self.inner.blocking
    }
}

impl fmt::Debug for GlommioRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlommioRuntime")
            .field("shards", &self.inner.shards)
            .field("blocking", &self.inner.blocking)
            .finish_non_exhaustive()
    }
}

impl Metrics for GlommioRuntime {
    fn id(&self) -> Id {
        self.inner.id
    }

    fn flavor(&self) -> Flavor {
        self.inner.flavor
    }

    fn num_workers(&self) -> usize {
        self.shards()
    }

    fn worker_index(&self) -> Option<usize> {
        self.current_shard_index()
    }

    fn num_alive_tasks(&self) -> usize {
        self.inner.shards.iter().map(|shard| shard.load()).sum()
    }

    fn global_queue_depth(&self) -> usize {
        let shards = self.inner.shards.iter();
        shards.map(|shard| shard.inbox_depth()).sum()
    }

    fn worker(&self, index: usize) -> WorkerStats {
        self.inner.shards[index].stats()
    }

    fn blocking(&self) -> Option<BlockingStats> {
        Some(self.inner.blocking.stats())
    }
}

impl Channel for GlommioRuntime {
    type Sender<T: Send + 'static> = queue::Sender<T>;
    type Receiver<T: Send + 'static> = queue::Receiver<T>;
    type UnboundedSender<T: Send + 'static> = queue::UnboundedSender<T>;
    type UnboundedReceiver<T: Send + 'static> = queue::Receiver<T>;

    fn bounded<T: Send + 'static>(&self, capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        queue::bounded(capacity)
    }

    fn unbounded<T: Send + 'static>(
        &self,
    ) -> (Self::UnboundedSender<T>, Self::UnboundedReceiver<T>) {
        queue::unbounded()
    }
}

/// What Glommio itself is given, per shard.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    pub(crate) depth: usize,
    pub(crate) io_memory: usize,
}

/// Configures and builds a [`Runtime`]: the options of every backend, and Glommio's own.
#[derive(Debug)]
pub struct Builder {
    config: Config,
    ring: Ring,
    preempt_timer: Duration,
    zero: Option<&'static str>,
}

impl Builder {
    /// One shard per core, unless set.
    pub fn new() -> Self {
        Self::from_config(Config::default())
    }

    /// The options of every backend; Glommio's own at their defaults.
    pub fn from_config(config: Config) -> Self {
        Self {
            config,
            ring: Ring {
                depth: 128,
                io_memory: 64 * 1024,
            },
            preempt_timer: Duration::from_millis(1),
            zero: None,
        }
    }

    /// The number of shards; as `worker_threads` of the common options. 0 is an error of `build`.
    pub fn shards(&mut self, shards: usize) -> &mut Self {
        self.positive("shards", shards);
        self.config.worker_threads = NonZeroUsize::new(shards);
        self
    }

    /// Binds shard `i` to the `i`th core that the process may use, modulo their number.
    pub fn pin(&mut self, pin: bool) -> &mut Self {
        self.config.pin_workers = pin;
        self
    }

    /// The number of entries of each of the three rings of a shard; 128 unless set. 0 is an error of `build`.
    pub fn ring_depth(&mut self, entries: usize) -> &mut Self {
        self.positive("ring_depth", entries);
        self.ring.depth = entries;
        self
    }

    /// The memory for direct file I/O that each shard registers, in bytes; 64 KiB unless set. Glommio locks about
    /// three times as much.
    pub fn io_memory(&mut self, bytes: usize) -> &mut Self {
        self.ring.io_memory = bytes;
        self
    }

    /// How long a busy shard may go on before Glommio's own rings (files) have their turn; 1 ms unless set.
    /// Sockets and timers are looked at far more often, between tasks.
    pub fn preempt_timer(&mut self, slice: Duration) -> &mut Self {
        self.preempt_timer = slice;
        self
    }

    /// Starts the shards.
    ///
    /// # Errors
    /// As [`is_available`](crate::is_available); [`BuildError::Invalid`] for a zero; [`BuildError::Io`] when the
    /// system gives no thread or descriptor, or does not let a thread be bound to its core.
    pub fn build(&mut self) -> Result<Runtime, BuildError> {
        Runtime::start(self)
    }

    fn positive(&mut self, option: &'static str, value: usize) {
        if value == 0 {
            self.zero = Some(option);
        }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

/// Owns the shards. Dropping it drops every task first, each on its own shard.
pub struct Runtime {
    handle: GlommioRuntime,
    threads: Vec<JoinHandle<()>>,
    /// Disconnected when the last shard has ended.
    ended: Mutex<mpsc::Receiver<Infallible>>,
    done: bool,
}

impl Runtime {
    fn start(builder: &Builder) -> Result<Self, BuildError> {
        let config = &builder.config;
        config.validate()?;
        if let Some(option) = builder.zero {
            return Err(BuildError::Invalid {
                option,
                why: "it must be at least 1",
            });
        }
        sys::is_available()?;
        let clock = Clock::of(config);
        let shards = Shard::next_ids(config.workers())
            .map(|id| Shard::new(id, builder.preempt_timer, clock.clone(), config))
            .collect::<Result<Box<_>, _>>()
            .map_err(build_error)?;
        let inner = Arc::new_cyclic(|weak: &Weak<Inner>| {
            let weak = weak.clone();
            let blocking = BlockingPool::new(config, THREAD_NAME, clock.clone(), move |work| {
                let runtime = weak.upgrade().map(|inner| GlommioRuntime { inner });
                let _current = runtime.as_ref().map(GlommioRuntime::enter);
                drop(runtime);
                work();
            });
            Inner {
                id: Id::next(),
                name: config.name.clone(),
                flavor: config.flavor,
                first_id: shards[0].id(),
                shards,
                next: AtomicUsize::new(0),
                blocking,
                clock,
            }
        });
        let (running, ended) = mpsc::channel();
        let mut runtime = Self {
            handle: GlommioRuntime { inner },
            threads: Vec::new(),
            ended: Mutex::new(ended),
            done: false,
        };
        if let Err(error) = runtime.start_shards(builder, running) {
            runtime.end(None);
            return Err(error);
        }
        Ok(runtime)
    }

    fn start_shards(
        &mut self,
        builder: &Builder,
        running: mpsc::Sender<Infallible>,
    ) -> Result<(), BuildError> {
        // All at once, since each takes a moment.
        let (started, ready) = mpsc::channel();
        for index in 0..self.handle.shards() {
            let thread = self.start_shard(builder, index, started.clone(), running.clone());
            self.threads.push(thread.map_err(build_error)?);
        }
        drop(started);
        ready.into_iter().collect()
    }

    fn start_shard(
        &self,
        builder: &Builder,
        index: usize,
        started: mpsc::Sender<Result<(), BuildError>>,
        running: mpsc::Sender<Infallible>,
    ) -> io::Result<JoinHandle<()>> {
        let (pin, ring) = (builder.config.pin_workers, builder.ring.clone());
        let (runtime, hooks) = (self.handle.clone(), builder.config.hooks.clone());
        builder.config.thread(THREAD_NAME).spawn(move || {
            let _running = running;
            let pinned = if pin { sys::pin_to_core(index) } else { Ok(()) };
            let executor = match pinned
                .map_err(build_error)
                .and_then(|()| sys::executor(&ring))
            {
                Ok(executor) => executor,
                Err(error) => {
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let _ = started.send(Ok(()));
            drop(started);
            let shard = Arc::clone(&runtime.inner.shards[index]);
            let _current = runtime.make_current(context::drive(&KIND));
            drop(runtime);
            let _thread = hooks.enter();
            shard.run(&executor);
        })
    }

    /// Ends the tasks, then the blocking jobs, and waits for both, no longer than `timeout`.
    fn end(&mut self, timeout: Option<Duration>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let deadline = timeout.and_then(|timeout| time::now().checked_add(timeout));
        for shard in &self.handle.inner.shards {
            shard.close();
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        match left(deadline) {
            None => drop(ended.recv()),
            Some(left) => drop(ended.recv_timeout(left)),
        }
        self.handle.inner.blocking.shutdown(left(deadline));
        for thread in self.threads.drain(..) {
            // A shard that is still inside a poll goes on by itself and ends when that returns.
            if deadline.is_none() || thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(time::now()))
}

fn build_error(source: io::Error) -> BuildError {
    BuildError::Io {
        backend: KIND.name(),
        source,
    }
}

impl Owner for Runtime {
    type Handle = GlommioRuntime;

    const KIND: &'static Kind = &KIND;

    fn build(config: &Config) -> Result<Self, BuildError> {
        Builder::from_config(config.clone()).build()
    }

    fn handle(&self) -> &GlommioRuntime {
        &self.handle
    }

    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T {
        let _current = self.handle.enter();
        scope()
    }

    #[track_caller]
    fn shutdown_timeout(mut self, timeout: Duration) {
        if context::must_not_wait(timeout) {
            self.end(Some(Duration::ZERO));
            context::panic_cannot_drop_here();
        }
        self.end(Some(timeout));
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        if context::driving().is_some() {
            self.end(Some(Duration::ZERO));
            if !thread::panicking() {
                context::panic_cannot_drop_here();
            }
            return;
        }
        self.end(None);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runtime").field(&self.handle).finish()
    }
}

/// Polls `future` on this thread, which sleeps between two wake-ups.
fn park_until_ready<F: Future>(future: F) -> F::Output {
    struct Unpark {
        thread: Thread,
        woken: AtomicBool,
    }
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }
        fn wake_by_ref(self: &Arc<Self>) {
            if !self.woken.swap(true, Ordering::SeqCst) {
                self.thread.unpark();
            }
        }
    }
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        // The flag, since others may use the thread's own token, the future itself for one.
        while !unpark.woken.swap(false, Ordering::SeqCst) {
            thread::park();
        }
    }
}
