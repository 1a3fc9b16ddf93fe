//! TCP: direct system calls once the socket is ready.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyrt_core::error::ReuniteError;
use anyrt_core::net::{self, OwnedReadHalf, OwnedWriteHalf, TcpStream as _};
use anyrt_core::readiness::{Direction, Interest, Ready};
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};

use crate::reactor::Reactor;
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
    /// Fails if the socket cannot be registered with the reactor.
    pub fn from_std(reactor: &Arc<Reactor>, socket: std::net::TcpListener) -> io::Result<Self> {
        let inner = Socket::new(reactor, socket, Ready::EMPTY)?;
        Ok(Self { inner })
    }

    /// The listener with its readiness.
    pub fn as_inner(&self) -> &Socket<std::net::TcpListener> {
        &self.inner
    }

    /// Waits for a connection; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.inner
            .poll_io(cx, Direction::Read, |listener| self.accept(listener))
    }

    fn accept(&self, listener: &std::net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        // Often there is something to read already.
        let ready = Ready::READABLE | Ready::WRITABLE;
        let inner = Socket::new(self.inner.reactor(), stream, ready)?;
        Ok((TcpStream { inner }, peer))
    }
}

impl net::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |listener: &std::net::TcpListener| self.accept(listener);
        self.inner.run(Interest::READABLE, accept).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
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
    /// Fails if the socket cannot be registered with the reactor.
    pub fn from_std(reactor: &Arc<Reactor>, socket: std::net::TcpStream) -> io::Result<Self> {
        let inner = Socket::new(reactor, socket, Ready::EMPTY)?;
        Ok(Self { inner })
    }

    /// Connects to one address.
    ///
    /// # Errors
    /// As the system's `connect`.
    pub async fn connect(reactor: &Arc<Reactor>, address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        socket.set_nonblocking(true)?;
        if let Err(error) = socket.connect(&address.into()) {
            // Windows calls it the latter.
            let under_way = error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error())
                || error.kind() == io::ErrorKind::WouldBlock;
            if !under_way {
                return Err(error);
            }
        }
        let stream = Self::from_std(reactor, socket.into())?;
        let interest = Interest::WRITABLE | Interest::ERROR;
        stream.inner.run(interest, net::connected).await?;
        Ok(stream)
    }

    /// The stream with its readiness.
    pub fn as_inner(&self) -> &Socket<std::net::TcpStream> {
        &self.inner
    }
}

impl net::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf<Self>;
    type OwnedWriteHalf = OwnedWriteHalf<Self>;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.inner.get().nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.get().set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.get().shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner
            .run(Interest::READABLE, |stream| stream.peek(buf))
            .await
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
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = |mut stream: &std::net::TcpStream| stream.read(buf);
        self.inner.poll_io(cx, Direction::Read, read)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let read = |mut stream: &std::net::TcpStream| stream.read_vectored(bufs);
        self.inner.poll_io(cx, Direction::Read, read)
    }
}

impl AsyncWrite for &TcpStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = |mut stream: &std::net::TcpStream| stream.write(buf);
        self.inner.poll_io(cx, Direction::Write, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = |mut stream: &std::net::TcpStream| stream.write_vectored(bufs);
        self.inner.poll_io(cx, Direction::Write, write)
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
