//! The clock of the current runtime, and what waits on it.
//!
//! # Precision
//! Timers are never early. [`sleep`], [`timeout`] and [`interval`] end at full milliseconds on every backend, as on
//! Tokio, whose programs count on it: a loop over `sleep(Duration::from_nanos(1))` waits about a millisecond each time.
//! The trait [`Timer`](anyrt_core::Timer), which [`Handle`](crate::runtime::Handle) implements, keeps the precision of the
//! runtime: a tenth of a millisecond, but a millisecond on Tokio and on a runtime whose clock can be paused.
//!
//! # The paused clock
//! With the feature `test-util` the clock of a current-thread runtime may be paused, so that tests need not wait.

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
