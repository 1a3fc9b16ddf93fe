//! The threads of an engine: their count, the substitute for one that blocks, the report of an
//! unexpected end, and their time.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyrt_core::waiters::Waiters;

/// For runtime authors: counts threads that are still running.
#[derive(Debug, Default)]
pub struct Latch {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Latch {
    /// Counts a thread until the guard is dropped.
    pub fn enter(&self) -> Running {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Running {
            state: Arc::clone(&self.state),
        }
    }

    /// Waits until all have ended, for at most `timeout`. Returns whether they have.
    pub fn wait(&self, timeout: Option<Duration>) -> bool {
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

/// The guard of [`Latch::enter`].
#[derive(Debug)]
pub struct Running {
    state: Arc<(Mutex<usize>, Condvar)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.state.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.state.1.notify_all();
    }
}

/// The substitute for a worker that blocks. Dropping it ends the substitution.
#[derive(Default)]
pub(super) struct Substitute(Arc<Back>);

#[derive(Default)]
pub(super) struct Back {
    back: AtomicBool,
    waiters: Waiters,
}

impl Substitute {
    /// Shared with the substitute.
    pub(super) fn back(&self) -> Arc<Back> {
        Arc::clone(&self.0)
    }
}

impl Back {
    /// Waits until the worker has returned.
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

/// Aborts the process if a worker unwinds, because its tasks would silently never run again.
pub(super) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        if thread::panicking() {
            // Not `eprintln!`, which panics if standard error is closed.
            let message = "a worker thread has panicked outside of a task; aborting the process\n";
            let _ = io::Write::write_all(&mut io::stderr(), message.as_bytes());
            std::process::abort();
        }
    }
}

/// The time of the system: real threads are waited for and measured in real time, even if the
/// clock of their runtime is paused.
#[expect(clippy::disallowed_methods, reason = "for real threads")]
pub(super) fn now() -> Instant {
    Instant::now()
}
