//! The main function of the probes.

use std::alloc::System;
#[cfg(any(feature = "smol", feature = "async-std"))]
use std::time::Duration;

use stats_alloc::StatsAlloc;

use crate::{Backend, Row};

#[cfg(any(feature = "smol", feature = "async-std"))]
const SETTLES: Duration = Duration::from_millis(50);

/// Reads `BACKEND ROW N`, calls `run`, and prints the number and the bytes of allocations.
pub fn main(allocator: &StatsAlloc<System>, run: fn(Backend, Row, usize)) {
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

/// Waits until async-io has handled all timers that were set and removed. It does so in its next
/// round, which a timer waits for, unless it is due when it is first polled: then a thousand others
/// would not be counted. After a millisecond it was, in one run of forty on a busy machine.
fn settle(backend: Backend) {
    match backend {
        #[cfg(feature = "smol")]
        Backend::Smol => {
            smol::block_on(smol::Timer::after(SETTLES));
        }
        #[cfg(feature = "async-std")]
        Backend::AsyncStd => {
            async_std::task::block_on(async_std::task::sleep(SETTLES));
        }
        _ => {}
    }
}
