//! A clock that can stand still.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first pause, so that reading the time costs nothing more where nobody ever pauses it.
static ANY_PAUSED: AtomicBool = AtomicBool::new(false);

/// Whether a clock of this process was ever paused.
#[inline]
pub fn was_any_paused() -> bool {
    ANY_PAUSED.load(Ordering::Acquire)
}
