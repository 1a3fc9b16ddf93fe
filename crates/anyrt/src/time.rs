//! The clock and the timers of the current runtime.
//!
//! # Precision
//! Timers never fire early. They are rounded up to full milliseconds on every backend, as in Tokio,
//! because programs rely on it: a loop over `sleep(Duration::from_nanos(1))` waits about a
//! millisecond per iteration.
//!
//! - [`sleep`] and [`timeout`] round their duration up, to a millisecond at least.
//! - [`sleep_until`], [`timeout_at`], [`interval`] and [`Sleep::reset`] round the deadline up to a
//!   full millisecond since the first of them in the process. It may come after the end of a
//!   [`sleep`] with a deadline that is later by less than a millisecond.
//! - Tokio, and a runtime whose clock can be paused, round the deadlines of all of them, to full
//!   milliseconds since the start of the runtime.
//!
//! The trait [`Timer`](anyrt_core::Timer), which [`Handle`](crate::runtime::Handle) implements,
//! keeps the precision of the runtime: a tenth of a millisecond, or a millisecond on Tokio and on a
//! runtime whose clock can be paused.
//!
//! # The paused clock
//! With the feature `test-util`, the clock of a current-thread runtime can be paused, so that tests
//! need not wait.

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
