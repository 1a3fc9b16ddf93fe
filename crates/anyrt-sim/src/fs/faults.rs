//! How a disk behaves: how long it takes, what fails, what a power failure leaves.

use std::time::Duration;

use crate::net::link::Latency;
use crate::node::Node;
use crate::runtime::{Sim, SimRuntime};

/// What becomes of changes that were not synced when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unsynced {
    /// Anything that may happen: the seed chooses for each file and each entry of a directory.
    #[default]
    Random,
    /// All of them are lost.
    Lost,
    /// All of them are kept.
    Kept,
}

/// How the disk of a node behaves. The default is a good disk.
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
    /// How long an operation takes.
    pub latency: Latency,
    /// How long a sync takes.
    pub sync_latency: Latency,
    /// The probability that an operation hangs, and then takes [`stall`](Self::stall) longer.
    pub stalls: f64,
    /// How long an operation that hangs takes.
    pub stall: Latency,
    /// The probability that reading fails (`EIO`).
    pub read_error: f64,
    /// The probability that a change, of contents or of a directory, fails (`EIO`).
    pub write_error: f64,
    /// The probability that a sync fails (`EIO`). As on Linux, the pages that it was to write are then taken for
    /// written: some are not, and no later sync writes them, unless they are changed again.
    pub sync_error: f64,
    /// The probability that a read of an open file gives less than there is.
    pub short_reads: f64,
    /// How many bytes all files together may have, holes included; what would be more fails (`ENOSPC`).
    pub capacity: Option<u64>,
    /// What a power failure leaves of what was not synced.
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
    /// Sets how the disk of the node behaves. It survives crashes, but not [`wipe`](Self::wipe).
    pub fn set_disk_faults(&self, faults: DiskFaults) {
        self.world()
            .disks()
            .set_faults(Some(self.state().id()), faults);
    }

    /// How the disk of the node behaves.
    pub fn disk_faults(&self) -> DiskFaults {
        self.world().disks().faults(self.state().id())
    }
}

impl SimRuntime {
    /// Sets how all disks behave that have no [behaviour of their own](Node::set_disk_faults).
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
