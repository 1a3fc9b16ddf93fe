//! What a runtime calls on its threads.

use std::fmt;
use std::sync::Arc;

/// A function that returns the name of a thread.
pub type NameFn = Arc<dyn Fn() -> String + Send + Sync>;

/// A hook that runs on a thread of the runtime.
pub type ThreadHook = Arc<dyn Fn() + Send + Sync>;

/// Hooks that run on the threads of a runtime, including those of the blocking pool, with the
/// runtime as the current one.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ThreadHooks {
    /// Runs when a thread has started.
    pub on_start: Option<ThreadHook>,
    /// Runs before a thread exits.
    pub on_stop: Option<ThreadHook>,
    /// Runs before a worker parks because it has nothing to do.
    pub on_park: Option<ThreadHook>,
    /// Runs after a worker was parked.
    pub on_unpark: Option<ThreadHook>,
}

impl ThreadHooks {
    /// For runtime authors: runs the hook of a started thread, and that of an exiting thread when
    /// the guard is dropped.
    #[must_use = "dropping it tells that the thread ends"]
    pub fn enter(&self) -> ThreadEntered {
        if let Some(start) = &self.on_start {
            start();
        }
        ThreadEntered {
            on_stop: self.on_stop.clone(),
        }
    }
}

impl fmt::Debug for ThreadHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadHooks")
            .field("on_start", &self.on_start.is_some())
            .field("on_stop", &self.on_stop.is_some())
            .field("on_park", &self.on_park.is_some())
            .field("on_unpark", &self.on_unpark.is_some())
            .finish()
    }
}

/// Runs the hook of an exiting thread on drop; see [`ThreadHooks::enter`].
pub struct ThreadEntered {
    on_stop: Option<ThreadHook>,
}

impl Drop for ThreadEntered {
    fn drop(&mut self) {
        if let Some(stop) = &self.on_stop {
            stop();
        }
    }
}

impl fmt::Debug for ThreadEntered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadEntered").finish_non_exhaustive()
    }
}
