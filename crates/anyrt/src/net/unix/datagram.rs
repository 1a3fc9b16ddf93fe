//! Unix datagrams.

use std::io;
use std::net::Shutdown;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll};

use ::tokio::io::ReadBuf;
use bytes::BufMut;
use socket2::Type;

use super::SocketAddr;
use crate::backend::simulated::bind_unix;
use crate::io::read_buf::{read_buf, read_buf_from};
use crate::io::scratch::poll_into_from;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready};
use crate::net::sys;
use anyrt_core::readiness::Direction;

/// A Unix datagram socket, between processes on one machine. Datagrams arrive whole and in order.
///
/// Bytes of a datagram that do not fit into the buffer are discarded.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::net::UnixDatagram;
///
/// let (left, right) = UnixDatagram::pair()?;
/// left.send(b"hello").await?;
/// let mut buf = [0; 1024];
/// assert_eq!(right.recv(&mut buf).await?, 5);
/// # Ok(()) });
/// ```
pub struct UnixDatagram {
    io: AsyncFd<net::UnixDatagram>,
}

sys::readiness! {
    UnixDatagram: poll_recv_ready, poll_send_ready;
    ready(socket, interest) => Ok(socket.io.ready(interest).await?.ready());
    poll_ready(socket, cx, direction) => socket.io.poll_ready(cx, direction).map_ok(drop);
    try_io(socket, interest, f) => socket.io.try_now(interest, |_| f());
    async_io(socket, interest, f) => socket.io.async_io(interest, |_| f()).await;
}

const READ: Interest = Interest::READABLE;
const WRITE: Interest = Interest::WRITABLE;

impl UnixDatagram {
    /// Binds a socket to `path`. On Linux, a path that starts with a zero byte is a name in the
    /// abstract namespace.
    ///
    /// # Errors
    /// Fails if the system's `bind` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        let address = SocketAddr::new(path.as_ref())?;
        let bind = net::UnixDatagram::bind_addr;
        Self::nonblocking(bind_unix(&address.0, Type::DGRAM, bind)?)
    }

    /// Creates two sockets that are connected to each other.
    ///
    /// # Errors
    /// Fails if the system's `socketpair` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = net::UnixDatagram::pair()?;
        let (a, b) = (Self::nonblocking(a)?, Self::nonblocking(b)?);
        // Both are empty: writable, and not readable yet.
        a.io.assume(Ready::WRITABLE);
        b.io.assume(Ready::WRITABLE);
        Ok((a, b))
    }

    /// Creates a socket without a name. It can send, but not be sent to.
    ///
    /// # Errors
    /// Fails if the system's `socket` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::nonblocking(net::UnixDatagram::unbound()?)
    }

    #[track_caller]
    pub(super) fn new(socket: net::UnixDatagram) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::new(socket)?,
        })
    }

    /// Sets the peer: from now on the socket sends to and receives from the socket at `path` only.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let address = SocketAddr::new(path.as_ref())?.find(Type::DGRAM)?;
        self.io.get_ref().connect_addr(&address.0)
    }

    /// Sends a datagram to the peer that [`connect`](Self::connect) set.
    ///
    /// # Errors
    /// Fails if the system's `send` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.async_io(WRITE, |socket| socket.send(buf)).await
    }

    /// Like [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the system.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_now(WRITE, |socket| socket.send(buf))
    }

    /// Polls to send; see [`send`](Self::send). Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `send` does.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(cx, Direction::Write, |socket| socket.send(buf))
    }

    /// Sends a datagram to the socket at `target`.
    ///
    /// # Errors
    /// Fails if the system's `sendto` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::new(target.as_ref())?.find(Type::DGRAM)?;
        self.io
            .async_io(WRITE, |socket| socket.send_to_addr(buf, &target.0))
            .await
    }

    /// Like [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the system.
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::new(target.as_ref())?.find(Type::DGRAM)?;
        self.io
            .try_now(WRITE, |socket| socket.send_to_addr(buf, &target.0))
    }

    /// Polls to send; see [`send_to`](Self::send_to). Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `sendto` does.
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>> {
        let target = SocketAddr::new(target.as_ref())?.find(Type::DGRAM)?;
        self.io.poll_io(cx, Direction::Write, |socket| {
            socket.send_to_addr(buf, &target.0)
        })
    }

    /// Receives a datagram.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.async_io(READ, |socket| socket.recv(buf)).await
    }

    /// Like [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if nothing is available, or the error of the system.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_now(READ, |socket| socket.recv(buf))
    }

    /// Polls to receive; see [`recv`](Self::recv). Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        poll_into_from(buf, |room| {
            let receive = |socket: &net::UnixDatagram| Ok((socket.recv(room)?, ()));
            self.io.poll_io(cx, Direction::Read, receive)
        })
    }

    /// Receives a datagram and appends it to `buf`, using its contiguous spare capacity.
    ///
    /// # Errors
    /// See [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// See [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io
            .async_io(READ, |socket| read_buf(buf, |room| socket.recv(room)))
            .await
    }

    /// Like [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// See [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io
            .try_now(READ, |socket| read_buf(buf, |room| socket.recv(room)))
    }

    /// Receives a datagram and its sender.
    ///
    /// # Errors
    /// Fails if the system's `recvfrom` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no datagram is lost.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .async_io(READ, |socket| recv_from(socket, buf))
            .await
    }

    /// Like [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if nothing is available, or the error of the system.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.try_now(READ, |socket| recv_from(socket, buf))
    }

    /// Polls to receive; see [`recv_from`](Self::recv_from). Only the task that polled last is
    /// woken.
    ///
    /// # Errors
    /// Fails if the system's `recvfrom` does.
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        poll_into_from(buf, |room| {
            self.io
                .poll_io(cx, Direction::Read, |socket| recv_from(socket, room))
        })
    }

    /// Receives a datagram and its sender, and appends the datagram to `buf`, using its contiguous
    /// spare capacity.
    ///
    /// # Errors
    /// See [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// See [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.io
            .async_io(READ, |socket| recv_buf_from(socket, buf))
            .await
    }

    /// Like [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.io.try_now(READ, |socket| recv_buf_from(socket, buf))
    }

    /// Returns the address of the peer that [`connect`](Self::connect) set.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr::shown)
    }

    /// Shuts down receiving, sending or both. Sending then fails with
    /// [`io::ErrorKind::BrokenPipe`].
    ///
    /// # Errors
    /// Fails if the system's `shutdown` does.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }
}

fn recv_from(socket: &net::UnixDatagram, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    let (received, sender) = socket.recv_from(buf)?;
    Ok((received, SocketAddr::shown(sender)))
}

fn recv_buf_from(
    socket: &net::UnixDatagram,
    buf: &mut impl BufMut,
) -> io::Result<(usize, SocketAddr)> {
    read_buf_from(buf, |room| recv_from(socket, room))
}

std_socket!(UnixDatagram);
