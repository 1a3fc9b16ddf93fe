//! A clock that can be paused, timers for a runtime without its own, and timers with a step of a
//! millisecond.

pub mod clock;
pub mod pausable;
pub mod ticked;
pub mod timers;

use std::sync::OnceLock;
use std::time::Instant;

/// The origin of the full milliseconds at which timers fire, as in Tokio. It is the same for the
/// whole process, so that timers of several runtimes fire together.
#[expect(
    clippy::disallowed_methods,
    reason = "only for clocks that are the system's, or begin with it"
)]
#[inline]
pub fn ticks_begin() -> Instant {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    *BEGIN.get_or_init(Instant::now)
}
