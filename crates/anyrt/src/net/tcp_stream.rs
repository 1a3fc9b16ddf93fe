//! TCP streams.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use ::tokio::io::ReadBuf;
use anyrt_core::Net;
use anyrt_core::TcpStream as _;
#[allow(unused_imports, reason = "there may be no backend")]
use anyrt_core::net::Descriptor;
use anyrt_core::net::{SocketOptions, ToSocketAddrs};
use socket2::SockRef;

use super::halves::halves;
use super::sys;
#[allow(unused_imports, reason = "Tokio's streams have the methods themselves")]
use crate::io::bridge::SharedIo;
use crate::runtime::Handle;

/// A TCP connection.
///
/// It implements the I/O traits of Tokio ([`io`](crate::io)) and of `futures_io`. Shutting it down
/// sends FIN: the peer reads to the end of the stream, and this side can still read.
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
    /// Connects to the first of the given addresses that accepts.
    ///
    /// # Errors
    /// Returns the error of the last address, or of the name resolution;
    /// [`io::ErrorKind::InvalidInput`] if there is no address.
    ///
    /// # Panics
    /// Panics if no runtime is current; see [`runtime`](crate::runtime).
    ///
    /// # Cancel safety
    /// Dropping the future closes the half-open connection.
    pub async fn connect<A: ToSocketAddrs>(address: A) -> io::Result<Self> {
        let Some(&address) = address.as_address() else {
            // Boxed, so that the common case of a single address does not pay for its size.
            return Box::pin(Handle::current().connect_tcp(address)).await;
        };
        Ok(Self {
            inner: on_current!(backend => backend::net::connect(address).await?),
        })
    }

    forward! {
        /// Returns the socket, for its options.
        #[inline]
        pub(super) fn socket(&self) -> SockRef<'_>;

        /// Returns the address of the peer.
        ///
        /// # Errors
        /// Fails if the system's `getpeername` does.
        pub fn peer_addr(&self) -> io::Result<SocketAddr>;

        /// Returns `true` if small writes are sent at once (`TCP_NODELAY`); `false` by default.
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` does.
        pub fn nodelay(&self) -> io::Result<bool>;

        /// Sets whether small writes are sent at once.
        ///
        /// # Errors
        /// Fails if the system's `setsockopt` does.
        pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

        /// Waits for data and copies it without consuming it. Returns the number of bytes, 0 at the
        /// end of the stream.
        ///
        /// # Errors
        /// Fails if the system's `recv` does.
        ///
        /// # Cancel safety
        /// Cancel-safe: no data is consumed.
        pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize>;

        /// Returns and clears the pending error of the socket, if any.
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` does.
        pub fn take_error(&self) -> io::Result<Option<io::Error>>;

        /// Returns how long closing waits for unsent data (`SO_LINGER`); `None` does not wait.
        ///
        /// # Errors
        /// Fails if the system's `getsockopt` does.
        pub fn linger(&self) -> io::Result<Option<Duration>>;

        /// Sets how long closing waits for unsent data.
        ///
        /// # Errors
        /// Fails if the system's `setsockopt` does.
        #[deprecated = "`SO_LINGER` causes the socket to block the thread on drop"]
        pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()>;
    }

    /// Makes closing discard unsent data and send RST.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        each!(&self.inner, stream => SocketOptions::set_linger(stream, Some(Duration::ZERO)))
    }

    /// Borrows the stream as two halves, which can be used at the same time within one task.
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
    /// let mut stream = TcpStream::connect(address).await?; let (mut read, mut write) =
    /// stream.split(); let mut answer = [0; 5]; // Writes and reads at the same time, in one task.
    /// let (written, received) = anyrt::join!(write.write_all(b"hello"), read.read_exact(&mut
    /// answer)); written?; received?; assert_eq!(&answer, b"hello");
    /// # drop(stream);
    /// # echo.await?;
    /// # Ok(()) });
    /// ```
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split(self)
    }

    /// Splits the stream into two owned halves, which can move to different tasks. Dropping the
    /// write half sends FIN.
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
        into_split(self)
    }

    #[inline]
    pub(super) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(&self.inner, stream => stream.poll_read_shared(cx, buf))
    }

    #[inline]
    pub(super) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(&self.inner, stream => stream.poll_write_shared(cx, buf))
    }

    #[inline]
    pub(super) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&self.inner, stream => stream.poll_write_vectored_shared(cx, bufs))
    }
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "fuchsia",
    target_os = "cygwin"
))]
impl TcpStream {
    sys::options! {
        /// Returns `true` if acknowledgements are sent at once (`TCP_QUICKACK`).
        quickack() -> bool = tcp_quickack;
        /// Sets whether acknowledgements are sent at once. The system may reset it at any time.
        set_quickack(quickack: bool) -> () = set_tcp_quickack;
    }
}

sys::socket!(TcpStream, tcp_stream_from_std);

impl AsRef<Self> for TcpStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    forward! {
        fn peer_addr(&self) -> io::Result<SocketAddr>;
        fn local_addr(&self) -> io::Result<SocketAddr>;
        fn nodelay(&self) -> io::Result<bool>;
        fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;
        fn shutdown(&self, how: Shutdown) -> io::Result<()>;
        async fn peek(&self, buf: &mut [u8]) -> io::Result<usize>;
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

halves!(TcpStream, SocketAddr, |stream| stream);

macro_rules! peek {
    ($($half:ty),*) => {$(
        impl $half {
            /// See [`TcpStream::poll_peek`].
            ///
            /// # Errors
            /// The same as there.
            pub fn poll_peek(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<usize>> {
                self.as_ref().poll_peek(cx, buf)
            }

            /// See [`TcpStream::peek`].
            ///
            /// # Errors
            /// The same as there.
            ///
            /// # Cancel safety
            /// Cancel-safe: no data is consumed.
            pub async fn peek(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.as_ref().peek(buf).await
            }
        }
    )*};
}
peek!(ReadHalf<'_>, OwnedReadHalf);
