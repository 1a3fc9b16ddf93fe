//! A clock that can be paused, and timers for a runtime without its own.

pub mod clock;
pub mod timers;
