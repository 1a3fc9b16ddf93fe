//! Does one operation N times, facade: `probe-facade BACKEND ROW N`. Prints allocations and bytes, start-up included.
#![forbid(unsafe_code)]

use anyrt_bench::{Backend, Row};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

fn run(backend: Backend, row: Row, n: usize) {
    anyrt_bench::subject::facade::run(backend, row, n);
}

fn main() {
    anyrt_bench::probe::main(ALLOCATOR, run);
}
