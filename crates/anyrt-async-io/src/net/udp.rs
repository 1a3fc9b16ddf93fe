//! UDP: direct system calls once the socket is ready.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use anyrt_core::net;
use anyrt_core::readiness::{Interest, Ready};

use crate::reactor::Reactor;
use crate::readiness::Socket;

/// Sends and receives datagrams.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) inner: Socket<std::net::UdpSocket>,
}

/// An error of the socket (that nobody listens at the other end, for one) is reported by reading or writing.
const READ: Interest = Interest::READABLE.add(Interest::ERROR);
const WRITE: Interest = Interest::WRITABLE.add(Interest::ERROR);

impl UdpSocket {
    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    /// Fails if the socket cannot be registered with the reactor.
    pub fn from_std(reactor: &Arc<Reactor>, socket: std::net::UdpSocket) -> io::Result<Self> {
        let inner = Socket::new(reactor, socket, Ready::EMPTY)?;
        Ok(Self { inner })
    }

    /// The socket with its readiness.
    pub fn as_inner(&self) -> &Socket<std::net::UdpSocket> {
        &self.inner
    }
}

impl net::UdpSocket for UdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let send = |socket: &std::net::UdpSocket| socket.send_to(buf, target);
        self.inner.run(WRITE, send).await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.inner.run(READ, |socket| socket.recv_from(buf)).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        // No datagram is sent, so nothing is waited for.
        self.inner.get().connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.inner.run(WRITE, |socket| socket.send(buf)).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.run(READ, |socket| socket.recv(buf)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.get().peer_addr()
    }
}
