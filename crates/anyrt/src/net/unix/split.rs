//! The halves of a Unix stream.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::BufMut;

use super::{SocketAddr, UnixStream};
use crate::io::bridge::{futures_read, futures_write};
use crate::io::{Interest, Ready};

/// The read half that [`UnixStream::split`] returns.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a UnixStream);

/// The write half that [`UnixStream::split`] returns. Shutting it down ends the stream for the
/// peer.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a UnixStream);

pub(super) fn split(stream: &mut UnixStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

/// The read half that [`UnixStream::into_split`] returns.
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<UnixStream>,
}

/// The write half that [`UnixStream::into_split`] returns.
///
/// Shutting it down or dropping it ends the stream for the peer; [`forget`](Self::forget) does not.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<UnixStream>,
    shutdown_on_drop: bool,
}

pub(super) fn into_split(stream: UnixStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let read = OwnedReadHalf {
        stream: Arc::clone(&stream),
    };
    let write = OwnedWriteHalf {
        stream,
        shutdown_on_drop: true,
    };
    (read, write)
}

/// The halves belong to different streams. Contains both.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl std::error::Error for ReuniteError {}

impl OwnedReadHalf {
    /// Puts the halves together into the stream that they came from.
    ///
    /// # Errors
    /// Fails if they are halves of different streams.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<UnixStream, ReuniteError> {
        other.reunite(self)
    }
}

impl OwnedWriteHalf {
    /// Puts the halves together into the stream that they came from.
    ///
    /// # Errors
    /// Fails if they are halves of different streams.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<UnixStream, ReuniteError> {
        if !Arc::ptr_eq(&self.stream, &other.stream) {
            return Err(ReuniteError(other, self));
        }
        self.forget();
        match Arc::try_unwrap(other.stream) {
            Ok(stream) => Ok(stream),
            Err(_) => unreachable!("a stream has two halves, and one is gone"),
        }
    }

    /// Drops the half without ending the stream for the peer.
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // A peer that has already gone is not an error.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

impl AsRef<UnixStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &UnixStream {
        self.0
    }
}

impl AsRef<UnixStream> for OwnedReadHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.stream
    }
}

impl AsRef<UnixStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &UnixStream {
        &self.stream
    }
}

/// Methods of all halves.
macro_rules! half {
    ($($half:ty)*) => {$(
        impl $half {
            /// Waits until the stream is ready for any part of `interest`.
            ///
            /// # Errors
            /// See [`UnixStream::ready`].
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
                self.as_ref().ready(interest).await
            }

            /// Returns the address of the peer.
            ///
            /// # Errors
            /// Fails if the system's `getpeername` does.
            pub fn peer_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().peer_addr()
            }

            /// Returns the local address.
            ///
            /// # Errors
            /// Fails if the system's `getsockname` does.
            pub fn local_addr(&self) -> io::Result<SocketAddr> {
                self.as_ref().local_addr()
            }
        }
    )*};
}

macro_rules! reading_half {
    ($($half:ty)*) => {$(
        impl $half {
            /// Waits until data is available.
            ///
            /// # Errors
            /// See [`UnixStream::ready`].
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// Reads the available data.
            ///
            /// # Errors
            /// See [`UnixStream::try_read`].
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// Reads the available data and appends it to `buf`.
            ///
            /// # Errors
            /// See [`UnixStream::try_read`].
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }

            /// Reads the available data into several buffers, one after the other.
            ///
            /// # Errors
            /// See [`UnixStream::try_read`].
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }
        }

        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.get_mut().as_ref().poll_read(cx, buf)
            }
        }

        futures_read!($half);
    )*};
}

macro_rules! writing_half {
    ($($half:ty)*) => {$(
        impl $half {
            /// Waits until there is room to write.
            ///
            /// # Errors
            /// See [`UnixStream::ready`].
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// Writes as many bytes as fit.
            ///
            /// # Errors
            /// See [`UnixStream::try_write`].
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// Writes as many bytes of several buffers as fit, with one system call.
            ///
            /// # Errors
            /// See [`UnixStream::try_write`].
            pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(buf)
            }
        }

        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().as_ref().poll_write(cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.get_mut().as_ref().poll_write_vectored(cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().end().into()
            }
        }

        futures_write!($half);
    )*};
}

half!(ReadHalf<'_> WriteHalf<'_> OwnedReadHalf OwnedWriteHalf);
reading_half!(ReadHalf<'_> OwnedReadHalf);
writing_half!(WriteHalf<'_> OwnedWriteHalf);

impl WriteHalf<'_> {
    fn end(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

impl OwnedWriteHalf {
    fn end(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.shutdown_on_drop = false;
        Ok(())
    }
}
