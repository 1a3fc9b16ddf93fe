//! TCP: direct system calls once the socket is ready.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyrt_core::error::ReuniteError;
use anyrt_core::net::{self, OwnedReadHalf, OwnedWriteHalf, TcpStream as _};
use anyrt_core::readiness::Direction;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use rustix::net::{SocketAddrAny, SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol, Socket, Type};

use crate::handle::GlommioRuntime;
use crate::reactor::{AsyncFd, READ, WRITE};

/// Accepts connections. Each belongs to no shard until it is polled for the first time.
#[derive(Debug)]
pub struct TcpListener {
    pub(super) io: AsyncFd<std::net::TcpListener>,
    runtime: GlommioRuntime,
}

impl TcpListener {
    pub(super) fn new(runtime: &GlommioRuntime, listener: std::net::TcpListener) -> Self {
        Self {
            io: AsyncFd::unbound(runtime, listener),
            runtime: runtime.clone(),
        }
    }

    /// The listener with its readiness.
    pub fn as_inner(&self) -> &AsyncFd<std::net::TcpListener> {
        &self.io
    }

    /// Takes the listener out, non-blocking as it is.
    ///
    /// # Errors
    /// None; the signature is that of all backends.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        Ok(self.io.into_inner())
    }
}

impl TcpListener {
    /// Waits for a connection; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `accept`.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (fd, peer) = ready!(self.io.poll_io(cx, Direction::Read, accept))?;
        Poll::Ready(self.accepted(fd, peer))
    }

    fn accepted(
        &self,
        fd: OwnedFd,
        peer: Option<SocketAddrAny>,
    ) -> io::Result<(TcpStream, SocketAddr)> {
        let stream = std::net::TcpStream::from(fd);
        let peer = match peer.map(SocketAddr::try_from) {
            Some(Ok(peer)) => peer,
            _ => stream.peer_addr()?,
        };
        let io = AsyncFd::accepted(&self.runtime, stream);
        Ok((TcpStream { io }, peer))
    }
}

fn accept(listener: &std::net::TcpListener) -> io::Result<(OwnedFd, Option<SocketAddrAny>)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(acceptfrom_with(listener, flags)?)
}

impl net::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (fd, peer) = self.io.run(READ, accept).await?;
        self.accepted(fd, peer)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}

/// A connection. It can be read and written through `&TcpStream`, too.
#[derive(Debug)]
pub struct TcpStream {
    pub(super) io: AsyncFd<std::net::TcpStream>,
}

impl TcpStream {
    pub(super) fn new(runtime: &GlommioRuntime, stream: std::net::TcpStream) -> Self {
        Self {
            io: AsyncFd::unbound(runtime, stream),
        }
    }

    pub(super) async fn connect(runtime: &GlommioRuntime, address: SocketAddr) -> io::Result<Self> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let stream = Self {
            io: AsyncFd::connecting(runtime, socket.into()),
        };
        stream.io.run(WRITE, net::connected).await?;
        Ok(stream)
    }

    /// The stream with its readiness.
    pub fn as_inner(&self) -> &AsyncFd<std::net::TcpStream> {
        &self.io
    }

    /// Takes the stream out, non-blocking as it is.
    ///
    /// # Errors
    /// None; the signature is that of all backends.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        Ok(self.io.into_inner())
    }
}

impl net::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf<Self>;
    type OwnedWriteHalf = OwnedWriteHalf<Self>;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.run(READ, |stream| stream.peek(buf)).await
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
        let len = buf.len();
        let read = |mut stream: &std::net::TcpStream| stream.read(buf);
        self.io.poll_bytes(cx, Direction::Read, len, read)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        // Not `poll_bytes`: the system takes so many slices at once, so fewer bytes than asked for may not be all.
        let read = |mut stream: &std::net::TcpStream| stream.read_vectored(bufs);
        self.io.poll_io(cx, Direction::Read, read)
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
        self.io.poll_bytes(cx, Direction::Write, buf.len(), write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // As above.
        let write = |mut stream: &std::net::TcpStream| stream.write_vectored(bufs);
        self.io.poll_io(cx, Direction::Write, write)
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
    #[inline]
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
    #[inline]
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
