//! Blocking jobs, on Tokio's own pool.

use anyrt_core::{Blocking, context};

use crate::runtime::TokioRuntime;
use crate::task::JoinHandle;

impl Blocking for TokioRuntime {
    fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        JoinHandle::new(self.as_inner().spawn_blocking(on_blocking_thread(job)))
    }
}

/// Runs `job` on the blocking thread pool of the current runtime.
///
/// # Panics
/// Panics if no Tokio runtime is current.
#[track_caller]
pub fn spawn_blocking<F, T>(job: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    JoinHandle::new(tokio::task::spawn_blocking(on_blocking_thread(job)))
}

/// Runs `job`, which may block, on this thread. Another thread takes over the tasks of this one
/// meanwhile.
///
/// # Panics
/// Panics on the thread of a current-thread runtime and in a `LocalSet`, where no other thread can
/// take over.
#[track_caller]
pub fn block_in_place<T>(job: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(on_blocking_thread(job))
}

/// Tokio's blocking threads start like its workers, marked as driving the runtime; a job may block.
pub(crate) fn on_blocking_thread<T>(job: impl FnOnce() -> T) -> impl FnOnce() -> T {
    move || {
        let _blocking = context::allow_blocking();
        job()
    }
}
