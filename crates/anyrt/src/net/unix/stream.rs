//! Unix streams.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use bytes::BufMut;
use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::{SocketAddr, UCred, ucred};
use crate::backend::simulated::check_real;
use crate::io::bridge::{futures_read, futures_write};
use crate::io::read_buf::read_buf;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready, fd_io};

/// A Unix stream, a connection between processes on one machine.
///
/// It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`. Shutting it down
/// ends the stream for the peer; this side can still read.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
/// use anyrt::net::UnixStream;
///
/// let (mut left, mut right) = UnixStream::pair()?;
/// left.write_all(b"hello").await?;
/// drop(left);
///
/// let mut text = String::new();
/// right.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # Ok(()) });
/// ```
pub struct UnixStream {
    io: AsyncFd<net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`. On Linux, a path that starts with a zero byte is a name
    /// in the abstract namespace.
    ///
    /// # Errors
    /// Fails if the system's `connect` does. On Linux that is [`io::ErrorKind::WouldBlock`] if the
    /// listener's backlog is full.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::new(path.as_ref())?).await
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// See [`connect`](Self::connect).
    ///
    /// # Panics
    /// See [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// See [`connect`](Self::connect).
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Self::connect_socket(socket, socket_addr).await
    }

    pub(super) async fn connect_socket(socket: Socket, address: &SocketAddr) -> io::Result<Self> {
        check_real("a Unix socket")?;
        match socket.connect(&address.to_socket2()?) {
            Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => {}
            result => result?,
        }
        let stream = Self::new(socket.into())?;
        stream.writable().await?;
        match stream.take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    /// Creates two streams that are connected to each other.
    ///
    /// # Errors
    /// Fails if the system's `socketpair` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = net::UnixStream::pair()?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        let (a, b) = (Self::new(a)?, Self::new(b)?);
        // Both are empty: writable, and not readable yet.
        a.io.assume(Ready::WRITABLE);
        b.io.assume(Ready::WRITABLE);
        Ok((a, b))
    }

    /// The peer has often sent data by the time it is accepted.
    pub(super) fn accepted(stream: net::UnixStream) -> io::Result<Self> {
        let stream = Self::new(stream)?;
        stream.io.assume(Ready::READABLE | Ready::WRITABLE);
        Ok(stream)
    }

    /// Converts a stream of std, which must be in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime). With debug assertions,
    /// panics if the socket is in blocking mode.
    #[track_caller]
    pub fn from_std(stream: net::UnixStream) -> io::Result<Self> {
        fd_io::check_nonblocking(&stream)?;
        Self::new(stream)
    }

    #[track_caller]
    pub(super) fn new(stream: net::UnixStream) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::new(stream)?,
        })
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        Ok(self.io.into_inner())
    }

    /// Waits until the stream is ready for any part of `interest`.
    ///
    /// The readiness may be gone by the next operation, which then returns
    /// [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// Fails if the runtime of the stream has ended.
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.io.ready(interest).await?.ready())
    }

    /// Waits until data is available.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future has no effect.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for available data. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }

    /// Polls for room to write. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`ready`](Self::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }

    /// Reads the available data without waiting. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if nothing is available, or the error of the system.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut stream| stream.read(buf))
    }

    /// Reads the available data into several buffers, one after the other.
    ///
    /// # Errors
    /// See [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut stream| stream.read_vectored(bufs))
    }

    /// Reads the available data and appends it to `buf`.
    ///
    /// # Errors
    /// See [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_now(Interest::READABLE, |mut stream| {
            read_buf(buf, |room| stream.read(room))
        })
    }

    /// Writes as many bytes as fit.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::WouldBlock`] if there is no room, or the error of the system.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut stream| stream.write(buf))
    }

    /// Writes as many bytes of several buffers as fit, with one system call.
    ///
    /// # Errors
    /// See [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut stream| stream.write_vectored(buf))
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

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr)
    }

    /// Returns the credentials of the peer: the process that connected, called `listen`, or created
    /// the pair.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does, or with [`io::ErrorKind::Unsupported`] on systems
    /// other than Linux, Android, Apple's and the BSDs.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        ucred::of_peer(self)
    }

    /// Returns and clears the pending error of the socket, if any.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Borrows the stream as two halves, which can be used at the same time within one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Splits the stream into two owned halves, which can move to different tasks.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        split::into_split(self)
    }

    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.io.get_ref().shutdown(how) {
            // The peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        fd_io::poll_read(&self.io, cx, buf)
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        fd_io::poll_write(&self.io, cx, buf)
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        fd_io::poll_write_vectored(&self.io, cx, bufs)
    }
}

impl AsyncRead for UnixStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Self::poll_read(&self, cx, buf)
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(&self, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write_vectored(&self, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdown(Shutdown::Write).into()
    }
}

futures_read!(UnixStream);
futures_write!(UnixStream);

impl TryFrom<net::UnixStream> for UnixStream {
    type Error = io::Error;

    /// See [`UnixStream::from_std`].
    fn try_from(stream: net::UnixStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

impl AsRef<Self> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get_ref().as_raw_fd()
    }
}

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}
