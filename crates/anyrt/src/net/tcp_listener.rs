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

/// Accepts connections.
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
    /// Listens on the first of `address`'s addresses that can be bound.
    ///
    /// With `SO_REUSEADDR`, so that a restarted server gets its port back at once, and without `SO_REUSEPORT`:
    /// a port that somebody listens on is [`io::ErrorKind::AddrInUse`].
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    pub async fn bind<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        Handle::current().bind_tcp(address).await
    }

    /// Takes over a listening socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime). With debug assertions, when the socket is
    /// blocking.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        sys::check_nonblocking(&listener)?;
        Handle::current().tcp_listener_from_std(listener)
    }

    /// Stops being asynchronous. The socket stays non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses to let go of it.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        each!(self.inner, listener => listener.into_std())
    }

    /// Waits for a connection. Several tasks may wait at once.
    ///
    /// # Errors
    /// As the system's `accept`, such as too many open files; the listener can be used on.
    ///
    /// # Cancel safety
    /// A connection that a dropped future would have had goes to the next one.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let peer;
        let inner = map_each!(&self.inner, listener => {
            let (stream, address) = listener.accept().await?;
            peer = address;
            stream
        });
        Ok((TcpStream { inner }, peer))
    }

    /// Waits for a connection; of several tasks that poll, the last one is woken.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let peer;
        let inner = map_each!(&self.inner, listener => {
            let (stream, address) = ready!(listener.poll_accept(cx))?;
            peer = address;
            stream
        });
        Poll::Ready(Ok((TcpStream { inner }, peer)))
    }

    sys::own_options! {
        /// How many hops a packet may take (`IP_TTL`).
        ttl() -> u32;
        /// Sets how many hops a packet may take.
        set_ttl(ttl: u32) -> ();
    }

    /// The address that it listens on, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, listener => listener.local_addr())
    }
}

sys::descriptor!(TcpListener);

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl fmt::Debug for TcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, listener => fmt::Debug::fmt(listener, f))
    }
}
