//! What this thread is to the current runtime.

use std::error::Error;
use std::{fmt, io};

use anyrt_core::NoRuntime;
use anyrt_core::error::RuntimeEnded;
use anyrt_core::runtime::Metrics;

use super::Handle;
use crate::backend::no_runtime;

/// No runtime is current on this thread; the message says what to do.
pub struct TryCurrentError {
    error: NoRuntime,
    destroyed: bool,
}

impl TryCurrentError {
    #[cold]
    pub(super) fn new() -> Self {
        // Tokio remembers its context like the backends theirs, and tells when its thread has forgotten.
        let destroyed = tokio::runtime::Handle::try_current()
            .is_err_and(|error| error.is_thread_local_destroyed());
        Self {
            error: no_runtime(),
            destroyed,
        }
    }

    /// Whether the thread is simply in no runtime.
    pub fn is_missing_context(&self) -> bool {
        !self.destroyed
    }

    /// Whether the thread is ending and knows nothing of its runtime any more.
    pub fn is_thread_local_destroyed(&self) -> bool {
        self.destroyed
    }
}

impl fmt::Debug for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.destroyed {
            "ThreadLocalDestroyed"
        } else {
            "NoContext"
        };
        write!(f, "TryCurrentError({kind}, {self})")
    }
}

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for TryCurrentError {}

/// Whether an operation failed because the runtime that it waits in has ended.
pub fn is_rt_shutdown_err(error: &io::Error) -> bool {
    let inner = error.get_ref();
    tokio::runtime::is_rt_shutdown_err(error)
        || inner.is_some_and(|inner| inner.is::<RuntimeEnded>())
}

/// The number of the worker of the current runtime that this thread is, if it is one.
pub fn worker_index() -> Option<usize> {
    let handle = Handle::try_current().ok()?;
    each!(&handle.inner, rt => rt.worker_index())
}
