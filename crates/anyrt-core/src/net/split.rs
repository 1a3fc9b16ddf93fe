//! Owned halves of a stream whose I/O works through a shared reference.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::error::ReuniteError;
use crate::net::TcpStream;

/// The read half of a stream `S`. Dropping it alone does not affect the connection.
pub struct OwnedReadHalf<S> {
    stream: Arc<S>,
}

/// The write half of a stream `S`. Dropping it sends FIN.
pub struct OwnedWriteHalf<S: TcpStream> {
    // `None` once the stream was reunited.
    stream: Option<Arc<S>>,
}

/// For runtime authors: splits a stream that can be read and written through `&S`.
pub fn into_split<S: TcpStream>(stream: S) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: Some(Arc::clone(&stream)),
    };
    (OwnedReadHalf { stream }, write)
}

/// For runtime authors: puts the halves together into the stream that they came from.
///
/// # Errors
/// Returns both halves if they are not from the same stream.
pub fn reunite<S: TcpStream>(
    read: OwnedReadHalf<S>,
    mut write: OwnedWriteHalf<S>,
) -> Result<S, ReuniteError<OwnedReadHalf<S>, OwnedWriteHalf<S>>> {
    match write.stream.take() {
        Some(stream) if Arc::ptr_eq(&stream, &read.stream) => {
            drop(stream);
            Arc::try_unwrap(read.stream).map_err(|stream| {
                let write = OwnedWriteHalf {
                    stream: Some(Arc::clone(&stream)),
                };
                ReuniteError(OwnedReadHalf { stream }, write)
            })
        }
        stream => Err(ReuniteError(read, OwnedWriteHalf { stream })),
    }
}

impl<S: TcpStream> OwnedReadHalf<S> {
    /// Returns the underlying stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }
}

impl<S: TcpStream> OwnedWriteHalf<S> {
    /// Returns the underlying stream. `None` is never visible from outside.
    pub fn stream(&self) -> Option<&S> {
        self.stream.as_deref()
    }

    fn get(&self) -> io::Result<&S> {
        self.stream()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.get()?.peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get()?.local_addr()
    }

    /// Drops the half without sending FIN. The connection closes with the read half.
    pub fn forget(mut self) {
        self.stream = None;
    }
}

impl<S: TcpStream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            // The error cannot be reported; a peer that has gone needs no FIN.
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }
}

impl<S> AsyncRead for OwnedReadHalf<S>
where
    for<'a> &'a S: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self.stream).poll_read_vectored(cx, bufs)
    }
}

impl<S: TcpStream> AsyncWrite for OwnedWriteHalf<S>
where
    for<'a> &'a S: AsyncWrite,
{
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get()?).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get()?).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get()?).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get()?).poll_close(cx)
    }
}

impl<S> fmt::Debug for OwnedReadHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedReadHalf").finish_non_exhaustive()
    }
}

impl<S: TcpStream> fmt::Debug for OwnedWriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedWriteHalf").finish_non_exhaustive()
    }
}
