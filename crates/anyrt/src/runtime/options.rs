//! The options of Tokio's builder.

use std::time::Duration;

use anyrt_core::runtime::Flavor;

use super::Builder;

impl Builder {
    /// Names the runtime: what [`Handle::name`](super::Handle::name) tells. The threads are named by
    /// [`thread_name`](Self::thread_name).
    ///
    /// # Panics
    /// When the name is empty.
    #[track_caller]
    pub fn name(&mut self, name: impl Into<String>) -> &mut Self {
        let name = name.into();
        assert!(!name.trim().is_empty(), "runtime name shouldn't be empty");
        self.options.name(name);
        self
    }

    /// Sets the number of worker threads; on Glommio, of shards.
    ///
    /// Without effect on a current-thread runtime, as Tokio's.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn worker_threads(&mut self, threads: usize) -> &mut Self {
        assert!(threads > 0, "Worker threads cannot be set to 0");
        if self.options.config().flavor == Flavor::MultiThread {
            self.options.worker_threads(threads);
        }
        self
    }

    /// Sets how many threads there may be for blocking jobs.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Self {
        assert!(threads > 0, "Max blocking threads cannot be set to 0");
        self.options.max_blocking_threads(threads);
        self
    }

    /// Sets how long an idle thread for blocking jobs is kept.
    pub fn thread_keep_alive(&mut self, duration: Duration) -> &mut Self {
        self.options.thread_keep_alive(duration);
        self
    }

    /// Sets the name of the runtime's threads. A NUL byte in it is an error of `build`.
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Self {
        self.options.thread_name(name);
        self
    }

    /// Sets the function that names each of the runtime's threads. It goes before [`thread_name`](Self::thread_name).
    pub fn thread_name_fn<F>(&mut self, name: F) -> &mut Self
    where
        F: Fn() -> String + Send + Sync + 'static,
    {
        self.options.thread_name_fn(name);
        self
    }

    /// Sets the stack size of the runtime's threads, in bytes.
    pub fn thread_stack_size(&mut self, bytes: usize) -> &mut Self {
        self.options.thread_stack_size(bytes);
        self
    }

    /// Calls `hook` on each of the runtime's threads when it has started: workers, and threads for blocking jobs. The
    /// runtime is the current one.
    pub fn on_thread_start<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_start(hook);
        self
    }

    /// Calls `hook` on each of the runtime's threads before it ends.
    pub fn on_thread_stop<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_stop(hook);
        self
    }

    /// Calls `hook` on a worker before it waits because there is nothing to do. What it spawns or wakes is run first.
    ///
    /// On a current-thread runtime that is the thread inside `block_on`; on Glommio always a shard.
    pub fn on_thread_park<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_park(hook);
        self
    }

    /// Calls `hook` on a worker after it has waited.
    pub fn on_thread_unpark<F: Fn() + Send + Sync + 'static>(&mut self, hook: F) -> &mut Self {
        self.options.on_thread_unpark(hook);
        self
    }

    /// Sets after how many tasks in a row a worker looks at its timers and sockets: a hint, without effect on Smol and
    /// async-std, where it is 200.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn event_interval(&mut self, tasks: u32) -> &mut Self {
        assert!(tasks > 0, "event_interval must be greater than 0");
        self.options.event_interval(tasks);
        self
    }

    /// Sets after how many tasks in a row a worker looks at what other threads have queued: a hint, without effect on Smol
    /// and async-std, where it is 64. On Glommio a shard does so whenever it looks at its sockets, so it lowers the
    /// [`event_interval`](Self::event_interval) there.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn global_queue_interval(&mut self, tasks: u32) -> &mut Self {
        assert!(tasks > 0, "global_queue_interval must be greater than 0");
        self.options.global_queue_interval(tasks);
        self
    }

    /// Sets how many events of the system are handled at once: a hint, without effect on Smol and async-std.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn max_io_events_per_tick(&mut self, events: usize) -> &mut Self {
        assert!(events > 0, "max_io_events_per_tick must be non-zero");
        self.options.max_io_events_per_tick(events);
        self
    }

    /// Sets how many events of the system are handled at once while there are tasks to run: a hint, without effect on Smol
    /// and async-std.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    pub fn max_io_events_per_busy_tick(&mut self, events: usize) -> &mut Self {
        assert!(events > 0, "max_io_events_per_busy_tick must be non-zero");
        self.options.max_io_events_per_busy_tick(events);
        self
    }
}
