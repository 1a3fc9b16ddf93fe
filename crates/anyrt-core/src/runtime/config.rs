//! The options of a runtime.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use super::hooks::{NameFn, ThreadHooks};
use crate::error::BuildError;

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
    pub(super) invalid: Option<(&'static str, &'static str)>,
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
