//! What a runtime tells about its work.

use std::time::Duration;

use super::config::Flavor;
use crate::id::RuntimeId as Id;

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

    /// Returns the number of workers, which is 1 on a current-thread runtime, and 0 if the runtime
    /// does not know the threads that the application runs it on.
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
