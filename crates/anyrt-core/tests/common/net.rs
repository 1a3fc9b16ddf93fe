//! Sockets without a reactor: a task that has to wait tries again at once.

use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyrt_core::{TcpListener, TcpStream, UdpSocket};
use futures_io::{AsyncRead, AsyncWrite};

fn busy<T>(cx: &mut Context<'_>, result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
        result => Poll::Ready(result),
    }
}

#[derive(Debug)]
pub(crate) struct BusyListener<const N: u8>(pub(crate) std::net::TcpListener);

impl<const N: u8> TcpListener for BusyListener<N> {
    type Stream = BusyStream<N>;

    async fn accept(&self) -> io::Result<(BusyStream<N>, SocketAddr)> {
        let (stream, peer) = poll_fn(|cx| busy(cx, self.0.accept())).await?;
        stream.set_nonblocking(true)?;
        Ok((BusyStream(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// `N` distinguishes the types of the streams.
#[derive(Debug)]
pub(crate) struct BusyStream<const N: u8>(pub(crate) std::net::TcpStream);

impl<const N: u8> TcpStream for BusyStream<N> {
    anyrt_kit::shared_halves!();

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
        self.0.shutdown(how)
    }

    async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| busy(cx, self.0.peek(buf))).await
    }
}

impl<const N: u8> AsyncRead for &BusyStream<N> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        busy(cx, (&self.0).read(buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        busy(cx, (&self.0).read_vectored(bufs))
    }
}

impl<const N: u8> AsyncWrite for &BusyStream<N> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        busy(cx, (&self.0).write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        busy(cx, (&self.0).write_vectored(bufs))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.close_write())
    }
}

anyrt_kit::shared_io!(for [const N: u8] BusyStream<N>);

#[derive(Debug)]
pub(crate) struct BusyUdp(pub(crate) std::net::UdpSocket);

impl UdpSocket for BusyUdp {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        poll_fn(|cx| busy(cx, self.0.send_to(buf, target))).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| busy(cx, self.0.recv_from(buf))).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.0.connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| busy(cx, self.0.send(buf))).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| busy(cx, self.0.recv(buf))).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
