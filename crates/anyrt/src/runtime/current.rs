//! The relation of this thread to the current runtime.

use std::error::Error;
use std::{fmt, io};

use anyrt_core::NoRuntime;
use anyrt_core::error::RuntimeEnded;
use anyrt_core::runtime::Metrics;

use super::Handle;
use crate::backend::{Current, entered, no_runtime};

impl Handle {
    /// Returns the current runtime; see [the module](super) for the rules.
    ///
    /// # Panics
    /// Panics if no runtime is current. The message names the options.
    #[track_caller]
    pub fn current() -> Self {
        entered(Self::find_current())
    }

    /// Returns the current runtime; see [the module](super) for the rules.
    ///
    /// # Errors
    /// Fails if no runtime is current. The message names the options.
    ///
    /// # Examples
    /// ```
    /// use anyrt::runtime::Handle;
    ///
    /// match Handle::try_current() {
    ///     Ok(handle) => println!("inside {}", handle.backend()),
    ///     Err(error) => println!("{error}"),
    /// }
    /// ```
    pub fn try_current() -> Result<Self, TryCurrentError> {
        Self::find_current().ok_or_else(TryCurrentError::new)
    }

    fn find_current() -> Option<Self> {
        let inner = map_each!(Current::find()?, backend, () => backend::Handle::try_current()?);
        Some(Self { inner })
    }
}

/// No runtime is current on this thread. The message names the options.
pub struct TryCurrentError {
    error: NoRuntime,
    destroyed: bool,
}

impl TryCurrentError {
    #[cold]
    pub(super) fn new() -> Self {
        // Tokio keeps its context in a thread local, as the backends do, and can tell whether it
        // was destroyed.
        let destroyed = tokio::runtime::Handle::try_current()
            .is_err_and(|error| error.is_thread_local_destroyed());
        Self {
            error: no_runtime(),
            destroyed,
        }
    }

    /// Returns `true` if the thread is not inside a runtime.
    pub fn is_missing_context(&self) -> bool {
        !self.destroyed
    }

    /// Returns `true` if the thread is exiting and its thread locals have been destroyed.
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

/// Returns `true` if an operation failed because its runtime has ended.
pub fn is_rt_shutdown_err(error: &io::Error) -> bool {
    let inner = error.get_ref();
    tokio::runtime::is_rt_shutdown_err(error)
        || inner.is_some_and(|inner| inner.is::<RuntimeEnded>())
}

/// Returns the index of this thread among the workers of the current runtime, or `None` if it is
/// not one of them.
pub fn worker_index() -> Option<usize> {
    let handle = Handle::try_current().ok()?;
    each!(&handle.inner, rt => rt.worker_index())
}
