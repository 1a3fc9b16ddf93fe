//! Metrics of a runtime.

use std::fmt;
use std::time::Duration;

use anyrt_core::runtime::{BlockingStats, Flavor, Metrics, WorkerStats};

/// Where the tasks of a runtime run; see [`Flavor`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeFlavor {
    /// On one thread.
    CurrentThread,
    /// On worker threads.
    MultiThread,
}

impl From<Flavor> for RuntimeFlavor {
    fn from(flavor: Flavor) -> Self {
        match flavor {
            Flavor::CurrentThread => Self::CurrentThread,
            Flavor::MultiThread => Self::MultiThread,
        }
    }
}

/// Metrics of a runtime. All values are snapshots and may be stale when read.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// let metrics = anyrt::runtime::Handle::current().metrics();
/// let task = anyrt::spawn(std::future::pending::<()>());
/// assert_eq!(metrics.num_workers(), 2);
/// assert_eq!(metrics.num_alive_tasks(), 1);
/// # task.abort();
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct RuntimeMetrics {
    inner: one_of!(Handle),
}

impl RuntimeMetrics {
    pub(super) fn of(inner: one_of!(Handle)) -> Self {
        Self { inner }
    }

    forward! {
        /// Returns the number of workers, which is 1 on a current-thread runtime, and 0 if the
        /// application runs the threads itself, on Smol and async-std.
        pub fn num_workers(&self) -> usize;

        /// Returns the number of spawned tasks that have not ended.
        pub fn num_alive_tasks(&self) -> usize;

        /// Returns the number of tasks in the queue for tasks from outside the workers.
        pub fn global_queue_depth(&self) -> usize;

        /// Returns statistics of the blocking thread pool, or `None` on Tokio, which reports them
        /// only with `--cfg tokio_unstable`.
        pub fn blocking(&self) -> Option<BlockingStats>;

        fn worker(&self, index: usize) -> WorkerStats;
    }

    /// Returns how long a worker has been busy, as of the last time it parked.
    ///
    /// # Panics
    /// Panics if there is no worker with that index.
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.worker(worker).busy_duration
    }

    /// Returns how many times a worker has parked because it had nothing to do.
    ///
    /// # Panics
    /// Panics if there is no worker with that index.
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.worker(worker).park_count
    }

    /// Returns how many times a worker has parked or unparked. The value is odd while it is parked.
    ///
    /// # Panics
    /// Panics if there is no worker with that index.
    pub fn worker_park_unpark_count(&self, worker: usize) -> u64 {
        self.worker(worker).park_unpark_count
    }
}

/// The metrics that Tokio has under `--cfg tokio_unstable` and every backend can report. Tokio's
/// other unstable metrics are absent, so that a program that uses them does not compile.
#[cfg(tokio_unstable)]
impl RuntimeMetrics {
    /// Returns the number of threads in the blocking pool.
    pub fn num_blocking_threads(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.threads)
    }

    /// Returns the number of idle threads in the blocking pool.
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.idle_threads)
    }

    /// Returns the number of queued blocking jobs.
    pub fn blocking_queue_depth(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.queue_depth)
    }

    /// Returns the number of spawned tasks that have not ended.
    #[deprecated = "renamed to `num_alive_tasks`"]
    pub fn active_tasks_count(&self) -> usize {
        self.num_alive_tasks()
    }

    /// Returns the number of tasks in the queue for tasks from outside the workers.
    #[deprecated = "renamed to `global_queue_depth`"]
    pub fn injection_queue_depth(&self) -> usize {
        self.global_queue_depth()
    }
}

impl fmt::Debug for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetrics")
            .field("num_workers", &self.num_workers())
            .field("num_alive_tasks", &self.num_alive_tasks())
            .field("global_queue_depth", &self.global_queue_depth())
            .field("blocking", &self.blocking())
            .finish()
    }
}
