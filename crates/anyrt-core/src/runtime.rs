//! The runtime as a whole: the umbrella trait, what owns it, and how it is configured.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::blocking::Blocking;
use crate::channel::Channel;
use crate::context::Kind;
use crate::error::BuildError;
use crate::net::Net;
use crate::task::{LocalSpawner, Spawner};
use crate::time::Timer;

/// Everything that a runtime can do: a cheap handle, to be cloned and passed on.
///
/// The handle does not keep the runtime alive; its [`Owner`] does.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_core::{JoinHandle, Runtime};
///
/// /// A field of type `R`, and no word about which runtime it is.
/// #[derive(Clone)]
/// struct Reporter<R> {
///     rt: R,
/// }
///
/// impl<R: Runtime> Reporter<R> {
///     fn start(&self) {
///         let rt = self.rt.clone();
///         self.rt.spawn(async move {
///             let mut ticks = rt.interval(Duration::from_secs(10));
///             loop {
///                 ticks.tick().await;
///                 println!("still running on {rt:?}");
///             }
///         })
///         .detach();
///     }
/// }
/// ```
pub trait Runtime: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug {}

impl<R> Runtime for R where R: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug
{}

/// Owns a runtime: its threads, its tasks, its reactor.
///
/// # Dropping it
/// Drops the future of every task before `drop` returns, those that are not `Send` on their own thread, and
/// waits for blocking jobs, queued ones included. [`shutdown_timeout`](Self::shutdown_timeout) waits no longer than
/// it is told, [`shutdown_background`](Self::shutdown_background) not at all.
///
/// # For implementors
/// Dropping the owner inside a runtime, where waiting is not allowed, must panic with a message that names
/// `shutdown_background`, and must not hang.
///
/// # Examples
/// ```
/// use anyrt_core::Spawner;
/// use anyrt_core::runtime::{Builder, Owner};
///
/// /// Runs on whatever backend the caller names: `answer::<anyrt_smol::runtime::Runtime>()`.
/// fn answer<O: Owner>() -> Result<u32, Box<dyn std::error::Error>> {
///     let runtime: O = Builder::new_multi_thread().worker_threads(2).build()?;
///     let task = runtime.handle().spawn(async { 7 });
///     Ok(runtime.block_on(task)?)
/// }
/// ```
pub trait Owner: Sized + Send + Sync + fmt::Debug + 'static {
    /// The handle.
    type Handle: Runtime;

    /// The kind of runtime; its name is the one of the feature and of `ANYRT_BACKEND`.
    const KIND: &'static Kind;

    /// Starts a runtime as configured.
    ///
    /// # Errors
    /// [`BuildError::Unsupported`] for an option that this backend cannot honour, [`BuildError::Invalid`] for a
    /// senseless value, [`BuildError::Unavailable`] and [`BuildError::Io`] when the system says no.
    fn build(config: &Config) -> Result<Self, BuildError>;

    /// The handle to the runtime.
    fn handle(&self) -> &Self::Handle;

    /// Runs `future` on the current thread until it is ready; the runtime is current meanwhile.
    ///
    /// On a current-thread runtime it is this call that runs the spawned tasks, too.
    ///
    /// # Panics
    /// When the thread is driving a runtime already, of whatever kind. When `future` panics.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Makes the runtime current on this thread while `scope` runs, so that code in it can `spawn`.
    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T;

    /// Ends the runtime, but waits for blocking jobs, and for tasks that are inside a poll, no longer
    /// than `timeout`.
    ///
    /// # Panics
    /// On a thread that is driving a runtime, of whatever kind, unless `timeout` is zero; the runtime ends in the
    /// background.
    fn shutdown_timeout(self, timeout: Duration);

    /// Ends the runtime without waiting; may be called anywhere.
    ///
    /// Futures may be dropped after it has returned.
    fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}

/// Where the tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    /// On one thread: the one that calls `block_on`, and only while it does.
    CurrentThread,
    /// On worker threads.
    #[default]
    MultiThread,
}

/// The options of a runtime. A backend honours each that is set, or fails to build.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Where the tasks run.
    pub flavor: Flavor,
    /// What the runtime itself is called; its threads have [their own](Self::thread_name).
    pub name: Option<String>,
    /// Number of worker threads; the number of cores if unset.
    pub worker_threads: Option<NonZeroUsize>,
    /// Most threads for blocking jobs; 512 if unset.
    pub max_blocking_threads: Option<NonZeroUsize>,
    /// How long an idle thread for blocking jobs is kept; 10 s if unset.
    pub thread_keep_alive: Option<Duration>,
    /// Name of the threads; `anyrt-<backend>` if unset.
    pub thread_name: Option<String>,
    /// Gives each thread its name; goes before [`thread_name`](Self::thread_name).
    pub thread_name_fn: Option<NameFn>,
    /// What is called on the threads as they come, go and wait.
    pub hooks: ThreadHooks,
    /// After how many tasks in a row a worker looks at its timers and sockets; the backend's own number if unset.
    pub event_interval: Option<NonZeroU32>,
    /// After how many tasks in a row a worker looks at what other threads have queued; the backend's own number if
    /// unset.
    pub global_queue_interval: Option<NonZeroU32>,
    /// Most events of the system that are handled at once; the backend's own number if unset, or if its reactor has no
    /// such knob. That goes for all four of these hints: they never change what a program means.
    pub max_io_events_per_tick: Option<NonZeroUsize>,
    /// The same while there are tasks to run; as many if unset.
    pub max_io_events_per_busy_tick: Option<NonZeroUsize>,
    /// Stack of the threads, in bytes; the system's or std's default if unset.
    pub thread_stack_size: Option<usize>,
    /// Whether worker thread `i` runs on core `i` only (modulo the number of cores).
    pub pin_workers: bool,
    /// Whether the clock may be paused, for tests; only on a current-thread runtime, ignored on others.
    ///
    /// It costs timers a lock, and they are driven by `block_on` alone.
    pub pausable: bool,
    /// Whether the clock stands still at first; only on a current-thread runtime.
    ///
    /// For implementors: `Clock::of` in `anyrt-kit` makes it. A runtime whose timers do not follow it must fail to
    /// build with [`BuildError::Unsupported`].
    pub start_paused: bool,
    // What only says that a value was unacceptable, so that `build` reports it and no setter panics.
    invalid: Option<(&'static str, &'static str)>,
}

/// Most threads for blocking jobs by default, as Tokio.
pub const MAX_BLOCKING_THREADS: usize = 512;
/// How long an idle thread for blocking jobs is kept by default, as Tokio.
pub const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

impl Config {
    /// For runtime authors: fails when a setter was given a senseless value. Call it first in `build`.
    ///
    /// # Errors
    /// [`BuildError::Invalid`].
    pub fn validate(&self) -> Result<(), BuildError> {
        match self.invalid {
            Some((option, why)) => Err(BuildError::Invalid { option, why }),
            None if self.flavor == Flavor::CurrentThread
                && self.worker_threads.is_some_and(|n| n.get() > 1) =>
            {
                Err(BuildError::Invalid {
                    option: "worker_threads",
                    why: "a current-thread runtime has one worker, the thread that calls block_on",
                })
            }
            None if self.flavor == Flavor::MultiThread && self.start_paused => {
                Err(BuildError::Invalid {
                    option: "start_paused",
                    why: "only the clock of a current-thread runtime can be paused",
                })
            }
            None => Ok(()),
        }
    }

    /// The number of workers: as set, one on a current-thread runtime, or one per core.
    pub fn workers(&self) -> usize {
        match (self.flavor, self.worker_threads) {
            (Flavor::CurrentThread, _) => 1,
            (_, Some(n)) => n.get(),
            (_, None) => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }

    /// The name of the runtime's threads.
    pub fn name_or(&self, default: &str) -> String {
        self.thread_name
            .clone()
            .unwrap_or_else(|| default.to_owned())
    }

    /// For runtime authors: a thread builder with the configured name and stack size. The thread itself calls
    /// [`ThreadHooks::enter`].
    pub fn thread(&self, default_name: &str) -> std::thread::Builder {
        let name = match &self.thread_name_fn {
            Some(name) => name(),
            None => self.name_or(default_name),
        };
        let builder = std::thread::Builder::new().name(name);
        match self.thread_stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("flavor", &self.flavor)
            .field("name", &self.name)
            .field("worker_threads", &self.worker_threads)
            .field("max_blocking_threads", &self.max_blocking_threads)
            .field("thread_keep_alive", &self.thread_keep_alive)
            .field("thread_name", &self.thread_name)
            .field("named_by_function", &self.thread_name_fn.is_some())
            .field("hooks", &self.hooks)
            .field("event_interval", &self.event_interval)
            .field("global_queue_interval", &self.global_queue_interval)
            .field("max_io_events_per_tick", &self.max_io_events_per_tick)
            .field(
                "max_io_events_per_busy_tick",
                &self.max_io_events_per_busy_tick,
            )
            .field("thread_stack_size", &self.thread_stack_size)
            .field("pin_workers", &self.pin_workers)
            .field("pausable", &self.pausable)
            .field("start_paused", &self.start_paused)
            .finish()
    }
}

/// Names a thread.
pub type NameFn = Arc<dyn Fn() -> String + Send + Sync>;

/// Is told of something that happens to a thread, on that thread.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// What is called on the threads of a runtime, those for blocking jobs included, with the runtime as the current one.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ThreadHooks {
    /// When a thread has started.
    pub on_start: Option<ThreadHook>,
    /// Before a thread ends.
    pub on_stop: Option<ThreadHook>,
    /// Before a worker waits because there is nothing to do.
    pub on_park: Option<ThreadHook>,
    /// After a worker has waited.
    pub on_unpark: Option<ThreadHook>,
}

impl ThreadHooks {
    /// For runtime authors: tells that this thread has started, and that it ends when the guard is dropped.
    #[must_use = "dropping it tells that the thread ends"]
    pub fn enter(&self) -> ThreadEntered {
        if let Some(start) = &self.on_start {
            start();
        }
        ThreadEntered {
            on_stop: self.on_stop.clone(),
        }
    }
}

impl fmt::Debug for ThreadHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadHooks")
            .field("on_start", &self.on_start.is_some())
            .field("on_stop", &self.on_stop.is_some())
            .field("on_park", &self.on_park.is_some())
            .field("on_unpark", &self.on_unpark.is_some())
            .finish()
    }
}

/// Tells, when it is dropped, that the thread ends; see [`ThreadHooks::enter`].
pub struct ThreadEntered {
    on_stop: Option<ThreadHook>,
}

impl Drop for ThreadEntered {
    fn drop(&mut self) {
        if let Some(stop) = &self.on_stop {
            stop();
        }
    }
}

impl fmt::Debug for ThreadEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadEntered").finish_non_exhaustive()
    }
}

/// Names a runtime; unique among all runtimes of the process that live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(NonZeroU64);

impl Id {
    /// Ids that the core gives start here, so that they never meet those that a runtime gives by itself.
    const FIRST: u64 = 1 << 63;

    /// For runtime authors: an id that was never given before.
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(Id::FIRST);
        Self::from_raw(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// For runtime authors whose runtimes are numbered: that number, below 2^63 and not zero.
    ///
    /// Zero is read as one.
    pub fn from_raw(number: u64) -> Self {
        Self(NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0.get() & !Self::FIRST).fmt(f)
    }
}

/// What a runtime tells about itself. The numbers of a moment, which is over when they are read.
///
/// # Examples
/// ```
/// use anyrt_core::runtime::Metrics;
///
/// /// The share of its life that worker 0 has worked.
/// fn load(rt: &impl Metrics, uptime: std::time::Duration) -> f64 {
///     rt.worker(0).busy_duration.as_secs_f64() / uptime.as_secs_f64()
/// }
/// ```
pub trait Metrics {
    /// Which runtime it is.
    fn id(&self) -> Id;

    /// Where the tasks run.
    fn flavor(&self) -> Flavor;

    /// The number of workers; one on a current-thread runtime.
    fn num_workers(&self) -> usize;

    /// The number of the worker that this thread is, if it is one of this runtime.
    fn worker_index(&self) -> Option<usize>;

    /// The number of tasks that have not ended.
    fn num_alive_tasks(&self) -> usize;

    /// The number of tasks that are ready to run and that no worker has taken yet.
    fn global_queue_depth(&self) -> usize;

    /// What one worker has done so far.
    ///
    /// # Panics
    /// When there is no worker of that number.
    fn worker(&self, index: usize) -> WorkerStats;

    /// What the threads for blocking jobs do; `None` where nobody knows.
    fn blocking(&self) -> Option<BlockingStats>;
}

/// What one worker has done since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerStats {
    /// How often it began to wait because there was nothing to do.
    pub park_count: u64,
    /// How often it began or ended to wait; odd while it waits.
    pub park_unpark_count: u64,
    /// How long it has worked, as of the last time that it began to wait.
    pub busy_duration: Duration,
}

/// What the threads for blocking jobs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockingStats {
    /// The number of threads, idle ones included.
    pub threads: usize,
    /// The number of idle threads.
    pub idle_threads: usize,
    /// The number of jobs that no thread has taken yet.
    pub queue_depth: usize,
}

/// Configures and builds a runtime.
///
/// Nothing that is set is ever silently ignored: [`build`](Self::build) fails and names the option and the
/// backend. (`B` is the owner type of a backend, such as `anyrt_smol::runtime::Runtime`.)
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use anyrt_core::BuildError;
/// use anyrt_core::runtime::{Builder, Owner};
///
/// fn build<O: Owner>() -> Result<O, BuildError> {
///     Builder::new_multi_thread()
///         .worker_threads(4)
///         .max_blocking_threads(64)
///         .thread_name("ingest")
///         .thread_keep_alive(Duration::from_secs(60))
///         .build()
/// }
/// ```
pub struct Builder<B> {
    config: Config,
    backend: PhantomData<fn() -> B>,
}

impl<B> Builder<B> {
    /// A runtime with worker threads, one per core unless set.
    pub fn new_multi_thread() -> Self {
        Self::from_config(Config::default())
    }

    /// A runtime that runs on the thread that calls `block_on`.
    pub fn new_current_thread() -> Self {
        Self::from_config(Config {
            flavor: Flavor::CurrentThread,
            ..Config::default()
        })
    }

    /// A runtime with these options.
    pub fn from_config(config: Config) -> Self {
        Self {
            config,
            backend: PhantomData,
        }
    }

    /// The options so far.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Names the runtime, which is not the name of its threads.
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.config.name = Some(name.into());
        self
    }

    /// Sets the number of worker threads. 0 is an error of `build`.
    pub fn worker_threads(&mut self, threads: usize) -> &mut Self {
        self.config.worker_threads = self.positive("worker_threads", threads);
        self
    }

    /// Sets how many threads there may be for blocking jobs. 0 is an error of `build`.
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self {
        self.config.max_blocking_threads = self.positive("max_blocking_threads", threads);
        self
    }

    /// Sets how long an idle thread for blocking jobs is kept.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.config.thread_keep_alive = Some(duration);
        self
    }

    /// Sets the name of the runtime's threads. A NUL byte in it is an error of `build`.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        if name.contains('\0') {
            self.config.invalid = Some(("thread_name", "it contains a NUL byte"));
        }
        self.config.thread_name = Some(name);
        self
    }

    /// Sets the function that names each of the runtime's threads. It goes before [`thread_name`](Self::thread_name).
    ///
    /// A name with a NUL byte in it makes the start of the thread panic.
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.config.thread_name_fn = Some(Arc::new(name));
        self
    }

    /// Calls `hook` on each of the runtime's threads when it has started, with the runtime as the current one.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_start = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` on each of the runtime's threads before it ends.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_stop = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` on a worker before it waits because there is nothing to do. What it spawns or wakes is run first.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_park = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` on a worker after it has waited.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_unpark = Some(Arc::new(hook));
        self
    }

    /// Sets after how many tasks in a row a worker looks at its timers and sockets. 0 is an error of `build`.
    pub fn event_interval(&mut self, tasks: u32) -> &mut Self {
        self.config.event_interval = self
            .positive("event_interval", tasks as usize)
            .and(NonZeroU32::new(tasks));
        self
    }

    /// Sets after how many tasks in a row a worker looks at what other threads have queued. 0 is an error of `build`.
    pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self {
        self.config.global_queue_interval = self
            .positive("global_queue_interval", tasks as usize)
            .and(NonZeroU32::new(tasks));
        self
    }

    /// Sets how many events of the system are handled at once. 0 is an error of `build`.
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self {
        self.config.max_io_events_per_tick = self.positive("max_io_events_per_tick", events);
        self
    }

    /// Sets how many events of the system are handled at once while there are tasks to run. 0 is an error of `build`.
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self {
        self.config.max_io_events_per_busy_tick =
            self.positive("max_io_events_per_busy_tick", events);
        self
    }

    /// Sets the stack size of the runtime's threads, in bytes.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.config.thread_stack_size = Some(bytes);
        self
    }

    /// Binds worker thread `i` to core `i`, modulo the number of cores.
    pub fn pin_workers(&mut self, pin: bool) -> &mut Self {
        self.config.pin_workers = pin;
        self
    }

    /// Sets whether the clock may be paused, for tests. It has no effect on a multi-threaded runtime.
    pub fn pausable(&mut self, pausable: bool) -> &mut Self {
        self.config.pausable = pausable;
        self
    }

    /// Starts with the clock paused: time passes only when the runtime has nothing else to do, and then at once.
    ///
    /// Needs a current-thread runtime.
    pub fn start_paused(&mut self, paused: bool) -> &mut Self {
        self.config.start_paused = paused;
        self
    }

    fn positive(&mut self, option: &'static str, value: usize) -> Option<NonZeroUsize> {
        let value = NonZeroUsize::new(value);
        if value.is_none() {
            self.config.invalid = Some((option, "it must be at least 1"));
        }
        value
    }
}

impl<B: Owner> Builder<B> {
    /// Starts the runtime.
    ///
    /// # Errors
    /// See [`Owner::build`].
    pub fn build(&mut self) -> Result<B, BuildError> {
        B::build(&self.config)
    }
}

impl<B> fmt::Debug for Builder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Builder").field(&self.config).finish()
    }
}
