//! The clock of the current runtime, and what waits on it.
//!
//! Timers are precise to about a millisecond and never early. With the feature `test-util` the clock of a
//! current-thread runtime may be paused, so that tests need not wait.

#[cfg(feature = "test-util")]
mod clock;
pub mod error;
mod instant;
mod interval;
mod sleep;
mod timeout;

#[cfg(feature = "test-util")]
pub use clock::{advance, pause, resume};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use std::time::Duration;
pub use timeout::{Timeout, timeout, timeout_at};
