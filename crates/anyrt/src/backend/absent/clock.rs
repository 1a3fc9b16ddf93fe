//! The clock that may be paused.

use std::time::Duration;

use anyrt_core::error::ClockError;

use super::never;

absent!(Clock);

impl Clock {
    pub(crate) fn pause(&self) -> Result<(), ClockError> {
        never()
    }

    pub(crate) fn resume(&self) -> Result<(), ClockError> {
        never()
    }

    pub(crate) fn advance(&self, _: Duration) -> Result<(), ClockError> {
        never()
    }
}

#[inline]
pub(crate) fn was_any_paused() -> bool {
    false
}
