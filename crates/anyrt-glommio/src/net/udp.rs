//! UDP: direct system calls once the socket is ready.

use std::io;
use std::net::SocketAddr;

use anyrt_core::net;

use crate::handle::GlommioRuntime;
use crate::reactor::{AsyncFd, READ, WRITE};

/// Sends and receives datagrams.
#[derive(Debug)]
pub struct UdpSocket {
    pub(super) io: AsyncFd<std::net::UdpSocket>,
}

impl UdpSocket {
    pub(super) fn new(runtime: &GlommioRuntime, socket: std::net::UdpSocket) -> Self {
        Self {
            io: AsyncFd::unbound(runtime, socket),
        }
    }

    /// The socket with its readiness.
    pub fn as_inner(&self) -> &AsyncFd<std::net::UdpSocket> {
        &self.io
    }

    /// Takes the socket out, non-blocking as it is.
    ///
    /// # Errors
    /// None; the signature is that of all backends.
    pub fn into_std(self) -> io::Result<std::net::UdpSocket> {
        Ok(self.io.into_inner())
    }
}

impl net::UdpSocket for UdpSocket {
    async fn send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.io
            .run(WRITE, |socket| socket.send_to(buf, target))
            .await
    }

    async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io.run(READ, |socket| socket.recv_from(buf)).await
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<()> {
        // No datagram is sent, so nothing is waited for.
        self.io.get_ref().connect(peer)
    }

    async fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.run(WRITE, |socket| socket.send(buf)).await
    }

    async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.run(READ, |socket| socket.recv(buf)).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }
}
