//! The halves of a TCP stream, borrowed and owned. Both hold a shared reference to the stream.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::BufMut;

use super::TcpStream;
use crate::io::bridge::{futures_read, futures_write};
use crate::io::{Interest, Ready};

/// The read half that [`TcpStream::split`] returns.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The write half that [`TcpStream::split`] returns. Dropping it does not affect the connection.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The owned read half of a [`TcpStream`]. Dropping it alone does not affect the connection.
#[derive(Debug)]
pub struct OwnedReadHalf {
    stream: Arc<TcpStream>,
}

/// The owned write half of a [`TcpStream`]. Dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    shutdown_on_drop: bool,
}

/// The halves belong to different streams. Contains both.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl Error for ReuniteError {}

pub(super) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn into_split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
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

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.stream, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    match Arc::try_unwrap(read.stream) {
        Ok(stream) => Ok(stream),
        Err(_) => unreachable!("a stream has two halves"),
    }
}

impl OwnedReadHalf {
    /// Puts the halves together into the stream that they came from.
    ///
    /// # Errors
    /// Returns both halves if they are not from the same stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts the halves together into the stream that they came from.
    ///
    /// # Errors
    /// Returns both halves if they are not from the same stream.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops the half without sending FIN. The connection closes with the read half.
    pub fn forget(mut self) {
        self.shutdown_on_drop = false;
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.shutdown_on_drop {
            // The error cannot be reported; a peer that has gone needs no FIN.
            let _ = anyrt_core::TcpStream::shutdown(&*self.stream, Shutdown::Write);
        }
    }
}

impl AsRef<TcpStream> for ReadHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for WriteHalf<'_> {
    fn as_ref(&self) -> &TcpStream {
        self.0
    }
}

impl AsRef<TcpStream> for OwnedReadHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsRef<TcpStream> for OwnedWriteHalf {
    fn as_ref(&self) -> &TcpStream {
        &self.stream
    }
}

macro_rules! half {
    ($($half:ty),*) => {$(
        impl $half {
            /// See [`TcpStream::ready`].
            ///
            /// # Errors
            /// The same as there.
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
half!(ReadHalf<'_>, WriteHalf<'_>, OwnedReadHalf, OwnedWriteHalf);

macro_rules! read_half {
    ($($half:ty),*) => {$(
        impl $half {
            /// See [`TcpStream::poll_peek`].
            ///
            /// # Errors
            /// The same as there.
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// See [`TcpStream::peek`].
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: no data is consumed.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }

            /// See [`TcpStream::readable`].
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn readable(&self) -> io::Result<()> {
                self.as_ref().readable().await
            }

            /// See [`TcpStream::try_read`].
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().try_read(buf)
            }

            /// See [`TcpStream::try_read_vectored`].
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.as_ref().try_read_vectored(bufs)
            }

            /// See [`TcpStream::try_read_buf`].
            ///
            /// # Errors
            /// The same as there.
            pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
                self.as_ref().try_read_buf(buf)
            }
        }

        impl AsyncRead for $half {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                TcpStream::poll_read_shared((*self).as_ref(), cx, buf)
            }
        }
    )*};
}
read_half!(ReadHalf<'_>, OwnedReadHalf);
futures_read!(ReadHalf<'_> OwnedReadHalf);

macro_rules! write_half {
    ($($half:ty),*) => {$(
        impl $half {
            /// See [`TcpStream::writable`].
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: dropping the future has no effect.
            pub async fn writable(&self) -> io::Result<()> {
                self.as_ref().writable().await
            }

            /// See [`TcpStream::try_write`].
            ///
            /// # Errors
            /// The same as there.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.as_ref().try_write(buf)
            }

            /// See [`TcpStream::try_write_vectored`].
            ///
            /// # Errors
            /// The same as there.
            pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.as_ref().try_write_vectored(bufs)
            }

            fn shut_down(&mut self) -> Poll<io::Result<()>> {
                // A peer that has already gone is not an error.
                let done = anyrt_core::TcpStream::close_write(self.as_ref());
                if done.is_ok() {
                    self.is_shut_down();
                }
                Poll::Ready(done)
            }
        }

        impl AsyncWrite for $half {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                TcpStream::poll_write_shared((*self).as_ref(), cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                TcpStream::poll_write_vectored_shared((*self).as_ref(), cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                // One system call on every backend.
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                // Every write is a system call; nothing is buffered.
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<io::Result<()>> {
                self.shut_down()
            }
        }
    )*};
}
write_half!(WriteHalf<'_>, OwnedWriteHalf);
futures_write!(WriteHalf<'_> OwnedWriteHalf);

impl WriteHalf<'_> {
    fn is_shut_down(&mut self) {}
}

impl OwnedWriteHalf {
    /// Done here, so dropping the half must not do it again.
    fn is_shut_down(&mut self) {
        self.shutdown_on_drop = false;
    }
}
