//! A clock that can stand still, and the timers of a thread that waits by itself.

pub mod clock;
pub mod timers;
