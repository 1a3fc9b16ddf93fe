//! Unix datagrams.

use std::fmt;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll, ready};

use ::tokio::io::ReadBuf;
use bytes::BufMut;

use super::SocketAddr;
use crate::backend::simulated::check_real;
use crate::io::read_buf::read_buf;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready, fd_io};
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
        check_real("a Unix socket")?;
        Self::nonblocking(net::UnixDatagram::bind_addr(
            &SocketAddr::new(path.as_ref())?.0,
        )?)
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

    /// Converts a socket of std, which must be in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime). With debug assertions,
    /// panics if the socket is in blocking mode.
    #[track_caller]
    pub fn from_std(datagram: net::UnixDatagram) -> io::Result<Self> {
        fd_io::check_nonblocking(&datagram)?;
        Self::new(datagram)
    }

    #[track_caller]
    fn nonblocking(socket: net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::new(socket)
    }

    #[track_caller]
    pub(super) fn new(socket: net::UnixDatagram) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::new(socket)?,
        })
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        Ok(self.io.into_inner())
    }

    /// Sets the peer: from now on the socket sends to and receives from the socket at `path` only.
    ///
    /// # Errors
    /// Fails if the system's `connect` does.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let address = SocketAddr::new(path.as_ref())?;
        self.io.get_ref().connect_addr(&address.0)
    }

    /// Waits until the socket is ready for any part of `interest`.
    ///
    /// The readiness may be gone by the next operation, which then returns
    /// [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Fails if the runtime of the socket has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.io.ready(interest).await?.ready())
    }

    /// Waits until a datagram is available.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for an available datagram. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }

    /// Polls for room to send. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }

    /// Sends a datagram to the peer that [`connect`](Self::connect) set.
    ///
    /// # Errors
    /// Fails if the system's `send` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, nothing was sent.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .async_io(Interest::WRITABLE, |socket| socket.send(buf))
            .await
    }

    /// Like [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the system.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |socket| socket.send(buf))
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
        let target = SocketAddr::new(target.as_ref())?;
        self.io
            .async_io(Interest::WRITABLE, |socket| {
                socket.send_to_addr(buf, &target.0)
            })
            .await
    }

    /// Like [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the system.
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::new(target.as_ref())?;
        self.io.try_now(Interest::WRITABLE, |socket| {
            socket.send_to_addr(buf, &target.0)
        })
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
        let target = SocketAddr::new(target.as_ref())?;
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
        self.io
            .async_io(Interest::READABLE, |socket| socket.recv(buf))
            .await
    }

    /// Like [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if nothing is available, or the error of the system.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |socket| socket.recv(buf))
    }

    /// Polls to receive; see [`recv`](Self::recv). Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let received = ready!(
            self.io
                .poll_io(cx, Direction::Read, |socket| socket.recv(room))
        )?;
        buf.advance(received);
        Poll::Ready(Ok(()))
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
            .async_io(Interest::READABLE, |socket| {
                read_buf(buf, |room| socket.recv(room))
            })
            .await
    }

    /// Like [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// See [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_now(Interest::READABLE, |socket| {
            read_buf(buf, |room| socket.recv(room))
        })
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
            .async_io(Interest::READABLE, |socket| recv_from(socket, buf))
            .await
    }

    /// Like [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if nothing is available, or the error of the system.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_now(Interest::READABLE, |socket| recv_from(socket, buf))
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
        let room = buf.initialize_unfilled();
        let receive = |socket: &net::UnixDatagram| recv_from(socket, room);
        let (received, sender) = ready!(self.io.poll_io(cx, Direction::Read, receive))?;
        buf.advance(received);
        Poll::Ready(Ok(sender))
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
            .async_io(Interest::READABLE, |socket| recv_buf_from(socket, buf))
            .await
    }

    /// Like [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// See [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_now(Interest::READABLE, |socket| recv_buf_from(socket, buf))
    }

    /// Calls `f`, which makes a system call on this socket, if the socket is marked as ready.
    ///
    /// `f` must return [`io::ErrorKind::WouldBlock`] if and only if the socket is not ready.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if the socket is not ready, or else the error of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.try_now(interest, |_| f())
    }

    /// Calls `f`, which makes a system call on this socket, each time the socket is ready, until
    /// `f` returns anything but [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Fails if the runtime of the socket has ended, or with the error of `f`.
    ///
    /// # Cancel safety
    /// Cancel-safe if a call of `f` that fails has no effect.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.async_io(interest, |_| f()).await
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr().map(SocketAddr)
    }

    /// Returns the address of the peer that [`connect`](Self::connect) set.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr)
    }

    /// Returns and clears the pending error of the socket, if any.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
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
    Ok((received, SocketAddr(sender)))
}

fn recv_buf_from<B: BufMut>(
    socket: &net::UnixDatagram,
    buf: &mut B,
) -> io::Result<(usize, SocketAddr)> {
    let mut sender = None;
    let received = read_buf(buf, |room| {
        let (received, from) = recv_from(socket, room)?;
        sender = Some(from);
        Ok(received)
    })?;
    match sender {
        Some(sender) => Ok((received, sender)),
        // There was no room, so the socket was not read: receive an empty slice, as the system
        // does.
        None => recv_from(socket, &mut []),
    }
}

impl TryFrom<net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    /// See [`UnixDatagram::from_std`].
    fn try_from(datagram: net::UnixDatagram) -> io::Result<Self> {
        Self::from_std(datagram)
    }
}

impl fmt::Debug for UnixDatagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get_ref().as_raw_fd()
    }
}

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}
