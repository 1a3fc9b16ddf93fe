//! The runtime as a whole: the umbrella trait, what owns it, and how it is configured.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::blocking::Blocking;
use crate::channel::Channel;
use crate::context::Kind;
use crate::error::BuildError;
use crate::net::Net;
use crate::task::{LocalSpawner, Spawner};
use crate::time::Timer;
use crate::time::clock::Clock;

/// Everything that a runtime can do: a cheap handle, to be cloned and passed on.
///
/// The handle does not keep the runtime alive; its [`Owner`] does.
pub trait Runtime: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug {}

impl<R> Runtime for R where R: Spawner + LocalSpawner + Blocking + Timer + Net + Channel + fmt::Debug
{}

/// Owns a runtime: its threads, its tasks, its reactor.
///
/// # Dropping it
/// Drops the future of every task before `drop` returns, those that are not `Send` on their own thread, and
/// waits for blocking jobs that are running. [`shutdown_timeout`](Self::shutdown_timeout) waits no longer than
/// it is told, [`shutdown_background`](Self::shutdown_background) not at all.
///
/// # For implementors
/// Dropping the owner inside a runtime, where waiting is not allowed, must panic with a message that names
/// `shutdown_background`, and must not hang.
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

    /// Ends the runtime, but waits for running blocking jobs, and for tasks that are inside a poll, no longer
    /// than `timeout`.
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
    /// On one thread: the one that calls `block_on`, and only while it does; or, where tasks cannot leave the
    /// reactor's thread, on one of the runtime's own. Count on neither.
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
    /// For implementors: [`clock`](Self::clock) gives it. A runtime whose timers do not follow it must fail to
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

    /// For runtime authors: the clock of a runtime with these options, if it may be paused.
    pub fn clock(&self) -> Option<Arc<Clock>> {
        let pausable = self.pausable || self.start_paused;
        (pausable && self.flavor == Flavor::CurrentThread).then(|| Clock::new(self.start_paused))
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

    /// For runtime authors: a thread builder with the configured name and stack size.
    pub fn thread(&self, default_name: &str) -> std::thread::Builder {
        let builder = std::thread::Builder::new().name(self.name_or(default_name));
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
            .field("thread_stack_size", &self.thread_stack_size)
            .field("pin_workers", &self.pin_workers)
            .field("pausable", &self.pausable)
            .field("start_paused", &self.start_paused)
            .finish()
    }
}

/// Configures and builds a runtime.
///
/// Nothing that is set is ever silently ignored: [`build`](Self::build) fails and names the option and the
/// backend. (`B` is the owner type of a backend, such as `anyrt_smol::runtime::Runtime`.)
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
