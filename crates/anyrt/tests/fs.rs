//! Files and directories, on each backend.
#![cfg(feature = "fs")]

#[path = "fs/directories.rs"]
mod directories;
#[path = "fs/files.rs"]
mod files;
#[path = "fs/kept.rs"]
mod kept;
#[path = "fs/places.rs"]
mod places;
#[path = "fs/throughput.rs"]
mod throughput;

use std::future::Future;
use std::io::{self, SeekFrom};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use anyrt::fs::File;
use anyrt::io::{AsyncReadExt, AsyncSeekExt};

/// Polls `future` once and drops it.
fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Makes `file` read `count` bytes ahead, like a read that is dropped in progress.
async fn read_ahead(file: &mut File, count: usize) -> io::Result<()> {
    let position = file.stream_position().await?;
    // A disk may be faster than the drop.
    while poll_once(file.read(&mut vec![0; count])).is_ready() {
        file.seek(SeekFrom::Start(position)).await?;
    }
    Ok(())
}

/// Runs `future` on this thread, outside all runtimes.
fn without_runtime<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Bytes that depend on their position.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32 / 4)
        .flat_map(u32::to_le_bytes)
        .chain(std::iter::repeat_n(7, len % 4))
        .collect()
}
