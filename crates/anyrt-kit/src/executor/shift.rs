//! The busy and idle times of a worker, for metrics and hooks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyrt_core::runtime::{ThreadHooks, WorkerStats};

use super::threads::now;

/// The counters of one worker. Only the worker writes them, any thread may read.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    parks: AtomicU64,
    /// Odd while the worker waits.
    parks_and_unparks: AtomicU64,
    busy_nanos: AtomicU64,
}

impl WorkerMetrics {
    /// What there is to tell.
    pub fn stats(&self) -> WorkerStats {
        WorkerStats {
            park_count: self.parks.load(Ordering::Relaxed),
            park_unpark_count: self.parks_and_unparks.load(Ordering::Relaxed),
            busy_duration: Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed)),
        }
    }

    fn was_busy(&self, since: Instant) {
        let busy = now().saturating_duration_since(since);
        let nanos = busy.as_secs() * 1_000_000_000 + u64::from(busy.subsec_nanos());
        self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// Updates the counters of one worker: call [`work`](Self::work) before it does something and
/// [`park`](Self::park) before it waits. The clock is read at changes between the two, not per
/// task.
#[derive(Debug, Default)]
pub struct Shift {
    state: Occupation,
}

#[derive(Debug, Default)]
enum Occupation {
    #[default]
    New,
    Working(Instant),
    Parked,
}

impl Shift {
    /// The worker works from now on.
    #[inline]
    pub fn work(&mut self, metrics: &WorkerMetrics, hooks: &ThreadHooks) {
        if !matches!(self.state, Occupation::Working(_)) {
            self.start(metrics, hooks);
        }
    }

    #[cold]
    fn start(&mut self, metrics: &WorkerMetrics, hooks: &ThreadHooks) {
        if matches!(self.state, Occupation::Parked) {
            metrics.parks_and_unparks.fetch_add(1, Ordering::Relaxed);
        }
        let parked = matches!(self.state, Occupation::Parked);
        self.state = Occupation::Working(now());
        if parked && let Some(unpark) = &hooks.on_unpark {
            unpark();
        }
    }

    /// The worker has nothing to do and is about to wait.
    pub fn park(&mut self, metrics: &WorkerMetrics, hooks: &ThreadHooks) {
        if matches!(self.state, Occupation::Parked) {
            return;
        }
        if let Some(park) = &hooks.on_park {
            park();
        }
        if let Occupation::Working(since) = self.state {
            metrics.was_busy(since);
        }
        self.state = Occupation::Parked;
        metrics.parks.fetch_add(1, Ordering::Relaxed);
        metrics.parks_and_unparks.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker ends, or another thread takes its place.
    pub fn end(&mut self, metrics: &WorkerMetrics) {
        match std::mem::take(&mut self.state) {
            Occupation::New => {}
            Occupation::Working(since) => metrics.was_busy(since),
            Occupation::Parked => {
                metrics.parks_and_unparks.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
