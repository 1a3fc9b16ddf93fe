//! UDP over `async_io::Async`.

use std::io;
use std::net::SocketAddr;

use anyrt_core::{coop, net};
use async_io::Async;

use crate::readiness::Socket;

/// Sends and receives datagrams.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) inner: Socket<std::net::UdpSocket>,
}

impl UdpSocket {
    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    /// As the reactor refuses it.
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        let inner = Socket::new(Async::new_nonblocking(socket)?);
        Ok(Self { inner })
    }

    /// The socket inside.
    pub fn as_inner(&self) -> &Async<std::net::UdpSocket> {
        self.inner.get()
    }

    /// Takes the socket out.
    pub fn into_inner(self) -> Async<std::net::UdpSocket> {
        self.inner.into_inner()
    }
}

impl net::UdpSocket for UdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        coop::cooperative(self.inner.get().send_to(buf, target)).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        coop::cooperative(self.inner.get().recv_from(buf)).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        self.inner.get().get_ref().connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        coop::cooperative(self.inner.get().send(buf)).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        coop::cooperative(self.inner.get().recv(buf)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().get_ref().peer_addr()
    }
}
