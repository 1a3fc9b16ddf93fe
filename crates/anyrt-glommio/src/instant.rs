//! The system's monotonic clock.

use std::time::Instant;

#[cfg(not(anyrt_loom))]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock behind Timer::now"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// In a model, whose executions must not depend on the time.
#[cfg(anyrt_loom)]
#[expect(clippy::disallowed_methods, reason = "the time of the first call")]
pub(crate) fn now() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}
