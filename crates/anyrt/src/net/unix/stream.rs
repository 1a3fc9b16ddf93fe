//! Unix streams.

use std::io;
use std::net::Shutdown;
use std::os::unix::net;
use std::path::Path;

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use super::{SocketAddr, UCred, ucred};
use crate::io::Ready;
use crate::io::fd_io::{try_read, try_write};
use crate::io::unix::AsyncFd;
use crate::net::halves::{shared_read, shared_write};
use crate::net::sys;

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
    pub(super) io: AsyncFd<net::UnixStream>,
}

sys::readiness! {
    UnixStream: poll_read_ready, poll_write_ready;
    ready(stream, interest) => Ok(stream.io.ready(interest).await?.ready());
    poll_ready(stream, cx, direction) => stream.io.poll_ready(cx, direction).map_ok(drop);
    try_io(stream, interest, f) => stream.io.try_now(interest, |_| f());
    async_io(stream, interest, f) => stream.io.async_io(interest, |_| f()).await;
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
        match socket.connect(&address.clone().find(Type::STREAM)?.to_socket2()?) {
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
        let (a, b) = (Self::nonblocking(a)?, Self::nonblocking(b)?);
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

    #[track_caller]
    pub(super) fn new(stream: net::UnixStream) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::new(stream)?,
        })
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr().map(SocketAddr::shown)
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

    /// Ends the stream for the peer.
    pub(super) fn close_write(&self) -> io::Result<()> {
        match self.io.get_ref().shutdown(Shutdown::Write) {
            // The peer was faster.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

shared_read!(UnixStream: |stream| stream.io);
shared_write!(UnixStream: |stream| stream.io, |stream| stream.close_write());
try_read!(UnixStream);
try_write!(UnixStream, "Writes as many bytes as fit.");
std_socket!(UnixStream);

impl AsRef<Self> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}
