//! File operations on blocking threads.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::blocking::failed;

use super::buf::Buf;
use super::disk::{Reply, Request, perform};
use crate::executor::{BlockingPool, TaskHandle};

/// A job of the pool. Returns an error if the pool drops it.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct InPool<T> {
    handle: TaskHandle<T>,
}

/// Starts an operation on a thread of `pool`, as required by [`Disk::start`](super::Disk::start).
///
/// # Errors
/// Fails if the pool was shut down before a write.
pub fn start(
    pool: &BlockingPool,
    file: Arc<std::fs::File>,
    request: Request,
    mut buf: Buf,
) -> io::Result<InPool<Reply>> {
    let operation = move || {
        let result = perform(&file, request, &mut buf);
        // Released before the result is visible, so that the file can be taken back.
        drop(file);
        Reply { result, buf }
    };
    let handle = match request {
        Request::Write { .. } => pool.spawn_mandatory(operation).ok_or_else(failed)?,
        _ => pool.spawn(operation),
    };
    Ok(InPool { handle })
}

/// Runs `job` on a thread of `pool`.
///
/// # Errors
/// Returns the error of `job`, or fails if the pool was shut down before it or if it panicked.
pub fn run<T, F>(pool: &BlockingPool, job: F) -> impl Future<Output = io::Result<T>> + use<T, F>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let handle = pool.spawn(job);
    async move { InPool { handle }.await? }
}

impl<T> Future for InPool<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle)
            .poll(cx)
            .map_err(|_error| failed())
    }
}
