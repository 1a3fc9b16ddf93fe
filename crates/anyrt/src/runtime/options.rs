//! The options of Tokio's builder.

use std::time::Duration;

use anyrt_core::BuildError;
use anyrt_core::runtime::Flavor;

use super::Builder;

/// Options whose value must not be zero, with the message of the panic.
macro_rules! positive {
    ($($(#[$doc:meta])* pub fn $name:ident(&mut self, $value:ident: $type:ty) -> &mut Self = $message:literal;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// Panics if it is 0.
        #[track_caller]
        pub fn $name(&mut self, $value: $type) -> &mut Self {
            assert!($value > 0, $message);
            self.options.$name($value);
            self
        }
    )*};
}

impl Builder {
    /// Sets the name of the runtime, which [`Handle::name`](super::Handle::name) returns; none by
    /// default. The names of its threads are set by [`thread_name`](Self::thread_name).
    ///
    /// # Panics
    /// Panics if the name is empty.
    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        assert!(!name.trim().is_empty(), "runtime name shouldn't be empty");
        self.options.name(name);
        self
    }

    /// Sets the number of worker threads (on Glommio, of shards). By default it is that of the
    /// environment variable `TOKIO_WORKER_THREADS`, as in Tokio, or else the number of available
    /// cores.
    ///
    /// Has no effect on a current-thread runtime, as in Tokio.
    ///
    /// # Panics
    /// Panics if it is 0.
    #[track_caller]
    pub fn worker_threads(&mut self, threads: usize) -> &mut Self {
        assert!(threads > 0, "Worker threads cannot be set to 0");
        if self.options.config().flavor == Flavor::MultiThread {
            self.options.worker_threads(threads);
        }
        self
    }

    /// Sets the number of workers to that of the environment, unless one is set.
    pub(super) fn workers_of_environment(&mut self) -> Result<(), BuildError> {
        const VARIABLE: &str = "TOKIO_WORKER_THREADS";
        let config = self.options.config();
        if config.flavor == Flavor::MultiThread
            && config.worker_threads.is_none()
            && let Some(threads) = std::env::var_os(VARIABLE)
        {
            let threads = threads.to_str().and_then(|threads| threads.parse().ok());
            let threads = threads.filter(|threads| *threads > 0);
            self.options
                .worker_threads(threads.ok_or(BuildError::Invalid {
                    option: VARIABLE,
                    why: "it must be a number greater than 0",
                })?);
        }
        Ok(())
    }

    setters! {
        options:
        /// Sets how long an idle thread of the blocking pool is kept; 10 seconds by default.
        pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self;

        /// Sets the stack size of the runtime's threads, in bytes; 2 MiB, as std's, by default.
        pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self;

        /// Sets the name of the runtime's threads; `anyrt-` and the name of the backend by default.
        /// [`build`](Self::build) fails if it contains a NUL byte.
        pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self;
    }

    /// Sets a function that returns the name of each thread; none by default. Takes precedence over
    /// [`thread_name`](Self::thread_name).
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.options.thread_name_fn(name);
        self
    }

    /// Sets a hook that each thread of the runtime, worker or blocking, calls when it has started;
    /// none by default. The runtime is the current one.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_start(hook);
        self
    }

    /// Sets a hook that each thread of the runtime calls before it exits; none by default.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_stop(hook);
        self
    }

    /// Sets a hook that a worker calls before it parks because it has nothing to do; none by
    /// default. Tasks that the hook spawns or wakes run first.
    ///
    /// On a current-thread runtime the worker is the thread inside `block_on`; on Glommio it is
    /// always a shard.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_park(hook);
        self
    }

    /// Sets a hook that a worker calls after it was parked; none by default.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_unpark(hook);
        self
    }

    positive! {
        /// Sets the maximum number of threads in the blocking pool; 512 by default. Further jobs
        /// queue.
        pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self = "Max blocking threads cannot be set to 0";

        /// Sets the number of tasks after which a worker checks its timers and sockets; the default
        /// is the backend's. A hint, without effect on Smol and async-std, where it is 200.
        pub fn event_interval(&mut self, tasks: u32) -> &mut Self = "event_interval must be greater than 0";

        /// Sets the number of tasks after which a worker checks the global queue; the default is
        /// the backend's. A hint, without effect on Smol and async-std, where it is 64. A Glommio
        /// shard checks its queue together with its sockets, so there it lowers the
        /// [`event_interval`](Self::event_interval).
        pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self = "global_queue_interval must be greater than 0";

        /// Sets the maximum number of I/O events that are handled at once; the default is the
        /// backend's. A hint, without effect on Smol and async-std.
        pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self = "max_io_events_per_tick must be non-zero";

        /// Sets the maximum number of I/O events that are handled at once while there are tasks to
        /// run; the value of [`max_io_events_per_tick`](Self::max_io_events_per_tick) by default. A
        /// hint, without effect on Smol and async-std.
        pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self = "max_io_events_per_busy_tick must be non-zero";
    }
}
