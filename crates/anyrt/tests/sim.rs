//! Simulations, through the facade.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "sim/attribute.rs"]
mod attribute;
#[path = "sim/deadlock.rs"]
mod deadlock;
#[cfg(feature = "fs")]
#[path = "sim/files.rs"]
mod files;
#[cfg(feature = "fs")]
#[path = "sim/log.rs"]
mod log;
#[path = "sim/nodes.rs"]
mod nodes;
#[cfg(all(unix, feature = "signal"))]
#[path = "sim/switch.rs"]
mod switch;
#[cfg(target_os = "linux")]
#[path = "sim/unix.rs"]
mod unix;
#[cfg(all(target_os = "linux", feature = "smol"))]
#[path = "sim/unix_differential.rs"]
mod unix_differential;
