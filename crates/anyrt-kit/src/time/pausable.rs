//! The clock of a runtime that may have one.

use std::sync::Arc;

use anyrt_core::error::BuildError;
use anyrt_core::runtime::Config;

use super::clock::Clock;

/// The clock of a runtime, if it can be paused. Otherwise its timers follow the system's.
///
/// Without the feature `test-util` no runtime has one, and a program does not contain the code of
/// clocks.
#[derive(Debug, Clone, Default)]
pub struct Pausable {
    #[cfg(feature = "test-util")]
    clock: Option<Arc<Clock>>,
}

impl Pausable {
    /// Creates the clock of a runtime of `backend` with these options, if it can be paused.
    ///
    /// # Errors
    /// Returns [`BuildError::Unsupported`] if it is to start paused and the feature `test-util` is
    /// disabled.
    pub fn of(config: &Config, backend: &'static str) -> Result<Self, BuildError> {
        if config.start_paused && cfg!(not(feature = "test-util")) {
            return Err(BuildError::Unsupported {
                backend,
                option: "start_paused",
                why: "it needs the feature `test-util`",
            });
        }
        Ok(Self {
            #[cfg(feature = "test-util")]
            clock: Clock::of(config),
        })
    }

    /// Returns the clock, if there is one.
    #[inline]
    pub fn get(&self) -> Option<&Arc<Clock>> {
        #[cfg(feature = "test-util")]
        return self.clock.as_ref();
        #[cfg(not(feature = "test-util"))]
        None
    }

    /// Keeps the clock, if there is one, from advancing by itself until the guard is dropped; see
    /// [`Clock::inhibit`].
    #[inline]
    pub fn inhibit(&self) -> Inhibited {
        Inhibited {
            #[cfg(feature = "test-util")]
            _inhibition: self.clock.as_ref().map(Clock::inhibit),
        }
    }
}

/// The guard of [`Pausable::inhibit`].
#[derive(Debug)]
#[must_use = "the clock is kept back only while the guard lives"]
pub struct Inhibited {
    #[cfg(feature = "test-util")]
    _inhibition: Option<super::clock::Inhibition>,
}
