//! TCP, by direct system calls once the socket is ready.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{self as std_net, Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyrt_core::net::{self, TcpStream as _};
use anyrt_core::readiness::Direction;
use futures_io::{AsyncRead, AsyncWrite};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};

use super::calls;
use super::socket::{Origin, Poller, Socket};
use crate::readiness::{READ, WRITE, Watched, poll_bytes, poll_io, run};

/// A TCP listener, which accepts connections.
pub type TcpListener<P> = Socket<P, std_net::TcpListener>;

/// A TCP connection. It can also be read and written through `&TcpStream`.
pub type TcpStream<P> = Socket<P, std_net::TcpStream>;

impl<P: Poller> TcpListener<P> {
    /// Polls for a connection. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `accept` does.
    pub fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream<P>, SocketAddr)>> {
        let (stream, peer) = ready!(poll_io(&self.io, cx, Direction::Read, accept))?;
        Poll::Ready(self.accepted(stream).map(|stream| (stream, peer)))
    }

    fn accepted(&self, stream: std_net::TcpStream) -> io::Result<TcpStream<P>> {
        Socket::new(P::home(&self.io), stream, Origin::Accepted)
    }
}

impl<P: Poller> net::TcpListener for TcpListener<P> {
    type Stream = TcpStream<P>;

    async fn accept(&self) -> io::Result<(TcpStream<P>, SocketAddr)> {
        let (stream, peer) = run(&self.io, READ, accept).await?;
        Ok((self.accepted(stream)?, peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }
}

impl<P: Poller> TcpStream<P> {
    /// For runtime authors: connects to one address.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open connection.
    pub async fn connect(home: &P::Home, address: SocketAddr) -> io::Result<Self> {
        let stream = Self::new(home, start_connecting(address)?, Origin::Connecting)?;
        run(&stream.io, WRITE, net::connected).await?;
        Ok(stream)
    }
}

impl<P: Poller> net::TcpStream for TcpStream<P> {
    crate::shared_halves!();

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
        run(&self.io, READ, |stream| stream.peek(buf)).await
    }
}

impl<P: Poller> AsyncRead for &TcpStream<P> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len();
        let read = |stream: &std_net::TcpStream| calls::read(stream, buf);
        poll_bytes(&self.io, cx, Direction::Read, len, read)
    }

    #[inline]
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        // Not `poll_bytes`: the system takes so many slices at once, so fewer bytes than asked for
        // may not be all.
        let read = |stream: &std_net::TcpStream| calls::read_vectored(stream, bufs);
        poll_io(&self.io, cx, Direction::Read, read)
    }
}

impl<P: Poller> AsyncWrite for &TcpStream<P> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = |stream: &std_net::TcpStream| calls::write(stream, buf);
        poll_bytes(&self.io, cx, Direction::Write, buf.len(), write)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // As above.
        let write = |stream: &std_net::TcpStream| calls::write_vectored(stream, bufs);
        poll_io(&self.io, cx, Direction::Write, write)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Every write is a system call; nothing is buffered.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.close_write())
    }
}

crate::shared_io!(for [P: Poller] TcpStream<P>);

/// Accepts a pending connection. The stream is in non-blocking mode.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn accept(listener: &std_net::TcpListener) -> io::Result<(std_net::TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (fd, peer) = acceptfrom_with(listener, flags)?;
    let stream = std_net::TcpStream::from(fd);
    let peer = match peer.map(SocketAddr::try_from) {
        Some(Ok(peer)) => peer,
        _ => stream.peer_addr()?,
    };
    Ok((stream, peer))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn accept(listener: &std_net::TcpListener) -> io::Result<(std_net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}

/// Creates a socket in non-blocking mode that has begun to connect.
fn start_connecting(address: SocketAddr) -> io::Result<std_net::TcpStream> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const STREAM: Type = Type::STREAM.nonblocking();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const STREAM: Type = Type::STREAM;

    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, STREAM, Some(Protocol::TCP))?;
    if cfg!(not(any(target_os = "linux", target_os = "android"))) {
        socket.set_nonblocking(true)?;
    }
    if let Err(error) = socket.connect(&address.into()) {
        // Windows calls it the latter.
        let is_under_way = error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error())
            || error.kind() == io::ErrorKind::WouldBlock;
        if !is_under_way {
            return Err(error);
        }
    }
    Ok(socket.into())
}
