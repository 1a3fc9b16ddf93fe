//! The blocking thread pool.

mod unblock;

use std::io;

use crate::task::Spawner;

pub use unblock::Unblock;

/// The panic message of `block_in_place` where no other thread can take over. It is Tokio's.
pub const CANNOT_BLOCK_IN_PLACE: &str =
    "can call blocking only when running on the multi-threaded runtime";

/// Runs code that blocks or computes for long on threads reserved for it.
///
/// # For implementors
/// - By default at least 512 jobs run at once. Further jobs queue.
/// - A panic in a job is returned as `Err(JoinError)` by its handle and has no other effect.
/// - A job runs even if its handle is dropped. `abort` cancels a queued job and has no effect on a
///   running one.
/// - When the runtime ends, it waits for all of its jobs, including queued ones.
/// - Jobs see this runtime as the current one and may call `block_on`.
///
/// `executor::BlockingPool` of `anyrt-kit` implements all of this. [`Unblock`] reads and writes by
/// such jobs.
///
/// # Examples
/// ```
/// use std::io;
/// use anyrt_core::Blocking;
///
/// async fn size<R: Blocking>(rt: R, path: String) -> io::Result<u64> {
///     let job = rt.spawn_blocking(move || std::fs::metadata(path));
///     Ok(job.await.map_err(io::Error::other)??.len())
/// }
/// ```
pub trait Blocking: Spawner {
    /// Runs `job` on the blocking thread pool.
    fn spawn_blocking<F, T>(&self, job: F) -> Self::JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

/// Returns the error of an operation whose job was dropped or rejected by the runtime.
pub fn failed() -> io::Error {
    io::Error::other("background task failed")
}
