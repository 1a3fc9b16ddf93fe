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

/// What a child reads. Dropping it is the end of that; shutting it down is not.
#[derive(Debug)]
pub struct ChildStdin {
    inner: Sender,
}

/// What a child writes.
#[derive(Debug)]
pub struct ChildStdout {
    inner: Receiver,
}

/// What a child writes of errors.
#[derive(Debug)]
pub struct ChildStderr {
    inner: Receiver,
}

macro_rules! stream {
    ($($stream:ident: $end:ident;)*) => {$(
        impl $stream {
            /// Takes over a stream of a child of the standard library, and makes it non-blocking.
            ///
            /// # Errors
            /// As the reactor refuses it.
            ///
            /// # Panics
            /// When no runtime is current; see [`runtime`](crate::runtime).
            #[track_caller]
            pub fn from_std(inner: process::$stream) -> io::Result<Self> {
                set_nonblocking(&inner, true)?;
                Ok(Self {
                    inner: $end::from_owned_fd_unchecked(inner.into())?,
                })
            }

            /// The descriptor, made blocking, as other programs expect theirs.
            ///
            /// # Errors
            /// As the system's `fcntl`.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                self.inner.into_blocking_fd()
            }
        }

        impl TryFrom<$stream> for Stdio {
            type Error = io::Error;

            /// Gives it to another child.
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
