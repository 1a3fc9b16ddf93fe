//! Unix listeners.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll, ready};

use super::{SocketAddr, UnixStream};
use crate::backend::simulated::check_real;
use crate::io::unix::AsyncFd;
use crate::io::{Interest, fd_io};
use anyrt_core::readiness::Direction;

/// A listener of Unix stream sockets.
///
/// Dropping the listener does not remove its file, and binding a path that exists fails with
/// [`io::ErrorKind::AddrInUse`].
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// # let _ = std::fs::remove_file(&path);
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
/// use anyrt::net::{UnixListener, UnixStream};
///
/// let listener = UnixListener::bind(&path)?;
/// let server = anyrt::spawn(async move {
///     let (mut stream, _) = listener.accept().await?;
///     stream.write_all(b"hello").await
/// });
///
/// let mut text = String::new();
/// UnixStream::connect(&path).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// server.await??;
/// std::fs::remove_file(&path)?;
/// # Ok(()) });
/// ```
pub struct UnixListener {
    io: AsyncFd<net::UnixListener>,
}

impl UnixListener {
    /// Binds to `path` and listens. On Linux, a path that starts with a zero byte is a name in the
    /// abstract namespace.
    ///
    /// # Errors
    /// Fails if the system's `bind` or `listen` does.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_addr(&SocketAddr::new(path.as_ref())?)
    }

    /// Binds to an address and listens.
    ///
    /// # Errors
    /// See [`bind`](Self::bind).
    ///
    /// # Panics
    /// See [`bind`](Self::bind).
    #[track_caller]
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<Self> {
        check_real("a Unix socket")?;
        let listener = net::UnixListener::bind_addr(&socket_addr.0)?;
        listener.set_nonblocking(true)?;
        Self::new(listener)
    }

    /// Converts a listener of std, which must be in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime). With debug assertions,
    /// panics if the socket is in blocking mode.
    #[track_caller]
    pub fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        fd_io::check_nonblocking(&listener)?;
        Self::new(listener)
    }

    #[track_caller]
    pub(super) fn new(listener: net::UnixListener) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::with_interest(listener, Interest::READABLE)?,
        })
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Never fails; the signature is Tokio's.
    pub fn into_std(self) -> io::Result<net::UnixListener> {
        Ok(self.io.into_inner())
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr().map(SocketAddr)
    }

    /// Returns and clears the pending error of the socket, if any.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }

    /// Accepts a connection. Any number of tasks may wait at once.
    ///
    /// # Errors
    /// Fails if the system's `accept` does, for example if too many files are open. The listener
    /// stays usable.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no connection is lost.
    pub async fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, peer) = self.io.async_io(Interest::READABLE, accept).await?;
        Ok((UnixStream::accepted(stream)?, SocketAddr(peer)))
    }

    /// Polls for a connection. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.io.poll_io(cx, Direction::Read, accept))?;
        Poll::Ready(Ok((UnixStream::accepted(stream)?, SocketAddr(peer))))
    }
}

fn accept(listener: &net::UnixListener) -> io::Result<(net::UnixStream, net::SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}

impl TryFrom<net::UnixListener> for UnixListener {
    type Error = io::Error;

    /// See [`UnixListener::from_std`].
    fn try_from(listener: net::UnixListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

impl fmt::Debug for UnixListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get_ref().as_raw_fd()
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get_ref().as_fd()
    }
}
