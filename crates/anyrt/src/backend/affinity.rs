//! Threads and child processes that must not be bound to the core of a worker.

#[cfg(feature = "__kit")]
pub(crate) use anyrt_kit::affinity::unbound;

/// Runs a function that starts a thread or a child process. Tokio's workers are bound to no core.
#[cfg(not(feature = "__kit"))]
pub(crate) fn unbound<T>(start: impl FnOnce() -> T) -> T {
    start()
}
