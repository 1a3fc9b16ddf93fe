//! TCP listeners.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use anyrt_core::Net;
use anyrt_core::TcpListener as _;
use anyrt_core::net::{FromStd, SocketOptions, ToSocketAddrs};

use super::{TcpStream, sys};
use crate::runtime::Handle;

/// A TCP listener, which accepts connections.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
/// use anyrt::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// let server = anyrt::spawn(async move {
///     let (mut stream, _) = listener.accept().await?;
///     stream.write_all(b"hello").await
/// });
///
/// let mut text = String::new();
/// TcpStream::connect(address).await?.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// server.await??;
/// # Ok(()) });
/// ```
pub struct TcpListener {
    pub(super) inner: one_of!(net::TcpListener),
}

impl TcpListener {
    /// Binds to the first of the given addresses that can be bound, and listens.
    ///
    /// Sets `SO_REUSEADDR`, so that a restarted server gets its port back at once, and not
    /// `SO_REUSEPORT`: binding a port that is in use fails with [`io::ErrorKind::AddrInUse`].
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Cancel-safe: dropping the future closes the socket.
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        Handle::current().bind_tcp(address).await
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
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        sys::check_nonblocking(&listener)?;
        Handle::current().tcp_listener_from_std(listener)
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be deregistered from the reactor.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        each!(self.inner, listener => listener.into_std())
    }

    /// Accepts a connection. Any number of tasks may wait at once.
    ///
    /// # Errors
    /// Fails if the system's `accept` does, for example if too many files are open. The listener
    /// stays usable.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no connection is lost.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let peer;
        let inner = map_each!(&self.inner, listener => {
            let (stream, address) = listener.accept().await?;
            peer = address;
            stream
        });
        Ok((TcpStream { inner }, peer))
    }

    /// Polls for a connection. Only the task that polled last is woken.
    ///
    /// # Errors
    /// See [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let peer;
        let inner = map_each!(&self.inner, listener => {
            let (stream, address) = ready!(listener.poll_accept(cx))?;
            peer = address;
            stream
        });
        Poll::Ready(Ok((TcpStream { inner }, peer)))
    }

    forward! {
        /// Returns the number of hops that a packet may take (`IP_TTL`).
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` does.
        pub fn ttl(&self) -> io::Result<u32>;

        /// Sets the number of hops that a packet may take.
        ///
        /// # Errors
        /// Fails if the system's `setsockopt` does.
        pub fn set_ttl(&self, ttl: u32) -> io::Result<()>;

        /// Returns the local address, including the port that the system chose for port 0.
        ///
        /// # Errors
        /// Fails if the system's `getsockname` does.
        pub fn local_addr(&self) -> io::Result<SocketAddr>;
    }
}

sys::descriptor!(TcpListener);

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }

    forward! {
        fn local_addr(&self) -> io::Result<SocketAddr>;
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, listener => fmt::Debug::fmt(listener, f))
    }
}
