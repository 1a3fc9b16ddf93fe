//! The builder of a runtime.

use std::fmt;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::Owner;
use super::config::{Config, Flavor};
use crate::error::BuildError;

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
