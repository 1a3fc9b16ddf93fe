//! The runtime as a whole: the umbrella trait, its owner, its configuration and its metrics.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use crate::blocking::Blocking;
use crate::channel::Channel;
use crate::context::Kind;
use crate::error::BuildError;
use crate::net::Net;
use crate::task::{LocalSpawner, Spawner};
use crate::time::Timer;

pub use crate::id::RuntimeId as Id;

/// All capabilities of a runtime: a handle that is cheap to clone and pass on.
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

/// An owned runtime: its threads, its tasks and its reactor.
///
/// # Dropping it
/// Drops the future of every task before `drop` returns, `!Send` futures on their own thread, and
/// waits for all blocking jobs, including queued ones. [`shutdown_timeout`](Self::shutdown_timeout)
/// limits the wait; [`shutdown_background`](Self::shutdown_background) does not wait.
///
/// # For implementors
/// Dropping the owner inside a runtime, where waiting is not allowed, must panic with a message
/// that names `shutdown_background`, and must not hang.
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
    /// The type of the handle.
    type Handle: Runtime;

    /// The kind of runtime. Its name is that of the feature and of `ANYRT_BACKEND`.
    const KIND: &'static Kind;

    /// Starts a runtime with the given options.
    ///
    /// # Errors
    /// Returns [`BuildError::Unsupported`] for an option that this backend cannot honour,
    /// [`BuildError::Invalid`] for an invalid value, and [`BuildError::Unavailable`] or
    /// [`BuildError::Io`] if the system cannot provide what is needed.
    fn build(config: &Config) -> Result<Self, BuildError>;

    /// Returns a handle to the runtime.
    fn handle(&self) -> &Self::Handle;

    /// Runs `future` on this thread until it completes, with this runtime as the current one.
    ///
    /// On a current-thread runtime, spawned tasks run only within this call.
    ///
    /// # Panics
    /// Panics if the thread is already driving a runtime, of whatever kind, or if `future` panics.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Makes the runtime the current one on this thread while `scope` runs.
    fn enter<T>(&self, scope: impl FnOnce() -> T) -> T;

    /// Shuts down the runtime. Waits at most `timeout` for blocking jobs and for tasks that are
    /// being polled.
    ///
    /// # Panics
    /// Panics on a thread that is driving a runtime, of whatever kind, unless `timeout` is zero.
    /// The runtime is then shut down in the background.
    fn shutdown_timeout(self, timeout: Duration);

    /// Shuts down the runtime without waiting. May be called anywhere.
    ///
    /// Futures may be dropped after it has returned.
    fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }
}

/// Where the tasks of a runtime run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    /// On the thread that calls `block_on`, during the call.
    CurrentThread,
    /// On worker threads.
    #[default]
    MultiThread,
}

/// The options of a runtime. A backend honours every option that is set, or fails to build.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Where the tasks run; on worker threads by default.
    pub flavor: Flavor,
    /// Name of the runtime; its threads have [their own](Self::thread_name). None by default.
    pub name: Option<String>,
    /// Number of worker threads; the number of cores if unset.
    pub worker_threads: Option<NonZeroUsize>,
    /// Maximum number of threads in the blocking pool; 512 if unset.
    pub max_blocking_threads: Option<NonZeroUsize>,
    /// How long an idle thread of the blocking pool is kept; 10 s if unset.
    pub thread_keep_alive: Option<Duration>,
    /// Name of the threads; `anyrt-<backend>` if unset.
    pub thread_name: Option<String>,
    /// Function that returns the name of each thread. Takes precedence over
    /// [`thread_name`](Self::thread_name).
    pub thread_name_fn: Option<NameFn>,
    /// Hooks that run when threads start, stop, park and unpark.
    pub hooks: ThreadHooks,
    /// Number of tasks after which a worker checks its timers and sockets; the backend's own number
    /// if unset.
    pub event_interval: Option<NonZeroU32>,
    /// Number of tasks after which a worker checks the global queue; the backend's own number if
    /// unset.
    pub global_queue_interval: Option<NonZeroU32>,
    /// Maximum number of I/O events that are handled at once; the backend's own number if unset.
    /// Like the other three hints, it has no effect on a reactor without such an option, and never
    /// changes what a program does.
    pub max_io_events_per_tick: Option<NonZeroUsize>,
    /// The same while there are tasks to run; the same number if unset.
    pub max_io_events_per_busy_tick: Option<NonZeroUsize>,
    /// Stack size of the threads, in bytes; std's default if unset.
    pub thread_stack_size: Option<usize>,
    /// Whether worker thread `i` is bound to core `i`, modulo the number of cores; `false` by
    /// default.
    pub pin_workers: bool,
    /// Whether the clock can be paused, for tests; `false` by default, and ignored on a
    /// multi-threaded runtime.
    ///
    /// If set, timers take a lock and are driven by `block_on` only.
    pub pausable: bool,
    /// Whether the clock is paused at the start; `false` by default. Needs a current-thread
    /// runtime.
    ///
    /// For implementors: `Clock::of` of `anyrt-kit` creates the clock. A runtime whose timers do
    /// not follow it must fail to build with [`BuildError::Unsupported`].
    pub start_paused: bool,
    // Records an invalid value, so that `build` reports it and no setter panics.
    invalid: Option<(&'static str, &'static str)>,
}

/// The default maximum number of threads in the blocking pool, the same as Tokio's.
pub const MAX_BLOCKING_THREADS: usize = 512;
/// The default time for which an idle thread of the blocking pool is kept, the same as Tokio's.
pub const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

impl Config {
    /// For runtime authors: fails if a setter was called with an invalid value. Call it first in
    /// `build`.
    ///
    /// # Errors
    /// Returns [`BuildError::Invalid`].
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

    /// Returns the number of workers: the configured number, 1 on a current-thread runtime, or the
    /// number of cores.
    pub fn workers(&self) -> usize {
        match (self.flavor, self.worker_threads) {
            (Flavor::CurrentThread, _) => 1,
            (_, Some(n)) => n.get(),
            (_, None) => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }

    /// Returns the name of the runtime's threads.
    pub fn name_or(&self, default: &str) -> String {
        self.thread_name
            .clone()
            .unwrap_or_else(|| default.to_owned())
    }

    /// For runtime authors: returns a thread builder with the configured name and stack size. The
    /// thread itself must call [`ThreadHooks::enter`].
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

/// A function that returns the name of a thread.
pub type NameFn = Arc<dyn Fn() -> String + Send + Sync>;

/// A hook that runs on a thread of the runtime.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// Hooks that run on the threads of a runtime, including those of the blocking pool, with the
/// runtime as the current one.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ThreadHooks {
    /// Runs when a thread has started.
    pub on_start: Option<ThreadHook>,
    /// Runs before a thread exits.
    pub on_stop: Option<ThreadHook>,
    /// Runs before a worker parks because it has nothing to do.
    pub on_park: Option<ThreadHook>,
    /// Runs after a worker was parked.
    pub on_unpark: Option<ThreadHook>,
}

impl ThreadHooks {
    /// For runtime authors: runs the hook of a started thread, and that of an exiting thread when
    /// the guard is dropped.
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

/// Runs the hook of an exiting thread on drop; see [`ThreadHooks::enter`].
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

/// Metrics of a runtime. All values are snapshots and may be stale when read.
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
    /// Returns the id of the runtime.
    fn id(&self) -> Id;

    /// Returns the flavor of the runtime.
    fn flavor(&self) -> Flavor;

    /// Returns the number of workers, which is 1 on a current-thread runtime.
    fn num_workers(&self) -> usize;

    /// Returns the index of this thread among the workers of this runtime, or `None` if it is not
    /// one of them.
    fn worker_index(&self) -> Option<usize>;

    /// Returns the number of tasks that have not ended.
    fn num_alive_tasks(&self) -> usize;

    /// Returns the number of ready tasks that no worker has taken yet.
    fn global_queue_depth(&self) -> usize;

    /// Returns statistics of one worker.
    ///
    /// # Panics
    /// Panics if there is no worker with that index.
    fn worker(&self, index: usize) -> WorkerStats;

    /// Returns statistics of the blocking thread pool, or `None` if they are not available.
    fn blocking(&self) -> Option<BlockingStats>;
}

/// Statistics of one worker since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerStats {
    /// How many times it has parked because it had nothing to do.
    pub park_count: u64,
    /// How many times it has parked or unparked; odd while it is parked.
    pub park_unpark_count: u64,
    /// How long it has been busy, as of the last time it parked.
    pub busy_duration: Duration,
}

/// Statistics of the blocking thread pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BlockingStats {
    /// The number of threads, including idle ones.
    pub threads: usize,
    /// The number of idle threads.
    pub idle_threads: usize,
    /// The number of queued jobs.
    pub queue_depth: usize,
}

/// Configures and builds a runtime.
///
/// No option is silently ignored: [`build`](Self::build) fails and names the option and the
/// backend. `B` is the owner type of a backend, such as `anyrt_smol::runtime::Runtime`.
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
    /// Creates a builder for a runtime with worker threads, one per core by default.
    pub fn new_multi_thread() -> Self {
        Self::from_config(Config::default())
    }

    /// Creates a builder for a runtime that runs on the thread that calls `block_on`.
    pub fn new_current_thread() -> Self {
        Self::from_config(Config {
            flavor: Flavor::CurrentThread,
            ..Config::default()
        })
    }

    /// Creates a builder with these options.
    pub fn from_config(config: Config) -> Self {
        Self {
            config,
            backend: PhantomData,
        }
    }

    /// Returns the options so far.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sets the name of the runtime; none by default. The names of its threads are set by
    /// [`thread_name`](Self::thread_name).
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        self.config.name = Some(name.into());
        self
    }

    /// Sets the number of worker threads; the number of available cores by default. With 0, `build`
    /// fails.
    pub fn worker_threads(&mut self, threads: usize) -> &mut Self {
        self.config.worker_threads = self.positive("worker_threads", threads);
        self
    }

    /// Sets the maximum number of threads in the blocking pool; 512 by default. With 0, `build`
    /// fails.
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self {
        self.config.max_blocking_threads = self.positive("max_blocking_threads", threads);
        self
    }

    /// Sets how long an idle thread of the blocking pool is kept; 10 seconds by default.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.config.thread_keep_alive = Some(duration);
        self
    }

    /// Sets the name of the runtime's threads; `anyrt-` and the name of the backend by default.
    /// [`build`](Self::build) fails if it contains a NUL byte.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        if name.contains('\0') {
            self.config.invalid = Some(("thread_name", "it contains a NUL byte"));
        }
        self.config.thread_name = Some(name);
        self
    }

    /// Sets a function that returns the name of each thread; none by default. Takes precedence over
    /// [`thread_name`](Self::thread_name).
    ///
    /// A name with a NUL byte makes starting the thread panic.
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.config.thread_name_fn = Some(Arc::new(name));
        self
    }

    /// Sets a hook that each thread of the runtime, worker or blocking, calls when it has started;
    /// none by default. The runtime is the current one.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_start = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that each thread of the runtime calls before it exits; none by default.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_stop = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that a worker calls before it parks because it has nothing to do; none by
    /// default. Tasks that the hook spawns or wakes run first.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_park = Some(Arc::new(hook));
        self
    }

    /// Sets a hook that a worker calls after it was parked; none by default.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.config.hooks.on_unpark = Some(Arc::new(hook));
        self
    }

    /// Sets the number of tasks after which a worker checks its timers and sockets; the backend's
    /// own number by default. With 0, `build` fails.
    pub fn event_interval(&mut self, tasks: u32) -> &mut Self {
        self.config.event_interval = self
            .positive("event_interval", tasks as usize)
            .and(NonZeroU32::new(tasks));
        self
    }

    /// Sets the number of tasks after which a worker checks the global queue; the backend's own
    /// number by default. With 0, `build` fails.
    pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self {
        self.config.global_queue_interval = self
            .positive("global_queue_interval", tasks as usize)
            .and(NonZeroU32::new(tasks));
        self
    }

    /// Sets the maximum number of I/O events that are handled at once; the backend's own number by
    /// default. With 0, `build` fails.
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self {
        self.config.max_io_events_per_tick = self.positive("max_io_events_per_tick", events);
        self
    }

    /// Sets the maximum number of I/O events that are handled at once while there are tasks to run;
    /// the value of [`max_io_events_per_tick`](Self::max_io_events_per_tick) by default. With 0,
    /// `build` fails.
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self {
        self.config.max_io_events_per_busy_tick =
            self.positive("max_io_events_per_busy_tick", events);
        self
    }

    /// Sets the stack size of the runtime's threads, in bytes; 2 MiB, as std's, by default.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.config.thread_stack_size = Some(bytes);
        self
    }

    /// Sets whether worker thread `i` is bound to core `i`, modulo the number of cores; `false` by
    /// default.
    pub fn pin_workers(&mut self, pin: bool) -> &mut Self {
        self.config.pin_workers = pin;
        self
    }

    /// Sets whether the clock can be paused, for tests; `false` by default. Has no effect on a
    /// multi-threaded runtime.
    pub fn pausable(&mut self, pausable: bool) -> &mut Self {
        self.config.pausable = pausable;
        self
    }

    /// Sets whether the clock is paused at the start; `false` by default. A paused clock advances
    /// to the next deadline whenever the runtime is idle.
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
