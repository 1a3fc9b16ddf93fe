//! TCP streams.

use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::io::ReadBuf;
use anyrt_core::Net;
use anyrt_core::TcpStream as _;
use anyrt_core::net::{Descriptor, FromStd, SocketOptions, ToSocketAddrs};
use socket2::SockRef;

use super::sys;
use super::tcp_split::{self, OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::runtime::Handle;

/// A connection.
///
/// It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`. Shutting it down sends FIN: the
/// peer reads to the end, and this side can still read.
///
/// # Examples
/// ```
/// # anyrt::__private::run_example(async || {
/// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
/// use anyrt::net::{TcpListener, TcpStream};
///
/// # let listener = TcpListener::bind("127.0.0.1:0").await?;
/// # let address = listener.local_addr()?;
/// # let echo = anyrt::spawn(async move {
/// #     let (mut stream, _) = listener.accept().await.unwrap();
/// #     let (mut read, mut write) = stream.split();
/// #     anyrt::io::copy(&mut read, &mut write).await.unwrap();
/// # });
/// let mut stream = TcpStream::connect(address).await?;
/// stream.set_nodelay(true)?;
/// stream.write_all(b"hello").await?;
/// stream.shutdown().await?; // the peer reads to the end
///
/// let mut answer = Vec::new();
/// stream.read_to_end(&mut answer).await?;
/// assert_eq!(answer, b"hello");
/// # echo.await?;
/// # Ok(()) });
/// ```
pub struct TcpStream {
    pub(super) inner: one_of!(net::TcpStream),
}

impl TcpStream {
    /// Connects to the first of `address`'s addresses that answers.
    ///
    /// # Errors
    /// The error of the last address, or of the resolution; [`io::ErrorKind::InvalidInput`] when there is no
    /// address at all.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping it closes the half-open connection.
    pub async fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let Some(&address) = address.as_address() else {
            // Boxed: a single address, which is what most calls give, takes none of its room.
            return Box::pin(Handle::current().connect_tcp(address)).await;
        };
        Ok(Self {
            inner: on_current!(backend => backend::net::connect(address).await?),
        })
    }

    /// Takes over a connected socket, which must be non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses it.
    ///
    /// # Panics
    /// When no runtime is current; see [`runtime`](crate::runtime). With debug assertions, when the socket is
    /// blocking.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        sys::check_nonblocking(&stream)?;
        Handle::current().tcp_stream_from_std(stream)
    }

    /// Stops being asynchronous. The socket stays non-blocking.
    ///
    /// # Errors
    /// As the reactor refuses to let go of it.
    pub fn into_std(self) -> io::Result<std::net::TcpStream> {
        each!(self.inner, stream => stream.into_std())
    }

    /// The socket, for its options.
    #[inline]
    pub(super) fn socket(&self) -> SockRef<'_> {
        each!(&self.inner, stream => stream.socket())
    }

    /// The address of the other side.
    ///
    /// # Errors
    /// As the system's `getpeername`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, stream => stream.peer_addr())
    }

    /// The address of this side.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        each!(&self.inner, stream => stream.local_addr())
    }

    /// Whether small writes leave at once (`TCP_NODELAY`); they do not unless set.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    pub fn nodelay(&self) -> io::Result<bool> {
        each!(&self.inner, stream => stream.nodelay())
    }

    /// Makes small writes leave at once.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        each!(&self.inner, stream => stream.set_nodelay(nodelay))
    }

    /// Waits for data and copies it without taking it; gives the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// As the system's `recv`.
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        each!(&self.inner, stream => stream.peek(buf).await)
    }

    /// Whether an error is pending, and takes it.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        each!(&self.inner, stream => stream.take_error())
    }

    sys::own_options! {
        /// How long closing waits for data that is not sent yet (`SO_LINGER`); `None` does not wait.
        linger() -> Option<Duration>;
        /// Sets how long closing waits for data that is not sent yet.
        #[deprecated = "`SO_LINGER` causes the socket to block the thread on drop"]
        set_linger(linger: Option<Duration>) -> ();
        /// How many hops a packet may take (`IP_TTL`).
        ttl() -> u32;
        /// Sets how many hops a packet may take.
        set_ttl(ttl: u32) -> ();
    }

    sys::options! {
        /// Whether acknowledgements leave at once (`TCP_QUICKACK`).
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "fuchsia",
            target_os = "cygwin"
        ))]
        quickack() -> bool = tcp_quickack;
        /// Makes acknowledgements leave at once. The system may take it back at any time.
        #[cfg(any(
            target_os = "linux",
            target_os = "android",
            target_os = "fuchsia",
            target_os = "cygwin"
        ))]
        set_quickack(quickack: bool) -> () = set_tcp_quickack;
    }

    /// Makes closing throw away what is not sent yet and send RST.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        each!(&self.inner, stream => SocketOptions::set_linger(stream, Some(Duration::ZERO)))
    }

    /// Two halves that can be used at the same time, in one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        tcp_split::split(self)
    }

    /// Two halves that can live in two tasks. Dropping the writing half sends FIN.
    ///
    /// # Examples
    /// ```
    /// # anyrt::__private::run_example(async || {
    /// use anyrt::io::{AsyncReadExt, AsyncWriteExt};
    /// use anyrt::net::{TcpListener, TcpStream};
    ///
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let address = listener.local_addr()?;
    /// # let echo = anyrt::spawn(async move {
    /// #     let (mut stream, _) = listener.accept().await.unwrap();
    /// #     let (mut read, mut write) = stream.split();
    /// #     anyrt::io::copy(&mut read, &mut write).await.unwrap();
    /// # });
    /// let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
    /// let writer = anyrt::spawn(async move { write.write_all(b"hello").await }); // then drops it
    ///
    /// let mut answer = Vec::new();
    /// read.read_to_end(&mut answer).await?;
    /// assert_eq!(answer, b"hello");
    /// writer.await??;
    /// # echo.await?;
    /// # Ok(()) });
    /// ```
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        tcp_split::into_split(self)
    }

    #[inline]
    pub(super) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&self.inner, backend, stream => {
            backend::net::poll_read_shared(stream, cx, buf)
        })
    }

    #[inline]
    pub(super) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&self.inner, backend, stream => {
            backend::net::poll_write_shared(stream, cx, buf)
        })
    }

    #[inline]
    pub(super) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&self.inner, backend, stream => {
            backend::net::poll_write_vectored_shared(stream, cx, bufs)
        })
    }
}

sys::descriptor!(TcpStream);

impl AsRef<Self> for TcpStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        each!(&self.inner, stream => stream.shutdown(how))
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.peek(buf).await
    }

    fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        self.into_split()
    }

    fn reunite(
        read: OwnedReadHalf,
        write: OwnedWriteHalf,
    ) -> Result<Self, anyrt_core::error::ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
        read.reunite(write)
            .map_err(|error| anyrt_core::error::ReuniteError(error.0, error.1))
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(&self.inner, stream => fmt::Debug::fmt(stream, f))
    }
}
