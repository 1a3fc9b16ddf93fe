//! TCP listeners.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use anyrt_core::Net;
use anyrt_core::TcpListener as _;
use anyrt_core::net::{SocketOptions, ToSocketAddrs};

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
}

sys::socket!(TcpListener, tcp_listener_from_std);

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
