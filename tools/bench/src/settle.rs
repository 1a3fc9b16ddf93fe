//! The end of a probe, in its own file because the programs of the peers have it, too.

#[cfg(any(feature = "smol", feature = "async-std"))]
use std::time::Duration;

use crate::subject::Backend;

#[cfg(any(feature = "smol", feature = "async-std"))]
const SETTLES: Duration = Duration::from_millis(50);

/// Waits until async-io has handled all timers that were set and removed. It does so in its next
/// round, which a timer waits for, unless it is due when it is first polled: then a thousand others
/// would not be counted. After a millisecond it was, in one run of forty on a busy machine.
pub fn settle(backend: Backend) {
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
