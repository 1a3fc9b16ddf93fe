//! The sockets of an erased runtime.

use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use super::BoxFuture;
use crate::error::ReuniteError;
use crate::net::{FromStd, Net, TcpListener, TcpStream, UdpSocket};

pub(super) trait DynNet: Send + Sync {
    fn dyn_bind_tcp(&self, address: SocketAddr) -> io::Result<ErasedTcpListener>;
    fn dyn_bind_udp(&self, address: SocketAddr) -> io::Result<ErasedUdpSocket>;
    fn dyn_resolve(&self, host: String, port: u16) -> BoxFuture<'_, io::Result<Vec<SocketAddr>>>;
    fn dyn_connect_tcp(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<ErasedTcpStream>>;
}

impl<R: Net> DynNet for R {
    fn dyn_bind_tcp(&self, address: SocketAddr) -> io::Result<ErasedTcpListener> {
        self.bind_tcp_addr(address).map(ErasedTcpListener::new)
    }

    fn dyn_bind_udp(&self, address: SocketAddr) -> io::Result<ErasedUdpSocket> {
        self.bind_udp_addr(address).map(ErasedUdpSocket::new)
    }

    fn dyn_resolve(&self, host: String, port: u16) -> BoxFuture<'_, io::Result<Vec<SocketAddr>>> {
        Box::pin(self.resolve(host, port))
    }

    fn dyn_connect_tcp(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<ErasedTcpStream>> {
        Box::pin(async move {
            self.connect_tcp_addr(address)
                .await
                .map(ErasedTcpStream::new)
        })
    }
}

/// The conversions from sockets of the operating system, which not every runtime has.
pub(super) trait DynFromStd: Send + Sync {
    fn dyn_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<ErasedTcpListener>;
    fn dyn_tcp_stream(&self, stream: std::net::TcpStream) -> io::Result<ErasedTcpStream>;
    fn dyn_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<ErasedUdpSocket>;
}

impl<R: FromStd> DynFromStd for R {
    fn dyn_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<ErasedTcpListener> {
        self.tcp_listener_from_std(listener)
            .map(ErasedTcpListener::new)
    }

    fn dyn_tcp_stream(&self, stream: std::net::TcpStream) -> io::Result<ErasedTcpStream> {
        self.tcp_stream_from_std(stream).map(ErasedTcpStream::new)
    }

    fn dyn_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<ErasedUdpSocket> {
        self.udp_socket_from_std(socket).map(ErasedUdpSocket::new)
    }
}

/// A listener of an [`ErasedRuntime`](super::ErasedRuntime).
#[derive(Debug)]
pub struct ErasedTcpListener {
    inner: Box<dyn DynTcpListener>,
}

impl ErasedTcpListener {
    fn new(inner: impl TcpListener) -> Self {
        Self {
            inner: Box::new(inner),
        }
    }
}

trait DynTcpListener: Send + Sync + fmt::Debug {
    fn dyn_accept(&self) -> BoxFuture<'_, io::Result<(ErasedTcpStream, SocketAddr)>>;
    fn dyn_local_addr(&self) -> io::Result<SocketAddr>;
}

impl<L: TcpListener> DynTcpListener for L {
    fn dyn_accept(&self) -> BoxFuture<'_, io::Result<(ErasedTcpStream, SocketAddr)>> {
        Box::pin(async move {
            let (stream, peer) = self.accept().await?;
            Ok((ErasedTcpStream::new(stream), peer))
        })
    }

    fn dyn_local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl TcpListener for ErasedTcpListener {
    type Stream = ErasedTcpStream;

    async fn accept(&self) -> io::Result<(ErasedTcpStream, SocketAddr)> {
        self.inner.dyn_accept().await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.dyn_local_addr()
    }
}

/// A connection of an [`ErasedRuntime`](super::ErasedRuntime).
#[derive(Debug)]
pub struct ErasedTcpStream {
    inner: Box<dyn DynTcpStream>,
}

trait DynTcpStream: AsyncRead + AsyncWrite + Unpin + Send + Sync + fmt::Debug {
    fn dyn_peer_addr(&self) -> io::Result<SocketAddr>;
    fn dyn_local_addr(&self) -> io::Result<SocketAddr>;
    fn dyn_nodelay(&self) -> io::Result<bool>;
    fn dyn_set_nodelay(&self, nodelay: bool) -> io::Result<()>;
    fn dyn_shutdown(&self, how: Shutdown) -> io::Result<()>;
    fn dyn_peek<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<usize>>;
    fn dyn_into_split(self: Box<Self>) -> (ErasedOwnedReadHalf, ErasedOwnedWriteHalf);
}

impl<S: TcpStream> DynTcpStream for S {
    fn dyn_peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }

    fn dyn_local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn dyn_nodelay(&self) -> io::Result<bool> {
        self.nodelay()
    }

    fn dyn_set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_nodelay(nodelay)
    }

    fn dyn_shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn dyn_peek<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(self.peek(buf))
    }

    fn dyn_into_split(self: Box<Self>) -> (ErasedOwnedReadHalf, ErasedOwnedWriteHalf) {
        let (read, write) = self.into_split();
        let read = ErasedOwnedReadHalf {
            inner: Box::new(read),
        };
        let write = ErasedOwnedWriteHalf {
            inner: Box::new(write),
            reunite: reunite::<S>,
        };
        (read, write)
    }
}

impl ErasedTcpStream {
    fn new<S: TcpStream>(stream: S) -> Self {
        Self {
            inner: Box::new(stream),
        }
    }
}

impl TcpStream for ErasedTcpStream {
    type OwnedReadHalf = ErasedOwnedReadHalf;
    type OwnedWriteHalf = ErasedOwnedWriteHalf;

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.dyn_peer_addr()
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.dyn_local_addr()
    }

    fn nodelay(&self) -> io::Result<bool> {
        self.inner.dyn_nodelay()
    }

    fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.inner.dyn_set_nodelay(nodelay)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.inner.dyn_shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.dyn_peek(buf).await
    }

    fn into_split(self) -> (ErasedOwnedReadHalf, ErasedOwnedWriteHalf) {
        self.inner.dyn_into_split()
    }

    fn reunite(read: ErasedOwnedReadHalf, write: ErasedOwnedWriteHalf) -> Reunited {
        (write.reunite)(read, write)
    }
}

impl AsyncRead for ErasedTcpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for ErasedTcpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_close(cx)
    }
}

/// The read half of an [`ErasedTcpStream`].
#[derive(Debug)]
pub struct ErasedOwnedReadHalf {
    inner: Box<dyn DynReadHalf>,
}

/// The write half of an [`ErasedTcpStream`]. Dropping it sends FIN.
pub struct ErasedOwnedWriteHalf {
    inner: Box<dyn DynWriteHalf>,
    /// Identifies the stream of the half.
    reunite: fn(ErasedOwnedReadHalf, ErasedOwnedWriteHalf) -> Reunited,
}

type Reunited = Result<ErasedTcpStream, ReuniteError<ErasedOwnedReadHalf, ErasedOwnedWriteHalf>>;

trait DynReadHalf: AsyncRead + Unpin + Send + Sync + fmt::Debug + Any {}
impl<H: AsyncRead + Unpin + Send + Sync + fmt::Debug + Any> DynReadHalf for H {}

trait DynWriteHalf: AsyncWrite + Unpin + Send + Sync + fmt::Debug + Any {}
impl<H: AsyncWrite + Unpin + Send + Sync + fmt::Debug + Any> DynWriteHalf for H {}

fn reunite<S: TcpStream>(read: ErasedOwnedReadHalf, write: ErasedOwnedWriteHalf) -> Reunited {
    // Checked before they are consumed, because a failed downcast would not return the boxes as
    // halves.
    if !(&*read.inner as &dyn Any).is::<S::OwnedReadHalf>() {
        return Err(ReuniteError(read, write));
    }
    let (read, write): (Box<dyn Any>, Box<dyn Any>) = (read.inner, write.inner);
    let (Ok(read), Ok(write)) = (read.downcast(), write.downcast()) else {
        unreachable!("the type of one was looked at, and the other one chose this function")
    };
    S::reunite(*read, *write)
        .map(ErasedTcpStream::new)
        .map_err(|ReuniteError(read, write)| {
            let read = ErasedOwnedReadHalf {
                inner: Box::new(read),
            };
            let write = ErasedOwnedWriteHalf {
                inner: Box::new(write),
                reunite: reunite::<S>,
            };
            ReuniteError(read, write)
        })
}

impl AsyncRead for ErasedOwnedReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_read_vectored(cx, bufs)
    }
}

impl AsyncWrite for ErasedOwnedWriteHalf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.inner).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.inner).poll_close(cx)
    }
}

impl fmt::Debug for ErasedOwnedWriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasedOwnedWriteHalf")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// A datagram socket of an [`ErasedRuntime`](super::ErasedRuntime).
#[derive(Debug)]
pub struct ErasedUdpSocket {
    inner: Box<dyn DynUdpSocket>,
}

impl ErasedUdpSocket {
    fn new(inner: impl UdpSocket) -> Self {
        Self {
            inner: Box::new(inner),
        }
    }
}

trait DynUdpSocket: Send + Sync + fmt::Debug {
    fn dyn_send_to<'a>(
        &'a self,
        buf: &'a [u8],
        target: SocketAddr,
    ) -> BoxFuture<'a, io::Result<usize>>;
    fn dyn_recv_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>>;
    fn dyn_connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<()>>;
    fn dyn_send<'a>(&'a self, buf: &'a [u8]) -> BoxFuture<'a, io::Result<usize>>;
    fn dyn_recv<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<usize>>;
    fn dyn_local_addr(&self) -> io::Result<SocketAddr>;
    fn dyn_peer_addr(&self) -> io::Result<SocketAddr>;
}

impl<S: UdpSocket> DynUdpSocket for S {
    fn dyn_send_to<'a>(
        &'a self,
        buf: &'a [u8],
        target: SocketAddr,
    ) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(self.send_to(buf, target))
    }

    fn dyn_recv_from<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> BoxFuture<'a, io::Result<(usize, SocketAddr)>> {
        Box::pin(self.recv_from(buf))
    }

    fn dyn_connect(&self, peer: SocketAddr) -> BoxFuture<'_, io::Result<()>> {
        Box::pin(self.connect(peer))
    }

    fn dyn_send<'a>(&'a self, buf: &'a [u8]) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(self.send(buf))
    }

    fn dyn_recv<'a>(&'a self, buf: &'a mut [u8]) -> BoxFuture<'a, io::Result<usize>> {
        Box::pin(self.recv(buf))
    }

    fn dyn_local_addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn dyn_peer_addr(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

impl UdpSocket for ErasedUdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.inner.dyn_send_to(buf, target).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.dyn_recv_from(buf).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.inner.dyn_connect(peer).await
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.dyn_send(buf).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.dyn_recv(buf).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.dyn_local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.dyn_peer_addr()
    }
}
