//! The behaviour of a disk: latencies, errors, and what survives a power failure.

use std::time::Duration;

use crate::net::link::Latency;
use crate::node::Node;
use crate::runtime::{Sim, SimRuntime};

/// The fate of unsynced changes in a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unsynced {
    /// The seed chooses for each file and each directory entry.
    #[default]
    Random,
    /// All of them are lost.
    Lost,
    /// All of them are kept.
    Kept,
}

/// The behaviour of a node's disk. The default is a disk without faults.
///
/// ```
/// use anyrt_sim::{DiskFaults, Sim};
///
/// let sim = Sim::new(7);
/// let node = sim.host("db", std::future::pending::<()>);
/// let mut faults = DiskFaults::default();
/// faults.sync_error = 0.01;
/// node.set_disk_faults(faults);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct DiskFaults {
    /// The duration of an operation.
    pub latency: Latency,
    /// The duration of a sync.
    pub sync_latency: Latency,
    /// The probability that an operation takes [`stall`](Self::stall) longer.
    pub stalls: f64,
    /// The additional duration of an operation that stalls.
    pub stall: Latency,
    /// The probability that a read fails with `EIO`.
    pub read_error: f64,
    /// The probability that a change of contents or of a directory fails with `EIO`. Then nothing
    /// is changed.
    pub write_error: f64,
    /// The probability that a sync fails with `EIO`. As on Linux, its pages count as clean
    /// afterwards: some of them were not written, and later syncs do not write them either, unless
    /// they are changed again.
    pub sync_error: f64,
    /// The probability that a read of an open file returns fewer bytes than are available.
    pub short_reads: f64,
    /// The maximum total length of all files, including holes. Writes beyond it fail with `ENOSPC`.
    pub capacity: Option<u64>,
    /// The fate of unsynced changes in a power failure.
    pub unsynced: Unsynced,
}

impl Default for DiskFaults {
    fn default() -> Self {
        Self {
            latency: Latency::Uniform(Duration::from_micros(5), Duration::from_micros(200)),
            sync_latency: Latency::Uniform(Duration::from_micros(100), Duration::from_millis(5)),
            stalls: 0.0,
            stall: Latency::Uniform(Duration::from_secs(1), Duration::from_secs(10)),
            read_error: 0.0,
            write_error: 0.0,
            sync_error: 0.0,
            short_reads: 0.0,
            capacity: None,
            unsynced: Unsynced::Random,
        }
    }
}

impl Node {
    /// Sets how the disk of the node behaves, until it is set again.
    pub fn set_disk_faults(&self, faults: DiskFaults) {
        self.world()
            .disks()
            .set_faults(Some(self.state().id()), faults);
    }

    /// Returns how the disk of the node behaves.
    pub fn disk_faults(&self) -> DiskFaults {
        self.world().disks().faults(self.state().id())
    }
}

impl SimRuntime {
    /// Sets how all disks behave for which [`Node::set_disk_faults`] was not called.
    pub fn set_disk_faults(&self, faults: DiskFaults) {
        self.world().disks().set_faults(None, faults);
    }
}

impl Sim {
    /// See [`SimRuntime::set_disk_faults`].
    pub fn set_disk_faults(&self, faults: DiskFaults) {
        use anyrt_core::runtime::Owner;
        self.handle().set_disk_faults(faults);
    }
}
