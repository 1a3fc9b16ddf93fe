//! The main function of the probes.

use std::alloc::System;

use stats_alloc::StatsAlloc;

use crate::{Backend, Row};

/// Reads `BACKEND ROW N`, calls `run`, and prints the number and the bytes of allocations. Then it
/// calls `settle`, which finishes what the operations have begun.
pub fn main(allocator: &StatsAlloc<System>, run: fn(Backend, Row, usize), settle: fn(Backend)) {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [backend, row, n] = &args[..] else {
        panic!("usage: BACKEND ROW N");
    };
    let backend = Backend::parse(backend).unwrap();
    run(backend, Row::parse(row).unwrap(), n.parse().unwrap());
    let stats = allocator.stats();
    settle(backend);
    println!(
        "{} {}",
        stats.allocations + stats.reallocations,
        stats.bytes_allocated
    );
}
