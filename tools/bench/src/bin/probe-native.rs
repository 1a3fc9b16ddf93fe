//! Executes one operation N times, native: `probe-native BACKEND ROW N`. Prints allocations and
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
    match backend {
        #[cfg(feature = "tokio")]
        Backend::Tokio => anyrt_bench::subject::native_tokio::run(backend, row, n),
        #[cfg(feature = "smol")]
        Backend::Smol => anyrt_bench::subject::native_smol::run(backend, row, n),
        #[cfg(feature = "async-std")]
        Backend::AsyncStd => anyrt_bench::subject::native_async_std::run(backend, row, n),
        #[cfg(feature = "glommio")]
        Backend::Glommio => anyrt_bench::subject::native_glommio::run(backend, row, n),
        #[allow(
            unreachable_patterns,
            reason = "reached where a backend is not enabled"
        )]
        _ => panic!("{backend} is not enabled in this probe"),
    }
}

fn main() {
    anyrt_bench::probe::main(ALLOCATOR, run, anyrt_bench::settle::settle);
}
