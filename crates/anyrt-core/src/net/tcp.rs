//! TCP: what a listener and a stream promise.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Shutdown, SocketAddr};

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};

use crate::error::ReuniteError;

/// Accepts connections.
pub trait TcpListener: Sized + Send + Sync + fmt::Debug + 'static {
    /// An accepted connection.
    type Stream: TcpStream;

    /// Waits for a connection. Several tasks may wait at once.
    ///
    /// # Errors
    /// As the system's `accept`, such as too many open files; the listener can be used on.
    ///
    /// # Cancel safety
    /// A connection that a dropped future would have had goes to the next one.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// The address that it listens on, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The connections as a stream that never ends.
    fn incoming(&self) -> impl Stream<Item = io::Result<Self::Stream>> + Send + '_ {
        futures_lite::stream::unfold(self, |listener| async move {
            let accepted = listener.accept().await;
            Some((accepted.map(|(stream, _)| stream), listener))
        })
    }
}

/// A connection.
///
/// Reads and writes are those of [`futures_io`]: each is one system call, and vectored writes are one, too.
/// `close` sends what TCP calls FIN: the peer reads to the end, and this side can still read.
///
/// # For implementors
/// - Reading and writing are cancel-safe: bytes are taken or sent only by a poll that returns their number.
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
    /// The reading half of [`into_split`](Self::into_split).
    type OwnedReadHalf: AsyncRead + Unpin + Send + Sync + fmt::Debug + 'static;
    /// The writing half of [`into_split`](Self::into_split); dropping it sends FIN.
    type OwnedWriteHalf: AsyncWrite + Unpin + Send + Sync + fmt::Debug + 'static;

    /// The address of the other side.
    ///
    /// # Errors
    /// As the system's `getpeername`.
    fn peer_addr(&self) -> io::Result<SocketAddr>;

    /// The address of this side.
    ///
    /// # Errors
    /// As the system's `getsockname`.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Whether small writes leave at once (`TCP_NODELAY`); they do not unless set.
    ///
    /// # Errors
    /// As the system's `getsockopt`.
    fn nodelay(&self) -> io::Result<bool>;

    /// Makes small writes leave at once.
    ///
    /// # Errors
    /// As the system's `setsockopt`.
    fn set_nodelay(&self, nodelay: bool) -> io::Result<()>;

    /// Ends one or both directions, at once.
    ///
    /// # Errors
    /// As the system's `shutdown`.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// For runtime authors: what `poll_close` does. Sends FIN, and is content if the peer has gone already.
    ///
    /// # Errors
    /// As the system's `shutdown`, but for [`io::ErrorKind::NotConnected`].
    fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// Waits for data and copies it without taking it; gives the number of bytes, 0 at the end.
    ///
    /// # Errors
    /// As the system's `recv`.
    ///
    /// # Cancel safety
    /// Takes nothing, whenever it is dropped.
    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Two halves that can live in two tasks.
    fn into_split(self) -> (Self::OwnedReadHalf, Self::OwnedWriteHalf);

    /// The stream that the halves came from.
    ///
    /// # Errors
    /// The halves, when they are not of one stream.
    fn reunite(
        read: Self::OwnedReadHalf,
        write: Self::OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<Self::OwnedReadHalf, Self::OwnedWriteHalf>>;
}

/// For runtime authors: whether connecting has come to its end, and to which one; readiness alone may be a false alarm.
///
/// # Errors
/// Those of connecting; [`io::ErrorKind::WouldBlock`] while it is under way.
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
