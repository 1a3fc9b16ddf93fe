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
use crate::io::bridge::{futures_read, futures_write};
use crate::io::read_buf::read_buf;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, Ready, fd_io};

/// A connection between processes of one machine.
///
/// It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`. Shutting it down lets the peer read
/// to the end, and this side can still read.
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
    /// Connects to the listener at `path`; on Linux one that starts with a zero byte is a name in the abstract
    /// namespace.
    ///
    /// # Errors
    /// As the system's `connect`; [`io::ErrorKind::WouldBlock`] on Linux when as many wait for the listener as it
    /// allows.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping it closes the socket.
    pub async fn connect<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::connect_addr(&SocketAddr::new(path.as_ref())?).await
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    /// As [`connect`](Self::connect).
    pub async fn connect_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        Self::connect_socket(socket, socket_addr).await
    }

    pub(super) async fn connect_socket(socket: Socket, address: &SocketAddr) -> io::Result<Self> {
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

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    /// As the system's `socketpair`.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = net::UnixStream::pair()?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        let (a, b) = (Self::new(a)?, Self::new(b)?);
        // Both are empty: there is room, and nothing to read yet.
        a.io.assume(Ready::WRITABLE);
        b.io.assume(Ready::WRITABLE);
        Ok((a, b))
    }

    /// Often the peer has sent something by the time that it is accepted.
    pub(super) fn accepted(stream: net::UnixStream) -> io::Result<Self> {
        let stream = Self::new(stream)?;
        stream.io.assume(Ready::READABLE | Ready::WRITABLE);
        Ok(stream)
    }

    /// Takes over a connected socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime). In debug builds, when the socket is blocking.
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

    /// The socket, still non-blocking.
    ///
    /// # Errors
    /// Never; the signature is Tokio's.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        Ok(self.io.into_inner())
    }

    /// Waits until the stream is ready for something of `interest`.
    ///
    /// What is told may be over by the next attempt, which then is [`io::ErrorKind::WouldBlock`].
    ///
    /// # Errors
    /// When the runtime of the stream has ended.
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        Ok(self.io.ready(interest).await?.ready())
    }

    /// Waits until there is something to read.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn readable(&self) -> io::Result<()> {
        self.ready(Interest::READABLE).await.map(drop)
    }

    /// Waits until there is room to write.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    ///
    /// # Cancel safety
    /// Changes nothing.
    pub async fn writable(&self) -> io::Result<()> {
        self.ready(Interest::WRITABLE).await.map(drop)
    }

    /// Polls for something to read; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_read_ready(cx).map_ok(drop)
    }

    /// Polls for room to write; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_write_ready(cx).map_ok(drop)
    }

    /// Reads what is there; nothing at the end of the stream.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is there; those of the system.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut stream| stream.read(buf))
    }

    /// Reads what is there into several buffers, one after the other.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::READABLE, |mut stream| stream.read_vectored(bufs))
    }

    /// Reads what is there, to the end of `buf`.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_now(Interest::READABLE, |mut stream| {
            read_buf(buf, |room| stream.read(room))
        })
    }

    /// Writes what there is room for.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room; those of the system.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut stream| stream.write(buf))
    }

    /// Writes what there is room for, of several buffers in one system call.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, buf: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io
            .try_now(Interest::WRITABLE, |mut stream| stream.write_vectored(buf))
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

    /// The address of this side.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr().map(SocketAddr)
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// As the system's `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr)
    }

    /// Who the other side is: the process that connected, or that called `listen`, or that made the pair.
    ///
    /// # Errors
    /// As the system's `getsockopt`; [`io::ErrorKind::Unsupported`] elsewhere than on Linux, Android, Apple's systems
    /// and the BSDs.
    pub fn peer_cred(&self) -> io::Result<UCred> {
        ucred::of_peer(self)
    }

    /// The error of the socket, which is taken.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Halves that borrow the stream, for reading and writing at once in one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// Halves that own the stream, for two tasks.
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

    /// As [`UnixStream::from_std`].
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
