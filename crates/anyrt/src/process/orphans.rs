//! Reaps processes whose handles were dropped before they exited.

use std::process::Child;
use std::sync::{Mutex, PoisonError};

use signal_hook::consts::SIGCHLD;

use crate::signal_hub;

static ORPHANS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Waits for the process in place of its handle.
pub(super) fn adopt(mut child: Child) {
    if has_ended(&mut child) {
        return;
    }
    with_orphans(|orphans| orphans.push(child));
    // If the signal cannot be handled, the next orphan checks this one as well.
    let _ = signal_hub::call(SIGCHLD, reap);
    // Those that exited before the signal was handled.
    reap();
}

fn reap() {
    with_orphans(|orphans| orphans.retain_mut(|child| !has_ended(child)));
}

/// Also if other code has waited for it.
fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn with_orphans(f: impl FnOnce(&mut Vec<Child>)) {
    f(&mut ORPHANS.lock().unwrap_or_else(PoisonError::into_inner));
}
