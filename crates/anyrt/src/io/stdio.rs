//! The standard streams of the process.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use anyrt_core::blocking::{Blocking, Unblock};
use anyrt_core::task::Spawner;

use super::bridge::{futures_read, futures_write};
use crate::task::{JoinHandle, spawn, spawn_blocking};

/// The standard input of the process; see [`stdin`].
#[derive(Debug)]
pub struct Stdin(Unblock<Wherever, io::Stdin>);

/// The standard output of the process; see [`stdout`].
#[derive(Debug)]
pub struct Stdout(Unblock<Wherever, io::Stdout>);

/// The standard error of the process; see [`stderr`].
#[derive(Debug)]
pub struct Stderr(Unblock<Wherever, io::Stderr>);

/// The runtime that is current when a job starts: a stream may be used on several.
#[derive(Clone)]
struct Wherever;

impl Spawner for Wherever {
    type JoinHandle<T: Send + 'static> = JoinHandle<T>;

    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        spawn(future)
    }
}

impl Blocking for Wherever {
    fn spawn_blocking<F, T>(&self, job: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        spawn_blocking(job)
    }
}

/// Returns a handle to the standard input of the process.
///
/// Reads run on a blocking thread and cannot be cancelled: if the future is dropped, the data goes
/// to the next read of the same handle. A runtime that shuts down waits for the read until a line
/// arrives or the input ends. An interactive program should read on a thread of its own, or end its
/// runtime with [`shutdown_background`](crate::runtime::Runtime::shutdown_background).
///
/// All handles share one buffer of the process, but each keeps the data that it has read: read
/// through a single handle only.
///
/// # Examples
/// ```no_run
/// use anyrt::io::{AsyncBufReadExt, BufReader, stdin};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut lines = BufReader::new(stdin()).lines();
/// while let Some(line) = lines.next_line().await? {
///     println!("{line}");
/// }
/// # Ok(()) }
/// ```
pub fn stdin() -> Stdin {
    Stdin(Unblock::new(Wherever, io::stdin()))
}

/// Returns a handle to the standard output of the process.
///
/// Writes run on a blocking thread while further data is buffered, so an error may be reported by a
/// later call. Buffered data is still printed when the runtime ends;
/// [`flush`](super::AsyncWriteExt::flush) waits until it was printed.
///
/// Writes through several handles may interleave, but never within one write.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::io::{AsyncWriteExt, stdout};
///
/// let mut out = stdout();
/// out.write_all(b"hello\n").await?;
/// out.flush().await?;
/// # Ok(()) });
/// ```
pub fn stdout() -> Stdout {
    Stdout(Unblock::new(Wherever, io::stdout()))
}

/// Returns a handle to the standard error of the process. It behaves like [`stdout`].
pub fn stderr() -> Stderr {
    Stderr(Unblock::new(Wherever, io::stderr()))
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let limit = buf.remaining();
        self.0
            .poll_read_with(cx, limit, |bytes| buf.put_slice(bytes))
    }
}

macro_rules! write {
    ($($writer:ident)*) => {$(
        impl AsyncWrite for $writer {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }
        }
    )*};
}

write!(Stdout Stderr);
futures_read!(Stdin);
futures_write!(Stdout Stderr);

#[cfg(unix)]
super::fd_io::descriptor!(
    Stdin: |_stream| rustix::stdio::stdin(),
    Stdout: |_stream| rustix::stdio::stdout(),
    Stderr: |_stream| rustix::stdio::stderr()
);
