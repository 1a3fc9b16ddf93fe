//! What a runtime tells about itself.

use std::fmt;
use std::time::Duration;

use anyrt_core::runtime::{BlockingStats, Flavor, Metrics, WorkerStats};

use super::Handle;

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

/// What a runtime tells about itself: the numbers of a moment, which is over when they are read.
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
    handle: Handle,
}

impl RuntimeMetrics {
    pub(super) fn of(handle: Handle) -> Self {
        Self { handle }
    }

    /// The number of workers; one on a current-thread runtime.
    pub fn num_workers(&self) -> usize {
        each!(&self.handle.inner, rt => rt.num_workers())
    }

    /// The number of spawned tasks that have not ended.
    pub fn num_alive_tasks(&self) -> usize {
        each!(&self.handle.inner, rt => rt.num_alive_tasks())
    }

    /// The number of tasks that other threads have queued and that no worker has taken yet.
    pub fn global_queue_depth(&self) -> usize {
        each!(&self.handle.inner, rt => rt.global_queue_depth())
    }

    /// How long a worker has worked, as of the last time that it began to wait.
    ///
    /// # Panics
    /// When there is no worker of that number.
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        self.worker(worker).busy_duration
    }

    /// How often a worker began to wait because there was nothing to do.
    ///
    /// # Panics
    /// When there is no worker of that number.
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.worker(worker).park_count
    }

    /// How often a worker began or ended to wait; odd while it waits.
    ///
    /// # Panics
    /// When there is no worker of that number.
    pub fn worker_park_unpark_count(&self, worker: usize) -> u64 {
        self.worker(worker).park_unpark_count
    }

    /// What the threads for blocking jobs do; `None` on Tokio, which tells it under
    /// `--cfg tokio_unstable` alone.
    pub fn blocking(&self) -> Option<BlockingStats> {
        each!(&self.handle.inner, rt => rt.blocking())
    }

    fn worker(&self, index: usize) -> WorkerStats {
        each!(&self.handle.inner, rt => rt.worker(index))
    }
}

/// What Tokio has under `--cfg tokio_unstable`, as far as every backend knows it. The others of its unstable metrics are
/// absent, so that a program that asks for them does not compile.
#[cfg(tokio_unstable)]
impl RuntimeMetrics {
    /// Returns the number of threads for blocking jobs.
    pub fn num_blocking_threads(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.threads)
    }

    /// Returns the number of idle threads for blocking jobs.
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.idle_threads)
    }

    /// Returns the number of blocking jobs that no thread has taken yet.
    pub fn blocking_queue_depth(&self) -> usize {
        self.blocking().map_or(0, |stats| stats.queue_depth)
    }

    /// Returns the number of spawned tasks that have not ended.
    #[deprecated = "renamed to `num_alive_tasks`"]
    pub fn active_tasks_count(&self) -> usize {
        self.num_alive_tasks()
    }

    /// Returns the number of tasks that other threads have queued and that no worker has taken yet.
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
