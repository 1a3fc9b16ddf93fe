//! Errors of time.

use std::fmt;

pub use anyrt_core::error::Elapsed;

/// What may be wrong with a timer.
///
/// Nothing in this crate returns it; it is here for code that names it.
#[derive(Debug, Clone, Copy)]
pub struct Error(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shutdown,
    AtCapacity,
    Invalid,
}

impl Error {
    /// The timers have been shut down.
    pub fn shutdown() -> Self {
        Self(Kind::Shutdown)
    }

    /// Whether the timers have been shut down.
    pub fn is_shutdown(&self) -> bool {
        self.0 == Kind::Shutdown
    }

    /// There is no room for another timer.
    pub fn at_capacity() -> Self {
        Self(Kind::AtCapacity)
    }

    /// Whether there was no room for another timer.
    pub fn is_at_capacity(&self) -> bool {
        self.0 == Kind::AtCapacity
    }

    /// The timer's configuration makes no sense.
    pub fn invalid() -> Self {
        Self(Kind::Invalid)
    }

    /// Whether the timer's configuration made no sense.
    pub fn is_invalid(&self) -> bool {
        self.0 == Kind::Invalid
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Shutdown => "the timer is shutdown, must be called from the context of a runtime",
            Kind::AtCapacity => "timer is at capacity and cannot create a new entry",
            Kind::Invalid => "timer duration exceeds maximum duration",
        })
    }
}
