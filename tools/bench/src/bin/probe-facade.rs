//! Executes one operation N times, facade: `probe-facade BACKEND ROW N`. Prints allocations and
//! bytes, start-up included.
#![deny(unsafe_code)]

use anyrt_bench::{Backend, Row};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[cfg(all(target_os = "linux", feature = "glommio"))]
#[path = "../ring_wait.rs"]
mod ring_wait;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn run(backend: Backend, row: Row, n: usize) {
    anyrt_bench::subject::facade::run(backend, row, n);
}

fn main() {
    anyrt_bench::probe::main(ALLOCATOR, run, anyrt_bench::settle::settle);
}
