//! The promises of the simulator, in addition to the contract of all runtimes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod chaos;
mod clocks;
mod differential;
mod disk_faults;
mod diversity;
mod durability;
mod failures;
mod faults;
mod files;
mod histories;
mod minimise;
mod nodes;
mod perfetto;
mod planted;
mod processes;
mod rules;
mod scheduler;
mod watchdog;
