//! TCP listeners, streams and their halves.

use std::future::{Future, poll_fn};
use std::io::IoSlice;
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use anyrt_core::error::ReuniteError;
use anyrt_core::net::Descriptor;
use anyrt_core::readiness::{Direction, Readiness};
use futures_io::{AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;
use socket2::SockRef;
use tokio::io::{self, ReadBuf};
use tokio::net::tcp;

use super::newtype::newtype;
use crate::runtime::TokioRuntime;

/// A TCP listener, which accepts connections.
#[derive(Debug)]
pub struct TcpListener {
    inner: tokio::net::TcpListener,
    // Tokio registers a connection with the runtime of the thread that polls, and panics if there
    // is none.
    home: TokioRuntime,
}

/// A TCP connection.
#[derive(Debug)]
pub struct TcpStream(pub(super) tokio::net::TcpStream);

/// The read half of a connection.
#[derive(Debug)]
pub struct OwnedReadHalf(tcp::OwnedReadHalf);

/// The write half of a connection. Dropping it sends FIN.
#[derive(Debug)]
pub struct OwnedWriteHalf(tcp::OwnedWriteHalf);

newtype!(TcpStream, tokio::net::TcpStream);
newtype!(OwnedReadHalf, tcp::OwnedReadHalf);
newtype!(OwnedWriteHalf, tcp::OwnedWriteHalf);

impl TcpListener {
    /// Converts a listener of Tokio. Accepted connections belong to `home`, regardless of where it
    /// is polled.
    pub fn new(inner: tokio::net::TcpListener, home: TokioRuntime) -> Self {
        Self { inner, home }
    }

    /// Returns Tokio's own type.
    pub fn as_inner(&self) -> &tokio::net::TcpListener {
        &self.inner
    }

    /// Converts into Tokio's own type.
    pub fn into_inner(self) -> tokio::net::TcpListener {
        self.inner
    }
}

impl TcpListener {
    /// Polls for a connection. Only the task that polled last is woken.
    ///
    /// # Errors
    /// Fails if the system's `accept` does.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let _entered = self.home.within_context();
        let (stream, peer) = ready!(self.inner.poll_accept(cx))?;
        Poll::Ready(Ok((TcpStream(stream), peer)))
    }

    /// Converts into the type of std. The socket stays in non-blocking mode.
    ///
    /// # Errors
    /// Fails if the socket cannot be deregistered from the reactor.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
        self.inner.into_std()
    }
}

impl Descriptor for TcpListener {
    fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.inner)
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for TcpListener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

#[cfg(windows)]
impl std::os::windows::io::AsSocket for TcpListener {
    fn as_socket(&self) -> std::os::windows::io::BorrowedSocket<'_> {
        self.inner.as_socket()
    }
}

impl anyrt_core::TcpListener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let mut accept = pin!(self.inner.accept());
        let (stream, peer) = poll_fn(|cx| {
            let _entered = self.home.within_context();
            accept.as_mut().poll(cx)
        })
        .await?;
        Ok((TcpStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// Connects to one address on the current runtime.
///
/// # Errors
/// Fails if the system's `connect` does.
///
/// # Panics
/// Panics if no Tokio runtime is current at the first poll. Later polls need none.
///
/// # Cancel safety
/// Dropping the future closes the half-open connection.
pub async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    tokio::net::TcpStream::connect(address).await.map(TcpStream)
}

/// Connects on that runtime.
pub(super) fn connect_on(
    runtime: &TokioRuntime,
    address: SocketAddr,
) -> impl Future<Output = io::Result<TcpStream>> + Send {
    Connect {
        runtime: Some(runtime),
        future: tokio::net::TcpStream::connect(address),
    }
}

pin_project! {
    struct Connect<'a, F> {
        // Until the first poll, in which Tokio creates the socket and needs its context.
        runtime: Option<&'a TokioRuntime>,
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = io::Result<tokio::net::TcpStream>>> Future for Connect<'_, F> {
    type Output = io::Result<TcpStream>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let runtime = this.runtime.take();
        let _entered = runtime.and_then(TokioRuntime::within_context);
        this.future.poll(cx).map_ok(TcpStream)
    }
}

impl TcpStream {
    /// Reads like Tokio's `AsyncRead`, through a shared reference.
    ///
    /// # Errors
    /// Fails if the system's `recv` does.
    pub fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        let read = || self.0.try_read_buf(buf);
        self.poll_bytes(cx, Direction::Read, room, read)
            .map_ok(drop)
    }

    /// Writes like Tokio's `AsyncWrite`, through a shared reference.
    ///
    /// # Errors
    /// Fails if the system's `send` does.
    pub fn poll_write_shared(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = || self.0.try_write(buf);
        self.poll_bytes(cx, Direction::Write, buf.len(), write)
    }

    /// Writes like Tokio's `AsyncWrite`, through a shared reference.
    ///
    /// # Errors
    /// Fails if the system's `send` does.
    pub fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = || self.0.try_write_vectored(bufs);
        self.poll_io(cx, Direction::Write, write)
    }

    /// Calls Tokio's `try_read_buf`.
    ///
    /// # Errors
    /// Returns the error of Tokio's method.
    pub fn try_read_buf<B: bytes::BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.0.try_read_buf(buf)
    }
}

impl anyrt_core::TcpStream for TcpStream {
    type OwnedReadHalf = OwnedReadHalf;
    type OwnedWriteHalf = OwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.0.nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(&self.0).shutdown(how)
    }

    fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send {
        self.0.peek(buf)
    }

    fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let (read, write) = self.0.into_split();
        (OwnedReadHalf(read), OwnedWriteHalf(write))
    }

    fn reunite(
        read: OwnedReadHalf,
        write: OwnedWriteHalf,
    ) -> Result<Self, ReuniteError<OwnedReadHalf, OwnedWriteHalf>> {
        match read.0.reunite(write.0) {
            Ok(stream) => Ok(Self(stream)),
            Err(tcp::ReuniteError(read, write)) => {
                Err(ReuniteError(OwnedReadHalf(read), OwnedWriteHalf(write)))
            }
        }
    }
}

impl OwnedReadHalf {
    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl OwnedWriteHalf {
    /// Returns the address of the peer.
    ///
    /// # Errors
    /// Fails if the system's `getpeername` does.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Returns the local address.
    ///
    /// # Errors
    /// Fails if the system's `getsockname` does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Drops the half without sending FIN. The connection closes with the read half.
    pub fn forget(self) {
        self.0.forget();
    }
}

macro_rules! read {
    ($stream:ident) => {
        impl AsyncRead for $stream {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let mut buf = ReadBuf::new(buf);
                ready!(io::AsyncRead::poll_read(
                    Pin::new(&mut self.0),
                    cx,
                    &mut buf
                ))?;
                Poll::Ready(Ok(buf.filled().len()))
            }
        }

        impl io::AsyncRead for $stream {
            #[inline]
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.0).poll_read(cx, buf)
            }
        }
    };
}

macro_rules! write {
    ($trait:path, $stream:ident, $close:ident $(, { $($more:item)* })?) => {
        impl $trait for $stream {
            #[inline]
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
            }

            #[inline]
            fn poll_write_vectored(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bufs)
            }

            #[inline]
            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
            }

            #[inline]
            fn $close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
            }

            $($($more)*)?
        }
    };
}

read!(TcpStream);
read!(OwnedReadHalf);
write!(AsyncWrite, TcpStream, poll_close);
write!(AsyncWrite, OwnedWriteHalf, poll_close);
write!(io::AsyncWrite, TcpStream, poll_shutdown, {
    #[inline]
    fn is_write_vectored(&self) -> bool {
        io::AsyncWrite::is_write_vectored(&self.0)
    }
});
write!(io::AsyncWrite, OwnedWriteHalf, poll_shutdown, {
    #[inline]
    fn is_write_vectored(&self) -> bool {
        io::AsyncWrite::is_write_vectored(&self.0)
    }
});
