//! Unix listeners.

use std::io;
use std::os::unix::net;
use std::path::Path;
use std::task::{Context, Poll, ready};

use socket2::Type;

use super::{SocketAddr, UnixStream};
use crate::backend::simulated::bind_unix;
use crate::io::Interest;
use crate::io::unix::AsyncFd;
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
        let bind = net::UnixListener::bind_addr;
        Self::nonblocking(bind_unix(&socket_addr.0, Type::STREAM, bind)?)
    }

    #[track_caller]
    pub(super) fn new(listener: net::UnixListener) -> io::Result<Self> {
        Ok(Self {
            io: AsyncFd::with_interest(listener, Interest::READABLE)?,
        })
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
        Ok((UnixStream::accepted(stream)?, SocketAddr::shown(peer)))
    }

    /// Polls for a connection. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let (stream, peer) = ready!(self.io.poll_io(cx, Direction::Read, accept))?;
        Poll::Ready(Ok((UnixStream::accepted(stream)?, SocketAddr::shown(peer))))
    }
}

fn accept(listener: &net::UnixListener) -> io::Result<(net::UnixStream, net::SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, peer))
}

std_socket!(UnixListener);
