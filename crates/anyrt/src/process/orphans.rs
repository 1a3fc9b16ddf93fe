//! Reaps the processes whose handles were dropped before their end.

use std::process::Child;
use std::sync::{Mutex, PoisonError};

use signal_hook::consts::SIGCHLD;

use crate::signal_hub;

static ORPHANS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Waits for the process in its handle's stead.
pub(super) fn adopt(mut child: Child) {
    if has_ended(&mut child) {
        return;
    }
    with_orphans(|orphans| orphans.push(child));
    // Should the signal not be heard, then the next orphan's coming looks after this one as well.
    let _ = signal_hub::call(SIGCHLD, reap);
    // What ended before the signal was listened to.
    reap();
}

fn reap() {
    with_orphans(|orphans| orphans.retain_mut(|child| !has_ended(child)));
}

/// Also when somebody else has waited for it.
fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

fn with_orphans(f: impl FnOnce(&mut Vec<Child>)) {
    f(&mut ORPHANS.lock().unwrap_or_else(PoisonError::into_inner));
}
