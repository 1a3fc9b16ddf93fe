//! Code that blocks, on threads of its own.

use std::io;

use crate::task::Spawner;

/// What `block_in_place` says where no other thread can take over; Tokio's words.
pub const CANNOT_BLOCK_IN_PLACE: &str =
    "can call blocking only when running on the multi-threaded runtime";

/// Runs code that blocks or computes for long on threads kept for it.
///
/// # For implementors
/// - At least 512 jobs run at once by default; further ones queue.
/// - A panic in a job is an `Err(JoinError)` to whoever joins it, and nothing else.
/// - A job runs even if its handle is dropped. `abort` cancels it while it is queued and has no effect once it
///   runs.
/// - When the runtime ends, the jobs that it has are waited for, those behind busy threads included.
/// - Jobs see this runtime as the current one and may `block_on`.
///
/// `executor::BlockingPool` does all of it.
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
    /// Starts `job` on a thread where blocking harms nobody.
    fn spawn_blocking<F, T>(&self, job: F) -> Self::JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static;
}

/// The error of an operation whose job the runtime has dropped or does not accept.
pub fn failed() -> io::Error {
    io::Error::other("background task failed")
}
