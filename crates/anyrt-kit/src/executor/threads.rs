//! What the threads of an engine have: a count of them, a substitute for one that blocks, and no silent end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyrt_core::waiters::Waiters;

/// Counts threads that are still running.
#[derive(Default)]
pub(super) struct Latch {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Latch {
    /// Counts this thread until the guard is dropped.
    pub(super) fn enter(&self) -> Running {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Running {
            state: Arc::clone(&self.state),
        }
    }

    /// Waits until all have ended, no longer than `timeout`. Gives whether they have.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let (running, ended) = &*self.state;
        let guard = running.lock().unwrap_or_else(PoisonError::into_inner);
        match timeout {
            None => {
                drop(
                    ended
                        .wait_while(guard, |running| *running > 0)
                        .unwrap_or_else(PoisonError::into_inner),
                );
                true
            }
            Some(timeout) => {
                let (guard, _) = ended
                    .wait_timeout_while(guard, timeout, |running| *running > 0)
                    .unwrap_or_else(PoisonError::into_inner);
                *guard == 0
            }
        }
    }
}

pub(super) struct Running {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.state.1.notify_all();
    }
}

/// Stands in for a worker that blocks. Dropping it says that the worker is back.
#[derive(Default)]
pub(super) struct Substitute(Arc<Back>);

#[derive(Default)]
pub(super) struct Back {
    back: AtomicBool,
    waiters: Waiters,
}

impl Substitute {
    /// What the substitute waits for.
    pub(super) fn back(&self) -> Arc<Back> {
        Arc::clone(&self.0)
    }
}

impl Back {
    /// Waits until the worker is back.
    pub(super) async fn wait(&self) {
        loop {
            let event = self.waiters.wait();
            if self.back.load(Ordering::SeqCst) {
                return;
            }
            event.await;
        }
    }
}

impl Drop for Substitute {
    fn drop(&mut self) {
        self.0.back.store(true, Ordering::SeqCst);
        self.0.waiters.notify_all();
    }
}

/// A worker that unwinds would leave its tasks to nobody, in silence.
pub(super) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        if thread::panicking() {
            // Not `eprintln!`, which panics where nobody reads.
            let message = "a worker thread has panicked outside of a task; aborting the process\n";
            let _ = io::Write::write_all(&mut io::stderr(), message.as_bytes());
            std::process::abort();
        }
    }
}
