//! Does one operation N times through a peer: `anyrt-peers RUNTIME ROW N`, like the probes of
//! anyrt.
//!
//! Prints allocations and bytes, start-up included, or `absent` if the peer has no such operation.
//! Each peer is called by its best documented way, and the operations are those that anyrt is
//! measured with, from the same file.
#![forbid(unsafe_code)]
#![allow(
    dead_code,
    dropping_copy_types,
    reason = "each peer has some of the operations, and each program is for one peer"
)]

use anyrt_bench::{Backend, Row, row};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

mod absent;
#[path = "../../src/subject/common.rs"]
mod common;
mod runner;
#[path = "../../src/settle.rs"]
mod settle;

/// The items that `ops.rs` needs, at the paths where it needs them.
mod subject {
    pub(crate) use crate::common;
    pub(crate) use anyrt_bench::Backend;
}

#[cfg_attr(
    any(feature = "agnostic-tokio", feature = "agnostic-smol"),
    path = "agnostic.rs"
)]
#[cfg_attr(
    any(feature = "any_spawner-tokio", feature = "any_spawner-smol"),
    path = "any_spawner.rs"
)]
#[cfg_attr(
    any(feature = "async-rs-tokio", feature = "async-rs-smol"),
    path = "async_rs.rs"
)]
#[cfg_attr(
    any(
        feature = "async_executors-tokio",
        feature = "async_executors-async-std"
    ),
    path = "async_executors.rs"
)]
#[cfg_attr(any(feature = "orb-tokio", feature = "orb-smol"), path = "orb.rs")]
#[cfg_attr(
    any(
        feature = "tor-rtcompat-tokio",
        feature = "tor-rtcompat-smol",
        feature = "tor-rtcompat-async-std"
    ),
    path = "tor_rtcompat.rs"
)]
mod peer;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn run(runtime: Backend, row: Row, n: usize) {
    if peer::LACKS.contains(&row) {
        absent::absent();
    }
    peer::ops::run(runtime, row, n);
}

fn main() {
    anyrt_bench::probe::main(ALLOCATOR, run, settle::settle);
}
