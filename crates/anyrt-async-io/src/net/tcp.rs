//! TCP over `async_io::Async`.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyrt_core::coop;
use anyrt_core::error::ReuniteError;
use anyrt_core::net::{self, OwnedReadHalf, OwnedWriteHalf, TcpStream as _};
use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

use crate::readiness::Socket;

/// Accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) inner: Socket<std::net::TcpListener>,
}

impl TcpListener {
    /// Takes over a listening, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    pub fn from_std(socket: std::net::TcpListener) -> io::Result<Self> {
        let inner = Socket::new(Async::new_nonblocking(socket)?);
        Ok(Self { inner })
    }

    /// The listener inside.
    pub fn as_inner(&self) -> &Async<std::net::TcpListener> {
        self.inner.get()
    }

    /// Takes the listener out.
    pub fn into_inner(self) -> Async<std::net::TcpListener> {
        self.inner.into_inner()
    }
}

impl TcpListener {
    /// Waits for a connection; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        coop::charged(cx, |cx| {
            let listener = self.inner.get();
            loop {
                match listener.get_ref().accept() {
                    Ok((stream, peer)) => {
                        let stream = Async::new(stream)?;
                        return Poll::Ready(Ok((TcpStream::accepted(stream), peer)));
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
                ready!(listener.poll_readable(cx))?;
            }
        })
    }
}

impl net::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (inner, peer) = coop::cooperative(self.inner.get().accept()).await?;
        Ok((TcpStream::accepted(inner), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().get_ref().local_addr()
    }
}

/// A connection. It can be read and written through `&TcpStream`, too.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) inner: Socket<std::net::TcpStream>,
}

impl TcpStream {
    /// Takes over a connected, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    pub fn from_std(socket: std::net::TcpStream) -> io::Result<Self> {
        let inner = Socket::new(Async::new_nonblocking(socket)?);
        Ok(Self { inner })
    }

    /// Connects to one address.
    ///
    /// # Errors
    /// As the system's `connect`.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        Async::<std::net::TcpStream>::connect(address)
            .await
            .map(Self::new)
    }

    fn accepted(inner: Async<std::net::TcpStream>) -> Self {
        Self {
            inner: Socket::accepted(inner),
        }
    }

    fn new(inner: Async<std::net::TcpStream>) -> Self {
        Self {
            inner: Socket::new(inner),
        }
    }

    /// The stream inside.
    pub fn as_inner(&self) -> &Async<std::net::TcpStream> {
        self.inner.get()
    }

    /// Takes the stream out.
    pub fn into_inner(self) -> Async<std::net::TcpStream> {
        self.inner.into_inner()
    }
}

impl net::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf<Self>;
    type OwnedWriteHalf = OwnedWriteHalf<Self>;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().get_ref().peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().get_ref().local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.inner.get().get_ref().nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.get().get_ref().set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().get_ref().shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        coop::cooperative(self.inner.get().peek(buf)).await
    }

    fn into_split(self) -> (Self::OwnedReadHalf, Self::OwnedWriteHalf) {
        net::into_split(self)
    }

    fn reunite(
        read: Self::OwnedReadHalf,
        write: Self::OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<Self::OwnedReadHalf, Self::OwnedWriteHalf>> {
        net::reunite(read, write)
    }
}

impl AsyncRead for &TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        coop::charged(cx, |cx| Pin::new(&mut self.inner.get()).poll_read(cx, buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        coop::charged(cx, |cx| {
            Pin::new(&mut self.inner.get()).poll_read_vectored(cx, bufs)
        })
    }
}

impl AsyncWrite for &TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        coop::charged(cx, |cx| Pin::new(&mut self.inner.get()).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        coop::charged(cx, |cx| {
            Pin::new(&mut self.inner.get()).poll_write_vectored(cx, bufs)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A write is a system call; nothing is held back.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.close_write())
    }
}

impl AsyncRead for TcpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for TcpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}
