//! The standard streams of a child.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::process::{self, Stdio};
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::io::bridge::{futures_read, futures_write};
use crate::io::fd_io::set_nonblocking;
use crate::net::unix::pipe::{Receiver, Sender};

/// The standard input of a child. Dropping it closes the pipe; shutting it down does not.
#[derive(Debug)]
pub struct ChildStdin {
    inner: Sender,
}

/// The standard output of a child.
#[derive(Debug)]
pub struct ChildStdout {
    inner: Receiver,
}

/// The standard error of a child.
#[derive(Debug)]
pub struct ChildStderr {
    inner: Receiver,
}

macro_rules! stream {
    ($($stream:ident: $end:ident;)*) => {$(
        impl $stream {
            /// Converts the stream of a std child and sets it to non-blocking mode.
            ///
            /// # Errors
            /// Fails if the socket cannot be registered with the reactor.
            ///
            /// # Panics
            /// Panics if no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_std(inner: process::$stream) -> io::Result<Self> {
                set_nonblocking(&inner, true)?;
                Ok(Self {
                    inner: $end::from_owned_fd_unchecked(inner.into())?,
                })
            }

            /// Returns the descriptor in blocking mode, as other programs expect it.
            ///
            /// # Errors
            /// Fails if the system's `fcntl` does.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                self.inner.into_blocking_fd()
            }
        }

        impl TryFrom<$stream> for Stdio {
            type Error = io::Error;

            /// Converts into a [`Stdio`], to pass it to another child.
            fn try_from(stream: $stream) -> io::Result<Self> {
                Ok(stream.into_owned_fd()?.into())
            }
        }

        impl AsRawFd for $stream {
            fn as_raw_fd(&self) -> RawFd {
                self.inner.as_raw_fd()
            }
        }

        impl AsFd for $stream {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.inner.as_fd()
            }
        }
    )*};
}

stream! {
    ChildStdin: Sender;
    ChildStdout: Receiver;
    ChildStderr: Receiver;
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.inner), cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(Pin::new(&mut self.inner), cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for ChildStdout {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.inner), cx, buf)
    }
}

impl AsyncRead for ChildStderr {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        AsyncRead::poll_read(Pin::new(&mut self.inner), cx, buf)
    }
}

futures_read!(ChildStdout ChildStderr);
futures_write!(ChildStdin);
