//! Unix sockets before they are bound or connected.

use std::io;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::path::Path;

use socket2::{Domain, Socket, Type};

use super::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use crate::backend::simulated::bind_unix;
use crate::io::fd_io::descriptor;

/// A Unix socket that is neither connected nor listening yet, so that options can be set before.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// # let path = std::env::temp_dir().join(format!("anyrt-doc-{}", std::process::id()));
/// # let _ = std::fs::remove_file(&path);
/// let socket = anyrt::net::UnixSocket::new_stream()?;
/// socket.bind(&path)?;
/// let listener = socket.listen(1024)?;
/// # drop(listener);
/// # std::fs::remove_file(&path)?;
/// # Ok(()) });
/// ```
#[derive(Debug)]
pub struct UnixSocket {
    inner: Socket,
    datagrams: bool,
}

/// Asks the system for the type of the socket.
impl From<OwnedFd> for UnixSocket {
    fn from(fd: OwnedFd) -> Self {
        let inner = Socket::from(fd);
        let datagrams = inner.r#type().is_ok_and(|kind| kind == Type::DGRAM);
        Self { inner, datagrams }
    }
}

impl UnixSocket {
    /// Creates a datagram socket.
    ///
    /// # Errors
    /// Fails if the system's `socket` does.
    pub fn new_datagram() -> io::Result<Self> {
        Self::new(Type::DGRAM)
    }

    /// Creates a stream socket.
    ///
    /// # Errors
    /// Fails if the system's `socket` does.
    pub fn new_stream() -> io::Result<Self> {
        Self::new(Type::STREAM)
    }

    fn new(kind: Type) -> io::Result<Self> {
        let inner = Socket::new(Domain::UNIX, kind, None)?;
        inner.set_nonblocking(true)?;
        Ok(Self {
            inner,
            datagrams: kind == Type::DGRAM,
        })
    }

    /// Binds the socket to a path.
    ///
    /// # Errors
    /// Fails if the system's `bind` does.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let address = SocketAddr::new(path.as_ref())?;
        let kind = self.inner.r#type()?;
        bind_unix(&address.0, kind, |address| {
            let address = SocketAddr::from(address.clone());
            self.inner.bind(&address.to_socket2()?)
        })
    }

    /// Starts to listen. Up to `backlog` connections queue until accepted.
    ///
    /// # Errors
    /// Fails if the system's `listen` does, or for a datagram socket.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        if self.datagrams {
            return Err(io::Error::other(
                "listen cannot be called on a datagram socket",
            ));
        }
        self.inner
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        UnixListener::new(self.inner.into())
    }

    /// Connects to the listener at `path`.
    ///
    /// # Errors
    /// See [`UnixStream::connect`]. Also fails for a datagram socket.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping the future closes the socket.
    pub async fn connect(self, path: impl AsRef<Path>) -> io::Result<UnixStream> {
        if self.datagrams {
            return Err(io::Error::other(
                "connect cannot be called on a datagram socket",
            ));
        }
        UnixStream::connect_socket(self.inner, &SocketAddr::new(path.as_ref())?).await
    }

    /// Converts into a socket that sends and receives datagrams.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor, or for a stream socket.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    #[track_caller]
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        if !self.datagrams {
            return Err(io::Error::other(
                "datagram cannot be called on a stream socket",
            ));
        }
        UnixDatagram::new(self.inner.into())
    }
}

descriptor!(UnixSocket: |socket| socket.inner.as_fd());

impl IntoRawFd for UnixSocket {
    fn into_raw_fd(self) -> RawFd {
        self.inner.into_raw_fd()
    }
}
