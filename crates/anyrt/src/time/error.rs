//! Errors of this module.
//!
//! [`Elapsed`] is the error of [`timeout`](super::timeout()). [`Error`] exists for compatibility
//! only.

use std::fmt;

pub use anyrt_core::error::Elapsed;

/// An error of a timer.
///
/// Nothing in this crate returns it; it exists for code that names it.
#[derive(Debug, Clone, Copy)]
pub struct Error(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shutdown,
    AtCapacity,
    Invalid,
}

impl Error {
    /// Creates the error that the timers have been shut down.
    pub fn shutdown() -> Self {
        Self(Kind::Shutdown)
    }

    /// Returns `true` if the timers have been shut down.
    pub fn is_shutdown(&self) -> bool {
        self.0 == Kind::Shutdown
    }

    /// Creates the error that there is no room for another timer.
    pub fn at_capacity() -> Self {
        Self(Kind::AtCapacity)
    }

    /// Returns `true` if there was no room for another timer.
    pub fn is_at_capacity(&self) -> bool {
        self.0 == Kind::AtCapacity
    }

    /// Creates the error that the timer's configuration is invalid.
    pub fn invalid() -> Self {
        Self(Kind::Invalid)
    }

    /// Returns `true` if the timer's configuration was invalid.
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
