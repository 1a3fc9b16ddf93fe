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
use crate::io::read_buf::read_buf;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready, fd_io};
use anyrt_core::readiness::Direction;

/// Sends and receives datagrams between processes of one machine. They arrive whole and in order.
///
/// A datagram that is larger than the buffer is cut to it, and the rest is lost.
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
    /// A socket with the path `path`; on Linux one that starts with a zero byte is a name in the abstract namespace.
    ///
    /// # Errors
    /// As the system's `bind`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::nonblocking(net::UnixDatagram::bind_addr(
            &SocketAddr::new(path.as_ref())?.0,
        )?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// As the system's `socketpair`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = net::UnixDatagram::pair()?;
        let (a, b) = (Self::nonblocking(a)?, Self::nonblocking(b)?);
        // Both are empty: there is room, and nothing to receive yet.
        a.io.assume(Ready::WRITABLE);
        b.io.assume(Ready::WRITABLE);
        Ok((a, b))
    }

    /// A socket without a name: it can send, and nobody can answer.
    ///
    /// # Errors
    /// As the system's `socket`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::nonblocking(net::UnixDatagram::unbound()?)
    }

    /// Takes over a socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime). In debug builds, when the socket is blocking.
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

    /// The socket, still non-blocking.
    ///
    /// # Errors
    /// Never; the signature is Tokio's.
    pub fn into_std(self) -> io::Result<net::UnixDatagram> {
        Ok(self.io.into_inner())
    }

    /// Sends to and receives from the socket at `path` alone from now on.
    ///
    /// # Errors
    /// As the system's `connect`.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let address = SocketAddr::new(path.as_ref())?;
        self.io.get_ref().connect_addr(&address.0)
    }

    /// Waits until the socket is ready for something of `interest`.
    ///
    /// What is told may be over by the next attempt, which then is [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// When the runtime of the socket has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.io.ready(interest).await?.ready())
    }

    /// Waits until there is something to receive.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to send.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for something to receive; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }

    /// Polls for room to send; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }

    /// Sends to the peer that [`connect`](Self::connect) named.
    ///
    /// # Errors
    /// As the system's `send`.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .async_io(Interest::WRITABLE, |socket| socket.send(buf))
            .await
    }

    /// As [`send`](Self::send), without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the system.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |socket| socket.send(buf))
    }

    /// As [`send`](Self::send), polled; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `send`.
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.io
            .poll_io(cx, Direction::Write, |socket| socket.send(buf))
    }

    /// Sends to the socket at `target`.
    ///
    /// # Errors
    /// As the system's `sendto`.
    ///
    /// # Cancel safety
    /// A dropped future has sent nothing.
    pub async fn send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::new(target.as_ref())?;
        self.io
            .async_io(Interest::WRITABLE, |socket| {
                socket.send_to_addr(buf, &target.0)
            })
            .await
    }

    /// As [`send_to`](Self::send_to), without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the system.
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let target = SocketAddr::new(target.as_ref())?;
        self.io.try_now(Interest::WRITABLE, |socket| {
            socket.send_to_addr(buf, &target.0)
        })
    }

    /// As [`send_to`](Self::send_to), polled; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `sendto`.
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
    /// As the system's `recv`.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .async_io(Interest::READABLE, |socket| socket.recv(buf))
            .await
    }

    /// As [`recv`](Self::recv), without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; those of the system.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |socket| socket.recv(buf))
    }

    /// As [`recv`](Self::recv), polled; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `recv`.
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let received = ready!(
            self.io
                .poll_io(cx, Direction::Read, |socket| socket.recv(room))
        )?;
        buf.advance(received);
        Poll::Ready(Ok(()))
    }

    /// Receives a datagram to the end of `buf`, of which the room that lies in one piece is used.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io
            .async_io(Interest::READABLE, |socket| {
                read_buf(buf, |room| socket.recv(room))
            })
            .await
    }

    /// As [`recv_buf`](Self::recv_buf), without waiting.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_now(Interest::READABLE, |socket| {
            read_buf(buf, |room| socket.recv(room))
        })
    }

    /// Receives a datagram, and from whom.
    ///
    /// # Errors
    /// As the system's `recvfrom`.
    ///
    /// # Cancel safety
    /// A datagram that a dropped future would have had goes to the next one.
    pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .async_io(Interest::READABLE, |socket| recv_from(socket, buf))
            .await
    }

    /// As [`recv_from`](Self::recv_from), without waiting.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; those of the system.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_now(Interest::READABLE, |socket| recv_from(socket, buf))
    }

    /// As [`recv_from`](Self::recv_from), polled; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As the system's `recvfrom`.
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

    /// Receives a datagram to the end of `buf`, of which the room that lies in one piece is used, and from whom.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Cancel safety
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.io
            .async_io(Interest::READABLE, |socket| recv_buf_from(socket, buf))
            .await
    }

    /// As [`recv_buf_from`](Self::recv_buf_from), without waiting.
    ///
    /// # Errors
    /// As [`try_recv_from`](Self::try_recv_from).
    pub fn try_recv_buf_from<B: BufMut>(&self, buf: &mut B) -> io::Result<(usize, SocketAddr)> {
        self.io
            .try_now(Interest::READABLE, |socket| recv_buf_from(socket, buf))
    }

    /// Runs `f`, a system call on this socket, if the socket is known to be ready.
    ///
    /// `f` gives [`io::ErrorKind::WouldBlock`] when the socket is not ready, and only then.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when the socket is not ready; those of `f`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        f: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.try_now(interest, |_| f())
    }

    /// Runs `f`, a system call on this socket, whenever the socket is ready, until it gives something else than
    /// [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// As [`ready`](Self::ready); those of `f`.
    ///
    /// # Cancel safety
    /// A dropped future has done nothing, if a failed `f` does nothing.
    pub async fn async_io<R>(
        &self,
        interest: Interest,
        mut f: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.async_io(interest, |_| f()).await
    }

    /// The address of this socket.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr().map(SocketAddr)
    }

    /// The address of the peer that [`connect`](Self::connect) named.
    ///
    /// # Errors
    /// As the system's `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr)
    }

    /// The error of the socket, which is taken.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Ends receiving, sending or both; to send is [`io::ErrorKind::BrokenPipe`] then.
    ///
    /// # Errors
    /// As the system's `shutdown`.
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
        // There was no room, so nobody was asked: receive nothing, as the system does then.
        None => recv_from(socket, &mut []),
    }
}

impl TryFrom<net::UnixDatagram> for UnixDatagram {
    type Error = io::Error;

    /// As [`UnixDatagram::from_std`].
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
