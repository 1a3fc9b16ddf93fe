//! The contract of TCP listeners and streams.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};

use crate::error::ReuniteError;

/// A TCP listener, which accepts connections.
pub trait TcpListener: Sized + Send + Sync + fmt::Debug + 'static {
    /// An accepted connection.
    type Stream: TcpStream;

    /// Accepts a connection. Any number of tasks may wait at once.
    ///
    /// # Errors
    /// Fails if the system's `accept` does, for example if too many files are open. The listener
    /// stays usable.
    ///
    /// # Cancel safety
    /// Cancel-safe: if the future is dropped, no connection is lost.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Returns the local address, including the port that the system chose for port 0.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns a stream of connections, which never ends.
    fn incoming(&self) -> impl Stream<Item = io::Result<Self::Stream>> + Send + '_ {
        futures_lite::stream::unfold(self, |listener| async move {
            let accepted = listener.accept().await;
            Some((accepted.map(|(stream, _)| stream), listener))
        })
    }
}

/// A TCP connection.
///
/// It is read and written through the traits of [`futures_io`]. Each read and each write, including
/// vectored ones, is one system call. `close` sends FIN: the peer reads to the end of the stream,
/// and this side can still read.
///
/// # For implementors
/// - Reading and writing are cancel-safe: bytes are consumed or sent only by a poll that returns
///   their number.
/// - The stream may be polled on a thread of another runtime, and dropped on any thread.
///
/// # Examples
/// ```
/// use anyrt_core::TcpStream;
/// use futures_util::{AsyncReadExt, AsyncWriteExt};
///
/// /// Sends a request, ends it with FIN, and reads the whole answer.
/// async fn ask(mut stream: impl TcpStream, request: &[u8]) -> std::io::Result<Vec<u8>> {
///     stream.set_nodelay(true)?;
///     stream.write_all(request).await?;
///     stream.close().await?;
///     let mut answer = Vec::new();
///     stream.read_to_end(&mut answer).await?;
///     Ok(answer)
/// }
/// ```
pub trait TcpStream:
    AsyncRead + AsyncWrite + Unpin + Sized + Send + Sync + fmt::Debug + 'static
{
    /// The read half of [`into_split`](Self::into_split).
    type OwnedReadHalf: AsyncRead + Unpin + Send + Sync + fmt::Debug + 'static;
    /// The write half of [`into_split`](Self::into_split). Dropping it sends FIN.
    type OwnedWriteHalf: AsyncWrite + Unpin + Send + Sync + fmt::Debug + 'static;

    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns `true` if small writes are sent at once (`TCP_NODELAY`); `false` by default.
    ///
    /// # Errors
    /// Fails if the system's `getsockopt` does.
    fn nodelay(&self) -> io::Result<bool>;

    /// Sets whether small writes are sent at once.
    ///
    /// # Errors
    /// Fails if the system's `setsockopt` does.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// Shuts down one or both directions, at once.
    ///
    /// # Errors
    /// Fails if the system's `shutdown` does.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// For runtime authors: implements `poll_close`. Sends FIN, and succeeds if the peer has
    /// already gone.
    ///
    /// # Errors
    /// Fails if the system's `shutdown` does, except with [`io::ErrorKind::NotConnected`].
    fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Waits for data and copies it without consuming it. Returns the number of bytes, 0 at the end
    /// of the stream.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
    ///
    /// # Cancel safety
    /// Cancel-safe: no data is consumed.
    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Splits the stream into two owned halves, which can move to different tasks.
    fn into_split(self) -> (Self::OwnedReadHalf, Self::OwnedWriteHalf);

    /// Puts the halves together into the stream that they came from.
    ///
    /// # Errors
    /// Returns both halves if they are not from the same stream.
    fn reunite(
        read: Self::OwnedReadHalf,
        write: Self::OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<Self::OwnedReadHalf, Self::OwnedWriteHalf>>;
}

/// For runtime authors: returns the result of connecting once there is one. Readiness alone may be
/// spurious.
///
/// # Errors
/// Returns the error of connecting, or [`io::ErrorKind::WouldBlock`] while it is in progress.
pub fn connected(stream: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        result => result.map(drop),
    }
}
